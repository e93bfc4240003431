//! Whether every value of a writer's field is the same value for a reader's field.
//!
//! Source: protobuf.dev, "Encoding" and "Updating A Message Type".

use std::collections::BTreeSet;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, Syntax};

/// How many there may be of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// At most one.
    One,
    /// Any number.
    Many,
    /// One for each key.
    Map,
}

pub(super) fn shape(field: &FieldDescriptor) -> Shape {
    if field.is_map() {
        Shape::Map
    } else if field.is_list() {
        Shape::Many
    } else {
        Shape::One
    }
}

/// What becomes of the values of one kind that are read as another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Each is itself.
    Same,
    /// Each is itself as bytes.
    Encoded,
    /// The reader has no name for some.
    Unnamed(Vec<i32>),
    /// A closed enum drops some.
    Dropped(Vec<i32>),
    /// Messages are compared by their fields.
    Inside,
    /// Some are cut, or taken for others.
    Changed,
    /// The bytes are of another form: refused, or dropped.
    Form,
}

/// The numbers that an enum declares.
pub(super) fn numbers(of: &EnumDescriptor) -> BTreeSet<i32> {
    of.values().map(|value| value.number()).collect()
}

/// Whether a number that is not declared is dropped, as `proto2` says.
pub(super) fn is_closed(of: &EnumDescriptor) -> bool {
    of.parent_file().syntax() == Syntax::Proto2
}

/// The word of the language for a kind.
pub(super) fn word(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(of) => of.full_name().to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// The whole numbers that a kind on the varint form can be, without zigzag.
fn range(kind: &Kind) -> Option<(i128, i128)> {
    match kind {
        Kind::Bool => Some((0, 1)),
        Kind::Int32 => Some((i128::from(i32::MIN), i128::from(i32::MAX))),
        Kind::Int64 => Some((i128::from(i64::MIN), i128::from(i64::MAX))),
        Kind::Uint32 => Some((0, i128::from(u32::MAX))),
        Kind::Uint64 => Some((0, i128::from(u64::MAX))),
        Kind::Enum(of) => {
            let numbers = numbers(of);
            let first = numbers.first().copied().unwrap_or(0);
            Some((
                i128::from(first.min(0)),
                i128::from(numbers.last().copied().unwrap_or(0)),
            ))
        }
        _ => None,
    }
}

/// What a reader makes of single values.
pub(super) fn reading(
    (writer, writer_is_group): (&Kind, bool),
    (reader, reader_is_group): (&Kind, bool),
) -> Reading {
    match (writer, reader) {
        (Kind::Message(_), Kind::Message(_)) if writer_is_group == reader_is_group => {
            Reading::Inside
        }
        (Kind::Message(_), _) if writer_is_group => Reading::Form,
        (_, Kind::Message(_)) if reader_is_group => Reading::Form,
        (Kind::Message(_), Kind::Bytes) => Reading::Encoded,
        (Kind::String, Kind::Bytes) => Reading::Same,
        (Kind::Message(_) | Kind::Bytes, Kind::String)
        | (Kind::String | Kind::Bytes, Kind::Message(_)) => Reading::Changed,
        (Kind::Enum(writer), Kind::Enum(reader)) => enums(&numbers(writer), reader),
        (writer, Kind::Enum(reader)) if range(writer).is_some() => match writer {
            Kind::Bool => enums(&BTreeSet::from([0, 1]), reader),
            Kind::Int32 if !is_closed(reader) => Reading::Unnamed(Vec::new()),
            Kind::Int32 => Reading::Dropped(Vec::new()),
            _ => Reading::Changed,
        },
        (writer, reader) => numeric(writer, reader),
    }
}

fn enums(written: &BTreeSet<i32>, reader: &EnumDescriptor) -> Reading {
    let known = numbers(reader);
    let lost: Vec<i32> = written.difference(&known).copied().collect();
    if lost.is_empty() {
        Reading::Same
    } else if is_closed(reader) {
        Reading::Dropped(lost)
    } else {
        Reading::Unnamed(lost)
    }
}

fn numeric(writer: &Kind, reader: &Kind) -> Reading {
    if let (Some(from), Some(to)) = (range(writer), range(reader)) {
        let fits = from.0 >= to.0 && from.1 <= to.1;
        return if fits {
            Reading::Same
        } else {
            Reading::Changed
        };
    }
    let same = std::mem::discriminant(writer) == std::mem::discriminant(reader);
    match (writer, reader) {
        _ if same => Reading::Same,
        (Kind::Sint32, Kind::Sint64) => Reading::Same,
        _ if writer.wire_type() == reader.wire_type() => Reading::Changed,
        _ => Reading::Form,
    }
}
