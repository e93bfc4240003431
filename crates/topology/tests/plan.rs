//! Plans from anything to what a design needs, on every engine.

#![cfg(test)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use tidegate_model::{Design, Source};
use tidegate_topology::{
    Class, Desired, Engine, How, Id, Kind, Options, Plan, Settings, Topology, Use, Value, desired,
};

const SHOP: &str = "
tidegate: 1
system: shop
events:
  OrderPlaced: {key: /orderId, retention: 7d, retention-size: 1GiB, targets: {rate: 20/s, peak: 60/s, size: 1MiB}}
  PriceChanged: {key: /sku, cleanup-policy: compact}
  Viewed: {retention: 1d}
services:
  orders: {publishes: [OrderPlaced, Viewed]}
  prices: {publishes: [PriceChanged]}
  billing:
    consumes:
      OrderPlaced:
        deliver: {concurrency: 16, timeout: 1s, handler-time: 100ms}
        retry: {attempts: 8}
        dead-letter: {owner: team, retention: 30d}
      PriceChanged: {order: total}
  stats:
    consumes:
      Viewed: {order: none, deliver: {concurrency: 4}}
";

fn design(text: &str) -> Design {
    let file = Source {
        name: "design.yaml".into(),
        text: text.to_owned(),
    };
    let reading = tidegate_model::read(&[file], &|_| Err("no files here".to_owned()));
    assert!(reading.findings.is_empty(), "{:#?}", reading.findings);
    reading.design.unwrap()
}

fn shop(engine: Engine, options: &Options) -> Desired {
    desired(&design(SHOP), engine, options)
}

fn names(topology: &[&Id]) -> Vec<String> {
    topology.iter().map(ToString::to_string).collect()
}

#[test]
fn everything_is_made_on_an_empty_broker_and_then_nothing() {
    for engine in [Engine::Kafka, Engine::RabbitMq, Engine::Nats] {
        let desired = shop(engine, &Options::default());
        let mut actual = Topology::new(engine);
        let plan = Plan::new(&desired, &actual);
        assert!(
            plan.changes
                .iter()
                .all(|change| change.class == Class::Create)
        );
        assert_eq!(plan.changes.len(), desired.resources.len());
        actual.apply(&plan, &BTreeSet::new());
        let again = Plan::new(&desired, &actual);
        assert!(again.is_empty(), "{engine:?}: {again:#?}");
    }
}

#[test]
fn kafka_has_the_topics_of_the_design() {
    let options = Options {
        prefix: "eu.".to_owned(),
        replication: Some(3),
        ..Options::default()
    };
    let desired = shop(Engine::Kafka, &options);
    let ids: Vec<&Id> = desired.resources.keys().collect();
    assert_eq!(
        names(&ids),
        [
            "topic `eu.OrderPlaced`",
            "topic `eu.PriceChanged`",
            "topic `eu.Viewed`",
            "topic `eu.billing.OrderPlaced.dead-letters`",
        ]
    );
    let orders = desired.get(Kind::Topic, "eu.OrderPlaced").unwrap();
    // 60 a second of 100 ms each are 6 at the same time, 8.6 with room.
    assert_eq!(orders.get("partitions"), Some(&9.into()));
    assert_eq!(orders.get("retention.ms"), Some(&604_800_000.into()));
    assert_eq!(orders.get("retention.bytes"), Some(&119_304_648.into()));
    assert_eq!(orders.get("min.insync.replicas"), Some(&2.into()));
    let prices = desired.get(Kind::Topic, "eu.PriceChanged").unwrap();
    assert_eq!(prices.get("partitions"), Some(&1.into()), "total order");
    assert_eq!(prices.get("cleanup.policy"), Some(&"compact".into()));
    let rights = |service: &str| -> Vec<String> {
        let own = desired.acls.iter().filter(|acl| acl.service == service);
        own.map(|acl| format!("{} {} {}", acl.operations.join("+"), acl.resource, acl.name))
            .collect()
    };
    assert_eq!(
        rights("billing"),
        [
            "Read+Describe topic eu.OrderPlaced",
            "Read+Describe topic eu.PriceChanged",
            "Read group eu.billing",
            "Write+Describe topic eu.billing.OrderPlaced.dead-letters",
        ]
    );
}

#[test]
fn the_runtime_has_what_it_makes_by_itself() {
    let options = Options {
        used_by: Use::Runtime,
        partitions: Some(6),
        ..Options::default()
    };
    let desired = shop(Engine::Kafka, &options);
    let ids: Vec<&Id> = desired.resources.keys().collect();
    assert_eq!(
        names(&ids),
        [
            "topic `OrderPlaced`",
            "topic `PriceChanged`",
            "topic `Viewed`",
            "topic `tidegate.shop.state`",
        ]
    );
    for wanted in desired.resources.values() {
        assert_eq!(wanted.get("partitions"), Some(&6.into()));
        assert_eq!(wanted.get("retention.ms"), Some(&(-1).into()));
        assert_eq!(wanted.get("cleanup.policy"), Some(&"delete".into()));
    }
}

fn plan_after(engine: Engine, change: impl Fn(&mut Topology)) -> (Desired, Topology, Plan) {
    let desired = shop(engine, &Options::default());
    let mut actual = Topology::new(engine);
    actual.apply(&Plan::new(&desired, &actual), &BTreeSet::new());
    change(&mut actual);
    let plan = Plan::new(&desired, &actual);
    (desired, actual, plan)
}

fn set(topology: &mut Topology, id: &Id, setting: &str, value: impl Into<Value>) {
    let settings = topology.resources.get_mut(id).unwrap();
    settings.insert(setting.to_owned(), value.into());
}

#[test]
fn what_costs_something_is_told_from_what_does_not() {
    let orders = Id::new(Kind::Topic, "OrderPlaced");
    for (setting, value, class) in [
        ("retention.ms", Value::Number(-1), Class::Destructive),
        ("retention.ms", Value::Number(1_000), Class::Alter),
        ("partitions", Value::Number(1), Class::Destructive),
        ("cleanup.policy", Value::from("compact"), Class::Destructive),
        ("max.message.bytes", Value::Number(1), Class::Alter),
    ] {
        let (_, _, plan) = plan_after(Engine::Kafka, |actual| {
            set(actual, &orders, setting, value.clone());
        });
        let classes: Vec<Class> = plan.changes.iter().map(|change| change.class).collect();
        assert_eq!(classes, [class], "{setting} {value}");
    }
    // More partitions and more replicas than the least are fine.
    let (_, _, plan) = plan_after(Engine::Kafka, |actual| {
        set(actual, &orders, "partitions", 90);
    });
    assert!(plan.is_empty());
}

#[test]
fn a_queue_of_another_type_is_made_anew_with_what_hangs_on_it() {
    let queue = Id::new(Kind::Queue, "billing.OrderPlaced");
    let (desired, mut actual, plan) = plan_after(Engine::RabbitMq, |actual| {
        set(actual, &queue, "type", "classic")
    });
    let told: Vec<(String, Class, How)> = plan
        .changes
        .iter()
        .map(|change| (change.id.to_string(), change.class, change.how))
        .collect();
    assert_eq!(
        told,
        [
            (
                "queue `billing.OrderPlaced`".to_owned(),
                Class::Destructive,
                How::Recreate
            ),
            (
                "binding `shop -> billing.OrderPlaced by OrderPlaced`".to_owned(),
                Class::Destructive,
                How::Create
            ),
        ]
    );
    let before = actual.clone();
    actual.apply(&plan, &BTreeSet::new());
    assert_eq!(actual, before, "nothing is done without a confirmation");
    assert_eq!(
        plan.unconfirmed(&BTreeSet::new()),
        ["billing.OrderPlaced"].into()
    );
    actual.apply(&plan, &["billing.OrderPlaced".to_owned()].into());
    assert!(Plan::new(&desired, &actual).is_empty());
}

#[test]
fn a_stream_keeps_the_subjects_of_others() {
    let stream = Id::new(Kind::Stream, "shop");
    let (desired, mut actual, plan) = plan_after(Engine::Nats, |actual| {
        let subjects = ["shop.Viewed", "other.>"].map(str::to_owned);
        set(actual, &stream, "subjects", Value::Texts(subjects.into()));
    });
    actual.apply(&plan, &BTreeSet::new());
    let subjects = actual.resources[&stream]["subjects"].to_string();
    assert_eq!(
        subjects,
        "shop.Viewed,other.>,shop.OrderPlaced,shop.PriceChanged"
    );
    assert!(Plan::new(&desired, &actual).is_empty());
}

#[test]
fn permissions_are_of_users_that_are_there() {
    let mut desired = shop(Engine::RabbitMq, &Options::default());
    let billing = desired.get(Kind::Permission, "billing").unwrap();
    let read = r"^(billing\.OrderPlaced|billing\.PriceChanged)$";
    assert_eq!(billing.get("read"), Some(&read.into()));
    assert_eq!(billing.get("write"), Some(&"^$".into()));
    desired.only_users(&["orders".to_owned()]);
    let kept = desired
        .resources
        .keys()
        .filter(|id| id.kind == Kind::Permission);
    assert_eq!(names(&kept.collect::<Vec<_>>()), ["permission `orders`"]);
    assert!(
        desired.notes[0].contains("`billing`"),
        "{:?}",
        desired.notes
    );
}

/// What happened to a broker since it was as wanted.
#[derive(Clone, Debug)]
enum Damage {
    Removed(prop::sample::Index),
    Changed(prop::sample::Index, prop::sample::Index, i64),
    Unset(prop::sample::Index, prop::sample::Index),
    Foreign(u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        index().prop_map(Damage::Removed),
        (index(), index(), -2..2_000_000_000_i64).prop_map(|(a, b, n)| Damage::Changed(a, b, n)),
        (index(), index()).prop_map(|(a, b)| Damage::Unset(a, b)),
        any::<u8>().prop_map(Damage::Foreign),
    ]
}

fn hurt(topology: &mut Topology, damage: &Damage) {
    let ids: Vec<Id> = topology.resources.keys().cloned().collect();
    let pick = |index: &prop::sample::Index| (!ids.is_empty()).then(|| index.get(&ids).clone());
    match damage {
        Damage::Removed(at) => {
            pick(at).map(|id| topology.resources.remove(&id));
        }
        Damage::Changed(at, setting, number) => {
            let Some(id) = pick(at) else { return };
            let settings = topology.resources.get_mut(&id).unwrap();
            if settings.is_empty() {
                return;
            }
            let keys: Vec<String> = settings.keys().cloned().collect();
            let key = setting.get(&keys);
            // Ends of bindings are what they are: another end is another binding.
            if [
                "source",
                "destination",
                "routing_key",
                "stream",
                "durable_name",
            ]
            .contains(&key.as_str())
            {
                return;
            }
            let other = match &settings[key] {
                Value::Flag(flag) => Value::Flag(!flag),
                Value::Number(_) => Value::Number(*number),
                Value::Text(_) => Value::from(
                    ["classic", "memory", "delete", "all"]
                        [usize::try_from(number.unsigned_abs() % 4).unwrap()],
                ),
                Value::Texts(_) => Value::Texts(vec![format!("x.{number}")]),
            };
            settings.insert(key.clone(), other);
        }
        Damage::Unset(at, setting) => {
            let Some(id) = pick(at) else { return };
            let settings = topology.resources.get_mut(&id).unwrap();
            let keys: Vec<String> = settings.keys().cloned().collect();
            let ends = ["source", "destination", "stream"];
            if !keys.is_empty() && !ends.contains(&setting.get(&keys).as_str()) {
                settings.remove(setting.get(&keys));
            }
        }
        Damage::Foreign(number) => {
            let kind = match topology.engine {
                Engine::Kafka => Kind::Topic,
                Engine::RabbitMq => Kind::Queue,
                Engine::Nats => Kind::Stream,
            };
            let id = Id::new(kind, format!("foreign-{number}"));
            topology.resources.insert(id, Settings::new());
        }
    }
}

fn situation() -> impl Strategy<Value = (Engine, Options, Vec<Damage>)> {
    let engine = prop_oneof![
        Just(Engine::Kafka),
        Just(Engine::RabbitMq),
        Just(Engine::Nats)
    ];
    let options = (
        any::<bool>(),
        proptest::option::of(1..9_u32),
        proptest::option::of(1..6_u32),
    );
    let options = options.prop_map(|(runtime, partitions, replication)| Options {
        used_by: if runtime { Use::Runtime } else { Use::Clients },
        prefix: String::new(),
        partitions,
        replication,
    });
    (engine, options, proptest::collection::vec(damage(), 0..12))
}

proptest! {
    #[test]
    fn after_everything_was_done_nothing_is_left_to_do((engine, options, damages) in situation()) {
        let desired = shop(engine, &options);
        let mut actual = Topology::new(engine);
        actual.apply(&Plan::new(&desired, &actual), &BTreeSet::new());
        damages.iter().for_each(|damage| hurt(&mut actual, damage));
        let before = actual.clone();
        let plan = Plan::new(&desired, &actual);
        let all: BTreeSet<String> = plan.unconfirmed(&BTreeSet::new()).into_iter().map(str::to_owned).collect();
        actual.apply(&plan, &all);
        let again = Plan::new(&desired, &actual);
        let left: Vec<_> = again.changes.iter().filter(|change| change.class != Class::Manual).collect();
        prop_assert!(left.is_empty(), "{left:#?}");
        for id in before.resources.keys().filter(|id| !desired.resources.contains_key(id)) {
            prop_assert!(actual.resources.contains_key(id), "{id} is not the design's, and gone");
            prop_assert!(again.unmanaged.contains(id));
        }
    }

    #[test]
    fn without_a_confirmation_nothing_is_lost((engine, options, damages) in situation()) {
        let desired = shop(engine, &options);
        let mut actual = Topology::new(engine);
        actual.apply(&Plan::new(&desired, &actual), &BTreeSet::new());
        damages.iter().for_each(|damage| hurt(&mut actual, damage));
        let before = actual.clone();
        actual.apply(&Plan::new(&desired, &actual), &BTreeSet::new());
        for (id, old) in &before.resources {
            let new = actual.resources.get(id);
            prop_assert!(new.is_some(), "{id} is gone");
            let new = new.unwrap();
            for setting in ["type", "storage", "retention", "ack_policy", "deliver_policy", "cleanup.policy"] {
                if let Some(old) = old.get(setting) {
                    prop_assert_eq!(Some(old), new.get(setting), "{} {}", id, setting);
                }
            }
            for setting in ["retention.ms", "retention.bytes", "max_age", "max_bytes", "definition.message-ttl"] {
                let limit = |settings: &Settings| {
                    let number = settings.get(setting).and_then(Value::number);
                    number.filter(|number| *number > 0).unwrap_or(i64::MAX)
                };
                prop_assert!(limit(new) >= limit(old), "{} {}: {} < {}", id, setting, limit(new), limit(old));
            }
        }
    }
}
