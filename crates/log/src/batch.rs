//! What goes into the log together, and where it went.

use bytes::Bytes;
use smallvec::SmallVec;
use tidegate_base::{Name, Timestamp};

/// A record to be appended to a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The channel; created by its first record.
    pub channel: Name,
    /// The partition key, at most [`KEY_LENGTH_MAX`](crate::KEY_LENGTH_MAX) bytes.
    pub key: Option<String>,
    /// When it was accepted.
    pub time: Timestamp,
    /// Names and values, in order. A name has at most 65,535 bytes; there are at most 65,535.
    pub headers: Vec<(String, String)>,
    /// The payload.
    pub payload: Bytes,
}

impl Append {
    /// A record without key and headers.
    #[must_use]
    pub fn new(channel: Name, time: Timestamp, payload: Bytes) -> Self {
        Self {
            channel,
            key: None,
            time,
            headers: Vec::new(),
            payload,
        }
    }
}

/// What a batch does to the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// Adds records after those that are there; with none, changes nothing.
    Append(Vec<Bytes>),
    /// Takes the place of everything before: a checkpoint.
    Replace(Vec<Bytes>),
    /// Adds records, which start a checkpoint of several batches: nothing is removed until it is finished.
    /// Others may add theirs meanwhile.
    Begin(Vec<Bytes>),
    /// Adds records, and in the same step removes everything before the last [`Begin`](Self::Begin). Where there
    /// was none since the log was opened or the state was replaced, it only adds.
    Finish(Vec<Bytes>),
}

impl StateChange {
    /// Changes nothing.
    pub const NONE: Self = Self::Append(Vec::new());

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Self::Append(records) if records.is_empty())
    }

    /// The records that it adds.
    #[must_use]
    pub fn records(&self) -> &[Bytes] {
        match self {
            Self::Append(records)
            | Self::Replace(records)
            | Self::Begin(records)
            | Self::Finish(records) => records,
        }
    }
}

/// What is written together: after a crash it is there whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Records for channels, in order.
    pub appends: Vec<Append>,
    /// The change of the state.
    pub state: StateChange,
    /// New values of cursors: a consumer's progress, moved in the same batch as what it caused.
    pub cursors: Vec<(Name, u64)>,
}

impl Batch {
    /// A batch that does nothing.
    pub const EMPTY: Self = Self {
        appends: Vec::new(),
        state: StateChange::NONE,
        cursors: Vec::new(),
    };

    /// Records for channels, and nothing else.
    #[must_use]
    pub fn of(appends: Vec<Append>) -> Self {
        Self {
            appends,
            ..Self::EMPTY
        }
    }
}

/// Where a batch went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The place of its first record in the whole log, from 0. Each record takes one, in the order:
    /// records of channels, the change of the state (two when it finishes a checkpoint), cursors.
    pub position: u64,
    /// The place of each append in its channel, from 0, in the order of the batch.
    pub sequences: SmallVec<[u64; 2]>,
}

/// When an append counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Survives a power failure: synced to the disk.
    Durable,
    /// Handed to the operating system: survives the end of this process, not of the machine.
    Written,
}

/// The most that one read returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// Most records.
    pub records: usize,
    /// Most bytes of records; the first record is returned whatever its size.
    pub bytes: usize,
}
