//! What is remembered of replays, of skips and of deliveries that are over.

use serde::{Deserialize, Serialize};
use tidegate_base::Timestamp;

use crate::record::{EditNote, Progress};

/// Why and when an operator has sent a consumer back, or forward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeekOrder {
    /// In the operator's words.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// A delivery that is over and did not simply succeed at its first attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedDelivery {
    /// The delivery.
    pub sequence: u64,
    /// The replay that it was of; 0: of none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u64,
    /// How it ended.
    pub end: End,
    /// What it went through.
    pub progress: Progress,
    /// Of one that was edited: what was delivered in the place of its event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<Provenance>,
}

/// What was delivered in the place of an event, without its payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Its `id`.
    pub id: String,
    /// Its `source`.
    pub source: String,
    /// The edits that led to it, oldest first.
    pub notes: Vec<EditNote>,
}

/// How a delivery ended for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Its handler did its work.
    Succeeded,
    /// Its event was finished before, so it did not run.
    Duplicate,
    /// An operator has passed over it.
    Skipped,
    /// It was a dead letter and is given up for good.
    Discarded,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
pub(crate) fn is_zero(number: &u64) -> bool {
    *number == 0
}
