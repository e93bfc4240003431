//! What producers promise, as a design that was exported says it.

use serde_json::{Map, Value, json};

use super::Draft;
use super::naming::clean;
use super::schema_files::{add, is_beside};
use crate::application::Operation;
use crate::bundle::At;

/// The rules of an event, what its schema is called, and its older schemas.
pub(super) fn promised(message: &At<'_>, draft: &mut Draft, event: &mut Map<String, Value>) {
    if let Some(rules) = message
        .node
        .get("x-rules")
        .filter(|rules| !rules.items().is_empty())
    {
        event.insert("rules".to_owned(), rules.to_json());
    }
    if let Some(version) = message.node.text_of("x-version") {
        event.insert("version".to_owned(), json!(clean(version)));
    }
    let Some(versions) = message.step("x-versions") else {
        return;
    };
    let mut older = Map::new();
    for (name, version) in versions.children() {
        let (file, text) = (version.node.text_of("schema"), version.node.text_of("text"));
        let schema = match (file.filter(|file| is_beside(file)), text) {
            (Some(file), Some(text)) => add(draft, file, text.to_owned()).map(|file| json!(file)),
            _ => version.node.get("schema").map(|schema| schema.to_json()),
        };
        if let Some(schema) = schema {
            older.insert(clean(name), json!({"schema": schema}));
        }
    }
    if !older.is_empty() {
        event.insert("versions".to_owned(), Value::Object(older));
    }
}

/// The versions in which an operation publishes an event.
pub(super) fn published(operation: &Operation<'_>, of: (&str, &str), draft: &mut Draft) {
    let versions = operation
        .node()
        .get("x-versions")
        .map(|versions| versions.items());
    let versions = versions.unwrap_or_default().iter();
    let versions: Vec<Value> = versions
        .filter_map(|one| Some(json!(clean(one.text()?))))
        .collect();
    if !versions.is_empty() {
        draft.publish_versions(of.0, of.1, json!(versions));
    }
}
