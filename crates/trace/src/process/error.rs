//! Why a process log cannot be read.

use thiserror::Error;
use tidegate_base::limit::{
    LOG_ACTIVITIES_MAX, LOG_EVENTS_MAX, LOG_FILE_BYTES_MAX, LOG_RELATIONS_MAX,
};

use super::LogFormat;

/// Why the bytes are not a process log. Each message names the log, the place and the next step.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LogError {
    /// Its content is of no format that is known.
    #[error(
        "{name}: not a process log that is known (XES, OCEL 2.0, CSV with a header); it starts with {start}; {hint}"
    )]
    Unknown {
        /// The log.
        name: String,
        /// Its first bytes, printable.
        start: String,
        /// The next step.
        hint: String,
    },
    /// It is larger than [`LOG_FILE_BYTES_MAX`], unpacked.
    #[error("{name}: more than {LOG_FILE_BYTES_MAX} bytes when unpacked; split the log by time")]
    Large {
        /// The log.
        name: String,
    },
    /// The gzip or zstd around it is broken.
    #[error("{name}: not valid {compression}: {message}; copy or export the file again")]
    Compressed {
        /// The log.
        name: String,
        /// How it is compressed.
        compression: &'static str,
        /// What is wrong.
        message: String,
    },
    /// It is a database, which only a program that opens files can read.
    #[error("{name}: a SQLite database; give it as a file of its own, not compressed")]
    Database {
        /// The log.
        name: String,
    },
    /// One place of it is wrong.
    #[error("{}: {message}; {hint}", place(name, *line, *column))]
    Row {
        /// The log.
        name: String,
        /// The line, from 1; 0 where there are no lines.
        line: u64,
        /// The column, from 1; 0 where the line says enough.
        column: u64,
        /// What is wrong there.
        message: String,
        /// The next step.
        hint: String,
    },
    /// A column that is needed is not there.
    #[error(
        "{name}: no column for the {role}; the columns are {found}; name it with --columns {role}=NAME"
    )]
    Column {
        /// The log.
        name: String,
        /// What the column would be.
        role: &'static str,
        /// The columns that are there.
        found: String,
    },
    /// A column that was named is not there.
    #[error(
        "{name}: no column `{column}`, which --columns names as the {role}; the columns are {found}"
    )]
    Named {
        /// The log.
        name: String,
        /// What it was named as.
        role: &'static str,
        /// The name.
        column: String,
        /// The columns that are there.
        found: String,
    },
    /// An object-centric log has no object.
    #[error("{name}: no object is in it, so that it has no cases; export it with its objects")]
    NoObjects {
        /// The log.
        name: String,
    },
    /// An object-centric log has no object of the type that was asked for.
    #[error("{name}: no object type `{asked}`; the types are {found}")]
    ObjectType {
        /// The log.
        name: String,
        /// What was asked for.
        asked: String,
        /// The types that are there.
        found: String,
    },
    /// There is no event in it.
    #[error("{name}: {format} without an event that can be used ({reason}); export whole cases")]
    NoEvents {
        /// The log.
        name: String,
        /// The format.
        format: LogFormat,
        /// What was found instead.
        reason: String,
    },
    /// It has more of something than is analysed at once.
    #[error("{name}: more than {most} {what}; {hint}")]
    Many {
        /// The log.
        name: String,
        /// The limit.
        most: usize,
        /// Of what.
        what: &'static str,
        /// The next step.
        hint: &'static str,
    },
}

/// `name:line:column`, as much of it as there is.
fn place(name: &str, line: u64, column: u64) -> String {
    match (line, column) {
        (0, _) => name.to_owned(),
        (line, 0) => format!("{name}:{line}"),
        (line, column) => format!("{name}:{line}:{column}"),
    }
}

impl LogError {
    pub(super) fn row(name: &str, line: u64, message: String, hint: impl Into<String>) -> Self {
        Self::Row {
            name: name.to_owned(),
            line,
            column: 0,
            message,
            hint: hint.into(),
        }
    }

    pub(super) fn events(name: &str) -> Self {
        Self::Many {
            name: name.to_owned(),
            most: LOG_EVENTS_MAX,
            what: "events",
            hint: "split the log by time",
        }
    }

    pub(super) fn relations(name: &str) -> Self {
        Self::Many {
            name: name.to_owned(),
            most: LOG_RELATIONS_MAX,
            what: "objects named by events",
            hint: "split the log by time",
        }
    }

    pub(super) fn activities(name: &str) -> Self {
        Self::Many {
            name: name.to_owned(),
            most: LOG_ACTIVITIES_MAX,
            what: "different activities",
            hint: "the column of the activity seems to hold identifiers: name another with --columns activity=NAME",
        }
    }
}
