//! The tree: scalars, sequences and mappings in their order, each with its span.

use std::borrow::Cow;

use serde_json::Value;

use super::plain::{Plain, resolve};

/// Where a node stands: the index of its file, a line and a column from 1, a length in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) file: u32,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) length: u32,
}

impl Span {
    /// The first character of a file.
    pub(crate) const fn start_of(file: u32) -> Self {
        Self {
            file,
            line: 1,
            column: 1,
            length: 1,
        }
    }
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(crate) struct Node<'s> {
    pub(crate) span: Span,
    pub(crate) content: Content<'s>,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Content<'s> {
    /// One value as text; what a plain one means is for [`resolve`] to say.
    Scalar { text: Cow<'s, str>, style: Style },
    /// Values in order.
    Sequence(Vec<Node<'s>>),
    /// Entries in order, no two with the same key.
    Mapping(Vec<Entry<'s>>),
    /// Something that has already been reported, and is passed over from here on.
    Refused,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes: `12` is a number.
    Plain,
    /// In quotes or as a block: always a text.
    Quoted,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'s> {
    pub(crate) key: Cow<'s, str>,
    pub(crate) key_span: Span,
    pub(crate) key_style: Style,
    pub(crate) value: Node<'s>,
}

impl<'s> Node<'s> {
    /// Whether nothing is written: `key:` or `key: ~`.
    pub(crate) fn is_null(&self) -> bool {
        match &self.content {
            Content::Scalar { text, style } => matches!(resolve(text, *style), Plain::Null),
            Content::Sequence(_) | Content::Mapping(_) | Content::Refused => false,
        }
    }

    /// The text of a scalar, whatever it means.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } => Some(text),
            Content::Sequence(_) | Content::Mapping(_) | Content::Refused => None,
        }
    }

    /// The value of an entry of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry<'s>> {
        match &self.content {
            Content::Mapping(entries) => entries.iter().find(|entry| entry.key == key),
            Content::Scalar { .. } | Content::Sequence(_) | Content::Refused => None,
        }
    }

    /// The same value as JSON text, scalars as the core schema of YAML 1.2 reads them.
    pub(crate) fn to_json(&self) -> String {
        let mut json = String::new();
        self.write_json(&mut json);
        json
    }

    fn write_json(&self, json: &mut String) {
        match &self.content {
            Content::Scalar { text, style } => match resolve(text, *style) {
                Plain::Text => write_text(text, json),
                other => json.push_str(&json_of(other).to_string()),
            },
            Content::Sequence(items) => {
                json.push('[');
                for (index, item) in items.iter().enumerate() {
                    json.push_str(if index == 0 { "" } else { "," });
                    item.write_json(json);
                }
                json.push(']');
            }
            Content::Mapping(entries) => {
                json.push('{');
                for (index, entry) in entries.iter().enumerate() {
                    json.push_str(if index == 0 { "" } else { "," });
                    write_text(&entry.key, json);
                    json.push(':');
                    entry.value.write_json(json);
                }
                json.push('}');
            }
            Content::Refused => json.push_str("null"),
        }
    }
}

fn write_text(text: &str, json: &mut String) {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        json.push('"');
        json.push_str(text);
        json.push('"');
    } else {
        json.push_str(&Value::from(text).to_string());
    }
}

/// What a YAML scalar without quotes means, by the core schema of YAML 1.2; a number that JSON does
/// not have is `null`.
#[must_use]
pub fn plain_value(text: &str) -> Value {
    match resolve(text, Style::Plain) {
        Plain::Text => Value::from(text),
        other => json_of(other),
    }
}

/// A scalar that is not a text; a number that JSON does not have is `null`.
fn json_of(plain: Plain) -> Value {
    match plain {
        Plain::Null | Plain::Text => Value::Null,
        Plain::Bool(value) => Value::from(value),
        Plain::Integer(value) => Value::from(value),
        Plain::Float(value) => Value::from(value),
    }
}
