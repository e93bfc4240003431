//! The rules of the Confluent Schema Registry about JSON Schemas, as they are described.

use serde_json::{Value, json};
use tidegate_compat::json::{Draft, Named, Policy, Schema, compare_as_confluent};

fn codes(old: &Value, new: &Value, policy: Policy) -> Vec<&'static str> {
    let read = |schema: &Value| {
        let text = schema.to_string();
        Schema::read(
            Named {
                name: "schema",
                text: &text,
            },
            &[],
            Draft::Seven,
        )
        .unwrap()
    };
    let reasons = compare_as_confluent(&read(old), &read(new), policy, &|| true);
    reasons.iter().map(|reason| reason.code).collect()
}

/// An object that is open, partly open or closed, with one property more or not.
fn object(content: &str, more: Option<Value>, required: bool) -> Value {
    let mut schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    match content {
        "partly" => schema["additionalProperties"] = json!({"type": "string"}),
        "closed" => schema["additionalProperties"] = json!(false),
        _ => {}
    }
    if let Some(more) = more {
        schema["properties"]["b"] = more;
    }
    if required {
        schema["required"] = json!(["b"]);
    }
    schema
}

#[test]
fn properties_are_added_and_removed_by_the_content_model() {
    use Policy::{Lenient, Strict};
    let text = || Some(json!({"type": "string"}));
    let number = || Some(json!({"type": "number"}));
    let with_default = || Some(json!({"type": "string", "default": ""}));
    let added = |content: &str, more, required, policy| {
        codes(
            &object(content, None, false),
            &object(content, more, required),
            policy,
        )
        .is_empty()
    };
    let table = [
        ("open", text(), false, [false, true]),
        ("open", Some(json!({})), false, [true, true]),
        ("partly", text(), false, [true, true]),
        ("partly", number(), false, [false, false]),
        ("closed", number(), false, [true, true]),
        ("open", text(), true, [false, false]),
        ("open", with_default(), true, [false, true]),
        ("partly", text(), true, [false, false]),
        ("partly", with_default(), true, [true, true]),
        ("closed", text(), true, [false, false]),
        ("closed", with_default(), true, [true, true]),
    ];
    for (content, more, required, yes) in table {
        let found = [Strict, Lenient].map(|policy| added(content, more.clone(), required, policy));
        assert_eq!(found, yes, "added to {content}: {more:?} {required}");
    }
    let removed = |content: &str, more, policy| {
        codes(
            &object(content, more, false),
            &object(content, None, false),
            policy,
        )
        .is_empty()
    };
    for (content, more, yes) in [
        ("open", text(), [true, true]),
        ("partly", text(), [true, true]),
        ("partly", number(), [false, false]),
        ("closed", text(), [false, true]),
        ("closed", Some(json!(false)), [true, true]),
    ] {
        let found = [Strict, Lenient].map(|policy| removed(content, more.clone(), policy));
        assert_eq!(found, yes, "removed from {content}: {more:?}");
    }
    for (more, yes) in [(text(), false), (with_default(), true)] {
        for content in ["open", "partly", "closed"] {
            let (old, new) = (
                object(content, more.clone(), false),
                object(content, more.clone(), true),
            );
            assert_eq!(
                codes(&old, &new, Strict).is_empty(),
                yes,
                "{content} {more:?}"
            );
        }
    }
}

fn hold(cases: &[(Value, Value, &[&str])]) {
    for (old, new, expected) in cases {
        assert_eq!(&codes(old, new, Policy::Strict), expected, "{old} {new}");
    }
}

#[test]
fn values() {
    let cases: [(Value, Value, &[&str]); 11] = [
        (json!({"type": "integer"}), json!({"type": "number"}), &[]),
        (
            json!({"type": "number"}),
            json!({"type": "integer"}),
            &["type-narrowed"],
        ),
        (json!({"enum": ["a"]}), json!({"enum": ["a", "b"]}), &[]),
        (
            json!({"enum": ["a", "b"]}),
            json!({"enum": ["a"]}),
            &["enum-narrowed"],
        ),
        (json!({"maxLength": 3}), json!({"maxLength": 4}), &[]),
        (json!({"maxLength": 3}), json!({}), &[]),
        (
            json!({"type": "string"}),
            json!({"type": "string", "maxLength": 4}),
            &["max-length-lowered"],
        ),
        (
            json!({"pattern": "^a$"}),
            json!({"pattern": "^a"}),
            &["pattern-narrowed"],
        ),
        (
            json!({"pattern": "^a$"}),
            json!({"type": "string"}),
            &["type-narrowed"],
        ),
        (json!({"multipleOf": 4}), json!({"multipleOf": 2}), &[]),
        (
            json!({"multipleOf": 2}),
            json!({"multipleOf": 4}),
            &["multiple-narrowed"],
        ),
    ];
    hold(&cases);
}

#[test]
fn branches_and_what_is_not_looked_at() {
    let cases: [(Value, Value, &[&str]); 10] = [
        (
            json!({"anyOf": [{"type": "string"}]}),
            json!({"anyOf": [{"type": "null"}, {"type": "string"}]}),
            &[],
        ),
        (
            json!({"anyOf": [{"type": "null"}, {"type": "string"}]}),
            json!({"anyOf": [{"type": "string"}]}),
            &["no-branch-fits"],
        ),
        (
            json!({"allOf": [{"minimum": 1}, {"maximum": 3}]}),
            json!({"allOf": [{"minimum": 1}]}),
            &[],
        ),
        (
            json!({"allOf": [{"minimum": 1}]}),
            json!({"allOf": [{"minimum": 1}, {"maximum": 3}]}),
            &["no-branch-fits"],
        ),
        (
            json!({"not": {"type": ["string", "null"]}}),
            json!({"not": {"type": "string"}}),
            &[],
        ),
        (
            json!({"not": {"type": "string"}}),
            json!({"not": {"type": ["string", "null"]}}),
            &["not-widened"],
        ),
        // What a registry does not look at.
        (
            json!({"type": "object"}),
            json!({"type": "object", "required": ["foo"]}),
            &[],
        ),
        (
            json!({"type": "string"}),
            json!({"type": "string", "format": "date"}),
            &[],
        ),
        (
            json!({"type": "object"}),
            json!({"type": "object", "propertyNames": {"maxLength": 1}}),
            &[],
        ),
        // Recursion.
        (
            json!({"type": "object", "properties": {"n": {"$ref": "#"}, "v": {"type": "integer"}}}),
            json!({"type": "object", "properties": {"n": {"$ref": "#"}, "v": {"type": "number"}}}),
            &[],
        ),
    ];
    hold(&cases);
}
