//! Schemas that ask for too much: an answer comes, and nothing falls over.

use serde_json::{Map, Value, json};
use std::cell::Cell;
use tidegate_compat::json::{Draft, Named, OpenContent, Schema, compare};

/// Compares both ways, if they are schemas that are taken at all. Returns how often it was asked
/// whether to work on.
fn both_ways(old: &Value, new: &Value) -> u32 {
    let read = |schema: &Value| {
        let text = schema.to_string();
        Schema::read(
            Named {
                name: "schema",
                text: &text,
            },
            &[],
            Draft::Twenty,
        )
    };
    let (Ok(old), Ok(new)) = (read(old), read(new)) else {
        return 0;
    };
    let asked = Cell::new(0);
    let keep_going = || {
        asked.set(asked.get() + 1);
        true
    };
    for open in [OpenContent::Exact, OpenContent::Reserved] {
        for (writer, reader) in [(&old, &new), (&new, &old)] {
            for reason in compare(writer, reader, open, &keep_going) {
                if let Some(witness) = reason.witness {
                    assert_eq!(writer.validate(&witness.event), []);
                    assert_ne!(reader.validate(&witness.event), []);
                }
            }
        }
    }
    asked.get()
}

fn nested(depth: usize, keyword: &str, leaf: Value) -> Value {
    (0..depth).fold(leaf, |inner, _| match keyword {
        "properties" => json!({"type": "object", "required": ["a"], "properties": {"a": inner}}),
        "allOf" | "anyOf" | "oneOf" => json!({keyword: [inner, {"type": "string"}]}),
        keyword => json!({keyword: inner}),
    })
}

#[test]
fn deep_nesting() {
    for keyword in [
        "properties",
        "items",
        "additionalProperties",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "contains",
    ] {
        for depth in [10, 30, 60, 120] {
            both_ways(
                &nested(depth, keyword, json!({"type": "integer"})),
                &nested(depth, keyword, json!({"type": "number"})),
            );
        }
    }
}

#[test]
fn references_that_double() {
    // Each definition refers twice to the next one: two to the power of 40 ways.
    let doubled = |leaf: Value| {
        let mut definitions = Map::new();
        for n in 0..40 {
            let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
            definitions.insert(
                format!("d{n}"),
                json!({"type": "object", "properties": {"a": next, "b": next}}),
            );
        }
        definitions.insert("d40".to_owned(), leaf);
        json!({"$ref": "#/$defs/d0", "$defs": definitions})
    };
    both_ways(
        &doubled(json!({"type": "integer"})),
        &doubled(json!({"type": "number"})),
    );
    both_ways(
        &doubled(json!({"type": "string"})),
        &doubled(json!({"type": "number"})),
    );
    let in_place = |leaf: Value| {
        let mut definitions = Map::new();
        for n in 0..12 {
            let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
            definitions.insert(format!("d{n}"), json!({"oneOf": [next, {"not": next}]}));
        }
        definitions.insert("d12".to_owned(), leaf);
        json!({"$ref": "#/$defs/d0", "$defs": definitions})
    };
    both_ways(
        &in_place(json!({"type": "integer"})),
        &in_place(json!({"type": "number"})),
    );
}

#[test]
fn references_without_end() {
    both_ways(&json!({"$ref": "#"}), &json!({"$ref": "#"}));
    both_ways(
        &json!({"allOf": [{"$ref": "#"}]}),
        &json!({"type": "string"}),
    );
    let cases = [
        json!({"properties": {"a": {"$ref": "#"}}, "not": {"properties": {"a": {"$ref": "#"}}}}),
        json!({"anyOf": [{"type": "null"}, {"type": "array", "items": {"$ref": "#"}}], "not": {"items": {"$ref": "#"}}}),
        json!({"additionalProperties": {"$ref": "#"}, "propertyNames": {"$ref": "#"}}),
        json!({"contains": {"$ref": "#"}, "minContains": 2}),
    ];
    for old in &cases {
        for new in &cases {
            both_ways(old, new);
        }
    }
    // A long chain through fields.
    let chain: Map<String, Value> = (0..5_000)
        .map(|n| {
            (
                format!("d{n}"),
                json!({"properties": {"a": {"$ref": format!("#/$defs/d{}", (n + 1) % 5_000)}}}),
            )
        })
        .collect();
    let chain = json!({"$ref": "#/$defs/d0", "$defs": chain});
    both_ways(&chain, &json!({"type": "object"}));
    both_ways(&chain, &chain.clone());
}

#[test]
fn wide_schemas() {
    let values: Vec<Value> = (0..20_000).map(Value::from).collect();
    both_ways(&json!({"enum": values}), &json!({"enum": values[1..]}));
    let fields: Map<String, Value> = (0..3_000)
        .map(|n| (format!("f{n}"), json!({"type": "string"})))
        .collect();
    both_ways(
        &json!({"properties": fields}),
        &json!({"properties": fields, "additionalProperties": false}),
    );
    let branches = |n: usize| -> Vec<Value> {
        (0..n)
            .map(|i| json!({"properties": {format!("f{i}"): {"minLength": i}}}))
            .collect()
    };
    both_ways(
        &json!({"allOf": branches(20)}),
        &json!({"anyOf": branches(20)}),
    );
    both_ways(
        &json!({"anyOf": branches(20)}),
        &json!({"oneOf": branches(20)}),
    );
    let choices: Vec<Value> = (0..12).map(|i| json!({"anyOf": [{"required": [format!("a{i}")]}, {"required": [format!("b{i}")]}]})).collect();
    both_ways(&json!({"allOf": choices}), &json!({"required": ["z"]}));
    both_ways(
        &json!({"allOf": choices}),
        &json!({"type": "object", "minProperties": 12}),
    );
}

#[test]
fn patterns_and_counts() {
    let cases = [
        json!({"type": "string", "pattern": "^(a+)+$"}),
        json!({"type": "string", "pattern": "^(a|b|ab)*c{1,50}$"}),
        json!({"type": "string", "pattern": "(.*a.*b){30}"}),
        json!({"type": "string", "pattern": "^\\p{L}{1,100}$"}),
        json!({"type": "string", "pattern": "[ab]{0,200}c[ab]{20}$"}),
        json!({"type": "string", "minLength": 4_000_000_000_u64}),
        json!({"type": "array", "minItems": 4_000_000_000_u64, "uniqueItems": true}),
        json!({"type": "object", "minProperties": 4_000_000_000_u64}),
        json!({"type": "number", "multipleOf": 1e-300, "minimum": 1e300}),
        json!({"type": "integer", "minimum": -1e308, "maximum": 1e308, "multipleOf": 7}),
        json!({"type": "integer", "minimum": 9_223_372_036_854_775_807_u64, "maximum": 18_446_744_073_709_551_615_u64}),
        json!({"patternProperties": {"a": {}, "b": {}, "c": {}, "d": false, "e": {}, "f": {}, "g": {}}}),
    ];
    for old in &cases {
        for new in &cases {
            both_ways(old, new);
        }
    }
}
