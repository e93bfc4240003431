//! What can go wrong, with the next step.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tidegate_base::format_duration;

/// Why an app does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The design cannot be read.
    #[error("cannot read the design `{}`: {source}", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The design has errors.
    #[error("the design has errors; mend them, or ask `tidegate explain CODE`\n{findings}")]
    Design {
        /// Each with its place, as `tidegate check` prints them.
        findings: String,
    },
    /// The handlers do not fit the design.
    #[error("the handlers do not fit the design:{}", list(.problems))]
    Handlers {
        /// Everything that is wrong, each with the next step.
        problems: Vec<String>,
    },
    /// The log cannot be opened.
    #[error("cannot open the log in `{}`", path.display())]
    Log {
        /// Its folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: tidegate_broker_log::OpenError,
    },
    /// The runtime does not start.
    #[error("the runtime does not start")]
    Runtime(#[source] tidegate_runtime::StartError),
    /// The URL or the token of the daemon is not one.
    #[error("{0}")]
    Address(String),
    /// The daemon cannot be asked.
    #[error("the daemon at {url} cannot be asked: {reason}")]
    Daemon {
        /// Where it should be.
        url: String,
        /// What came instead, and the next step.
        reason: String,
    },
}

fn list(problems: &[String]) -> String {
    problems
        .iter()
        .map(|problem| format!("\n  - {problem}"))
        .collect()
}

/// Why events were not published.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The payload cannot be written as JSON.
    #[error("{0}")]
    Data(String),
    /// The design refuses an event: nothing was stored, and trying again changes nothing.
    #[error("the design refuses it: {reason}")]
    Refused {
        /// What is wrong with which event.
        reason: String,
    },
    /// A limit is reached: nothing was stored.
    #[error("pushed back: {reason}; try again in {}, or let `publish` wait", format_duration(*.retry_after))]
    Full {
        /// Which limit.
        reason: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// The system drains, or has stopped.
    #[error("the system takes no events: {reason}")]
    Ended {
        /// Which, and what to do.
        reason: String,
    },
    /// The daemon did not answer: the events may be stored or not. Publish them again with the same ids.
    #[error(
        "the daemon did not answer: {reason}; published again with the same id, an event is stored once"
    )]
    Unanswered {
        /// What came instead.
        reason: String,
    },
    /// The daemon takes no events from this program.
    #[error("the daemon does not take the token: {reason}")]
    NotAllowed {
        /// What it says.
        reason: String,
    },
}

impl PublishError {
    /// How long to wait at least before another try has a chance; `None`: it has none.
    pub(crate) fn passes_after(&self) -> Option<Duration> {
        match self {
            Self::Full { retry_after, .. } => Some(*retry_after),
            Self::Unanswered { .. } => Some(Duration::ZERO),
            Self::Data(_) | Self::Refused { .. } | Self::Ended { .. } | Self::NotAllowed { .. } => {
                None
            }
        }
    }
}

impl From<tidegate_runtime::PublishError> for PublishError {
    fn from(error: tidegate_runtime::PublishError) -> Self {
        use tidegate_runtime::PublishError as Error;
        let reason = error.to_string();
        match error {
            Error::Invalid { .. } | Error::BatchLarge { .. } => Self::Refused { reason },
            Error::Full {
                reason,
                retry_after,
                ..
            } => Self::Full {
                reason,
                retry_after,
            },
            Error::Draining | Error::Stopped => Self::Ended { reason },
        }
    }
}

/// Why a request has no reply.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// No consumer of the app takes replies of this type.
    #[error(
        "nobody here takes replies of type `{event_type}`: say `.replies::<…>(\"service/event\")` before the start"
    )]
    NoReplies {
        /// The type of the reply.
        event_type: &'static str,
    },
    /// Too many requests wait already.
    #[error("{waiting} requests wait for their replies already; try again when some have come")]
    Busy {
        /// How many.
        waiting: usize,
    },
    /// The request was not published.
    #[error("the request was not published")]
    Publish(#[from] PublishError),
    /// No reply came in time. The request is published all the same, and may be answered yet.
    #[error("no reply within {}; the request stays published", format_duration(*.after))]
    Timeout {
        /// How long was waited.
        after: Duration,
    },
    /// The reply is not of the type that was asked for.
    #[error("the reply cannot be read: {reason}")]
    Reply {
        /// What is wrong with it, and where.
        reason: String,
    },
}
