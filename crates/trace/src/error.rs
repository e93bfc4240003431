//! Why a capture cannot be read.

use thiserror::Error;
use tidegate_base::limit::TRACE_FILE_BYTES_MAX;

use crate::Format;

/// Why the bytes are not traces. Each message names the capture, the place and the next step.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// There is nothing in it.
    #[error("{name}: the file is empty; capture some traffic first")]
    Empty {
        /// The capture.
        name: String,
    },
    /// It is larger than [`TRACE_FILE_BYTES_MAX`].
    #[error(
        "{name}: {bytes} bytes are more than the {TRACE_FILE_BYTES_MAX} that are read at once; split the capture by time"
    )]
    Large {
        /// The capture.
        name: String,
        /// Its size.
        bytes: usize,
    },
    /// Its content is of no format that is known.
    #[error(
        "{name}: not a trace file that is known (OTLP JSON or protobuf, Jaeger JSON, Zipkin v2 JSON); it starts with {start}; export the traces in one of these formats, uncompressed"
    )]
    Unknown {
        /// The capture.
        name: String,
        /// Its first bytes, printable.
        start: String,
    },
    /// It is JSON of a known format with a mistake in it.
    #[error("{name}:{line}:{column}: not valid {what}: {message}; {hint}")]
    Json {
        /// The capture.
        name: String,
        /// The format that the content looks like, or just `JSON`.
        what: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
        /// The next step.
        hint: &'static str,
    },
    /// It is protobuf with a mistake in it.
    #[error(
        "{name}: not valid OTLP protobuf: message {index} at byte {offset}: {message}; check that the file is complete and holds traces"
    )]
    Protobuf {
        /// The capture.
        name: String,
        /// Which message of the file, from 0.
        index: usize,
        /// Where that message starts, in bytes from 0.
        offset: usize,
        /// What is wrong there.
        message: String,
    },
    /// It is well formed and holds no span that can be used.
    #[error("{name}: {format} without a span that can be used ({reason}); export whole traces")]
    NoSpans {
        /// The capture.
        name: String,
        /// The format.
        format: Format,
        /// What was found instead.
        reason: String,
    },
}
