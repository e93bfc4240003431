//! The design language: a design as written, resolved into one checked model with places.
//!
//! `read` turns texts into a [`Design`] and *all* findings; it never stops at the first mistake.
//! What the design means is in [`design`]; what can be wrong with any of it is in [`finding`].

pub mod design;
pub mod finding;

pub use design::Design;
pub use finding::{Code, Finding, Place, Severity};
