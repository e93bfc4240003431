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

/// Pairs that made earlier versions work on for long.
fn adversaries() -> Vec<(Value, Value)> {
    let multiples = |from: u64, count: u64, keyword: &str| {
        let branches: Vec<Value> = (from..from + count)
            .map(|n| json!({"multipleOf": n}))
            .collect();
        json!({keyword: branches})
    };
    let values =
        |count: u64| -> Vec<Value> { (0..count).map(|n| json!(format!("v{n}"))).collect() };
    let patterns = |count: usize| -> Vec<Value> {
        (0..count)
            .map(|n| json!({"pattern": format!("(a|b)*a(a|b){{{}}}$", n % 11)}))
            .collect()
    };
    let nested = |depth: usize, leaf: Value| {
        (0..depth).fold(
            leaf,
            |inner, _| json!({"type": "array", "minItems": 2, "items": inner, "uniqueItems": true}),
        )
    };
    let wide = |leaf: &Value| {
        let fields = (0..400).map(|n| (format!("f{n}"), leaf.clone()));
        json!({"type": "object", "properties": fields.collect::<Map<_, _>>()})
    };
    let conditions: Vec<Value> = (0..14)
        .map(|n| {
            json!({"if": {"properties": {format!("k{n}"): {"const": n}}}, "then": {"required": [format!("r{n}")]}})
        })
        .collect();
    vec![
        (multiples(2, 40, "oneOf"), multiples(3, 40, "oneOf")),
        (multiples(2, 40, "anyOf"), multiples(42, 40, "oneOf")),
        (
            json!({"not": multiples(2, 30, "oneOf")}),
            json!({"not": multiples(3, 30, "oneOf")}),
        ),
        (
            json!({"enum": values(3_000)}),
            json!({"not": {"enum": values(2_999)}}),
        ),
        (
            json!({"allOf": patterns(11)}),
            json!({"anyOf": patterns(12), "maxLength": 40}),
        ),
        (
            nested(9, json!({"enum": values(40)})),
            nested(9, json!({"enum": values(39)})),
        ),
        (
            wide(&json!({"oneOf": [{"minLength": 3}, {"type": "null"}]})),
            wide(&json!({"oneOf": [{"minLength": 4}, {"type": "null"}]})),
        ),
        (json!({"allOf": conditions}), json!({"required": ["z"]})),
        (
            json!({"allOf": conditions}),
            json!({"allOf": conditions, "minProperties": 3}),
        ),
        (
            json!({"type": "array", "minItems": 500, "uniqueItems": true, "items": {"pattern": "^(a|b){9}$"}}),
            json!({"type": "array", "contains": {"pattern": "^a"}, "minContains": 400}),
        ),
    ]
}

/// After it is told to stop, a comparison asks no more than this often before it comes back.
const ASKED_AFTER_STOP_MAX: u32 = 4;

#[test]
fn nothing_works_on_after_it_was_told_to_stop() {
    for (index, (old, new)) in adversaries().into_iter().enumerate() {
        for patience in [1, 5, 20, 100] {
            let read = |schema: &Value| {
                let text = schema.to_string();
                let named = Named {
                    name: "schema",
                    text: &text,
                };
                Schema::read(named, &[], Draft::Twenty).unwrap()
            };
            let (writer, reader) = (read(&old), read(&new));
            let asked = Cell::new(0);
            let keep_going = || {
                asked.set(asked.get() + 1);
                asked.get() <= patience
            };
            let reasons = compare(&writer, &reader, OpenContent::Exact, &keep_going);
            assert!(
                asked.get() <= patience + ASKED_AFTER_STOP_MAX,
                "pair {index}: asked {} times, of {patience}",
                asked.get()
            );
            // Each of them takes work, so each of them asks; the lists of pair 3 take least.
            if index != 3 || patience <= 5 {
                assert!(
                    asked.get() > patience,
                    "pair {index}: asked {} times",
                    asked.get()
                );
            }
            if asked.get() > patience {
                let shown = reasons.iter().any(|reason| reason.witness.is_some());
                assert!(
                    !reasons.is_empty(),
                    "pair {index}: a yes that was not proved"
                );
                assert!(
                    shown || reasons.iter().any(|reason| reason.code == "effort-spent"),
                    "pair {index}: {reasons:?}"
                );
            }
        }
    }
}

/// Says how long each adversary is silent at most: between two questions whether to go on.
#[test]
#[ignore = "it measures time, for people to look at"]
#[allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::allow_attributes,
    reason = "what was measured is shown"
)]
fn the_longest_silence() {
    for (index, (old, new)) in adversaries().into_iter().enumerate() {
        let read = |schema: &Value| {
            let text = schema.to_string();
            let named = Named {
                name: "schema",
                text: &text,
            };
            Schema::read(named, &[], Draft::Twenty).unwrap()
        };
        let (writer, reader) = (read(&old), read(&new));
        let start = std::time::Instant::now();
        let last = Cell::new(start);
        let longest = Cell::new(std::time::Duration::ZERO);
        let asked = Cell::new(0);
        let keep_going = || {
            longest.set(longest.get().max(last.get().elapsed()));
            last.set(std::time::Instant::now());
            asked.set(asked.get() + 1);
            true
        };
        let reasons = compare(&writer, &reader, OpenContent::Exact, &keep_going);
        println!(
            "pair {index}: {:?} in all, asked {} times, silent for {:?} at most, {:?} at its end; {:?}",
            start.elapsed(),
            asked.get(),
            longest.get(),
            last.get().elapsed(),
            reasons.iter().map(|one| one.code).collect::<Vec<_>>()
        );
    }
}
