//! The tree: scalars, lists and maps in their order, each with its span.

use indexmap::IndexMap;
use serde_json::{Number, Value};

use crate::pointer;

/// Where a node stands: the index of its file, a line and a column from 1, a length in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) file: u32,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) length: u32,
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(Box<str>),
    List(Vec<Node>),
    Map(Map),
}

/// Entries by key, in their order.
pub(crate) type Map = IndexMap<Box<str>, Entry>;

/// The value of a key, and where the key stands.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Span,
    pub(crate) node: Node,
}

impl Node {
    /// The value of a key of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.map()?.get(key).map(|entry| &entry.node)
    }

    pub(crate) fn map(&self) -> Option<&Map> {
        match &self.kind {
            Kind::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list; none of anything else.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// The entries of a map; none of anything else.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.map()
            .into_iter()
            .flat_map(|map| map.iter().map(|(key, entry)| (&**key, entry)))
    }

    /// The text of a key.
    pub(crate) fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    /// The target of a Reference Object.
    pub(crate) fn reference(&self) -> Option<&str> {
        self.text_of("$ref")
    }

    /// The value of one step of a JSON pointer.
    pub(crate) fn step(&self, token: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Map(map) => map.get(token).map(|entry| &entry.node),
            Kind::List(items) => items.get(pointer::index(token)?),
            _ => None,
        }
    }

    /// The number of nodes, this one included.
    pub(crate) fn size(&self) -> usize {
        match &self.kind {
            Kind::List(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Kind::Map(map) => 1 + map.values().map(|entry| entry.node.size()).sum::<usize>(),
            _ => 1,
        }
    }

    /// The value without places.
    pub(crate) fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::from(&**text),
            Kind::List(items) => items.iter().map(Self::to_json).collect(),
            Kind::Map(map) => {
                let entries = map
                    .iter()
                    .map(|(key, entry)| (key.to_string(), entry.node.to_json()));
                Value::Object(entries.collect())
            }
        }
    }
}
