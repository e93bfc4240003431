//! Traces as data: spans read from OTLP, Jaeger and Zipkin by content, and recordings made from them.
//!
//! [`process`] reads the logs of business processes. [`read`] turns the bytes of one capture into [`Traces`]; the name of the file is used in
//! messages only. [`recording`] is the traffic that a design replays.

mod assemble;
mod attributes;
mod detect;
mod error;
mod format;
mod identifier;
mod jaeger;
mod json;
mod otlp_json;
mod otlp_protobuf;
pub mod process;
pub mod recording;
mod shape;
mod span;
mod tree;
mod zipkin;

pub use detect::read;
pub use error::ReadError;
pub use format::Format;
pub use recording::Recording;
pub use span::{Link, Span, SpanKind, Status};
pub use tree::{Completeness, Skipped, Trace, Traces};
