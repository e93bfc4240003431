//! A log that is not open, looked at as a whole: every byte verified, every record told, damage repaired.
//!
//! Opening reads little and reads around damage. What is here reads everything, so it takes its time,
//! and says how far it is. [`verify`] and [`dump`] change nothing. [`repair`] writes what is whole in a
//! damaged segment anew and keeps the damaged file; it removes nothing.

mod dump;
mod inventory;
mod pieces;
mod repair;
mod survey;
mod tally;
mod verify;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_base::Name;

pub use dump::{At, Filter, Item, dump, dump_on};
pub use repair::{Mode, Repaired, Step, repair, repair_on};
pub use verify::{verify, verify_on};

use crate::disk::{Directory, Disk};
use crate::lock::Lock;
use crate::segment::SegmentId;
use crate::{Damage, OpenError};

/// What follows the name of a file that is kept aside because it is damaged.
pub(crate) const DAMAGED_SUFFIX: &str = ".damaged";
/// What follows the name of a torn tail that is kept aside.
const CUT_SUFFIX: &str = ".cut";

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// There is no log.
    #[error("there is no log in `{}`", directory.display())]
    Absent {
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// A log of the first format version.
    #[error("the log has format version 1; the next open of it writes it anew")]
    Older,
    /// A damaged log of the first format version.
    #[error(
        "the log has format version 1, which cannot be repaired: segment `{}` is damaged at byte {}: {}",
        damage.segment, damage.byte, damage.reason
    )]
    FirstVersion {
        /// The first damage.
        damage: Damage,
    },
    /// It cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl InspectError {
    /// For `map_err`: `action` on `file` failed.
    fn io(action: &'static str, file: &str) -> impl FnOnce(io::Error) -> Self {
        let error = OpenError::io(action, file);
        move |source| Self::Open(error(source))
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are done.
    pub bytes: u64,
    /// Bytes that there are, as far as is known yet.
    pub bytes_total: u64,
}

/// What a log holds, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether it has the first format version: the next open writes it anew.
    pub first_version: bool,
    /// Every segment, in order of positions.
    pub segments: Vec<SegmentReport>,
    /// Every channel that is met, by name; the state comes first.
    pub channels: Vec<ChannelReport>,
    /// Most records that are lost and that the numbers of no channel show: cursors, what retention has
    /// noted, the latest of a channel.
    pub lost_unseen: u64,
    /// What a crash has left behind the last frame; the next open cuts it off.
    pub torn: Option<Torn>,
    /// Files that the log does not need.
    pub leftovers: Vec<Leftover>,
}

impl Report {
    /// Whether nothing is damaged or lost. A torn tail, leftovers and indexes do not count.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.damages().next().is_none() && !self.has_lost()
    }

    /// Whether records are lost.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        self.lost_unseen > 0 || self.channels.iter().any(|channel| !channel.lost.is_empty())
    }

    /// All damage, in order.
    pub fn damages(&self) -> impl Iterator<Item = &Damage> {
        self.segments.iter().flat_map(|segment| &segment.damages)
    }
}

/// What a segment holds, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentReport {
    /// Its file name.
    pub name: String,
    /// Position of its first record.
    pub position: u64,
    /// Position after its last whole record.
    pub next_position: u64,
    /// Its size.
    pub bytes: u64,
    /// Whole frames.
    pub frames: u64,
    /// Whole records, those in damaged frames included.
    pub records: u64,
    /// Whether it was written anew, so that numbers may be absent in it.
    pub rewritten: bool,
    /// What is damaged.
    pub damages: Vec<Damage>,
    /// How its index is.
    pub index: IndexState,
}

/// How the index of a segment is. It is made again from the segment at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexState {
    /// The last segment needs none.
    NotNeeded,
    /// It says what the segment says.
    Whole,
    /// There is none.
    Absent,
    /// It is not what was written.
    Damaged,
    /// It is of a segment of another size or generation.
    Stale,
    /// It says something else than the segment.
    Differs,
    /// Nothing is to be compared with: the segment cannot be read.
    Unknown,
}

impl IndexState {
    /// Whether it is as it should be.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::NotNeeded | Self::Whole)
    }
}

impl fmt::Display for IndexState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotNeeded => "not-needed",
            Self::Whole => "whole",
            Self::Absent => "absent",
            Self::Damaged => "damaged",
            Self::Stale => "stale",
            Self::Differs => "differs",
            Self::Unknown => "unknown",
        })
    }
}

/// What a channel holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelReport {
    /// Its name; none for the state.
    pub channel: Option<Name>,
    /// Whole records.
    pub records: u64,
    /// The first and the last sequence of them.
    pub sequences: Option<(u64, u64)>,
    /// The first sequence that retention has left.
    pub low: u64,
    /// What is lost of it. Ascending.
    pub lost: Vec<Lost>,
}

/// Sequences of a channel that are neither there nor passed by retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The first one.
    pub from: u64,
    /// The first one behind them.
    pub next: u64,
    /// Whether they are known to be lost: compaction may have removed them before.
    pub certain: bool,
}

/// A torn tail: what a crash has left of batches that were never acknowledged as durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The last segment.
    pub segment: String,
    /// Where it starts.
    pub byte: u64,
    /// Its size, without the zeros at its end.
    pub bytes: u64,
    /// Why it is no frame.
    pub reason: String,
}

/// A file that the log does not need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Its name.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// What it is.
    pub kind: LeftoverKind,
}

/// Why a file is there that the log does not need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftoverKind {
    /// A crash has left it before it got its name; the next open removes it.
    Unfinished,
    /// Another segment has its records; the next open removes it.
    Replaced,
    /// A torn tail that was cut off.
    Cut,
    /// A damaged file that was kept aside.
    Damaged,
}

impl fmt::Display for LeftoverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unfinished => "unfinished",
            Self::Replaced => "replaced",
            Self::Cut => "cut",
            Self::Damaged => "damaged",
        })
    }
}

/// The log in `directory`, which nobody else uses as long as the lock is held. Creates nothing but the
/// lock, and that only where there is a log.
fn take(directory: &Path) -> Result<(Arc<dyn Disk>, Lock), InspectError> {
    let absent = || InspectError::Absent {
        directory: directory.to_owned(),
    };
    let is_segment = |entry: io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| is_of_log(&entry.file_name().to_string_lossy()))
    };
    match fs::read_dir(directory).map(|mut entries| entries.any(is_segment)) {
        Ok(true) => {}
        Ok(false) => return Err(absent()),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => return Err(absent()),
            _ => {
                return Err(InspectError::io("read", &directory.display().to_string())(
                    error,
                ));
            }
        },
    }
    let lock = Lock::take(directory)?;
    let name = directory.display().to_string();
    let disk = Directory::create(directory).map_err(InspectError::io("open", &name))?;
    Ok((Arc::new(disk), lock))
}

/// Whether a file of that name is a segment, in use or kept aside.
fn is_of_log(name: &str) -> bool {
    let name = name.strip_suffix(DAMAGED_SUFFIX).unwrap_or(name);
    SegmentId::of_name(name).is_some()
}
