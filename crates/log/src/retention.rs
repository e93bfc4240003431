//! What a channel keeps, as its owner says it.

use std::time::Duration;

/// What a channel keeps. What is not said for a channel since the log was opened removes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Records older than this may go; `None`: none goes for its age.
    pub age: Option<Duration>,
    /// The oldest records may go as long as at least this many bytes stay; `None`: none goes for the
    /// size. Counted by whole segments, so up to a segment more stays.
    pub bytes: Option<u64>,
    /// Whether only the latest record of each key need stay.
    pub history: History,
    /// Everything from this sequence on is needed, whatever its age and size.
    pub needed_from: u64,
    /// Needed records before that. Ascending.
    pub pinned: Vec<u64>,
}

impl Keep {
    /// Whether a record is needed whatever the policy says.
    pub(crate) fn is_needed(&self, sequence: u64) -> bool {
        sequence >= self.needed_from || self.is_pinned(sequence)
    }

    /// Whether a record is pinned.
    pub(crate) fn is_pinned(&self, sequence: u64) -> bool {
        self.pinned.binary_search(&sequence).is_ok()
    }
}

/// Which records of a key a channel keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum History {
    /// All of them.
    #[default]
    All,
    /// At least the latest one; records without a key all stay.
    LatestPerKey,
}

/// What a clean has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Records of channels that readers see no more: passed by retention, or superseded.
    pub records: u64,
    /// Bytes of the disk that are free again.
    pub bytes: u64,
    /// Segments that were removed or written anew.
    pub segments: usize,
    /// Segments that are damaged and were left as they are.
    pub damaged: usize,
}
