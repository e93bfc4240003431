//! One service's side of the contract for one event.

use super::contract;
use crate::design::{
    ClassRule, Consume, DeadLetter, Deliver, FailureClass, Followers, Guarantee, Located, Order,
    Replay, Retry,
};
use crate::reader::Record;
use crate::words::Word as _;

pub(super) fn resolve(record: &Record, natural_order: Order) -> Consume {
    let order = record.get("order").unwrap_or_else(|| Located {
        value: natural_order,
        place: record.place.clone(),
    });
    let guarantee: Located<Guarantee> = record.located("guarantee");
    let replay: Option<Located<Replay>> = record.get("replay");
    let natural_replay = match guarantee.value {
        Guarantee::ExactlyOnceEffect | Guarantee::KafkaTransaction => Replay::Refused,
        Guarantee::AtLeastOnce | Guarantee::Deduplicated => Replay::Allowed,
    };
    Consume {
        place: record.place.clone(),
        requires: contract::requirements(record),
        rules: contract::rules(record, "requires"),
        reads: record.get("reads"),
        deliver: deliver(record.section("deliver").unwrap_or(record)),
        guarantee,
        replay: replay.map_or(natural_replay, |written| written.value),
        needs: record.list("needs").unwrap_or_default(),
        retry: retry(record.section("retry").unwrap_or(record)),
        dead_letter: record
            .section("dead-letter")
            .map(|record| dead_letter(record, order.value)),
        emits: record.list("emits"),
        objective: record.located("objective"),
        order,
    }
}

fn deliver(record: &Record) -> Deliver {
    Deliver {
        place: record.place.clone(),
        to: record.get("to"),
        concurrency: record.located("concurrency"),
        limit: record.located("limit"),
        rate: record.get("rate"),
        burst: record.get("burst"),
        timeout: record.located("timeout"),
        handler_time: record.get("handler-time"),
        transaction: record.get("transaction"),
    }
}

fn retry(record: &Record) -> Retry {
    Retry {
        place: record.place.clone(),
        backoff: record.value("backoff"),
        immediate: record.located("immediate"),
        initial: record.located("initial"),
        max: record.located("max"),
        jitter: record.value("jitter"),
        attempts: record.located("attempts"),
        age: record.get("age"),
        budget: record.get("budget"),
        mode: record.located("mode"),
        classes: record.section("classes").map(classes).unwrap_or_default(),
    }
}

fn classes(record: &Record) -> Vec<ClassRule> {
    let rules = FailureClass::ALL.into_iter().filter_map(|class| {
        let record = record.section(class.word())?;
        Some(ClassRule {
            place: record.place.clone(),
            class,
            then: record.get("then"),
            backoff: record.get("backoff"),
            immediate: record.get("immediate"),
            initial: record.get("initial"),
            max: record.get("max"),
            jitter: record.get("jitter"),
            attempts: record.get("attempts"),
        })
    });
    rules.collect()
}

fn dead_letter(record: &Record, order: Order) -> DeadLetter {
    let followers: Option<Located<Followers>> = record.get("followers");
    let natural = match order {
        Order::None => Followers::Continue,
        Order::Key | Order::Total => Followers::Wait,
    };
    DeadLetter {
        place: record.place.clone(),
        owner: record.get("owner"),
        retention: record.located("retention"),
        followers: followers.map_or(natural, |written| written.value),
        budget: record.get("budget"),
    }
}
