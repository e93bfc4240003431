//! AsyncAPI 2 and 3, read: what is wrong with documents, and the design that they describe together.
//!
//! A [`Bundle`] is documents with the files that they refer to; nothing is ever fetched.
//! [`validate`] says what the official parser says and what it leaves out; [`import()`] makes one
//! design of one document per application. [`registry`] and [`rabbitmq`] make designs of what runs
//! already. What a design has no words for is told as lost, never dropped in silence.

mod application;
mod bundle;
mod codes;
mod expression;
mod findings;
mod import;
mod node;
mod payload;
mod pointer;
pub mod rabbitmq;
pub mod registry;
mod rules;
mod structure;
mod traits;
mod validate;
mod version;

pub use bundle::{Bundle, files_referred_to};
pub use codes::CODES;
pub use import::{Imported, import};
pub use validate::validate;
