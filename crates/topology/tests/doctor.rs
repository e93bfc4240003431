//! Every finding of a doctor, of a broker that has just that fault; and none of a broker that is as it should be.

#![cfg(test)]

use std::collections::BTreeSet;

use tidegate_model::{Design, Source};
use tidegate_topology::doctor::{Examination, examine};
use tidegate_topology::{CODES, Engine, Id, Kind, Options, Plan, Topology, Use, Value, desired};

const SHOP: &str = "
tidegate: 1
system: shop
events:
  OrderPlaced: {key: /orderId, retention: 7d, targets: {rate: 20/s, peak: 60/s, size: 600KiB}}
  Kept: {key: /sku, cleanup-policy: compact}
services:
  orders: {publishes: [OrderPlaced]}
  prices: {publishes: [Kept]}
  billing:
    consumes:
      OrderPlaced:
        deliver: {timeout: 10s, handler-time: 100ms}
        retry: {attempts: 8}
        dead-letter: {owner: team}
      Kept: {order: total, dead-letter: {owner: team}}
";

fn shop() -> Design {
    let file = Source {
        name: "design.yaml".into(),
        text: SHOP.to_owned(),
    };
    let reading = tidegate_model::read(&[file], &|_| Err("no files here".to_owned()));
    assert!(reading.findings.is_empty(), "{:#?}", reading.findings);
    reading.design.unwrap()
}

fn options() -> Options {
    Options {
        replication: Some(3),
        ..Options::default()
    }
}

/// A broker with three servers, as the design wants it, and all that a broker says beside it.
fn sound(engine: Engine) -> Topology {
    let mut actual = Topology::new(engine);
    let plan = Plan::new(&desired(&shop(), engine, &options()), &actual);
    actual.apply(&plan, &BTreeSet::new());
    actual.facts.insert("sync_always".to_owned(), true.into());
    let policies: Vec<(String, Vec<(String, Value)>)> = actual
        .resources
        .iter()
        .filter(|(id, _)| id.kind == Kind::Policy)
        .map(|(id, settings)| {
            let effective = settings.iter().filter_map(|(name, value)| {
                let name = name.strip_prefix("definition.")?;
                Some((format!("effective.{name}"), value.clone()))
            });
            (id.name.clone(), effective.collect())
        })
        .collect();
    for (queue, effective) in policies {
        let queue = actual.resources.get_mut(&Id::new(Kind::Queue, queue));
        queue.unwrap().extend(effective);
    }
    for (id, settings) in &mut actual.resources {
        let more: &[(&str, i64)] = match id.kind {
            Kind::Topic => &[("in-sync", 3), ("max.message.bytes", 1_048_588)],
            Kind::Queue => &[("members", 3), ("online", 3)],
            Kind::Stream => &[("replicas.offline", 0)],
            _ => &[],
        };
        for (name, value) in more {
            settings
                .entry((*name).to_owned())
                .or_insert(Value::Number(*value));
        }
    }
    actual
}

fn codes(examined: &Examination) -> Vec<&'static str> {
    let codes: BTreeSet<&str> = examined.findings.iter().map(|f| f.code.0).collect();
    codes.into_iter().collect()
}

fn examined(actual: &Topology) -> Examination {
    examine(&shop(), &options(), actual)
}

#[test]
fn a_broker_as_the_design_wants_it_has_no_finding() {
    for engine in [Engine::Kafka, Engine::RabbitMq, Engine::Nats] {
        let examined = examined(&sound(engine));
        assert_eq!(
            codes(&examined),
            [""; 0],
            "{engine:?}: {:#?}",
            examined.findings
        );
        assert_eq!(examined.promises.len(), 2, "{engine:?}");
        for promise in &examined.promises {
            assert!(
                promise.survives.contains("the loss of 1 server of 3"),
                "{promise:#?}"
            );
        }
    }
}

/// A fault, and the codes that are found because of it.
type Fault = (
    Engine,
    Kind,
    &'static str,
    &'static str,
    Value,
    &'static [&'static str],
);

#[expect(clippy::too_many_lines, reason = "a table of faults")]
fn faults() -> Vec<Fault> {
    use Engine::{Kafka, Nats, RabbitMq};
    let (topic, queue) = ("OrderPlaced", "billing.OrderPlaced");
    let own = "shop/billing-OrderPlaced";
    let n = Value::Number;
    vec![
        (Kafka, Kind::Topic, topic, "replication", n(1), &["E1102"]),
        (
            Kafka,
            Kind::Topic,
            topic,
            "min.insync.replicas",
            n(1),
            &["E1103"],
        ),
        (
            Kafka,
            Kind::Topic,
            topic,
            "unclean.leader.election.enable",
            true.into(),
            &["E1104"],
        ),
        (
            Kafka,
            Kind::Topic,
            topic,
            "retention.ms",
            n(604_799_999),
            &["E1105"],
        ),
        (
            Kafka,
            Kind::Topic,
            topic,
            "retention.bytes",
            n(1_000),
            &["E1105"],
        ),
        (
            Kafka,
            Kind::Topic,
            topic,
            "min.insync.replicas",
            n(3),
            &["E1106"],
        ),
        (
            Kafka,
            Kind::Topic,
            topic,
            "cleanup.policy",
            "compact".into(),
            &["E1107"],
        ),
        (
            Kafka,
            Kind::Topic,
            "Kept",
            "cleanup.policy",
            "delete".into(),
            &["E1107"],
        ),
        (Kafka, Kind::Topic, topic, "partitions", n(8), &["E1108"]),
        (
            Kafka,
            Kind::Topic,
            topic,
            "max.message.bytes",
            n(614_399),
            &["E1109"],
        ),
        (Kafka, Kind::Topic, topic, "in-sync", n(2), &["E1110"]),
        (Kafka, Kind::Topic, "Kept", "partitions", n(2), &["E1118"]),
        (
            RabbitMq,
            Kind::Queue,
            queue,
            "type",
            "classic".into(),
            &["E1102"],
        ),
        (RabbitMq, Kind::Queue, queue, "members", n(1), &["E1102"]),
        (RabbitMq, Kind::Queue, queue, "online", n(2), &["E1110"]),
        (
            RabbitMq,
            Kind::Queue,
            queue,
            "durable",
            false.into(),
            &["E1111"],
        ),
        (
            RabbitMq,
            Kind::Queue,
            queue,
            "auto_delete",
            true.into(),
            &["E1111"],
        ),
        (
            RabbitMq,
            Kind::Queue,
            queue,
            "effective.delivery-limit",
            n(6),
            &["E1112"],
        ),
        (
            RabbitMq,
            Kind::Queue,
            queue,
            "effective.dead-letter-exchange",
            "nowhere".into(),
            &["E1113"],
        ),
        (
            RabbitMq,
            Kind::Queue,
            queue,
            "effective.dead-letter-strategy",
            "at-most-once".into(),
            &["E1114"],
        ),
        (
            RabbitMq,
            Kind::Queue,
            queue,
            "effective.message-ttl",
            n(1),
            &["E1117"],
        ),
        (
            RabbitMq,
            Kind::Queue,
            queue,
            "effective.consumer-timeout",
            n(10_000),
            &["E1116"],
        ),
        (
            RabbitMq,
            Kind::Queue,
            queue,
            "argument.x-single-active-consumer",
            false.into(),
            &["E1118"],
        ),
        (Nats, Kind::Stream, "shop", "num_replicas", n(1), &["E1102"]),
        (Nats, Kind::Stream, "shop", "max_age", n(1), &["E1105"]),
        (
            Nats,
            Kind::Stream,
            "shop",
            "retention",
            "workqueue".into(),
            &["E1107"],
        ),
        (
            Nats,
            Kind::Stream,
            "shop",
            "replicas.offline",
            n(1),
            &["E1110"],
        ),
        (
            Nats,
            Kind::Stream,
            "shop",
            "storage",
            "memory".into(),
            &["E1111"],
        ),
        (Nats, Kind::Stream, "shop", "max_msgs", n(10), &["E1115"]),
        (
            Nats,
            Kind::Stream,
            "shop",
            "duplicate_window",
            n(1),
            &["E1121"],
        ),
        (
            Nats,
            Kind::Consumer,
            own,
            "max_deliver",
            n(7),
            &["E1112", "E1113"],
        ),
        (Nats, Kind::Consumer, own, "max_deliver", n(8), &["E1113"]),
        (
            Nats,
            Kind::Consumer,
            own,
            "ack_wait",
            n(10_000_000_000),
            &["E1116"],
        ),
        (
            Nats,
            Kind::Consumer,
            own,
            "max_ack_pending",
            n(2),
            &["E1118"],
        ),
        (
            Nats,
            Kind::Consumer,
            own,
            "ack_policy",
            "none".into(),
            &["E1120"],
        ),
    ]
}

#[test]
fn each_fault_is_found_and_nothing_else() {
    let mut found: BTreeSet<&str> = ["E1101", "E1119"].into();
    for (engine, kind, name, setting, value, wanted) in faults() {
        let mut actual = sound(engine);
        let settings = actual.resources.get_mut(&Id::new(kind, name)).unwrap();
        settings.insert(setting.to_owned(), value.clone());
        let examined = examined(&actual);
        assert_eq!(
            codes(&examined),
            wanted,
            "{name} {setting} {value}: {:#?}",
            examined.findings
        );
        for finding in &examined.findings {
            assert!(
                finding.hint.is_some() && finding.place.line > 0,
                "{finding:#?}"
            );
        }
        found.extend(wanted);
    }
    let all: BTreeSet<&str> = CODES.iter().map(|info| info.code.0).collect();
    assert_eq!(found, all, "every code is found somewhere");
}

#[test]
fn what_is_not_there_or_not_synced_is_found() {
    for engine in [Engine::Kafka, Engine::RabbitMq, Engine::Nats] {
        let nothing = examined(&Topology::new(engine));
        assert_eq!(codes(&nothing), ["E1101"], "{engine:?}");
        assert!(nothing.promises.is_empty());
    }
    let mut actual = sound(Engine::RabbitMq);
    actual.resources.retain(|id, _| id.kind != Kind::Binding);
    // Nothing is routed to the queues, nor to those of dead letters.
    assert_eq!(codes(&examined(&actual)), ["E1101", "E1113"]);
    let mut actual = sound(Engine::Nats);
    actual.facts.clear();
    assert_eq!(codes(&examined(&actual)), ["E1119"]);
}

#[test]
fn a_new_rabbitmq_gives_up_after_twenty_where_none_is_said() {
    let mut actual = sound(Engine::RabbitMq);
    let id = Id::new(Kind::Queue, "billing.OrderPlaced");
    let queue = actual.resources.get_mut(&id).unwrap();
    queue.retain(|name, _| !name.starts_with("effective."));
    queue.insert("effective.max-length".to_owned(), 10.into());
    actual.facts.insert("version.major".to_owned(), 4.into());
    let found = examined(&actual);
    assert_eq!(codes(&found), ["E1113", "E1115"], "{:#?}", found.findings);
    let promise = &found.promises[0];
    assert_eq!(promise.given_up, "after 21 deliveries: dropped");
}

#[test]
fn the_runtime_wants_topics_that_remove_nothing() {
    let runtime = Options {
        used_by: Use::Runtime,
        ..options()
    };
    let actual = sound(Engine::Kafka);
    let found = examine(&shop(), &runtime, &actual);
    assert_eq!(codes(&found), ["E1105", "E1107"], "{:#?}", found.findings);
}
