//! Schemas of events: compiled once, then asked whether a payload fits and where it does not.
//!
//! [`EventSchema`] is a schema in any of the formats: JSON Schema, Avro, Protobuf.
//!
//! A [`Compiled`] schema never fetches anything, is `Send + Sync`, and is bounded: its text, the
//! subschemas that one value meets, and the violations of one payload all have a limit. What a
//! schema says about a field is asked with [`Compiled::declares`] and [`Compiled::requires`].

pub mod avro;
mod compiled;
mod depth;
mod effort;
mod error;
mod event;
mod fanout;
mod fields;
mod keyword;
pub mod listing;
mod locate;
mod outline;
pub mod proto_text;
pub mod protobuf;
mod refusal;
mod types;
mod violation;
pub mod wire;

pub use compiled::Compiled;
pub use error::SchemaError;
pub use event::EventSchema;
pub use fields::Declared;
pub use locate::{Position, locate};
pub use outline::Outline;
pub use types::Types;
pub use violation::Violation;
