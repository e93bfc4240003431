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
    /// The system has stopped.
    #[error("the system has stopped")]
    Stopped,
}
