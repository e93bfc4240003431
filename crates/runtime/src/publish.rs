//! What a producer is told.

use std::time::Duration;

use thiserror::Error;
use tidegate_base::{Bytes, ConsumerId, EnvelopeError, Name, format_duration};

/// What became of one event of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The event's `id`.
    pub id: String,
    /// The event of the design.
    pub event: Name,
    /// Its place in the channel.
    pub sequence: u64,
    /// Whether it was stored now or before.
    pub duplicate: Accept,
}

/// Whether an accepted event was stored now or before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// Stored now, durably.
    New,
    /// The same (`source`, `id`) was stored before; nothing was added.
    Duplicate,
}

/// Why a batch was not accepted; nothing of it was stored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PublishError {
    /// An event is not what the design says.
    #[error("event {index} of the batch (`{event_id}`): {problem}")]
    Invalid {
        /// Its place in the batch, from 0.
        index: usize,
        /// Its `id`; may be empty.
        event_id: String,
        /// What is wrong with it.
        problem: Problem,
    },
    /// The batch is larger than can be stored together.
    #[error("the batch of {events} events is too large: {reason}")]
    BatchLarge {
        /// How many events.
        events: usize,
        /// Which limit.
        reason: String,
    },
    /// A limit is reached; try again later.
    #[error("{reason}; try again in {}", tidegate_base::format_duration(*.retry_after))]
    Full {
        /// Which limit.
        reason: String,
        /// When to try again.
        retry_after: Duration,
        /// The consumer that is too far behind, when it is the design that says how far it may be.
        behind: Option<Box<Behind>>,
    },
    /// The system finishes what runs and takes nothing new.
    #[error("the system is draining")]
    Draining,
    /// The system has stopped; whether the batch was kept is not known.
    #[error("the system has stopped")]
    Stopped,
}

/// A consumer that is further behind than the design allows: its event is refused until it is less so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The event.
    pub event: Name,
    /// The consumer.
    pub consumer: ConsumerId,
    /// What has reached its limit.
    pub measure: Measure,
    /// How far behind: events, bytes or nanoseconds.
    pub value: u64,
    /// The limit, in the same.
    pub most: u64,
}

/// How it is measured how far behind a consumer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// By the events that it has not finished.
    Events,
    /// By the bytes of their payloads.
    Bytes,
    /// By the age of the oldest of them.
    Age,
}

impl Measure {
    /// Its word in the design, in views and answers.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Bytes => "bytes",
            Self::Age => "age",
        }
    }

    /// A value as it is written in a design.
    #[must_use]
    pub fn written(self, value: u64) -> String {
        match self {
            Self::Events => value.to_string(),
            Self::Bytes => Bytes(value).to_string(),
            Self::Age => format_duration(Duration::from_nanos(value)),
        }
    }
}

impl std::fmt::Display for Behind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (value, most) = (
            self.measure.written(self.value),
            self.measure.written(self.most),
        );
        let consumer = &self.consumer;
        match self.measure {
            Measure::Events => write!(f, "consumer `{consumer}` has {value} unfinished events"),
            Measure::Bytes => write!(f, "consumer `{consumer}` has {value} of unfinished events"),
            Measure::Age => write!(
                f,
                "the oldest unfinished event of consumer `{consumer}` is {value} old"
            ),
        }?;
        let (event, word) = (&self.event, self.measure.word());
        write!(f, "; the most is {most} (`events.{event}.backlog.{word}`)")
    }
}

/// What is wrong with an event.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// No event of the design has this type.
    #[error("type `{event_type}` is not in the design{}", hint(.did_you_mean.as_deref()))]
    UnknownType {
        /// The type.
        event_type: String,
        /// The nearest one.
        did_you_mean: Option<String>,
    },
    /// It is not a CloudEvent within the limits.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The payload should be JSON and is not.
    #[error("the payload is not JSON")]
    NotJson,
    /// The payload is neither JSON nor in the encoding of its schema.
    #[error("the payload is neither JSON nor, by its media type, {binary}")]
    Encoding {
        /// The media type of that encoding.
        binary: &'static str,
    },
    /// The payload does not keep its schema.
    #[error("the payload does not keep its schema{}", first(.violations))]
    Schema {
        /// Every violation, at most the first hundred.
        violations: Vec<SchemaViolation>,
    },
    /// The event breaks a rule of the design.
    #[error("the event breaks the rule `{rule}`{}{}", reason(": ", .error), reason("; ", .because))]
    Rule {
        /// The rule, in CEL.
        rule: String,
        /// Why it is a rule, as the design says.
        because: Option<String>,
        /// What went wrong; `None` when the rule is just false.
        error: Option<String>,
    },
    /// The payload names a schema with which it cannot be read.
    #[error("the payload cannot be read with the schema `{id}` that it names: {reason}")]
    SchemaId {
        /// The id or the GUID; empty when there is none.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// The time before which it is not to be delivered is none.
    #[error("`notbefore` is `{time}`, and no RFC 3339 date-time such as 2027-01-01T08:00:00Z")]
    NotBefore {
        /// What it is.
        time: String,
    },
    /// The key cannot be taken from the payload.
    #[error("the key at `{pointer}` {reason}")]
    Key {
        /// The design's JSON pointer.
        pointer: String,
        /// What is wrong.
        reason: String,
    },
}

/// One way in which a payload breaks its schema.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SchemaViolation {
    /// Where in the payload: a JSON pointer.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

fn reason(between: &str, reason: &Option<String>) -> String {
    let reason = reason.as_ref();
    reason.map_or_else(String::new, |reason| format!("{between}{reason}"))
}

fn first(violations: &[SchemaViolation]) -> String {
    violations.first().map_or_else(String::new, |v| {
        let path = if v.path.is_empty() {
            "the root"
        } else {
            v.path.as_str()
        };
        format!(": {} at {path}", v.message)
    })
}

/// `; did you mean …?`, or nothing.
pub(crate) fn hint(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}
