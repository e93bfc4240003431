//! Names that are reserved: what a writer declares does not depend on the event.

use serde_json::{Value, json};
use tidegate_compat::json::{Draft, Named, OpenContent, Schema, compare};

use crate::declared::Declared;

/// Whether all events are read, undeclared names being reserved; the event that is not, where there is one.
fn answer(old: &Value, new: &Value) -> Result<(), Option<Value>> {
    let read = |schema: &Value| {
        let text = schema.to_string();
        let named = Named {
            name: "schema",
            text: &text,
        };
        Schema::read(named, &[], Draft::Twenty).unwrap()
    };
    let (writer, reader) = (read(old), read(new));
    let reasons = compare(&writer, &reader, OpenContent::Reserved, &|| true);
    if reasons.is_empty() {
        return Ok(());
    }
    let event = reasons.into_iter().find_map(|one| one.witness);
    let event = event.map(|witness| witness.event);
    if let Some(event) = &event {
        assert!(writer.validate(event).is_empty() && !reader.validate(event).is_empty());
        assert!(Declared::of(old, Draft::Twenty).sends(event), "{event}");
    }
    Err(event)
}

/// Each was a wrong *yes*, or an event that the writer never sends.
#[test]
fn the_proof_and_the_events_go_by_the_same_names() {
    let text = json!({"additionalProperties": {"additionalProperties": {"type": "string"}}});
    // Another branch declares the name, further inside too.
    let old = json!({"type": "object", "required": ["k"], "anyOf": [
        {"properties": {"k": {"properties": {"a": {"type": "string"}}}}, "minProperties": 2},
        {"properties": {"k": {"properties": {"b": {"type": "integer"}}}}, "maxProperties": 1},
    ]});
    assert!(matches!(answer(&old, &text), Err(Some(_))), "{old}");
    let old = json!({"properties": {"k": {"if": {"properties": {"a": {"type": "string"}}}}}});
    let closed = json!({"properties": {"k": {"propertyNames": {"enum": ["a"]}}}});
    assert_eq!(answer(&old, &closed), Ok(()));
    // What is barred is not declared, and what is not barred is not either.
    let old = json!({"type": "object", "not": {"not": {"properties": {"a": {"type": "string"}}}}});
    let few = json!({"propertyNames": {"enum": ["a"]}});
    assert!(matches!(answer(&old, &few), Err(Some(_))), "{old}");
    // Items are spoken of by every keyword about items.
    for keyword in ["items", "unevaluatedItems"] {
        let old = json!({"type": "array", keyword: {"properties": {"a": {"type": "string"}}}});
        let few = json!({"items": {"propertyNames": {"enum": ["a"]}}});
        assert_eq!(answer(&old, &few), Ok(()), "{keyword}");
        let none = json!({"items": {"propertyNames": {"not": {}}}});
        assert!(matches!(answer(&old, &none), Err(Some(_))), "{keyword}");
    }
    let old = json!({"type": "array", "unevaluatedItems": {"properties": {"a": {"type": "string"}}},
        "anyOf": [{"maxItems": 1}, {"prefixItems": [{}, {"properties": {"b": {"type": "integer"}}}]}]});
    let text = json!({"items": {"properties": {"b": {"type": "string"}}}});
    assert!(matches!(answer(&old, &text), Err(Some(_))), "{old}");
}

#[test]
fn a_name_that_must_be_there_is_sent() {
    let old = json!({"type": "object", "properties": {"id": {}}, "required": ["id", "note"]});
    let new = json!({"properties": {"note": {"type": "string"}}});
    assert!(matches!(answer(&old, &new), Err(Some(_))));
    let old =
        json!({"type": "object", "properties": {"id": {}}, "dependentRequired": {"id": ["note"]}});
    assert!(matches!(answer(&old, &new), Err(Some(_))));
    let new = json!({"properties": {"other": {"type": "string"}}});
    assert_eq!(answer(&old, &new), Ok(()));
}

/// A pattern of a part may make its names others than the rest.
#[test]
fn patterns_of_branches_tell_names_apart() {
    let old = json!({"additionalProperties": {"type": "object"}, "anyOf": [{"minProperties": 2},
        {"patternProperties": {"^x": {"properties": {"a": {}}}}}]});
    let few = json!({"additionalProperties": {"propertyNames": {"enum": ["a"]}}});
    assert!(matches!(answer(&old, &few), Err(Some(_))));
    let few = json!({"patternProperties": {"^x": {"propertyNames": {"enum": ["a"]}}}});
    assert_eq!(answer(&old, &few), Ok(()));
}

/// It was a wrong *yes*: items behind the last that is looked at one by one were taken for items like it.
#[test]
fn an_item_far_behind_is_told_apart() {
    let mut first = vec![json!({"type": "integer"}); 80];
    first[70] = json!({"type": "string"});
    let old = json!({"type": "array", "prefixItems": first, "items": false});
    let integers = json!({"items": {"type": "integer"}});
    assert_ne!(answer(&old, &integers), Ok(()));
    let mixed = json!({"items": {"type": ["integer", "string"]}});
    assert_ne!(answer(&mixed, &old), Ok(()));
}
