//! Why the library refused a schema, with the place inside it.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use crate::error::SchemaError;
use crate::keyword::{escape, local_pointer};
use crate::violation::short;

/// The text is not JSON.
pub(crate) fn syntax(error: &serde_json::Error) -> SchemaError {
    let text = error.to_string();
    let message = text
        .split(" at line ")
        .next()
        .unwrap_or_default()
        .to_owned();
    SchemaError::Syntax {
        line: error.line(),
        column: error.column(),
        message,
    }
}

/// The library's error with a place in the schema: there, the schema is the instance.
pub(crate) fn of(root: &Value, error: &ValidationError<'_>) -> SchemaError {
    if let ValidationErrorKind::Referencing(cause) = error.kind() {
        let cause = cause.to_string();
        let found = references(root).into_iter().find(|(_, reference)| {
            let fragment = reference.trim_start_matches('#');
            leads_nowhere(root, reference) || (!fragment.is_empty() && cause.contains(fragment))
        });
        let (pointer, reference) = found.unwrap_or((String::new(), cause));
        return SchemaError::Reference { pointer, reference };
    }
    let pointer = error.instance_path().as_str();
    let keyword = pointer.rsplit('/').next().unwrap_or_default();
    let message = plainly(keyword, error.instance())
        .or_else(|| pattern(error))
        .unwrap_or_else(|| error.to_string());
    SchemaError::Keyword {
        pointer: short(pointer),
        message: short(&message),
    }
}

/// The usual mistakes in plain words: the library says what the specification's own schema says.
fn plainly(keyword: &str, value: &Value) -> Option<String> {
    match (keyword, value) {
        ("type", Value::String(kind)) => Some(format!(
            "{kind:?} is not a type: write array, boolean, integer, null, number, object or string"
        )),
        ("items", Value::Array(_)) => Some(
            "`items` is a list, which draft 2020-12 calls `prefixItems`: name an older draft in \
             `$schema`, or rename it"
                .to_owned(),
        ),
        ("exclusiveMinimum" | "exclusiveMaximum", Value::Bool(_)) => Some(format!(
            "`{keyword}` is a boolean in draft 4 alone: write the limit itself, or name that draft \
             in `$schema`"
        )),
        _ => None,
    }
}

/// What is wrong with a pattern: that it is none, or one that linear time does not decide.
fn pattern(error: &ValidationError<'_>) -> Option<String> {
    let text = error.to_string();
    if !text.contains("regex") {
        return None;
    }
    let pattern = error.instance().as_str()?;
    let looks = ["(?=", "(?!", "(?<=", "(?<!"];
    let refers = (1..=9).map(|n| format!("\\{n}")).chain(["\\k<".to_owned()]);
    if looks.into_iter().any(|look| pattern.contains(look)) {
        return Some(format!(
            "the pattern {pattern:?} looks ahead or behind, which engines of linear time, such as \
             RE2, do not support: say it with several patterns in `allOf`, and `not` for what must \
             not match"
        ));
    }
    if refers
        .into_iter()
        .any(|reference| pattern.contains(&reference))
    {
        return Some(format!(
            "the pattern {pattern:?} refers back to a group, which engines of linear time, such as \
             RE2, do not support: list what it may be with `enum`, or with one pattern each in `anyOf`"
        ));
    }
    Some(format!(
        "{pattern:?} is not a regular expression, or too large a one"
    ))
}

/// Whether `reference` is a pointer into this document that leads nowhere.
fn leads_nowhere(root: &Value, reference: &str) -> bool {
    local_pointer(reference).is_some_and(|pointer| root.pointer(&pointer).is_none())
}

/// Every `$ref` with its place.
fn references(root: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut waiting = vec![(String::new(), root)];
    while let Some((pointer, value)) = waiting.pop() {
        match value {
            Value::Object(object) => {
                for (name, child) in object {
                    let below = format!("{pointer}/{}", escape(name));
                    match child {
                        Value::String(text) if name == "$ref" => found.push((below, text.clone())),
                        _ => waiting.push((below, child)),
                    }
                }
            }
            Value::Array(list) => {
                let items = list.iter().enumerate();
                waiting.extend(items.map(|(index, child)| (format!("{pointer}/{index}"), child)));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    found
}
