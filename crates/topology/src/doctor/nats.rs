//! What JetStream's streams and consumers promise. Source: NATS documentation, "Streams", "Consumers", "JetStream
//! Clustering"; on acknowledged messages that were not synced, the analysis of NATS 2.12.1 by Jepsen (2025).

use std::time::Duration;

use tidegate_base::format_duration;
use tidegate_model::Place;
use tidegate_model::design::{ConsumerRef, Order};

use super::{Examiner, Promise, count, number, text};
use crate::codes as c;
use crate::desired::{desired, durable};
use crate::resource::{Engine, Kind, Settings};

/// How long JetStream may have a write unsynced, where nothing else is said.
const SYNC_INTERVAL: &str = "2m";

type At<'p> = (&'p Place, &'p str);

pub(super) fn examine(examiner: &mut Examiner<'_>) {
    let wanted = desired(examiner.design, Engine::Nats, examiner.options);
    let stream = wanted.resources.keys().find(|id| id.kind == Kind::Stream);
    let Some(stream) = stream.map(|id| id.name.clone()) else {
        return;
    };
    let system = &examiner.design.system;
    let Some(settings) = examiner.actual.get(Kind::Stream, &stream) else {
        let message = format!(
            "there is no stream `{stream}` for system `{}`",
            system.value
        );
        let hint = "see what is missing: `tidegate apply DESIGN --broker URL`";
        examiner.report(&c::NOT_THERE, (&system.place, "system"), message, hint);
        return;
    };
    kept_whole(examiner, (&system.place, "system"), &stream, settings);
    retention(examiner, &stream, settings);
    for consumer in examiner.consumers() {
        let name = durable(consumer);
        let path = consumer.path();
        let at = (&consumer.consume.place, path.as_str());
        let Some(own) = examiner
            .actual
            .get(Kind::Consumer, &format!("{stream}/{name}"))
        else {
            let message = format!(
                "stream `{stream}` has no durable consumer `{name}` for `{}`: nobody keeps its place",
                consumer.id()
            );
            let hint = "`tidegate apply DESIGN --broker URL --apply` makes it";
            examiner.report(&c::NOT_THERE, at, message, hint);
            continue;
        };
        this_consumer(examiner, at, consumer, (&name, own));
        let promise = promise(examiner, consumer, (&stream, settings), own);
        examiner.found.promises.push(promise);
    }
}

fn is_synced(examiner: &Examiner<'_>) -> bool {
    examiner.actual.facts.get("sync_always") == Some(&true.into())
}

fn kept_whole(examiner: &mut Examiner<'_>, at: At<'_>, stream: &str, settings: &Settings) {
    if text(settings, "storage") == Some("memory") {
        let message = format!("stream `{stream}` is in memory: it is gone after a restart");
        let hint = "make it anew with storage `file`: `tidegate apply`";
        examiner.report(&c::NOT_DURABLE, at, message, hint);
    }
    let replicas = number(settings, "num_replicas").unwrap_or(1);
    if replicas < 2 {
        let message =
            format!("stream `{stream}` has one copy: it is gone with the disk of its server");
        let hint = "set num_replicas to 3 on a cluster of 3 servers";
        examiner.report(&c::ONE_COPY, at, message, hint);
    }
    if !is_synced(examiner) {
        let interval = examiner.actual.facts.get("sync_interval");
        let interval = interval.map_or_else(|| SYNC_INTERVAL.to_owned(), ToString::to_string);
        let message = format!(
            "the server acknowledges before it syncs to disk (sync_interval {interval}): a loss of power takes what was \
             acknowledged last"
        );
        let hint = "set `sync_interval: always` in the block `jetstream` of every server, or accept the loss; name the \
                    monitoring address in the broker's URL to have it read: ?monitoring=HOST:8222";
        examiner.report(&c::NOT_SYNCED, at, message, hint);
    }
    let offline = number(settings, "replicas.offline").unwrap_or_default();
    if offline > 0 {
        let message = format!(
            "{} of stream `{stream}` behind or away now",
            count(offline, "copy").replace("copys", "copies")
        );
        let hint = "look after the server: nats stream info";
        examiner.report(&c::OUT_OF_SYNC, at, message, hint);
    }
    let window = number(settings, "duplicate_window").unwrap_or_default();
    if window < 120_000_000_000 {
        let message = format!(
            "stream `{stream}` recognises what is published again for {} only",
            format_duration(Duration::from_nanos(window.unsigned_abs()))
        );
        let hint = "set duplicate_window to what a publisher may take to try again, such as 2m";
        examiner.report(&c::DUPLICATES_SHORT, at, message, hint);
    }
    for limit in ["max_msgs", "max_bytes", "max_msgs_per_subject"] {
        let has = number(settings, limit).is_some_and(|limit| limit > 0);
        let wants = limit == "max_bytes"
            && examiner
                .design
                .events
                .values()
                .all(|event| event.retention_size.is_some());
        if has && !wants && text(settings, "discard") != Some("new") {
            let message =
                format!("stream `{stream}` drops its oldest messages at {limit}, read or not");
            let hint =
                format!("set {limit} to -1, or discard to `new`: the publisher is told instead");
            examiner.report(&c::FULL_DROPS, at, message, hint);
        }
    }
}

fn retention(examiner: &mut Examiner<'_>, stream: &str, settings: &Settings) {
    let age = number(settings, "max_age").filter(|age| *age > 0);
    let kept = text(settings, "retention").unwrap_or("limits");
    for (name, event) in &examiner.design.events {
        let path = format!("events.{name}");
        let at = (&event.place, path.as_str());
        let wanted = event.retention.value;
        let short = age.map(|age| Duration::from_nanos(age.unsigned_abs()));
        if let Some(short) = short.filter(|short| *short < wanted) {
            let message = format!(
                "stream `{stream}` removes messages after {}; the design keeps `{name}` for {}",
                format_duration(short),
                format_duration(wanted)
            );
            let hint = format!("set max_age to {}", format_duration(wanted));
            examiner.report(&c::RETENTION_SHORT, at, message, hint);
        }
        if kept == "workqueue" {
            let message = format!(
                "stream `{stream}` is a work queue: what one consumer has acknowledged is gone, and `{name}` cannot be \
                 replayed"
            );
            let hint = "make it anew with retention `limits`: `tidegate apply`";
            examiner.report(&c::CLEANUP_DIFFERS, at, message, hint);
        }
    }
}

fn this_consumer(
    examiner: &mut Examiner<'_>,
    at: At<'_>,
    consumer: ConsumerRef<'_>,
    (name, own): (&str, &Settings),
) {
    let id = consumer.id();
    let policy = text(own, "ack_policy").unwrap_or("none");
    if policy != "explicit" {
        let message = match policy {
            "all" => format!(
                "consumer `{name}` acknowledges with one message all before it, also those that still run"
            ),
            _ => format!(
                "consumer `{name}` counts a message as done once it is sent (ack_policy {policy})"
            ),
        };
        let hint = "make it anew with ack_policy `explicit`: `tidegate apply`";
        examiner.report(&c::NOT_ACKNOWLEDGED, at, message, hint);
    }
    let timeout = consumer.consume.deliver.timeout.value;
    let wait = Duration::from_nanos(number(own, "ack_wait").unwrap_or_default().unsigned_abs());
    if wait <= timeout {
        let message = format!(
            "consumer `{name}` delivers again after {}; `{id}` may take {}: it runs twice at once",
            format_duration(wait),
            format_duration(timeout)
        );
        let hint = "set ack_wait above `deliver.timeout`, or send +WPI meanwhile";
        examiner.report(&c::TAKEN_AWAY, at, message, hint);
    }
    let most = number(own, "max_deliver").filter(|most| *most > 0);
    let attempts = i64::from(consumer.consume.retry.attempts.value);
    if let Some(most) = most {
        let message = format!(
            "after {most} deliveries consumer `{name}` skips a message, and only an advisory says so"
        );
        let hint =
            "set max_deliver to -1 and count in the client, which publishes what it gives up";
        examiner.report(&c::GIVEN_UP_SILENTLY, at, message, hint);
        if most < attempts {
            let message = format!(
                "consumer `{name}` gives up after {most} of the {attempts} attempts of `{id}`"
            );
            let hint = format!("set max_deliver to -1, or to {attempts} or more");
            examiner.report(&c::GIVEN_UP_EARLY, at, message, hint);
        }
    }
    let running = number(own, "max_ack_pending").unwrap_or(1_000);
    if consumer.consume.order.value != Order::None && running != 1 {
        let message = format!(
            "`{id}` wants order; consumer `{name}` has up to {running} messages running, of the same key too"
        );
        let hint = "set max_ack_pending to 1, or part the keys over subjects with a consumer each";
        examiner.report(&c::ORDER_NOT_KEPT, at, message, hint);
    }
}

fn promise(
    examiner: &Examiner<'_>,
    consumer: ConsumerRef<'_>,
    (stream, settings): (&str, &Settings),
    own: &Settings,
) -> Promise {
    let replicas = number(settings, "num_replicas").unwrap_or(1);
    let power = match is_synced(examiner) {
        true => ", and a loss of power",
        false => ", not a loss of power: it is acknowledged unsynced",
    };
    let age = number(settings, "max_age").filter(|age| *age > 0);
    let most = number(own, "max_deliver").filter(|most| *most > 0);
    let running = number(own, "max_ack_pending").unwrap_or(1_000);
    Promise {
        consumer: consumer.id().to_string(),
        place: format!("stream {stream}, consumer {}", durable(consumer)),
        survives: match (text(settings, "storage"), replicas) {
            (Some("memory"), 1) => "nothing: the stream is in memory".to_owned(),
            (_, 1) => format!("the end of the server's process{power}"),
            (_, replicas) => format!(
                "the loss of {} of {replicas}{power}",
                count((replicas - 1) / 2, "server")
            ),
        },
        kept: match age {
            Some(age) => format!(
                "{}, read or not",
                format_duration(Duration::from_nanos(age.unsigned_abs()))
            ),
            None => "for ever".to_owned(),
        },
        order: match (consumer.consume.order.value, running) {
            (Order::None, _) => "none, as the design says".to_owned(),
            (_, 1) => "of all messages".to_owned(),
            _ => "none, as several run at once".to_owned(),
        },
        repeats: format!(
            "after {} without an acknowledgement",
            format_duration(Duration::from_nanos(
                number(own, "ack_wait").unwrap_or_default().unsigned_abs()
            ))
        ),
        given_up: match most {
            Some(most) => format!("skipped after {most} deliveries; an advisory says so"),
            None => "the client's matter: it is delivered for ever".to_owned(),
        },
    }
}
