//! A schema registry as data: what is registered, what may change, and what an answer is.
//!
//! [`Index`] holds what is registered. A [`Command`] is decided against it and becomes
//! [`Record`]s, which its owner writes somewhere durable before it applies them and answers. The
//! answers and their numbers are those of the Confluent Schema Registry, so that its clients work
//! unchanged. Nothing here does I/O.

mod avro_form;
mod body;
mod candidate;
mod command;
mod decide;
mod decode;
mod error;
mod index;
mod judge;
mod lookup;
mod record;

pub use body::{Body, Reference, SchemaType};
pub use candidate::{Parsed, Prepared, parse, parse_with, prepare};
pub use command::{Command, ConfigChange, Done, Rules, VersionWanted};
pub use decide::{Decided, decide};
pub use decode::DecodeError;
pub use error::ApiError;
pub use index::{Index, Listed, Versioned};
pub use judge::{Judgement, judge, judge_wanted};
pub use record::{Access, Config, Record, VersionState};
