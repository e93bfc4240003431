//! The fields of a schema one by one, as people read them: path, type, whether each must be there,
//! and what else is said of it.

mod avro;
mod json;
mod protobuf;

use serde_json::Value;

use crate::avro::Avro;
use crate::protobuf::Protobuf;

/// Most fields that are listed; a schema that doubles at each level has more than anybody reads.
pub const LISTED_MAX: usize = 2_000;
/// Deepest nesting that is listed.
const DEPTH_MAX: usize = 24;
/// Most values of a list that are shown.
const VALUES_MAX: usize = 8;

/// A field, or the event itself, whose path is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Names joined by dots; `[]` is any item, `[0]` the first one, `*` any other name.
    pub path: String,
    /// Its type in the words of the format.
    pub kind: String,
    /// Whether it must be there, where what it is in is there.
    pub required: bool,
    /// What else is said of it, each on its own.
    pub constraints: Vec<String>,
}

/// The fields of a JSON Schema, in the order written. What is referred to in other documents is named
/// and not gone into.
#[must_use]
pub fn json_schema(root: &Value) -> Vec<Listed> {
    json::list(root)
}

/// The fields of an Avro schema, in the order written.
#[must_use]
pub fn avro(schema: &Avro) -> Vec<Listed> {
    avro::list(schema)
}

/// The fields of the message of an event, or of every message where none is named.
#[must_use]
pub fn protobuf(schema: &Protobuf) -> Vec<Listed> {
    protobuf::list(schema)
}

/// Some of many values.
fn some_of(values: impl ExactSizeIterator<Item = String>) -> String {
    let more = values.len().saturating_sub(VALUES_MAX);
    let shown: Vec<String> = values.take(VALUES_MAX).collect();
    match more {
        0 => shown.join(", "),
        more => format!("{}, and {more} more", shown.join(", ")),
    }
}

/// The path of a part.
fn below(path: &str, part: &str) -> String {
    match (path, part.starts_with('[')) {
        ("", _) => part.to_owned(),
        (path, true) => format!("{path}{part}"),
        (path, false) => format!("{path}.{part}"),
    }
}
