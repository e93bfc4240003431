//! Why a text is not a schema that this system takes.

use crate::fanout::CHAIN_MAX;
use thiserror::Error;
use tidegate_base::limit::{SCHEMA_BYTES_MAX, SCHEMA_FANOUT_MAX};

/// Why a schema did not compile. Pointers are JSON pointers into the schema; `` is its root.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SchemaError {
    /// The text is longer than [`SCHEMA_BYTES_MAX`].
    #[error("the schema is {0} bytes; the most is {SCHEMA_BYTES_MAX}")]
    Large(usize),
    /// The text is not JSON.
    #[error("the schema is not JSON: {message} at line {line} column {column}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// A keyword has a value that it cannot have.
    #[error("{message} at `{pointer}`")]
    Keyword {
        /// Where it stands.
        pointer: String,
        /// What is wrong.
        message: String,
    },
    /// A reference leads nowhere, or out of the schema: nothing is ever fetched.
    #[error("reference `{reference}` at `{pointer}` leads nowhere inside the schema")]
    Reference {
        /// Where it stands.
        pointer: String,
        /// The reference as written.
        reference: String,
    },
    /// A subschema applies itself to the same value without end.
    #[error("the subschema at `{pointer}` applies itself to the same value without end")]
    Endless {
        /// A subschema on the loop.
        pointer: String,
    },
    /// One value would be held against more than [`SCHEMA_FANOUT_MAX`] subschemas, or led along a
    /// chain that is too long.
    #[error(
        "one value meets more than {SCHEMA_FANOUT_MAX} subschemas, or a chain of more than \
         {CHAIN_MAX}, from `{pointer}` on"
    )]
    Fanout {
        /// Where the fan-out starts.
        pointer: String,
    },
    /// A source of a Protobuf schema is wrong.
    #[error("{message} at {file}:{line}:{column}")]
    Source {
        /// The file, by the name under which it was given.
        file: String,
        /// The line, from 1.
        line: u32,
        /// The column, from 1.
        column: u32,
        /// What is wrong.
        message: String,
    },
}

impl SchemaError {
    /// The place inside the schema as a JSON pointer; `None` when the text itself is at fault.
    #[must_use]
    pub fn pointer(&self) -> Option<&str> {
        match self {
            Self::Large(_) | Self::Syntax { .. } | Self::Source { .. } => None,
            Self::Keyword { pointer, .. }
            | Self::Reference { pointer, .. }
            | Self::Endless { pointer }
            | Self::Fanout { pointer } => Some(pointer),
        }
    }
}
