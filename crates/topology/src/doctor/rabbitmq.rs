//! What RabbitMQ's queues promise. Source: RabbitMQ documentation, "Quorum Queues", "Consumers" (acknowledgement
//! timeout), "Dead Letter Exchanges", "Queue Length Limit", "Time-To-Live".
//!
//! `effective.NAME` is what a queue has of its arguments and of its policy together, by the names of policies.

use std::time::Duration;

use tidegate_base::format_duration;
use tidegate_model::Place;
use tidegate_model::design::{ConsumerRef, Order};

use super::{Examiner, Promise, count, is_on, number, text};
use crate::codes as c;
use crate::desired::queue;
use crate::resource::{Id, Kind, Settings};

/// Since RabbitMQ 4.0, where nothing else is said.
const DELIVERY_LIMIT: i64 = 20;
/// Half an hour, where nothing else is said.
const CONSUMER_TIMEOUT_MS: i64 = 1_800_000;

type At<'p> = (&'p Place, &'p str);

pub(super) fn examine(examiner: &mut Examiner<'_>) {
    for consumer in examiner.consumers() {
        let name = queue(consumer, &examiner.options.prefix);
        let path = consumer.path();
        let at = (&consumer.consume.place, path.as_str());
        let Some(settings) = examiner.actual.get(Kind::Queue, &name) else {
            let message = format!("there is no queue `{name}` for `{}`", consumer.id());
            let hint = "see what is missing: `tidegate apply DESIGN --broker URL`";
            examiner.report(&c::NOT_THERE, at, message, hint);
            continue;
        };
        let exchange = format!(
            "{}{}",
            examiner.options.prefix, examiner.design.system.value
        );
        let binding = Id::binding(&exchange, &name, consumer.event_name.as_str());
        if !examiner.actual.resources.contains_key(&binding) {
            let message = format!(
                "exchange `{exchange}` sends no `{}` to queue `{name}`: a confirm says only that it was taken, and it is \
                 dropped",
                consumer.event_name
            );
            let hint = "bind it, and publish with `mandatory` set";
            examiner.report(&c::NOT_THERE, at, message, hint);
        }
        durable(examiner, at, &name, settings);
        full(examiner, at, &name, settings);
        runs(examiner, at, consumer, (&name, settings));
        letters(examiner, at, consumer, (&name, settings));
        let promise = promise(examiner, consumer, (&name, settings));
        examiner.found.promises.push(promise);
    }
}

fn is_quorum(settings: &Settings) -> bool {
    text(settings, "type") == Some("quorum")
}

fn durable(examiner: &mut Examiner<'_>, at: At<'_>, queue: &str, settings: &Settings) {
    let gone = [
        (
            "durable",
            false,
            "is not durable: it is gone after a restart",
        ),
        (
            "auto_delete",
            true,
            "is deleted when its last consumer goes",
        ),
        ("exclusive", true, "is of one connection, and gone with it"),
    ];
    for (setting, wrong, why) in gone {
        if settings.get(setting) == Some(&wrong.into()) {
            let message = format!("queue `{queue}` {why}, with its messages");
            let hint = "delete it and make a durable quorum queue: `tidegate apply`";
            examiner.report(&c::NOT_DURABLE, at, message, hint);
        }
    }
    let members = number(settings, "members").unwrap_or(1);
    if !is_quorum(settings) {
        let kind = text(settings, "type").unwrap_or("classic");
        let message = format!("queue `{queue}` is a {kind} queue: it lives on one server");
        let hint = "make a quorum queue in its place: `tidegate apply`";
        examiner.report(&c::ONE_COPY, at, message, hint);
    } else if members < 2 {
        let message = format!(
            "quorum queue `{queue}` has one member: it is gone with the disk of its server"
        );
        let hint = "add servers, then `rabbitmq-queues grow SERVER all`";
        examiner.report(&c::ONE_COPY, at, message, hint);
    }
    let online = number(settings, "online").unwrap_or(members);
    if is_quorum(settings) && online < members {
        let message = format!("{online} of {members} members of queue `{queue}` are online now");
        let hint = "look after the server that is away: `rabbitmq-queues quorum_status QUEUE`";
        examiner.report(&c::OUT_OF_SYNC, at, message, hint);
    }
}

fn full(examiner: &mut Examiner<'_>, at: At<'_>, queue: &str, settings: &Settings) {
    let limit = ["max-length", "max-length-bytes"]
        .into_iter()
        .find(|limit| number(settings, &format!("effective.{limit}")).is_some());
    let overflow = text(settings, "effective.overflow").unwrap_or("drop-head");
    if let (Some(limit), true) = (limit, overflow.starts_with("drop-head")) {
        let message =
            format!("queue `{queue}` drops its oldest messages when it is full ({limit})");
        let hint = "set overflow=reject-publish: the publisher is told instead";
        examiner.report(&c::FULL_DROPS, at, message, hint);
    }
    if let Some(ttl) = number(settings, "effective.message-ttl") {
        let time = format_duration(Duration::from_millis(ttl.unsigned_abs()));
        let message = format!("messages of queue `{queue}` expire after {time}, handled or not");
        let hint = "take message-ttl off the queue: what is not finished stays";
        examiner.report(&c::EXPIRES, at, message, hint);
    }
}

fn runs(
    examiner: &mut Examiner<'_>,
    at: At<'_>,
    consumer: ConsumerRef<'_>,
    (queue, settings): (&str, &Settings),
) {
    let timeout = number(settings, "effective.consumer-timeout")
        .or_else(|| examiner.actual.fact("consumer_timeout"))
        .unwrap_or(CONSUMER_TIMEOUT_MS);
    let wanted = consumer.consume.deliver.timeout.value;
    let wanted_ms = i64::try_from(wanted.as_millis()).unwrap_or(i64::MAX);
    if timeout > 0 && timeout <= wanted_ms {
        let message = format!(
            "queue `{queue}` closes the channel of a consumer after {}; `{}` may take {}, and all that the channel \
             holds runs again",
            format_duration(Duration::from_millis(timeout.unsigned_abs())),
            consumer.id(),
            format_duration(wanted)
        );
        let hint = format!("set consumer-timeout above {wanted_ms} ms");
        examiner.report(&c::TAKEN_AWAY, at, message, hint);
    }
    let wants_order = consumer.consume.order.value != Order::None;
    if wants_order && !is_on(settings, "argument.x-single-active-consumer") {
        let message = format!(
            "`{}` wants order; queue `{queue}` gives its messages to all of its consumers at once",
            consumer.id()
        );
        let hint = "make the queue anew with x-single-active-consumer: `tidegate apply`";
        examiner.report(&c::ORDER_NOT_KEPT, at, message, hint);
    }
}

fn limit(examiner: &Examiner<'_>, settings: &Settings) -> Option<i64> {
    if !is_quorum(settings) {
        return None;
    }
    let said = number(settings, "effective.delivery-limit");
    let major = examiner.actual.fact("version.major").unwrap_or_default();
    let usual = (major >= 4).then_some(DELIVERY_LIMIT);
    said.or(usual).filter(|limit| *limit >= 0)
}

fn letters(
    examiner: &mut Examiner<'_>,
    at: At<'_>,
    consumer: ConsumerRef<'_>,
    (queue, settings): (&str, &Settings),
) {
    let letters = text(settings, "effective.dead-letter-exchange");
    let limit = limit(examiner, settings);
    let attempts = i64::from(consumer.consume.retry.attempts.value);
    if let Some(limit) = limit.filter(|limit| limit.saturating_add(1) < attempts) {
        let message = format!(
            "queue `{queue}` gives a message up after {}; `{}` has {attempts} attempts",
            count(limit.saturating_add(1), "delivery").replace("deliverys", "deliveries"),
            consumer.id()
        );
        let hint = format!("set delivery-limit={}", attempts - 1);
        examiner.report(&c::GIVEN_UP_EARLY, at, message, hint);
    }
    let Some(letters) = letters else {
        if limit.is_some() || consumer.consume.dead_letter.is_some() {
            let message = format!(
                "queue `{queue}` has no dead-letter exchange: what is given up or rejected is dropped, and nobody is told"
            );
            let hint =
                "set dead-letter-exchange, to an exchange with a queue behind it: `tidegate apply`";
            examiner.report(&c::GIVEN_UP_SILENTLY, at, message, hint);
        }
        return;
    };
    let leads = examiner.actual.resources.iter().any(|(id, settings)| {
        id.kind == Kind::Binding && text(settings, "source") == Some(letters)
    });
    // The default exchange leads to the queue that the key names.
    if !leads && !letters.is_empty() {
        let message = format!(
            "dead letters of queue `{queue}` go to exchange `{letters}`, which leads to no queue"
        );
        let hint = "bind a queue to it";
        examiner.report(&c::GIVEN_UP_SILENTLY, at, message, hint);
    }
    let safe = text(settings, "effective.dead-letter-strategy") == Some("at-least-once")
        && text(settings, "effective.overflow") == Some("reject-publish");
    if !safe {
        let message = format!(
            "dead letters of queue `{queue}` are sent on without waiting for a confirm: they may be lost"
        );
        let hint = match is_quorum(settings) {
            true => "set dead-letter-strategy=at-least-once and overflow=reject-publish",
            false => {
                "only quorum queues can do better: dead-letter-strategy=at-least-once, overflow=reject-publish"
            }
        };
        examiner.report(&c::LETTERS_MAY_BE_LOST, at, message, hint);
    }
}

fn promise(
    examiner: &Examiner<'_>,
    consumer: ConsumerRef<'_>,
    (queue, settings): (&str, &Settings),
) -> Promise {
    let members = number(settings, "members").unwrap_or(1);
    let survives = match (
        is_quorum(settings),
        settings.get("durable") == Some(&true.into()),
    ) {
        (true, _) if members > 2 => format!(
            "the loss of {} of {members} (confirms), synced on a majority",
            count((members - 1) / 2, "server")
        ),
        (true, _) => {
            "a restart and a loss of power (confirms), not the disk of its server".to_owned()
        }
        (false, true) => {
            "a restart, if it was published as persistent (confirms); not the disk of its server"
                .to_owned()
        }
        (false, false) => "nothing: the queue is gone after a restart".to_owned(),
    };
    let ttl = number(settings, "effective.message-ttl");
    let letters = text(settings, "effective.dead-letter-exchange");
    let limit = limit(examiner, settings);
    Promise {
        consumer: consumer.id().to_string(),
        place: format!("queue {queue}"),
        survives,
        kept: match ttl {
            None => "until it is acknowledged; it cannot be read again".to_owned(),
            Some(ttl) => format!(
                "{}, handled or not",
                format_duration(Duration::from_millis(ttl.unsigned_abs()))
            ),
        },
        order: match (
            consumer.consume.order.value,
            is_on(settings, "argument.x-single-active-consumer"),
        ) {
            (Order::None, _) => "none, as the design says".to_owned(),
            (_, true) => "of all messages, but for those that come back".to_owned(),
            (_, false) => "none with more than one consumer".to_owned(),
        },
        repeats: "after a lost connection, whatever was not acknowledged".to_owned(),
        given_up: match (limit, letters) {
            (Some(limit), Some(letters)) => {
                format!(
                    "after {} deliveries, to exchange {letters}",
                    limit.saturating_add(1)
                )
            }
            (Some(limit), None) => format!("after {} deliveries: dropped", limit.saturating_add(1)),
            (None, Some(letters)) => format!("what is rejected, to exchange {letters}"),
            (None, None) => "what is rejected is dropped".to_owned(),
        },
    }
}
