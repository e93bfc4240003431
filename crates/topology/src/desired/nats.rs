//! A stream of the system, and a durable consumer of each consumer.
//!
//! Sources: NATS documentation, "Streams" and "Consumers"; NATS ADR-8 and ADR-13 on the fields of the JetStream API.

use std::time::Duration;

use tidegate_base::{Name, format_duration};
use tidegate_model::Design;
use tidegate_model::design::{ConsumerRef, Order};

use super::{Desired, Options, Wanted, nanos, number};
use crate::resource::{Engine, Kind, Value};
use crate::rules::Rule;

/// How long a repeated message is recognised, at least.
const DUPLICATES: Duration = Duration::from_secs(120);
/// More than the handler takes: the acknowledgement is on its way too.
const ON_THE_WAY: Duration = Duration::from_secs(5);

/// The subject of an event.
#[must_use]
pub fn subject(system: &Name, event: &Name, prefix: &str) -> String {
    format!("{prefix}{system}.{event}")
}

/// The stream of a system: a name of NATS has no dots.
pub(super) fn stream(system: &Name, prefix: &str) -> String {
    format!("{prefix}{system}").replace('.', "-")
}

/// The durable name of a consumer.
#[must_use]
pub fn durable(consumer: ConsumerRef<'_>) -> String {
    format!("{}-{}", consumer.service_name, consumer.event_name).replace('.', "-")
}

pub(super) fn desired(design: &Design, options: &Options) -> Desired {
    let mut desired = Desired::new(Engine::Nats);
    let system = &design.system.value;
    let stream_name = stream(system, &options.prefix);
    desired.add(Kind::Stream, &stream_name, stream_of(design, options));
    for consumer in design.consumers() {
        let name = durable(consumer);
        let wanted = consumer_of(consumer, (&stream_name, &name), options, system);
        desired.add(Kind::Consumer, format!("{stream_name}/{name}"), wanted);
    }
    let note = "NATS has no dead letters: a client has to count its attempts (`num_delivered`), publish what cannot be \
                handled to a subject of its own, and acknowledge it";
    if design.consumers().any(|c| c.consume.dead_letter.is_some()) {
        desired.notes.push(note.to_owned());
    }
    desired
}

fn stream_of(design: &Design, options: &Options) -> Wanted {
    let system = &design.system.value;
    let subjects = design.events.keys();
    let subjects = subjects.map(|event| subject(system, event, &options.prefix));
    let subjects = Value::Texts(subjects.collect());
    let longest = design.events.values().map(|event| event.retention.value);
    let longest = longest.max().unwrap_or_default();
    let because = format!(
        "`retention: {}`, the longest of its events: a stream has one",
        format_duration(longest)
    );
    let wanted = Wanted::because(format!("the events of `{system}`"))
        .want_by(
            Rule::Includes,
            "subjects",
            subjects,
            "a subject of each event",
        )
        .want("storage", "file", "it outlives a restart")
        .want("retention", "limits", "every consumer reads all of it")
        .want("max_age", nanos(longest), because)
        .want_by(
            Rule::AtLeast,
            "duplicate_window",
            nanos(DUPLICATES.min(longest)),
            "what is published again with its `Nats-Msg-Id` is one event",
        );
    // A stream has one limit in bytes too: it is none unless every event has one.
    let sizes: Option<u64> = design
        .events
        .values()
        .map(|event| event.retention_size.as_ref().map(|size| size.value.0))
        .sum();
    let wanted = match sizes.filter(|bytes| *bytes > 0) {
        Some(bytes) => wanted
            .want(
                "max_bytes",
                number(bytes),
                "`retention-size` of its events together",
            )
            .want("discard", "old", "the oldest go"),
        None => wanted.want("max_bytes", -1, "no event has a `retention-size`"),
    };
    match options.replication {
        Some(replication) => wanted.want_by(
            Rule::AtLeast,
            "num_replicas",
            i64::from(replication),
            "so that it outlives servers",
        ),
        None => wanted,
    }
}

fn consumer_of(
    consumer: ConsumerRef<'_>,
    (stream, name): (&str, &str),
    options: &Options,
    system: &Name,
) -> Wanted {
    let deliver = &consumer.consume.deliver;
    let (running, because) = match consumer.consume.order.value {
        Order::None => (
            deliver.concurrency.value,
            "`deliver.concurrency`".to_owned(),
        ),
        Order::Key => (
            1,
            "`order: key`: JetStream keeps the order of a key only one message at a time"
                .to_owned(),
        ),
        Order::Total => (1, "`order: total`: one message at a time".to_owned()),
    };
    let timeout = deliver.timeout.value;
    let wait = format!(
        "`deliver.timeout: {}` and the way of the acknowledgement: else it runs twice",
        format_duration(timeout)
    );
    let subject = subject(system, consumer.event_name, &options.prefix);
    Wanted::because(format!("consumer `{}`", consumer.id()))
        .want("stream", stream, "of this stream")
        .want("durable_name", name, "its place is kept")
        .want("filter_subject", subject, "its event")
        .want(
            "ack_policy",
            "explicit",
            "what is not acknowledged comes again",
        )
        .want("deliver_policy", "all", "from the first event that is kept")
        .want_by(
            Rule::AtLeast,
            "ack_wait",
            nanos(timeout.saturating_add(ON_THE_WAY)),
            wait,
        )
        .want(
            "max_deliver",
            -1,
            "after its last delivery JetStream skips a message and says nothing: the client counts",
        )
        .want("max_ack_pending", i64::from(running), because)
}
