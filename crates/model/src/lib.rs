//! The design language: a design as written, resolved into one checked model with places.
//!
//! [`read()`] turns texts into a [`Design`] and *all* findings; it never stops at the first mistake.
//! What the design means is in [`design`]; what can be wrong with any of it is in [`finding`].
//!
//! The way of a text: `yaml` makes it a tree with places, `merge` joins the trees of all files,
//! `reader` holds the tree against the tables of `language` and gives records, `resolve` makes the
//! design of them, `consistency` compares values. [`json_schema()`] is made of the same tables.

mod code;
mod consistency;
pub mod design;
pub mod finding;
mod findings;
mod json_schema;
mod language;
mod merge;
mod path;
mod pointer;
mod read;
mod reader;
mod resolve;
mod shape;
mod source;
mod suggest;
mod template;
mod words;
mod yaml;

pub use code::{CODES, CodeInfo};
pub use design::Design;
pub use finding::{Code, Finding, Place, Severity};
pub use json_schema::json_schema;
pub use pointer::{PointerError, field_segments, pointer_segments};
pub use read::read;
pub use resolve::{is_within, protobuf_imports};
pub use source::{Reading, SchemaPath, Source};
pub use suggest::closest;
pub use template::template;
pub use words::{Choice, Word};
pub use yaml::plain_value;
