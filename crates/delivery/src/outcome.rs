//! How an attempt ended, in the words that decide what happens next.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How one attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The handler did it.
    Done,
    /// The handler did it, and this is the state of its key from now on. A consumer that keeps no order
    /// has no state: then the delivery is a dead letter.
    DoneWith(KeyState),
    /// It failed in a way that may pass: the attempt counts, and the delivery is retried.
    Retry {
        /// What kind of failure.
        class: RetryClass,
        /// What went wrong.
        error: String,
        /// The shortest time before the next attempt, as the handler asked.
        after: Option<Duration>,
    },
    /// The handler has too much to do: the attempt does not count, the consumer is held.
    Overload {
        /// What the handler said.
        error: String,
        /// The shortest time before the next attempt, as the handler asked.
        after: Option<Duration>,
    },
    /// It can never succeed, says the handler: a dead letter, unless the design has a rule for that.
    Permanent {
        /// What is wrong with the event.
        error: String,
    },
    /// The event cannot be delivered, or what its handler answered is refused: a dead letter whatever the design says,
    /// as no attempt would change it.
    Refused {
        /// What is wrong.
        error: String,
    },
    /// The endpoint is wrong, not the event: the attempt does not count, the consumer halts.
    EndpointFault {
        /// What is wrong with the endpoint.
        error: String,
    },
    /// The attempt was called off, by a shutdown or by the puller: it does not count.
    Cancelled,
}

/// What a handler keeps for the key of an event; a consumer with total order keeps one for all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// This text, at most [`KEY_STATE_BYTES_MAX`](tidegate_base::limit::KEY_STATE_BYTES_MAX).
    Is(Arc<str>),
    /// Nothing any more.
    Gone,
}

impl Outcome {
    /// Whether the handler did it.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self, Self::Done | Self::DoneWith(_))
    }
}

/// What kind of failure may pass. Breakers count [`Unavailable`](Self::Unavailable),
/// [`Timeout`](Self::Timeout) and overload only: the rest says nothing about a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryClass {
    /// The handler failed.
    Retryable,
    /// The handler, or something that it needs, could not be reached.
    Unavailable,
    /// No answer came in time.
    Timeout,
}

impl RetryClass {
    /// Its word in views and records.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Retryable => "retryable",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
        }
    }
}
