//! What Kafka's topics promise. Source: Apache Kafka documentation, "Topic Configs", "Replication", "Producer Configs".

use std::time::Duration;

use tidegate_base::format_duration;
use tidegate_model::design::{CleanupPolicy, ConsumerRef, Event, Order};

use super::{Examiner, Promise, count, is_on, number, text};
use crate::codes as c;
use crate::desired::{Use, dead_letter_topic, partitions};
use crate::resource::{Kind, Settings};

pub(super) fn examine(examiner: &mut Examiner<'_>) {
    let (design, actual) = (examiner.design, examiner.actual);
    for (name, event) in &design.events {
        let topic = format!("{}{name}", examiner.options.prefix);
        let at = (&event.place, format!("events.{name}"));
        let Some(settings) = actual.get(Kind::Topic, &topic) else {
            let message = format!("there is no topic `{topic}` for event `{name}`");
            let hint = "see what is missing: `tidegate apply DESIGN --broker URL`";
            examiner.report(&c::NOT_THERE, (at.0, &at.1), message, hint);
            continue;
        };
        copies(examiner, (at.0, &at.1), &topic, settings);
        kept(examiner, (at.0, &at.1), event, (&topic, settings));
        size(examiner, (at.0, &at.1), event, (&topic, settings));
        let wanted = partitions(design, name, examiner.options);
        let there = number(settings, "partitions").unwrap_or_default();
        if there < i64::from(wanted) && examiner.options.used_by == Use::Clients {
            let message = format!(
                "topic `{topic}` has {}: one consumer process each, with one event at a time, does not keep up with \
                 the peak",
                count(there, "partition")
            );
            let hint = format!("give it {wanted} before events are in it");
            examiner.report(&c::PARTITIONS_FEW, (at.0, &at.1), message, hint);
        }
    }
    for consumer in examiner.consumers() {
        let topic = format!("{}{}", examiner.options.prefix, consumer.event_name);
        if let Some(settings) = actual.get(Kind::Topic, &topic) {
            this_consumer(examiner, consumer, (&topic, settings));
        }
    }
}

type At<'p> = (&'p tidegate_model::Place, &'p str);

fn copies(examiner: &mut Examiner<'_>, at: At<'_>, topic: &str, settings: &Settings) {
    let replicas = number(settings, "replication").unwrap_or(1);
    let least = number(settings, "min.insync.replicas").unwrap_or(1);
    if replicas < 2 {
        let message =
            format!("topic `{topic}` has one copy: it is gone with the disk of its server");
        let hint = "give it 3 with kafka-reassign-partitions.sh, and min.insync.replicas=2";
        examiner.report(&c::ONE_COPY, at, message, hint);
    } else if least < 2 {
        let message = format!(
            "topic `{topic}` has {replicas} copies, but min.insync.replicas is {least}: while the others are behind, an \
             event in one place is acknowledged, also with acks=all"
        );
        let hint = format!("set min.insync.replicas={}", replicas / 2 + 1);
        examiner.report(&c::FEW_ACKNOWLEDGE, at, message, hint);
    } else if least >= replicas {
        let message = format!(
            "topic `{topic}` wants {least} copies in step and has {replicas}: while one server is away nothing is taken"
        );
        let hint = format!("set min.insync.replicas={}", (replicas - 1).max(1));
        examiner.report(&c::NO_SERVER_MAY_FAIL, at, message, hint);
    }
    if is_on(settings, "unclean.leader.election.enable") {
        let message = format!(
            "topic `{topic}` lets a server lead that lacks acknowledged events (unclean.leader.election.enable=true)"
        );
        let hint = "set unclean.leader.election.enable=false: rather wait than lose";
        examiner.report(&c::UNCLEAN_LEADER, at, message, hint);
    }
    let in_step = number(settings, "in-sync").unwrap_or(replicas);
    if in_step < replicas {
        let message = format!(
            "a partition of topic `{topic}` has {in_step} of {replicas} copies in step now"
        );
        let hint = "look after the server that is behind: kafka-topics.sh --describe --under-replicated-partitions";
        examiner.report(&c::OUT_OF_SYNC, at, message, hint);
    }
}

fn kept(
    examiner: &mut Examiner<'_>,
    at: At<'_>,
    event: &Event,
    (topic, settings): (&str, &Settings),
) {
    let policy = text(settings, "cleanup.policy").unwrap_or("delete");
    let compacts = policy.contains("compact");
    let runtime = examiner.options.used_by == Use::Runtime;
    let is_to_compact = event.cleanup_policy.value == CleanupPolicy::Compact && !runtime;
    if compacts && !is_to_compact {
        let message = format!(
            "topic `{topic}` is compacted: an event with a later one of its key is removed, read or not"
        );
        examiner.report(
            &c::CLEANUP_DIFFERS,
            at,
            message,
            "set cleanup.policy=delete",
        );
        return;
    }
    if is_to_compact {
        if policy != "compact" {
            let message = format!(
                "topic `{topic}` removes what is old (cleanup.policy={policy}); the design says that the last event of \
                 each key stays"
            );
            examiner.report(
                &c::CLEANUP_DIFFERS,
                at,
                message,
                "set cleanup.policy=compact",
            );
        }
        return;
    }
    let kept = number(settings, "retention.ms").unwrap_or(-1);
    let wanted = match runtime {
        true => i64::MAX,
        false => i64::try_from(event.retention.value.as_millis()).unwrap_or(i64::MAX),
    };
    if kept >= 0 && kept < wanted {
        let kept = format_duration(Duration::from_millis(kept.unsigned_abs()));
        let (message, hint) = match runtime {
            true => (
                format!(
                    "topic `{topic}` removes events after {kept}, whether consumers have finished them or not"
                ),
                "set retention.ms=-1: the runtime removes what nobody needs".to_owned(),
            ),
            false => (
                format!(
                    "topic `{topic}` removes events after {kept}; the design keeps them for {}",
                    format_duration(event.retention.value)
                ),
                format!("set retention.ms={wanted}"),
            ),
        };
        examiner.report(&c::RETENTION_SHORT, at, message, hint);
    }
    let bytes = number(settings, "retention.bytes").unwrap_or(-1);
    if bytes >= 0 && (runtime || event.retention_size.is_none()) {
        let message = format!(
            "topic `{topic}` removes the oldest events of a partition beyond {bytes} bytes, whatever their age"
        );
        examiner.report(&c::RETENTION_SHORT, at, message, "set retention.bytes=-1");
    }
}

fn size(
    examiner: &mut Examiner<'_>,
    at: At<'_>,
    event: &Event,
    (topic, settings): (&str, &Settings),
) {
    let most = number(settings, "max.message.bytes").unwrap_or(i64::MAX);
    let Some(size) = event.targets.size else {
        return;
    };
    let wanted = i64::try_from(size.0).unwrap_or(i64::MAX);
    if most < wanted {
        let message =
            format!("topic `{topic}` takes no more than {most} bytes; events have {size}");
        let hint = format!("set max.message.bytes={}", wanted.saturating_mul(2));
        examiner.report(&c::MESSAGE_TOO_LARGE, at, message, hint);
    }
}

fn this_consumer(
    examiner: &mut Examiner<'_>,
    consumer: ConsumerRef<'_>,
    (topic, settings): (&str, &Settings),
) {
    let parts = number(settings, "partitions").unwrap_or(1);
    let order = consumer.consume.order.value;
    let is_kept = order != Order::Total || parts == 1;
    let path = consumer.path();
    let at = (&consumer.consume.place, path.as_str());
    let runtime = examiner.options.used_by == Use::Runtime;
    if !is_kept {
        let message = format!(
            "`{}` wants all events in order; topic `{topic}` has {parts} partitions, each with an order of its own",
            consumer.id()
        );
        let hint = "make a topic with one partition, or be content with `order: key`";
        examiner.report(&c::ORDER_NOT_KEPT, at, message, hint);
    }
    let letters = dead_letter_topic(consumer, &examiner.options.prefix);
    let has_store = examiner.actual.get(Kind::Topic, &letters).is_some();
    let wants_store = consumer.consume.dead_letter.is_some();
    if wants_store && !has_store && !runtime {
        let message = format!(
            "there is no topic `{letters}` for dead letters of `{}`: a client that cannot publish them stands still, or \
             drops them",
            consumer.id()
        );
        let hint = "`tidegate apply DESIGN --broker URL --apply` makes it";
        examiner.report(&c::NOT_THERE, at, message, hint);
    }
    let promise = Promise {
        consumer: consumer.id().to_string(),
        place: format!("topic {topic}"),
        survives: survives(settings),
        kept: match number(settings, "retention.ms") {
            _ if text(settings, "cleanup.policy") == Some("compact") => {
                "the last event of each key, for ever".to_owned()
            }
            Some(ms) if ms >= 0 => format!(
                "{}, read or not",
                format_duration(Duration::from_millis(ms.unsigned_abs()))
            ),
            _ if runtime => "until no consumer needs it".to_owned(),
            _ => "for ever".to_owned(),
        },
        order: match (order, is_kept) {
            (Order::None, _) => "none, as the design says".to_owned(),
            (_, false) => format!("of each of {parts} partitions only"),
            (Order::Key, _) => "of each key, while the number of partitions stays".to_owned(),
            (Order::Total, _) => "of all events".to_owned(),
        },
        repeats: match runtime {
            true => "as `guarantee` says: what is done is stored with the events".to_owned(),
            false => "after a crash or a rebalance, whatever was handled since the last commit"
                .to_owned(),
        },
        given_up: match (runtime, wants_store, has_store) {
            (true, ..) => "a dead letter of the runtime".to_owned(),
            (_, true, true) => format!("the client's matter: to {letters}"),
            _ => "the client's matter: Kafka has no dead letters".to_owned(),
        },
    };
    examiner.found.promises.push(promise);
}

/// With acks=all, which is every current client's default.
fn survives(settings: &Settings) -> String {
    let replicas = number(settings, "replication").unwrap_or(1);
    let least = number(settings, "min.insync.replicas")
        .unwrap_or(1)
        .min(replicas);
    let unclean = match is_on(settings, "unclean.leader.election.enable") {
        true => "; nothing for certain, as an unclean leader may be elected",
        false => "",
    };
    if replicas < 2 {
        return format!(
            "the end of the server's process, not its disk nor a loss of power{unclean}"
        );
    }
    match least - 1 {
        0 => format!("the loss of no server for certain, of {replicas} (acks=all){unclean}"),
        lost => format!(
            "the loss of {} of {replicas} for certain (acks=all), not of all their power at once{unclean}",
            count(lost, "server")
        ),
    }
}
