//! Rules that no event keeps: with them, every event would be refused.

use serde_json::{Value, json};
use tidegate_compat::json::{self, Draft, Named, OpenContent, Schema as Comparable};

use super::payload::Payload;
use super::rule::{Expression, schema as rule_schema};

/// The rules that no event keeps: each alone, or, where each alone is kept by some, all together.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unkeepable {
    /// Nothing is known of such rules.
    None,
    /// These, by their places in the list.
    Each(Vec<usize>),
    /// All of them together.
    Together,
}

/// Finds rules of which it is proved that no event of the schema keeps them. Only what schemas can
/// say of a rule is looked at, so that an event may still be impossible where none is found.
pub(super) fn unkeepable(payload: Option<&Payload>, rules: &[&Expression]) -> Unkeepable {
    let said: Vec<Option<Value>> = rules
        .iter()
        .map(|rule| rule_schema::exactly(rule.root()))
        .collect();
    let all: Vec<Value> = said.iter().flatten().cloned().collect();
    if all.is_empty() || !is_empty(payload, &all) {
        return Unkeepable::None;
    }
    // Of a schema that nothing fits, the rules are not the reason.
    if payload.is_some() && is_empty(payload, &[]) {
        return Unkeepable::None;
    }
    let each = said.iter().enumerate();
    let each = each.filter(|(_, one)| {
        let one = one.as_ref().map(std::slice::from_ref);
        one.is_some_and(|one| is_empty(payload, one))
    });
    let each: Vec<usize> = each.map(|(number, _)| number).collect();
    if each.is_empty() {
        Unkeepable::Together
    } else {
        Unkeepable::Each(each)
    }
}

/// Whether it is proved that nothing fits the schema of an event and these.
fn is_empty(payload: Option<&Payload>, also: &[Value]) -> bool {
    let read = |name, text: &Value| {
        let text = text.to_string();
        Comparable::read(Named { name, text: &text }, &[], Draft::Twenty)
    };
    let writer = match payload {
        Some(payload) => payload.writer(also),
        None => read("event", &json!({"allOf": also})),
    };
    let (Ok(writer), Ok(nothing)) = (writer, read("nothing", &Value::Bool(false))) else {
        return false;
    };
    json::compare(&writer, &nothing, OpenContent::Exact, &|| true).is_empty()
}
