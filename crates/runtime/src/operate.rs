//! What operators do to consumers and breakers.

use thiserror::Error;
use tidegate_base::{ConsumerId, Name};

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OperateError {
    /// The design has no such consumer.
    #[error("consumer `{consumer}` is not in the design")]
    UnknownConsumer {
        /// The consumer asked for.
        consumer: ConsumerId,
    },
    /// The design has no such dependency.
    #[error("dependency `{dependency}` is not in the design")]
    UnknownDependency {
        /// The dependency asked for.
        dependency: Name,
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
