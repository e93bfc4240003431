//! Traces as data: spans read from OTLP, Jaeger, Zipkin and tables by content, and recordings made
//! from them.
//!
//! [`read`] turns the bytes of one capture into [`Traces`]; [`Ingest`] reads any number of captures of
//! any size in bounded memory. The name of a file is used in messages only. [`recording`] is the
//! traffic that a design replays. [`process`] reads the logs of business processes.

mod alibaba;
mod any_value;
mod assemble;
mod attributes;
mod columns;
pub mod completeness;
mod compression;
mod csv;
mod documents;
mod error;
mod format;
mod identifier;
mod ingest;
mod input;
mod jaeger;
mod json;
pub mod labels;
pub mod operation;
mod otlp_json;
mod otlp_protobuf;
pub mod payload;
pub mod process;
mod raw;
mod record;
pub mod recording;
mod rows;
mod sampling;
mod scanner;
mod shape;
mod sink;
mod span;
mod store;
mod texts;
mod tree;
pub mod values;
pub mod window;
mod wire;
mod zipkin;

pub use attributes::{Attributes, Group, Key, Keys};
pub use columns::Columns;
pub use error::ReadError;
pub use format::Format;
pub use identifier::Identifier;
pub use ingest::{Ingest, Source, no_spans, read};
pub use labels::Labels;
pub use payload::Payload;
pub use recording::Recording;
pub use span::{Link, Span, SpanKind, Status};
pub use store::Spill;
pub use tree::{Completeness, Skipped, Trace, Traces};
