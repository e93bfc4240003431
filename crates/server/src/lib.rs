//! HTTP: ingest, push, pull, state, metrics, and the console's assets.
//!
//! The only crate, beside the rehearsal of traffic, that knows HTTP. It holds no state of its own but the history
//! behind the console's charts: every decision is the runtime's.

mod access;
mod app;
mod assets;
mod binding;
mod dead_letters;
mod edits;
mod history;
mod ingest;
mod letter_filter;
mod metrics;
mod observe;
mod operate;
mod otlp;
mod problem;
mod pull;
mod push;
mod redrives;
mod registry;
mod seek;
mod state;

pub use access::{Access, AccessError, Token};
pub use app::{ServeError, Server};
pub use binding::{BindingError, decode_headers, encode_headers};
pub use observe::Observed;
pub use otlp::{OtlpReceiver, Transport};
pub use push::HttpCaller;
