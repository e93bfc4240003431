//! YAML as a tree with places.

mod load;
mod parts;
mod plain;
mod tree;

pub(crate) use load::load;
pub(crate) use plain::{Plain, is_read_differently, resolve};
pub use tree::plain_value;
pub(crate) use tree::{Content, Entry, Node, Span, Style};
