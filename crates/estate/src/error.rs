//! Why a broker gives no answer.

use thiserror::Error;

/// Why a broker gives no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EstateError {
    /// The address or the settings cannot be used.
    #[error("{reason}")]
    Address {
        /// What is wrong.
        reason: String,
    },
    /// It does not answer.
    #[error("{broker} cannot be reached at {at}: {reason}")]
    Unreachable {
        /// What it is.
        broker: &'static str,
        /// Where.
        at: String,
        /// What happened.
        reason: String,
    },
    /// It knows who asks, and says no.
    #[error("{broker} does not allow it: {reason}")]
    NotAllowed {
        /// What it is.
        broker: &'static str,
        /// What it said.
        reason: String,
    },
    /// It refuses, or answers what is no answer.
    #[error("{broker} refuses: {reason}")]
    Refused {
        /// What it is.
        broker: &'static str,
        /// What it said.
        reason: String,
    },
}
