//! What producers promise and consumers rely on, as a design writes it.

use serde_json::{Map, Value, json};
use tidegate_base::Name;
use tidegate_model::Word as _;
use tidegate_model::design::{Consume, Event, Presence, Requirement, Rule, Service};

use super::set;

/// What a consumer relies on, and the version that it reads.
pub(super) fn relied_on(consume: &Consume, value: &mut Value) {
    let fields = consume.requires.iter().map(requirement);
    let all: Vec<Value> = fields.chain(consume.rules.iter().map(rule)).collect();
    if !all.is_empty() {
        set(value, "requires", json!(all));
    }
    if let Some(reads) = &consume.reads {
        set(value, "reads", json!(reads.value));
    }
}

/// The name of the field alone, where no more is said.
fn requirement(requirement: &Requirement) -> Value {
    let field = &requirement.field.value;
    if requirement.is_plain() && requirement.because.is_none() {
        return json!(field);
    }
    let mut value = json!({"field": field});
    if requirement.presence != Presence::Always {
        set(&mut value, "presence", json!(requirement.presence.word()));
    }
    if let Some(kind) = &requirement.field_type {
        set(&mut value, "type", json!(kind.value.word()));
    }
    if let Some(values) = &requirement.values {
        let values: Vec<&Value> = values.iter().map(|value| &value.value).collect();
        set(&mut value, "values", json!(values));
    }
    if let Some(because) = &requirement.because {
        set(&mut value, "because", json!(because));
    }
    value
}

fn rule(rule: &Rule) -> Value {
    let mut value = json!({"rule": rule.expression.value});
    if let Some(because) = &rule.because {
        set(&mut value, "because", json!(because));
    }
    value
}

/// The rules of an event, what its schema is called, and its older schemas with their texts.
pub(super) fn promised(event: &Event, message: &mut Value) {
    if !event.rules.is_empty() {
        let rules: Vec<Value> = event.rules.iter().map(rule).collect();
        set(message, "x-rules", json!(rules));
    }
    if let Some(version) = &event.version {
        set(message, "x-version", json!(version.value));
    }
    let versions = event.versions.iter().filter_map(|(name, version)| {
        let schema = version.schema.as_ref()?;
        let text = schema.text.as_deref()?;
        let value = match &schema.file {
            Some(file) => json!({"schema": file, "text": text}),
            None => json!({"schema": serde_json::from_str::<Value>(text).ok()?}),
        };
        Some((name.as_str().to_owned(), value))
    });
    let versions: Map<String, Value> = versions.collect();
    if !versions.is_empty() {
        set(message, "x-versions", Value::Object(versions));
    }
}

/// The versions in which a service publishes an event, where the design says them.
pub(super) fn published(service: &Service, event: &Name, operation: &mut Map<String, Value>) {
    let versions: Vec<&Name> = service
        .versions_of(event)
        .iter()
        .map(|one| &one.value)
        .collect();
    if !versions.is_empty() {
        operation.insert("x-versions".to_owned(), json!(versions));
    }
}
