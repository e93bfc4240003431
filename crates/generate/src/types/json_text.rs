//! What a schema says besides its keywords for values: references, anchors, words for people.

use serde_json::Value;

/// Deepest chain of subschemas that is followed; beyond it any value is taken.
const DEPTH_MAX: usize = 64;

pub(super) fn is_true(schema: &Value) -> bool {
    match schema {
        Value::Bool(flag) => *flag,
        Value::Object(object) => object.is_empty(),
        _ => false,
    }
}

/// Keywords that say nothing of the values.
const ANNOTATIONS: &[&str] = &[
    "title",
    "description",
    "$comment",
    "examples",
    "default",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$schema",
    "$id",
    "id",
    "$defs",
    "definitions",
];

/// The target of a schema that is a reference and nothing else.
pub(super) fn only_reference(schema: &Value) -> Option<&str> {
    let object = schema.as_object()?;
    let mut rest = object
        .iter()
        .filter(|(keyword, _)| !ANNOTATIONS.contains(&keyword.as_str()));
    match (rest.next(), rest.next()) {
        (Some((keyword, Value::String(target))), None) if keyword == "$ref" => Some(target),
        (Some((keyword, Value::Array(all))), None) if keyword == "allOf" => match all.as_slice() {
            [one] => only_reference(one),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn anchored<'a>(schema: &'a Value, anchor: &str, depth: usize) -> Option<&'a Value> {
    if depth > DEPTH_MAX {
        return None;
    }
    match schema {
        Value::Object(object) => {
            let is_it = object.get("$anchor").and_then(Value::as_str) == Some(anchor);
            if is_it {
                return Some(schema);
            }
            object
                .values()
                .find_map(|inner| anchored(inner, anchor, depth + 1))
        }
        Value::Array(items) => items
            .iter()
            .find_map(|item| anchored(item, anchor, depth + 1)),
        _ => None,
    }
}

pub(super) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let code = match tail {
            [high, low, ..] if byte == b'%' => std::str::from_utf8(&[*high, *low])
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        bytes.push(code.unwrap_or(byte));
        rest = match code {
            Some(_) => tail.get(2..).unwrap_or_default(),
            None => tail,
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a schema says about itself.
pub(super) fn doc_of(schema: &Value) -> String {
    let text = |keyword: &str| schema.get(keyword).and_then(Value::as_str);
    text("description")
        .or_else(|| text("title"))
        .unwrap_or_default()
        .to_owned()
}

/// What is said about a field: its description, with what the type does not show.
pub(super) fn note_of(schema: &Value) -> String {
    let text = |keyword: &str| schema.get(keyword).and_then(Value::as_str);
    let mut doc = text("description").unwrap_or_default().to_owned();
    let mut notes = Vec::new();
    if let Some(format) = text("format") {
        notes.push(format!("Format: {format}."));
    }
    if let Some(default) = schema.get("default") {
        notes.push(format!("Without it: {default}."));
    }
    if schema.get("deprecated").and_then(Value::as_bool) == Some(true) {
        notes.push("Deprecated.".to_owned());
    }
    if !notes.is_empty() {
        if !doc.is_empty() {
            doc.push_str("\n\n");
        }
        doc.push_str(&notes.join(" "));
    }
    doc
}
