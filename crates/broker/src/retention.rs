//! What a channel keeps, and what cleaning it has removed.

use std::time::Duration;

use thiserror::Error;

/// What a channel keeps. What it says of age, size and keys lets records go; what is needed or pinned
/// stays nevertheless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Records older than this may go, as long as all before them may; `None`: none goes for its age.
    pub age: Option<Duration>,
    /// The oldest records may go as long as at least this many bytes stay, in the broker's own
    /// count; `None`: none goes for the size.
    pub bytes: Option<u64>,
    /// Whether only the latest record of each key need stay.
    pub history: History,
    /// Everything from this sequence on is needed, whatever its age and size.
    pub needed_from: u64,
    /// Needed records before that: dead letters and the like. Ascending.
    pub pinned: Vec<u64>,
}

/// How much of what was said with one key a channel keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// All of it.
    All,
    /// The latest record of each key, and every record without a key; one that has a later one with
    /// its key may go.
    LatestPerKey,
}

/// Whether a broker removes what nobody needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// It keeps everything: cleaning removes nothing.
    Kept,
    /// Cleaning removes what may go.
    Enforced,
    /// Cleaning removes the oldest records, up to the first that must stay: a pinned one keeps all behind it,
    /// and of a channel that keeps the latest of each key nothing goes.
    OldestFirst,
}

/// What a clean has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Records, of all channels; where sequences have gaps, those are counted as well.
    pub records: u64,
    /// Their bytes, in the broker's own count.
    pub bytes: u64,
}

/// Why a clean is not done. Part of it may be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the channels cannot be cleaned: {reason}")]
pub struct CleanError {
    /// The cause, with the place in the store.
    pub reason: String,
}

impl Keep {
    /// Everything.
    pub const ALL: Self = Self {
        age: None,
        bytes: None,
        history: History::All,
        needed_from: 0,
        pinned: Vec::new(),
    };

    /// Whether somebody needs the record at `sequence`, whatever its age and size.
    #[must_use]
    pub fn is_needed(&self, sequence: u64) -> bool {
        sequence >= self.needed_from || self.pinned.binary_search(&sequence).is_ok()
    }
}
