//! The design language: a design as written, resolved into one checked model with places.
//!
//! [`read()`] turns texts into a [`Design`] and *all* findings; it never stops at the first mistake.
//! What the design means is in [`design`]; what can be wrong with any of it is in [`finding`].

mod code;
pub mod design;
pub mod finding;
mod pointer;
mod read;
mod source;
mod suggest;
mod words;

pub use code::{CODES, CodeInfo};
pub use design::Design;
pub use finding::{Code, Finding, Place, Severity};
pub use pointer::{PointerError, field_segments, pointer_segments};
pub use read::read;
pub use source::{Reading, SchemaPath, Source};
pub use suggest::closest;
pub use words::{Choice, Word};
