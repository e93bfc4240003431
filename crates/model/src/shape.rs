//! How the shape of the language is described: sections with fields of a kind.
//!
//! The tables themselves are in [`crate::language`]. The reader and the published JSON Schema are
//! both made from them.

use std::time::Duration;

use crate::words::Choice;

/// A mapping with known fields.
#[derive(Debug)]
pub(crate) struct Section {
    /// What it is called in the JSON Schema and in messages.
    pub(crate) name: &'static str,
    /// What it is, in one sentence.
    pub(crate) summary: &'static str,
    /// Its fields, in the order of the documentation.
    pub(crate) fields: &'static [Field],
}

/// One field of a section.
#[derive(Debug)]
pub(crate) struct Field {
    /// Its name, as a design writes it.
    pub(crate) name: &'static str,
    /// What its value may be.
    pub(crate) kind: Kind,
    /// Whether it must be there, and what its absence means.
    pub(crate) presence: Presence,
    /// What it says, in one sentence.
    pub(crate) summary: &'static str,
    /// A valid value, as YAML on one line; not the default.
    pub(crate) example: &'static str,
}

/// Whether a field must be there, and what its absence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It must be there.
    Required,
    /// Absence means absence.
    Optional,
    /// Absence means this value, written as YAML on one line.
    Default(&'static str),
    /// Absence means a value that depends on others, as this says.
    Derived(&'static str),
}

/// What a value may be.
#[derive(Debug)]
pub(crate) enum Kind {
    /// The version of the language.
    Version,
    /// A text that is not empty.
    Text,
    /// A text of one line that is not empty.
    Line,
    /// A name as [`tidegate_base::Name`] takes it.
    Name,
    /// A duration of at least this.
    Duration(Duration),
    /// Events in a time.
    Rate,
    /// A number of bytes.
    Bytes,
    /// A share of a whole.
    Ratio(Share),
    /// A whole number from the first to the second.
    Count(u32, u32),
    /// A number of a mapping from words to numbers that are not negative.
    Weights,
    /// One word of a closed list.
    Word(&'static [Choice]),
    /// A JSON pointer into the payload.
    Pointer,
    /// A JSON pointer into the payload, or the name of a top-level field.
    FieldPath,
    /// Where to deliver to.
    Url,
    /// A schema: the path of a file, or a JSON Schema written inline.
    Schema,
    /// One plain value of any kind: a text, a number, true, false or nothing.
    Literal,
    /// A section, or in short the value of one of its fields.
    Short(&'static Short),
    /// Values of one kind, in order.
    List(&'static Kind, Repeats),
    /// A mapping with known fields.
    Section(&'static Section),
    /// A mapping from names to sections of one shape.
    Named(&'static Section),
}

/// A section that may be written as the value of one field, when nothing else is to be said.
#[derive(Debug)]
pub(crate) struct Short {
    /// The section.
    pub(crate) section: &'static Section,
    /// The field that a plain value stands for.
    pub(crate) field: &'static str,
    /// The kind of that field.
    pub(crate) kind: Kind,
    /// Fields of which exactly one must be there; empty: no such rule.
    pub(crate) one_of: &'static [&'static str],
}

/// Whether a share may be nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// 0 % to 100 %.
    FromZero,
    /// More than 0 %, to 100 %.
    AboveZero,
}

/// Whether a list may hold a value twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// It may.
    Allowed,
    /// It may not.
    Refused,
}

impl Section {
    /// The position of a field.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// The names of the fields.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().map(|field| field.name)
    }
}
