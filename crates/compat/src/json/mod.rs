//! JSON Schema.

#![allow(dead_code)]
mod bundle;
mod draft;
mod error;
mod lower;
mod number;
mod pattern;

pub use bundle::Named;
pub use draft::{Draft, UnknownDraft};
pub use error::JsonError;
