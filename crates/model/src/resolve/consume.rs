//! One service's side of the contract for one event.

use crate::design::{Consume, DeadLetter, Deliver, Followers, Located, Order, Retry};
use crate::reader::Record;

pub(super) fn resolve(record: &Record, natural_order: Order) -> Consume {
    let order = record.get("order").unwrap_or_else(|| Located {
        value: natural_order,
        place: record.place.clone(),
    });
    Consume {
        place: record.place.clone(),
        requires: record.list("requires").unwrap_or_default(),
        deliver: deliver(record.section("deliver").unwrap_or(record)),
        guarantee: record.located("guarantee"),
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
        initial: record.located("initial"),
        max: record.located("max"),
        jitter: record.value("jitter"),
        attempts: record.located("attempts"),
        age: record.get("age"),
        budget: record.get("budget"),
        mode: record.located("mode"),
    }
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
