//! Topics of Kafka, and what services may do with them.
//!
//! Sources: Apache Kafka documentation, "Topic Configs", "Authorization and ACLs".

use tidegate_base::Name;
use tidegate_base::format_duration;
use tidegate_base::limit::BATCH_BYTES_MAX;
use tidegate_model::Design;
use tidegate_model::design::{CleanupPolicy, ConsumerRef, Event, Order};

use super::{Acl, Desired, Options, Pattern, Use, Wanted, consumers, millis, number};
use crate::resource::{Engine, Kind};
use crate::rules::Rule;

/// How much of its time a consumer may be busy at the peak: what is left catches up.
const BUSY_MAX: f64 = 0.7;
/// More partitions than this nobody gets without asking for them.
const PARTITIONS_MAX: u32 = 100;
/// What a broker takes when nothing else is said, in bytes.
const MESSAGE_BYTES: u64 = 1_048_588;

pub(super) fn desired(design: &Design, options: &Options) -> Desired {
    let mut desired = Desired::new(Engine::Kafka);
    let system = &design.system.value;
    let Options { prefix, .. } = options;
    for (name, event) in &design.events {
        let partitions = match options.used_by {
            Use::Runtime => options.partitions.unwrap_or(1),
            Use::Clients => partitions(design, name, options),
        };
        let wanted = match options.used_by {
            Use::Runtime => kept_by_runtime(Wanted::because(format!("event `{name}`"))),
            Use::Clients => topic(name, event, partitions),
        };
        let wanted = Wanted {
            keyed: event.key.is_some(),
            ..wanted
        };
        let wanted = partitioned(wanted, partitions, options);
        desired.add(Kind::Topic, format!("{prefix}{name}"), wanted);
    }
    match options.used_by {
        Use::Runtime => {
            let state = Wanted::because(format!(
                "what the consumers of `{system}` have done, with a partition for each shard"
            ));
            let state = partitioned(
                kept_by_runtime(state),
                options.partitions.unwrap_or(1),
                options,
            );
            desired.add(
                Kind::Topic,
                format!("{prefix}tidegate.{system}.state"),
                state,
            );
            desired.acls = runtime_acls(system, prefix, design);
        }
        Use::Clients => {
            for consumer in design.consumers() {
                dead_letters(design, consumer, options, &mut desired);
            }
            desired.acls = client_acls(design, options);
        }
    }
    if !desired.acls.is_empty() {
        let services = desired.acls.len();
        desired.notes.push(format!(
            "{services} rights of services are neither read nor given here: `tidegate generate kafka-topics` writes them \
             for kafka-acls.sh, `generate strimzi` as KafkaUser"
        ));
    }
    desired
}

/// Enough partitions that consumers which take one event at a time keep up with the peak: in total order 1.
#[must_use]
pub fn partitions(design: &Design, event: &Name, options: &Options) -> u32 {
    let is_total = |c: ConsumerRef<'_>| c.consume.order.value == Order::Total;
    if consumers(design, event).any(is_total) {
        return 1;
    }
    if let Some(partitions) = options.partitions {
        return partitions;
    }
    let peak = design
        .events
        .get(event)
        .and_then(|event| event.targets.peak_or_rate());
    let busy = consumers(design, event).filter_map(|consumer| {
        let time = consumer.consume.deliver.handler_time.as_ref()?;
        Some(peak?.value() * time.value.as_secs_f64() / BUSY_MAX)
    });
    let busiest = busy.fold(1.0_f64, f64::max).ceil();
    (1..=PARTITIONS_MAX)
        .find(|partitions| f64::from(*partitions) >= busiest)
        .unwrap_or(PARTITIONS_MAX)
}

fn partitioned(wanted: Wanted, partitions: u32, options: &Options) -> Wanted {
    // What somebody asked for is meant; what was computed is the least.
    let (rule, because) = match (options.partitions, options.used_by) {
        (Some(_), _) => (Rule::Exactly, "as asked for"),
        (None, Use::Runtime) => (Rule::AtLeast, "a shard at least"),
        (None, Use::Clients) => (
            Rule::AtLeast,
            "so that consumers keep up with the peak, one event at a time in each partition",
        ),
    };
    let wanted = wanted.want_by(rule, "partitions", i64::from(partitions), because);
    let Some(replication) = options.replication else {
        return wanted;
    };
    let because = "so that it outlives servers";
    let wanted = wanted.want_by(
        Rule::AtLeast,
        "replication",
        i64::from(replication),
        because,
    );
    if replication < 3 {
        return wanted;
    }
    let least = i64::from(replication / 2 + 1);
    let because = "what is acknowledged is in more than one place, and one server may be down";
    let wanted = wanted.want("min.insync.replicas", least, because);
    let because = "a server that lacks acknowledged events never leads";
    wanted.want("unclean.leader.election.enable", false, because)
}

fn topic(name: &Name, event: &Event, partitions: u32) -> Wanted {
    let mut wanted = Wanted::because(format!("event `{name}`"));
    match event.cleanup_policy.value {
        CleanupPolicy::Compact => {
            wanted = wanted.want("cleanup.policy", "compact", "`cleanup-policy` of the event");
        }
        CleanupPolicy::Delete => {
            let retention = event.retention.value;
            let because = format!("`retention: {}` of the event", format_duration(retention));
            wanted = wanted
                .want("cleanup.policy", "delete", "`cleanup-policy` of the event")
                .want("retention.ms", millis(retention), because);
            if let Some(size) = &event.retention_size {
                // Kafka counts each partition for itself.
                let each = size.value.0.div_ceil(u64::from(partitions.max(1)));
                let because = format!(
                    "`retention-size: {}` of the event over {partitions} partitions",
                    size.value
                );
                wanted = wanted.want("retention.bytes", number(each), because);
            }
        }
    }
    match event.targets.size.filter(|size| size.0 > MESSAGE_BYTES / 2) {
        Some(size) => {
            let because = format!("twice the target of {size}, as headers are part of it");
            let most = number(size.0.saturating_mul(2));
            wanted.want_by(Rule::AtLeast, "max.message.bytes", most, because)
        }
        None => wanted,
    }
}

fn kept_by_runtime(wanted: Wanted) -> Wanted {
    let because = "Kafka does not know what is unfinished: the runtime removes what nobody needs";
    wanted
        .want("cleanup.policy", "delete", because)
        .want("retention.ms", -1, because)
        .want("retention.bytes", -1, because)
        .want_by(
            Rule::AtLeast,
            "max.message.bytes",
            number(BATCH_BYTES_MAX),
            "the largest batch",
        )
}

/// The topic for what a consumer cannot handle.
#[must_use]
pub fn dead_letter_topic(consumer: ConsumerRef<'_>, prefix: &str) -> String {
    format!(
        "{prefix}{}.{}.dead-letters",
        consumer.service_name, consumer.event_name
    )
}

fn dead_letters(
    design: &Design,
    consumer: ConsumerRef<'_>,
    options: &Options,
    desired: &mut Desired,
) {
    let Some(letter) = &consumer.consume.dead_letter else {
        return;
    };
    let retention = letter.retention.value;
    let because = format!(
        "`dead-letter.retention: {}` of the consumer",
        format_duration(retention)
    );
    let wanted = Wanted::because(format!("dead letters of `{}`", consumer.id()))
        .want("cleanup.policy", "delete", "a letter stays until it is old")
        .want("retention.ms", millis(retention), because);
    // As many as the event has: a letter goes to the partition that it comes from.
    let partitions = partitions(design, consumer.event_name, options);
    let wanted = partitioned(wanted, partitions, options);
    desired.add(
        Kind::Topic,
        dead_letter_topic(consumer, &options.prefix),
        wanted,
    );
}

fn acl(service: &Name, resource: &'static str, name: String, operations: &[&'static str]) -> Acl {
    Acl {
        service: service.to_string(),
        resource,
        name,
        pattern: Pattern::Literal,
        operations: operations.to_vec(),
    }
}

fn client_acls(design: &Design, options: &Options) -> Vec<Acl> {
    let prefix = &options.prefix;
    let mut acls = Vec::new();
    for (name, service) in &design.services {
        for event in &service.publishes {
            let topic = format!("{prefix}{}", event.value);
            acls.push(acl(name, "topic", topic, &["Write", "Describe"]));
        }
        for event in service.consumes.keys() {
            let topic = format!("{prefix}{event}");
            acls.push(acl(name, "topic", topic, &["Read", "Describe"]));
        }
        if !service.consumes.is_empty() {
            acls.push(acl(name, "group", format!("{prefix}{name}"), &["Read"]));
        }
    }
    for consumer in design.consumers() {
        if consumer.consume.dead_letter.is_some() {
            let topic = dead_letter_topic(consumer, prefix);
            let rights = ["Write", "Describe"];
            acls.push(acl(consumer.service_name, "topic", topic, &rights));
        }
    }
    acls
}

/// Of the one user that the runtime is: services never speak with Kafka.
fn runtime_acls(system: &Name, prefix: &str, design: &Design) -> Vec<Acl> {
    let topics = design.events.keys().map(|event| format!("{prefix}{event}"));
    let state = format!("{prefix}tidegate.{system}.state");
    let all = [
        "Read",
        "Write",
        "Create",
        "Delete",
        "Describe",
        "DescribeConfigs",
    ];
    let topics = topics.chain([state]);
    let mut acls: Vec<Acl> = topics
        .map(|topic| acl(system, "topic", topic, &all))
        .collect();
    let own = format!("{prefix}tidegate.{system}");
    for (resource, rights) in [
        ("group", &["Read", "Describe"][..]),
        ("transactional-id", &["Write", "Describe"]),
    ] {
        acls.push(Acl {
            pattern: Pattern::Prefixed,
            ..acl(system, resource, own.clone(), rights)
        });
    }
    acls
}
