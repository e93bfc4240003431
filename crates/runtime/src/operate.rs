//! What operators do to consumers and breakers.

use thiserror::Error;
use tidegate_base::{BreakerName, ConsumerId};

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OperateError {
    /// The design has no such consumer.
    #[error("consumer `{consumer}` is not in the design")]
    UnknownConsumer {
        /// The consumer asked for.
        consumer: ConsumerId,
    },
    /// The design has no such dependency, or no such consumer with a breaker of its own.
    #[error("{}", unknown_breaker(.breaker))]
    UnknownBreaker {
        /// The breaker asked for.
        breaker: BreakerName,
    },
    /// What the consumer has done is not to be done again.
    #[error(
        "consumer `{consumer}` refuses replays: its effects happen exactly once, and a replay would \
         repeat them"
    )]
    ReplayRefused {
        /// The consumer asked for.
        consumer: ConsumerId,
    },
    /// Deliveries would be lost, and that was not confirmed.
    #[error("{deliveries} deliveries would be skipped: they would never run")]
    Unconfirmed {
        /// How many.
        deliveries: u64,
    },
    /// It cannot be done now.
    #[error("consumer `{consumer}` cannot be moved: {reason}")]
    Seek {
        /// The consumer asked for.
        consumer: ConsumerId,
        /// Why not.
        reason: String,
    },
    /// The system has stopped.
    #[error("the system has stopped")]
    Stopped,
}

fn unknown_breaker(breaker: &BreakerName) -> String {
    match breaker {
        BreakerName::Dependency(name) => format!("dependency `{name}` is not in the design"),
        BreakerName::Own(consumer) => format!(
            "consumer `{consumer}` has no breaker of its own: it is not in the design, or its `needs` name those that \
             hold it"
        ),
    }
}
