//! What can go wrong: one enum an operation.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tidegate_base::{Name, format_duration};

/// Why a log does not open. Nothing in it has been changed.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process, or another log of this process, has it open.
    #[error("log `{}` is in use by {}; stop it first", directory.display(), owner(*pid))]
    Locked {
        /// The directory.
        directory: PathBuf,
        /// The process, when the lock file says so.
        pid: Option<u32>,
    },
    /// The start of a segment is damaged so far that nothing in it can be checked.
    #[error(
        "the header of segment `{segment}` is damaged, and so is its copy; `tidegate log repair` sets the segment aside"
    )]
    Header {
        /// The segment's file name.
        segment: String,
    },
    /// A log of an older version is damaged.
    #[error("segment `{segment}` is damaged at byte {byte}: {reason}; records before it are whole")]
    Damaged {
        /// The segment's file name.
        segment: String,
        /// Where the first damaged frame starts.
        byte: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A segment is of a format that this version does not know.
    #[error("segment `{segment}` has format version {version}; this program reads up to {known}")]
    Version {
        /// The segment's file name.
        segment: String,
        /// Its version.
        version: u32,
        /// The newest version that is known.
        known: u32,
    },
    /// The operating system refused.
    #[error("{action} `{file}`")]
    Io {
        /// What was being done: a verb.
        action: &'static str,
        /// To what.
        file: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl OpenError {
    /// Whether there was no room for what opening writes.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull)
    }

    /// For `map_err`: `action` on `file` failed.
    pub(crate) fn io(action: &'static str, file: &str) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::Io {
            action,
            file,
            source,
        }
    }
}

fn owner(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    )
}

/// Why a batch was not appended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AppendError {
    /// A limit is reached; nothing was written. Try again after the given time.
    #[error("{reason}; nothing was written, try again in {}", format_duration(*retry_after))]
    Full {
        /// Which limit.
        reason: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// The batch is larger than a frame can be; nothing was written.
    #[error("the batch is {bytes} bytes as written; the most is {bytes_max}; nothing was written")]
    Large {
        /// Its size.
        bytes: usize,
        /// The most.
        bytes_max: usize,
    },
    /// A part of the batch is longer than its length can say, or there would be too many cursors;
    /// nothing was written.
    #[error("{reason}; nothing was written")]
    Invalid {
        /// What is wrong with it.
        reason: String,
    },
    /// The batch would create too many channels; nothing was written.
    #[error("the log has {channels_max} channels already, the most; nothing was written")]
    Channels {
        /// The most.
        channels_max: usize,
    },
    /// The writer has stopped for good; reads go on. Whether this batch was kept is not known.
    #[error("the writer has stopped: {reason}")]
    Stopped {
        /// What stopped it.
        reason: String,
    },
}

/// Why a read returns nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// A record is damaged.
    #[error("segment `{segment}` is damaged at byte {byte}: {reason}")]
    Damaged {
        /// The channel; none for the state.
        channel: Option<Name>,
        /// Its place in the channel or in the state.
        sequence: u64,
        /// The segment's file name.
        segment: String,
        /// Where the record starts.
        byte: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Records are lost: damage has taken them, or the segment that had them is absent.
    #[error("{} from {sequence} up to {} are lost: no segment has them", records(channel.as_ref()), next.saturating_sub(1))]
    Lost {
        /// The channel; none for the state.
        channel: Option<Name>,
        /// The first one.
        sequence: u64,
        /// The first one behind them.
        next: u64,
    },
    /// The operating system refused.
    #[error("segment `{segment}` cannot be read at byte {byte}: {reason}")]
    Io {
        /// The segment's file name.
        segment: String,
        /// Where the read started.
        byte: u64,
        /// Of what kind the cause is: an index that must be made again may find no room.
        kind: io::ErrorKind,
        /// Why not.
        reason: String,
    },
}

fn records(channel: Option<&Name>) -> String {
    match channel {
        Some(channel) => format!("the records of `{channel}`"),
        None => "the records of the state".to_owned(),
    }
}

impl CleanError {
    /// Whether there was no room for what cleaning writes.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Append(error) => matches!(error, AppendError::Full { .. }),
            Self::Io { source, .. } => source.kind() == io::ErrorKind::StorageFull,
            Self::Read(ReadError::Io { kind, .. }) => *kind == io::ErrorKind::StorageFull,
            Self::Read(_) => false,
        }
    }
}

/// Why a clean did not come to its end. What it has not removed is there.
#[derive(Debug, Error)]
pub enum CleanError {
    /// What retention has passed could not be noted.
    #[error("note what retention has passed")]
    Append(#[source] AppendError),
    /// A channel cannot be read.
    #[error("find what retention has passed")]
    Read(#[source] ReadError),
    /// The operating system refused.
    #[error("write segment `{segment}` anew")]
    Io {
        /// The segment's file name.
        segment: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}
