//! The shape of a payload: its fields and their types.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_base::Timestamp;

use super::Given;
use super::names::is_name;

/// Most different shapes of the elements of one list.
const ELEMENTS_MAX: usize = 16;
/// Bits of a mark: enough to tell thousands of values apart, too few to find one again.
const MARK_BITS: u32 = 24;

/// What a value is, without the value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Shape {
    /// The capture does not tell.
    #[serde(rename = "?")]
    Unknown,
    /// Nothing.
    #[serde(rename = "n")]
    Null,
    /// True or false.
    #[serde(rename = "b")]
    Flag,
    /// A whole number.
    #[serde(rename = "i")]
    Whole,
    /// Another number.
    #[serde(rename = "f")]
    Real,
    /// A text.
    #[serde(rename = "s")]
    Text,
    /// A text that is a date with a time, as in RFC 3339.
    #[serde(rename = "d")]
    DateTime,
    /// A text that is a UUID.
    #[serde(rename = "u")]
    Uuid,
    /// A list: the different shapes of its elements.
    #[serde(rename = "l")]
    List(Vec<Self>),
    /// An object: its fields, those whose names may be values left out.
    #[serde(rename = "m")]
    Map(Fields),
}

/// The fields of an object.
pub type Fields = BTreeMap<String, Shape>;

impl Shape {
    fn of_text(text: &str) -> Self {
        if is_uuid(text) {
            Self::Uuid
        } else if text.contains('T') && Timestamp::parse_rfc3339(text).is_some() {
            Self::DateTime
        } else {
            Self::Text
        }
    }

    fn is_marked(&self) -> bool {
        matches!(self, Self::Whole | Self::Text | Self::DateTime | Self::Uuid)
    }
}

fn is_uuid(text: &str) -> bool {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    let mut bytes = text.bytes().enumerate();
    text.len() == 36
        && bytes.all(|(at, byte)| {
            if HYPHENS.contains(&at) {
                byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        })
}

/// The JSON pointers of the values of an object that have a mark, in order.
pub(super) fn marked(fields: &Fields) -> Vec<String> {
    let mut found = Vec::new();
    collect(fields, "", &mut found);
    found
}

fn collect(fields: &Fields, above: &str, found: &mut Vec<String>) {
    for (name, shape) in fields {
        let pointer = format!("{above}/{name}");
        match shape {
            Shape::Map(fields) => collect(fields, &pointer, found),
            shape if shape.is_marked() => found.push(pointer),
            _ => {}
        }
    }
}

/// Makes shapes, and marks of the values by which equal ones are told, by their JSON pointers.
pub(super) struct Shaper {
    depth_max: usize,
    pub(super) marks: BTreeMap<String, u32>,
}

impl Shaper {
    pub(super) fn new(depth_max: usize) -> Self {
        Self {
            depth_max,
            marks: BTreeMap::new(),
        }
    }

    /// Puts what is given at a path with dots; `false` where there is no place for it.
    pub(super) fn put(&mut self, fields: &mut Fields, path: &str, given: &Given<'_>) -> bool {
        let names: Vec<&str> = path.split('.').collect();
        if names.len() > self.depth_max || !names.iter().all(|name| is_name(name)) {
            return false;
        }
        let pointer = format!("/{}", names.join("/"));
        let Some((last, above)) = names.split_last() else {
            return false;
        };
        let mut at = fields;
        for name in above {
            let inner = at
                .entry((*name).to_owned())
                .or_insert_with(|| Shape::Map(Fields::new()));
            let Shape::Map(inner) = inner else {
                return false;
            };
            at = inner;
        }
        if at.contains_key(*last) {
            return false;
        }
        let shape = self.given(given, Some(&pointer), names.len());
        at.insert((*last).to_owned(), shape);
        true
    }

    /// The fields of a payload.
    pub(super) fn body(&mut self, given: &Given<'_>) -> Option<Fields> {
        match self.given(given, Some(""), 0) {
            Shape::Map(fields) => Some(fields),
            _ => None,
        }
    }

    fn given(&mut self, given: &Given<'_>, pointer: Option<&str>, depth: usize) -> Shape {
        match given {
            Given::Text(text) | Given::Untyped(text) => {
                if let Some(value) = structure(text) {
                    return self.value(&value, pointer, depth);
                }
                // Where everything is a text, a number or a flag may be meant.
                let is_typed = matches!(given, Given::Text(_));
                if !is_typed && serde_json::from_str::<Value>(text).is_ok() {
                    return Shape::Unknown;
                }
                self.mark(pointer, text);
                Shape::of_text(text)
            }
            Given::Flag => Shape::Flag,
            Given::Whole(text) => {
                self.mark(pointer, text);
                Shape::Whole
            }
            Given::Real => Shape::Real,
            Given::List(all) => {
                let depth = depth + 1;
                self.list(all, depth, |shaper, one| shaper.given(one, None, depth))
            }
            Given::Map(all) => {
                let each = all.iter().map(|(name, of)| (name.as_ref(), of));
                self.map(each, (pointer, depth), Self::given)
            }
        }
    }

    fn value(&mut self, value: &Value, pointer: Option<&str>, depth: usize) -> Shape {
        match value {
            Value::Null => Shape::Null,
            Value::Bool(_) => Shape::Flag,
            Value::Number(number) if number.is_f64() => Shape::Real,
            Value::Number(number) => {
                self.mark(pointer, &number.to_string());
                Shape::Whole
            }
            Value::String(text) => {
                self.mark(pointer, text);
                Shape::of_text(text)
            }
            Value::Array(all) => {
                let depth = depth + 1;
                self.list(all, depth, |shaper, one| shaper.value(one, None, depth))
            }
            Value::Object(all) => {
                let each = all.iter().map(|(name, of)| (name.as_str(), of));
                self.map(each, (pointer, depth), Self::value)
            }
        }
    }

    fn list<T>(&mut self, all: &[T], depth: usize, of: impl Fn(&mut Self, &T) -> Shape) -> Shape {
        let mut shapes = Vec::new();
        if depth <= self.depth_max {
            shapes.extend(all.iter().map(|one| of(self, one)));
        }
        shapes.sort();
        shapes.dedup();
        shapes.truncate(ELEMENTS_MAX);
        Shape::List(shapes)
    }

    fn map<'v, T: 'v>(
        &mut self,
        all: impl Iterator<Item = (&'v str, &'v T)>,
        (pointer, depth): (Option<&str>, usize),
        of: impl Fn(&mut Self, &T, Option<&str>, usize) -> Shape,
    ) -> Shape {
        let mut fields = Fields::new();
        if depth < self.depth_max {
            for (name, value) in all.filter(|(name, _)| is_name(name)) {
                let below = pointer.map(|pointer| format!("{pointer}/{name}"));
                let shape = of(self, value, below.as_deref(), depth + 1);
                fields.entry(name.to_owned()).or_insert(shape);
            }
        }
        Shape::Map(fields)
    }

    fn mark(&mut self, pointer: Option<&str>, value: &str) {
        let Some(pointer) = pointer else { return };
        if !self.marks.contains_key(pointer) {
            self.marks.insert(pointer.to_owned(), mark(value));
        }
    }
}

/// An object or a list, where the text is one.
fn structure(text: &str) -> Option<Value> {
    let is_structure = text.trim_start().starts_with(['{', '[']);
    is_structure.then(|| serde_json::from_str(text).ok())?
}

/// Some bits of the hash, the same in every run.
fn mark(value: &str) -> u32 {
    let hash = value.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    u32::try_from((hash ^ hash >> 32) & ((1 << MARK_BITS) - 1)).unwrap_or_default()
}
