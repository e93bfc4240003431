//! Why a capture cannot be read.

use thiserror::Error;
use tidegate_base::limit::{SPAN_STORE_BYTES_MAX, TRACE_UNIT_BYTES_MAX};

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
    /// One piece of it that has to be read whole is larger than [`TRACE_UNIT_BYTES_MAX`].
    #[error(
        "{name}: the piece at byte {offset} has more than the {TRACE_UNIT_BYTES_MAX} bytes that are read at once; export smaller batches, or one trace a document"
    )]
    Large {
        /// The capture.
        name: String,
        /// Where the piece starts, in bytes from 0, decompressed.
        offset: u64,
    },
    /// There are more spans than memory for them, and no place to put them.
    #[error(
        "{name}: the spans up to here take more than {SPAN_STORE_BYTES_MAX} bytes; split the captures by time"
    )]
    Full {
        /// The capture.
        name: String,
    },
    /// It cannot be read.
    #[error("{name}: cannot be read: {message}")]
    Input {
        /// The capture.
        name: String,
        /// Why.
        message: String,
    },
    /// Spans cannot be put outside memory, or not be read back.
    #[error(
        "{name}: cannot keep spans outside memory: {message}; is there room for temporary files?"
    )]
    Spill {
        /// The capture.
        name: String,
        /// Why.
        message: String,
    },
    /// It is compressed and broken.
    #[error(
        "{name}: not valid {compression}: {message}; copy or export it again, or decompress what is whole"
    )]
    Compressed {
        /// The capture.
        name: String,
        /// The name of the compression.
        compression: &'static str,
        /// What is wrong.
        message: String,
    },
    /// It is Zipkin's first format.
    #[error(
        "{name}:{line}:{column}: Zipkin v1 spans are not read, as they do not tell which side took which time; ask Zipkin for v2: `/api/v2/traces` or `/api/v2/trace/ID`"
    )]
    ZipkinV1 {
        /// The capture.
        name: String,
        /// The line of the span, from 1.
        line: usize,
        /// The column of the span, from 1.
        column: usize,
    },
    /// It is a table whose columns are not told.
    #[error("{name}: {message}")]
    Columns {
        /// The capture.
        name: String,
        /// What is missing and what there is.
        message: String,
    },
    /// A row of a table is wrong.
    #[error("{name}:{line}: {message}; correct the row, or the column's unit")]
    Row {
        /// The capture.
        name: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong there.
        message: String,
    },
    /// Its content is of no format that is known.
    #[error(
        "{name}: not a trace file that is known (OTLP JSON or protobuf, Jaeger JSON, Zipkin v2 JSON, CSV with named columns); it starts with {start}; {hint}"
    )]
    Unknown {
        /// The capture.
        name: String,
        /// Its first bytes, printable.
        start: String,
        /// The next step.
        hint: String,
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
        offset: u64,
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
