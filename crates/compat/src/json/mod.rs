//! JSON Schema.

mod bundle;
mod choice;
mod confluent;
mod confluent_object;
mod draft;
mod effort;
mod error;
mod exact;
mod failure;
mod fields;
mod flat;
mod items;
mod judge;
mod keywords;
mod known;
mod lower;
mod number;
mod objects;
mod pattern;
mod reserved;
mod sample;
mod schema;
mod shrink;
mod study;
mod witness;

pub use bundle::Named;
pub use confluent::Policy;
pub use draft::{Draft, UnknownDraft};
pub use error::JsonError;
pub use schema::Schema;

use crate::verdict::Reason;

/// What is taken of names that a writer's open object does not declare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpenContent {
    /// The writer may send them, with any value: that is what its schema says.
    #[default]
    Exact,
    /// They are reserved: the writer never sends a name that it does not declare. An object of which
    /// it declares no name at all stays free.
    Reserved,
}

/// The reasons why the reader does not read all that the writer may write; none is a proof that it
/// does. `keep_going` is asked now and then, and may stop the work.
#[must_use]
pub fn compare(
    writer: &Schema,
    reader: &Schema,
    open: OpenContent,
    keep_going: &dyn Fn() -> bool,
) -> Vec<Reason> {
    exact::compare(writer, reader, open, keep_going)
}

/// As [`compare`], by the rules of the Confluent Schema Registry: about schemas, without events.
#[must_use]
pub fn compare_as_confluent(
    writer: &Schema,
    reader: &Schema,
    policy: Policy,
    keep_going: &dyn Fn() -> bool,
) -> Vec<Reason> {
    confluent::compare(writer, reader, policy, keep_going)
}

/// Events that a schema allows: small ones, and those at its edges. Never all of them.
#[must_use]
pub fn samples(schema: &Schema, keep_going: &dyn Fn() -> bool) -> Vec<serde_json::Value> {
    exact::samples(schema, keep_going)
}
