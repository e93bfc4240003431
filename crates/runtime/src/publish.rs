//! What a producer is told.

use std::time::Duration;

use thiserror::Error;
use tidegate_base::{EnvelopeError, Name};

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
    },
    /// The system finishes what runs and takes nothing new.
    #[error("the system is draining")]
    Draining,
    /// The system has stopped; whether the batch was kept is not known.
    #[error("the system has stopped")]
    Stopped,
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
    /// The payload does not keep its schema.
    #[error("the payload does not keep its schema{}", first(.violations))]
    Schema {
        /// Every violation, at most the first hundred.
        violations: Vec<SchemaViolation>,
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
