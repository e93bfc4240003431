//! What is kept: the records from which a machine is restored.
//!
//! The state is the records in order; later ones win. Records of one delivery are absolute, so a
//! checkpoint and the records after it may overlap.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tidegate_base::{BreakerName, ConsumerId, Timestamp};

use crate::breaker::BreakerRecord;
use crate::classes::{AppliedRule, ClassCounts, FailureClass, Tally};
use crate::ended::{EndedDelivery, SeekOrder, is_zero};
use crate::identity::Identity;
use crate::job::{JobProgress, JobRecord};
use crate::outcome::KeyState;

/// One thing to be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateRecord {
    /// A process took over; its attempts carry this number.
    Epoch(u64),
    /// How far a consumer is.
    Cursor {
        /// The consumer.
        consumer: ConsumerId,
        /// Everything below is settled.
        below: u64,
        /// Settled ranges above, each with its end excluded.
        above: Vec<(u64, u64)>,
    },
    /// Events that a deduplicated consumer has finished, oldest first.
    Identities {
        /// The consumer.
        consumer: ConsumerId,
        /// The events.
        done: Vec<Identity>,
        /// The deliveries that finished them, in the same order; none in records of earlier versions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        sequences: Vec<u64>,
    },
    /// An attempt is about to start.
    Started {
        /// The consumer.
        consumer: ConsumerId,
        /// The delivery.
        sequence: u64,
        /// Whether it runs alone, as one that may have ended the process before.
        company: Company,
    },
    /// The attempt ended without counting.
    Released {
        /// The consumer.
        consumer: ConsumerId,
        /// The delivery.
        sequence: u64,
        /// Whether it may serve as a probe.
        standing: Standing,
    },
    /// The attempt failed and counts.
    Failed {
        /// The consumer.
        consumer: ConsumerId,
        /// The delivery.
        sequence: u64,
        /// Failed attempts of this redrive round.
        failures: u32,
        /// In which ways; nothing in records of earlier versions.
        #[serde(default, skip_serializing_if = "is_none_of_a_class")]
        classes: ClassCounts,
        /// When it may start again.
        until: Timestamp,
        /// The attempt.
        attempt: AttemptRecord,
    },
    /// A delivery is finished.
    Done {
        /// The consumer.
        consumer: ConsumerId,
        /// The delivery.
        sequence: u64,
        /// The event, for a deduplicated consumer.
        identity: Option<Identity>,
        /// What its key's state is from now on, with that key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<(Arc<str>, KeyState)>,
        /// The replay that it was of; 0: of none.
        #[serde(default, skip_serializing_if = "is_zero")]
        generation: u64,
    },
    /// What a handler keeps for a key.
    State {
        /// The consumer.
        consumer: ConsumerId,
        /// The key.
        key: Arc<str>,
        /// The state.
        state: Arc<str>,
    },
    /// A delivery that the state keeps, because its channel need not deliver it again.
    Kept {
        /// The consumer.
        consumer: ConsumerId,
        /// The delivery.
        delivery: Box<KeptDelivery>,
    },
    /// What a delivery still in its channel has gone through; in checkpoints.
    Progress {
        /// The consumer.
        consumer: ConsumerId,
        /// The delivery.
        sequence: u64,
        /// What it has gone through.
        progress: Progress,
        /// When it may start again.
        until: Option<Timestamp>,
    },
    /// A consumer halted, or `None`: it goes on.
    Halt {
        /// The consumer.
        consumer: ConsumerId,
        /// Why.
        halt: Option<Halt>,
    },
    /// An operator paused a consumer, or `None`: it goes on.
    Pause {
        /// The consumer.
        consumer: ConsumerId,
        /// Why.
        pause: Option<Pause>,
    },
    /// A handler asked to be left alone, or `None`: an operator lets its consumer go on at once.
    Hold {
        /// The consumer.
        consumer: ConsumerId,
        /// For how long, and why.
        hold: Option<Hold>,
    },
    /// A breaker changed.
    Breaker {
        /// Whose it is.
        dependency: BreakerName,
        /// What it is now.
        breaker: BreakerRecord,
        /// Why an operator holds it open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// What is still to run of a replay; it takes the place of what was said of it before.
    Replay {
        /// The consumer.
        consumer: ConsumerId,
        /// The number of the replay.
        generation: u64,
        /// The deliveries, each range with its end excluded.
        ranges: Vec<(u64, u64)>,
        /// Why and when.
        order: SeekOrder,
    },
    /// An operator has passed over deliveries: they are settled without a run.
    Skipped {
        /// The consumer.
        consumer: ConsumerId,
        /// The deliveries, each range with its end excluded.
        ranges: Vec<(u64, u64)>,
        /// Why and when.
        order: SeekOrder,
    },
    /// How a delivery ended that did not simply succeed.
    Ended {
        /// The consumer.
        consumer: ConsumerId,
        /// The delivery.
        ended: Box<EndedDelivery>,
    },
    /// A redrive job, whole.
    Job(Box<JobRecord>),
    /// What changed of a redrive job.
    JobProgress(Box<JobProgress>),
    /// A redrive job that has ended is known no more.
    JobForgotten(u64),
}

/// Whether a delivery runs with others of its consumer or alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Company {
    /// With others.
    Shared,
    /// Alone.
    Alone,
}

/// Whether a delivery may serve as a probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It never failed.
    #[default]
    Clean,
    /// It failed before: it may be what fails.
    Tainted,
}

/// What a delivery has gone through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Failed attempts of this redrive round.
    pub failures: u32,
    /// In which ways; nothing in records of earlier versions.
    #[serde(default, skip_serializing_if = "is_none_of_a_class")]
    pub classes: ClassCounts,
    /// Ends of the process while it ran alone, in this redrive round.
    pub crashes: u32,
    /// How often it was redriven.
    pub redrives: u32,
    /// Whether it may serve as a probe.
    pub standing: Standing,
    /// An attempt started and no outcome is known.
    pub started: Option<Company>,
    /// Attempts with an outcome, oldest first, the one that succeeded last; the middle of a long history is left out.
    pub history: Vec<AttemptRecord>,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// From 1, in its redrive round.
    pub attempt: u32,
    /// When it started.
    pub started: Timestamp,
    /// When it ended; `None` when nobody knows.
    pub ended: Option<Timestamp>,
    /// How.
    pub outcome: AttemptOutcome,
    /// What the handler said.
    pub error: String,
    /// What the design says of such a failure, when it says something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<AppliedRule>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptOutcome {
    /// The handler failed.
    Retryable,
    /// It could not be reached.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// The handler has too much to do, and the design lets that count.
    Overload,
    /// It can never succeed.
    Permanent,
    /// The process ended while it ran.
    Crash,
    /// It did its work, after others that did not.
    Succeeded,
}

impl AttemptOutcome {
    /// Its word in views.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Retryable => "retryable",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Overload => "overload",
            Self::Permanent => "permanent",
            Self::Crash => "crash",
            Self::Succeeded => "done",
        }
    }
}

impl Progress {
    /// How often it failed in this redrive round, and in which ways.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        Tally {
            failures: self.failures,
            classes: self.classes,
        }
    }
}

fn is_none_of_a_class(counts: &ClassCounts) -> bool {
    *counts == ClassCounts::default()
}

impl From<FailureClass> for AttemptOutcome {
    fn from(class: FailureClass) -> Self {
        match class {
            FailureClass::Retryable => Self::Retryable,
            FailureClass::Unavailable => Self::Unavailable,
            FailureClass::Timeout => Self::Timeout,
            FailureClass::Overload => Self::Overload,
            FailureClass::Permanent => Self::Permanent,
        }
    }
}

/// A delivery that the state keeps: a dead letter, one that waits behind it, or one redriven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptDelivery {
    /// The delivery.
    pub sequence: u64,
    /// The event.
    pub event: Arc<EventRef>,
    /// When the event was accepted.
    pub accepted: Timestamp,
    /// What it has gone through.
    pub progress: Progress,
    /// Set for a dead letter.
    pub death: Option<Death>,
    /// Set for a dead letter that was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discard: Option<Discard>,
    /// The replay that it is of; 0: of none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u64,
    /// What an operator has put in the place of its event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<Arc<Edit>>,
}

/// An event in the place of another, for one delivery only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// Its `id`; its `source` and its key are those of the event that it replaces.
    pub id: String,
    /// The event in the CloudEvents JSON format: no channel has it.
    pub event: Arc<str>,
    /// The edits that led to it, oldest first.
    pub notes: Vec<EditNote>,
}

/// Who edited a dead letter, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditNote {
    /// The `id` of the event that was replaced.
    pub id: String,
    /// Why, in the operator's words.
    pub reason: String,
    /// Who, if they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Why a dead letter was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discard {
    /// In the operator's words.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// For how long a handler has asked to be left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// In the handler's words.
    pub reason: String,
    /// Overloads in a row: the next one is for longer.
    pub overloads: u32,
}

/// Why an operator paused a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// In the operator's words.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// What is known of an event without its payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRef {
    /// Its partition key.
    pub key: Option<Arc<str>>,
    /// Its `source`.
    pub source: String,
    /// Its `id`.
    pub id: String,
    /// Before this time it is not delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

/// Why a delivery is a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// In a word.
    pub reason: DeathReason,
    /// The last error.
    pub error: String,
    /// When it became one, or was taken back after it had been given up.
    pub at: Timestamp,
}

/// Why a delivery is a dead letter, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeathReason {
    /// The handler said that it can never succeed.
    Permanent,
    /// Its attempts are used up.
    Exhausted,
    /// It became too old to be retried.
    Expired,
    /// The process ended whenever it ran alone.
    Crash,
    /// A rule of the design gives such failures up at once.
    Rule,
}

impl DeathReason {
    /// Its word in views.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::Exhausted => "exhausted",
            Self::Expired => "expired",
            Self::Crash => "crash",
            Self::Rule => "rule",
        }
    }
}

/// Why a consumer stands still until something changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// In a word.
    pub cause: HaltCause,
    /// In the endpoint's or the store's words.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// Why a consumer stands still, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HaltCause {
    /// The endpoint is wrong; a probe now and then finds out when it is right again.
    Endpoint,
    /// There are as many dead letters as allowed; it goes on when some are redriven.
    DeadLetters,
    /// Dead letters come faster than their budget allows; it goes on when told to.
    DeadLetterBudget,
    /// A record of the channel cannot be read; it goes on when told to, or at the next start.
    Channel,
}

/// Why a text is not a state record.
#[derive(Debug, Error)]
#[error("not a state record: {0}")]
pub struct RecordError(#[from] serde_json::Error);

impl StateRecord {
    /// The record as a line of JSON.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Plain data with string keys: serialisation into memory has no way to fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The record of a line of JSON.
    ///
    /// # Errors
    ///
    /// When the bytes are not a record that this version knows.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// Whether it is about a redrive job.
    pub(crate) fn is_of_job(&self) -> bool {
        matches!(
            self,
            Self::Job(_) | Self::JobProgress(_) | Self::JobForgotten(_)
        )
    }

    /// The consumer that it is about, if it is about one.
    #[must_use]
    pub fn consumer(&self) -> Option<&ConsumerId> {
        match self {
            Self::Epoch(_)
            | Self::Breaker { .. }
            | Self::Job(_)
            | Self::JobProgress(_)
            | Self::JobForgotten(_) => None,
            Self::Cursor { consumer, .. }
            | Self::Identities { consumer, .. }
            | Self::Started { consumer, .. }
            | Self::Released { consumer, .. }
            | Self::Failed { consumer, .. }
            | Self::Done { consumer, .. }
            | Self::Kept { consumer, .. }
            | Self::Progress { consumer, .. }
            | Self::Pause { consumer, .. }
            | Self::Hold { consumer, .. }
            | Self::State { consumer, .. }
            | Self::Replay { consumer, .. }
            | Self::Skipped { consumer, .. }
            | Self::Ended { consumer, .. }
            | Self::Halt { consumer, .. } => Some(consumer),
        }
    }
}
