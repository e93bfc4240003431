//! What is known of a value that is still to come: the schemas that it fits, and those it does not.

use std::collections::BTreeSet;
use std::rc::Rc;

use serde_json::{Map, Value};
use tidegate_schema::Types;

use super::bundle::escape;
use super::lower::Lowered;
use super::pattern::Strings;
use super::reserved::Spoken;

/// The types that the value of the keyword `type` names.
pub(crate) fn types_named(value: &Value) -> Types {
    let of_word = |word: &str| Types::of_word(word).unwrap_or(Types::NONE);
    match value {
        Value::String(name) => of_word(name),
        Value::Array(names) => names
            .iter()
            .filter_map(Value::as_str)
            .fold(Types::NONE, |all, name| all.or(of_word(name))),
        _ => Types::ALL,
    }
}

/// A subschema, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    pub(crate) schema: &'a Value,
    pub(crate) of: &'a Lowered,
    pub(crate) pointer: Rc<str>,
}

impl<'a> Node<'a> {
    /// The whole schema.
    pub(crate) fn start(of: &'a Lowered) -> Self {
        Self {
            schema: of.start(),
            of,
            pointer: "/$defs/0".into(),
        }
    }

    /// What makes it itself.
    pub(crate) fn key(&self) -> usize {
        std::ptr::from_ref(self.schema) as usize
    }

    pub(crate) fn object(&self) -> Option<&'a Map<String, Value>> {
        self.schema.as_object()
    }

    pub(crate) fn get(&self, keyword: &str) -> Option<&'a Value> {
        self.schema.get(keyword)
    }

    /// The subschema of a keyword that has one.
    pub(crate) fn one(&self, keyword: &str) -> Option<Self> {
        let schema = self.get(keyword)?;
        let pointer = format!("{}/{keyword}", self.pointer);
        Some(self.at(schema, pointer))
    }

    /// The subschemas of a keyword that has a list.
    pub(crate) fn list(&self, keyword: &str) -> Vec<Self> {
        let list = self.get(keyword).and_then(Value::as_array);
        let list = list.into_iter().flatten().enumerate();
        list.map(|(index, schema)| self.at(schema, format!("{}/{keyword}/{index}", self.pointer)))
            .collect()
    }

    /// The subschema of a name, of a keyword that has named ones.
    pub(crate) fn named(&self, keyword: &str, name: &str) -> Option<Self> {
        let schema = self.get(keyword)?.get(name)?;
        let pointer = format!("{}/{keyword}/{}", self.pointer, escape(name));
        Some(self.at(schema, pointer))
    }

    /// The names of a keyword that has named subschemas.
    pub(crate) fn names(&self, keyword: &str) -> Vec<&'a str> {
        let map = self.get(keyword).and_then(Value::as_object);
        let map = map.into_iter().flat_map(|map| map.keys());
        map.map(String::as_str).collect()
    }

    /// What its `$ref` leads to.
    pub(crate) fn referred(&self) -> Option<Self> {
        let reference = self.get("$ref")?.as_str()?;
        let schema = self.of.target(reference)?;
        let pointer = reference.strip_prefix('#')?.to_owned();
        Some(self.at(schema, pointer))
    }

    pub(crate) fn number(&self, keyword: &str) -> Option<&'a serde_json::Number> {
        match self.get(keyword) {
            Some(Value::Number(number)) => Some(number),
            _ => None,
        }
    }

    pub(crate) fn count(&self, keyword: &str) -> Option<u64> {
        let number = self.number(keyword)?;
        let whole = super::number::whole(number)?;
        Some(u64::try_from(whole).unwrap_or(u64::MAX))
    }

    /// Where a keyword of it was written.
    pub(crate) fn written(&self, keyword: &str) -> String {
        self.of.written(&format!("{}/{keyword}", self.pointer))
    }

    fn at(&self, schema: &'a Value, pointer: String) -> Self {
        Self {
            schema,
            of: self.of,
            pointer: pointer.into(),
        }
    }
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Count {
    pub(crate) least: u64,
    pub(crate) most: Option<u64>,
}

impl Count {
    pub(crate) fn at_least(&mut self, least: u64) {
        self.least = self.least.max(least);
    }

    pub(crate) fn at_most(&mut self, most: u64) {
        self.most = Some(self.most.map_or(most, |known| known.min(most)));
    }

    pub(crate) fn is_impossible(self) -> bool {
        self.most.is_some_and(|most| most < self.least)
    }

    /// What fails a keyword that wants so many: fewer than a minimum, or more than a maximum. None
    /// when nothing can.
    pub(crate) fn failing(mut self, keyword: &str, count: u64) -> Option<Self> {
        if keyword.starts_with("max") {
            self.at_least(count.checked_add(1)?);
        } else {
            self.at_most(count.checked_sub(1)?);
        }
        (!self.is_impossible()).then_some(self)
    }
}

/// What is known of a value.
#[derive(Clone, Debug)]
pub(crate) struct Known<'a> {
    /// It fits all of these.
    pub(crate) fits: Vec<Node<'a>>,
    /// It fits none of these.
    pub(crate) misses: Vec<Node<'a>>,
    /// It is of one of these types.
    pub(crate) types: Types,
    /// If it is an object, it has these.
    pub(crate) present: BTreeSet<String>,
    /// If it is an object, it has none of these.
    pub(crate) absent: BTreeSet<String>,
    /// If it is a string, it is one of these.
    pub(crate) strings: Strings,
    /// If it is an array, it has so many items.
    pub(crate) items: Count,
    /// If it is an object, it has so many fields.
    pub(crate) fields: Count,
    /// If these are given, it has no name that they do not declare.
    pub(crate) spoken: Option<Rc<Spoken<'a>>>,
}

/// What makes a question itself: what is known, and the schema that is asked about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    fits: Vec<usize>,
    misses: Vec<usize>,
    types: Types,
    present: BTreeSet<String>,
    absent: BTreeSet<String>,
    strings: Strings,
    counts: [Count; 2],
    spoken: Option<Rc<[usize]>>,
    goal: usize,
}

impl<'a> Known<'a> {
    /// Nothing but that the value fits these.
    pub(crate) fn of(fits: Vec<Node<'a>>) -> Self {
        Self {
            fits,
            misses: Vec::new(),
            types: Types::ALL,
            present: BTreeSet::new(),
            absent: BTreeSet::new(),
            strings: Strings::default(),
            items: Count::default(),
            fields: Count::default(),
            spoken: None,
        }
    }

    /// The same, and that it fits this.
    pub(crate) fn and(&self, node: Node<'a>) -> Self {
        let mut more = self.clone();
        more.fits.push(node);
        more
    }

    /// The same, and that it does not fit this.
    pub(crate) fn and_not(&self, node: Node<'a>) -> Self {
        let mut more = self.clone();
        more.misses.push(node);
        more
    }

    /// The same, and that it is of one of these types.
    pub(crate) fn of_types(&self, types: Types) -> Self {
        let mut more = self.clone();
        more.types = more.types.and(types);
        more
    }

    /// The same, and that it has this field, if it is an object.
    pub(crate) fn with(&self, name: &str) -> Self {
        let mut more = self.clone();
        more.present.insert(name.to_owned());
        more
    }

    /// The same, and that it has not this field, if it is an object.
    pub(crate) fn lacking(&self, name: &str) -> Self {
        let mut more = self.clone();
        more.absent.insert(name.to_owned());
        more
    }

    /// Whether it is noted of a schema that the value fits it, or that it does not.
    pub(crate) fn has(&self, node: &Node<'_>) -> bool {
        let mut all = self.fits.iter().chain(&self.misses);
        all.any(|known| known.key() == node.key())
    }

    pub(crate) fn key(&self, goal: usize) -> Key {
        let keys = |nodes: &[Node<'_>]| {
            let mut keys: Vec<usize> = nodes.iter().map(Node::key).collect();
            keys.sort_unstable();
            keys.dedup();
            keys
        };
        Key {
            fits: keys(&self.fits),
            misses: keys(&self.misses),
            types: self.types,
            present: self.present.clone(),
            absent: self.absent.clone(),
            strings: self.strings.clone(),
            counts: [self.items, self.fields],
            spoken: self.spoken.as_ref().map(|spoken| Rc::clone(&spoken.key)),
            goal,
        }
    }
}
