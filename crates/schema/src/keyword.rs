//! The keywords that hold subschemas, and how a subschema is reached.
//!
//! Source: JSON Schema 2020-12 Core, sections 10.2 (in place) and 10.3 (children), with the older
//! drafts' names.

use serde_json::{Map, Value};

/// Keywords with a list of subschemas that apply to the same value.
const IN_PLACE_LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Keywords with one subschema that applies to the same value.
const IN_PLACE_ONES: [&str; 4] = ["not", "if", "then", "else"];
/// Keywords with named subschemas that apply to the same value.
const IN_PLACE_MAPS: [&str; 2] = ["dependentSchemas", "dependencies"];

/// The subschemas that apply to the same value as `schema`, each with its path below it.
pub(crate) fn in_place(schema: &Map<String, Value>) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for keyword in IN_PLACE_LISTS {
        if let Some(Value::Array(list)) = schema.get(keyword) {
            found.extend(
                list.iter()
                    .enumerate()
                    .map(|(i, s)| (format!("/{keyword}/{i}"), s)),
            );
        }
    }
    for keyword in IN_PLACE_ONES {
        if let Some(one) = schema.get(keyword) {
            found.push((format!("/{keyword}"), one));
        }
    }
    for keyword in IN_PLACE_MAPS {
        if let Some(Value::Object(map)) = schema.get(keyword) {
            let named = map.iter().filter(|(_, s)| s.is_object());
            found.extend(named.map(|(name, s)| (format!("/{keyword}/{}", escape(name)), s)));
        }
    }
    found
}

/// The pointer of a reference inside the same document: `#` gives ``, `#/$defs/a` gives `/$defs/a`.
pub(crate) fn local_pointer(reference: &str) -> Option<String> {
    let fragment = reference.strip_prefix('#')?;
    if !(fragment.is_empty() || fragment.starts_with('/')) {
        return None;
    }
    percent_decode(fragment)
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

/// `name` as one segment of a JSON pointer (RFC 6901, section 3).
pub(crate) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The segment of a JSON pointer as a name.
pub(crate) fn unescape(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}
