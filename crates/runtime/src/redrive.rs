//! Redrive jobs: what is asked for, and what is seen of them.

use std::time::Duration;

use serde::Serialize;
use thiserror::Error;
use tidegate_base::ConsumerId;
use tidegate_delivery::{JobRefusal, StopRule};

use crate::dead_letter::{LettersError, LettersSelection};
use crate::publish::SchemaViolation;
use crate::view::DeadLetterGroup;

/// A redrive job to be begun.
#[derive(Clone, Debug)]
pub struct JobRequest {
    /// The letters, as they are then: what becomes a dead letter later is not of the job.
    pub selection: LettersSelection,
    /// The time between two letters.
    pub every: Duration,
    /// Whether it goes in steps of 1, 2, 5, 10, … letters.
    pub canary: bool,
    /// When it stops by itself.
    pub stop: StopRule,
    /// What it is for, in the operator's words.
    pub note: String,
}

/// A job that was begun, durably.
#[derive(Clone, Debug, Serialize)]
pub struct JobBegun {
    /// The job.
    #[serde(flatten)]
    pub job: RedriveView,
    /// Letters of the selection that are not of the job, each with the reason.
    pub refused: Vec<(String, String)>,
}

/// Why nothing was done with a job.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JobError {
    /// The selection, or the system, does not allow it.
    #[error(transparent)]
    Letters(#[from] LettersError),
    /// The job, or how many there are, does not allow it.
    #[error(transparent)]
    Refused(#[from] JobRefusal),
}

/// A redrive job in a list.
#[derive(Clone, Debug, Serialize)]
pub struct RedriveView {
    /// Its number.
    pub id: u64,
    /// What it is for.
    pub note: String,
    /// When it began, milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// `running`, `paused`, `stopped`, `cancelled` or `done`.
    pub state: &'static str,
    /// Why it has stopped.
    pub reason: Option<String>,
    /// What keeps it from sending the next letter, when its consumers take none.
    pub held_by: Option<String>,
    /// Letters a second.
    pub rate: f64,
    /// Whether it goes in steps.
    pub canary: bool,
    /// The share of failures at which it stops.
    pub stop_at: f64,
    /// The fewest verdicts before that counts.
    pub stop_minimum: u32,
    /// How many letters it has.
    pub letters: u64,
    /// Of them, not sent yet.
    pub waiting: u64,
    /// Sent, and not ended.
    pub sent: u64,
    /// Acknowledged by their handler.
    pub verified: u64,
    /// Dead letters again.
    pub failed: u64,
    /// Passed over.
    pub skipped: u64,
    /// The consumers of its letters.
    pub consumers: Vec<ConsumerId>,
}

/// A redrive job with its letters.
#[derive(Clone, Debug, Serialize)]
pub struct RedriveDetail {
    /// What the list shows.
    #[serde(flatten)]
    pub job: RedriveView,
    /// Its letters.
    pub members: Vec<RedriveLetterView>,
}

/// One letter of a redrive job.
#[derive(Clone, Debug, Serialize)]
pub struct RedriveLetterView {
    /// `service/event/sequence`.
    pub id: String,
    /// `waiting`, `sent`, `verified`, `failed` or `skipped`.
    pub state: &'static str,
    /// Why it failed or was passed over.
    pub reason: Option<String>,
    /// The last error, while it is a dead letter.
    pub error: Option<String>,
}

/// What would become of a selection; nothing has changed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Rehearsal {
    /// The letters that would be sent back.
    pub ids: Vec<String>,
    /// Their causes, most frequent first.
    pub groups: Vec<DeadLetterGroup>,
    /// The letters that would not, each with the reason.
    pub refused: Vec<(String, String)>,
    /// Of those that would be sent back, the ones whose events break the present design.
    pub invalid: Vec<InvalidLetter>,
    /// Of those that would be sent back, the ones whose events cannot be read, each with the reason.
    pub unreadable: Vec<(String, String)>,
}

/// A letter whose event breaks the present design.
#[derive(Clone, Debug, Serialize)]
pub struct InvalidLetter {
    /// The letter.
    pub id: String,
    /// What is wrong with it.
    pub problem: String,
    /// Where it breaks its schema.
    pub violations: Vec<SchemaViolation>,
}
