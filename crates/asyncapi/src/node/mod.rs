//! A text of YAML or JSON as a tree with places.

mod load;
mod tree;

pub(crate) use load::load;
pub(crate) use tree::{Kind, Map, Node, Span};
