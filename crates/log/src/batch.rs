//! What goes into the log and comes out of it.

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};

/// A record to be appended to a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The channel; created by its first record.
    pub channel: Name,
    /// When it was accepted.
    pub time: Timestamp,
    /// The content, in a form that only the caller knows.
    pub body: Bytes,
}

/// A record as it stands in its channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in the channel, from 0, without gaps.
    pub sequence: u64,
    /// When it was accepted.
    pub time: Timestamp,
    /// The content.
    pub body: Bytes,
}

/// What a batch does to the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// Adds records after those that are there; with none, changes nothing.
    Append(Vec<Bytes>),
    /// Takes the place of everything before: a checkpoint.
    Replace(Vec<Bytes>),
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
            Self::Append(records) | Self::Replace(records) => records,
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
}

/// Where a record went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its place in the whole log, from 0. A change of the state takes one place too.
    pub position: u64,
    /// Its place in its channel, from 0, without gaps.
    pub sequence: u64,
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
    /// Most bytes of bodies; the first record is returned whatever its size.
    pub bytes: usize,
}
