//! Schemas and payloads that were made to hurt: compiling and judging stay bounded.

#![cfg(test)]

use serde_json::{Value, json};
use tidegate_base::limit::{SCHEMA_BYTES_MAX, VIOLATIONS_MAX};
use tidegate_schema::{Compiled, SchemaError};

fn compile(schema: &Value) -> Result<Compiled, SchemaError> {
    Compiled::json_schema(&schema.to_string())
}

fn nested(depth: usize, name: &str, leaf: Value) -> Value {
    (0..depth).fold(leaf, |value, _| json!({name: value}))
}

#[test]
fn a_schema_that_applies_itself_without_end_is_refused() {
    for endless in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"not": {"$ref": "#/$defs/a"}}}}),
        json!({"if": {"anyOf": [{"$ref": "#"}]}}),
    ] {
        let refused = compile(&endless).unwrap_err();
        assert!(
            matches!(refused, SchemaError::Endless { .. }),
            "{endless}: {refused}"
        );
    }
}

#[test]
fn doubling_references_are_refused_before_any_payload_comes() {
    let level = |n: usize| {
        let next = format!("#/$defs/d{}", n + 1);
        (
            format!("d{n}"),
            json!({"allOf": [{"$ref": next}, {"$ref": next}]}),
        )
    };
    let mut definitions: serde_json::Map<_, _> = (0..60).map(level).collect();
    definitions.insert("d60".into(), json!({"type": "object"}));
    let refused = compile(&json!({"$ref": "#/$defs/d0", "$defs": definitions})).unwrap_err();
    assert!(matches!(refused, SchemaError::Fanout { .. }), "{refused}");
}

#[test]
fn a_recursive_schema_judges_a_deep_payload() {
    let tree = json!({
        "type": "object",
        "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}, "value": {"type": "integer"}},
        "required": ["value"],
    });
    let compiled = compile(&tree).unwrap();
    assert_eq!(
        compiled.validate(&json!({"value": 1, "left": {"value": 2}})),
        []
    );
    let deep = nested(120, "left", json!({"value": "x"}));
    let violations = compiled.validate(&deep);
    assert_eq!(violations.len(), VIOLATIONS_MAX);
}

#[test]
fn alternatives_that_recurse_do_not_explode() {
    for keyword in ["anyOf", "oneOf", "allOf"] {
        let branch = |n: u32| json!({"properties": {"x": {"$ref": "#"}}, "minProperties": n});
        let schema = json!({
            "type": "object",
            keyword: [branch(0), branch(1), {"properties": {"x": {"$ref": "#"}}}],
        });
        let compiled = compile(&schema).unwrap();
        let violations = compiled.validate(&nested(100, "x", json!("not an object")));
        assert!(violations.len() <= VIOLATIONS_MAX);
        assert!(!violations.is_empty());
    }
}

#[test]
fn a_long_chain_of_references_neither_overflows_nor_hangs() {
    for child in [true, false] {
        let link = |n: usize| {
            let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
            let schema = if child {
                json!({"properties": {"x": next}})
            } else {
                next
            };
            (format!("d{n}"), schema)
        };
        let mut definitions: serde_json::Map<_, _> = (0..3_000).map(link).collect();
        definitions.insert("d3000".into(), json!({"type": "object"}));
        let schema = json!({"$ref": "#/$defs/d0", "$defs": definitions});
        let judged = compile(&schema).map(|compiled| compiled.validate(&json!({})).len());
        assert!(
            matches!(judged, Ok(0) | Err(SchemaError::Fanout { .. })),
            "{judged:?}"
        );
    }
}

#[test]
fn size_depth_and_patterns_are_bounded() {
    let large = format!("{{\"description\": \"{}\"}}", "x".repeat(SCHEMA_BYTES_MAX));
    assert_eq!(
        Compiled::json_schema(&large).unwrap_err(),
        SchemaError::Large(large.len())
    );
    let deep = "{\"not\":".repeat(10_000);
    assert!(matches!(
        Compiled::json_schema(&deep),
        Err(SchemaError::Syntax { .. })
    ));
    let wide: Vec<_> = (0..20_000).map(|n| json!({"const": n})).collect();
    assert!(matches!(
        compile(&json!({"anyOf": wide})),
        Err(SchemaError::Fanout { .. })
    ));
    let greedy = compile(&json!({"pattern": "^((a{1,900}){1,900}){1,900}$"}));
    assert!(
        matches!(greedy, Err(SchemaError::Keyword { .. })),
        "{greedy:?}"
    );
    let evil = compile(&json!({"pattern": "^(a+)+$"})).unwrap();
    assert_eq!(
        evil.validate(&json!(format!("{}b", "a".repeat(100_000))))
            .len(),
        1
    );
}

#[test]
fn nothing_is_fetched() {
    for outside in [
        "https://example.com/a.json",
        "file:///etc/passwd",
        "other.json#/a",
    ] {
        let refused = compile(&json!({"properties": {"a": {"$ref": outside}}})).unwrap_err();
        let SchemaError::Reference { pointer, reference } = &refused else {
            panic!("{refused:?}")
        };
        assert_eq!(
            (pointer.as_str(), reference.as_str()),
            ("/properties/a/$ref", outside)
        );
    }
}

/// Threads of a server have 2 MiB of stack.
#[test]
fn the_deepest_chain_on_the_deepest_payload_fits_a_small_stack() {
    let chain = |length: usize| {
        let link = |n: usize| {
            (
                format!("d{n}"),
                json!({"$ref": format!("#/$defs/d{}", n + 1)}),
            )
        };
        let mut definitions: serde_json::Map<_, _> = (0..length).map(link).collect();
        let last = json!({"allOf": [{"properties": {"x": {"$ref": "#/$defs/d0"}}}]});
        definitions.insert(format!("d{length}"), last);
        json!({"$ref": "#/$defs/d0", "$defs": definitions})
    };
    let longest = (1..300)
        .rev()
        .find(|length| compile(&chain(*length)).is_ok())
        .unwrap();
    assert_eq!(longest, 21);
    let judge = move || {
        for length in [2, 5, longest] {
            let compiled = compile(&chain(length)).unwrap();
            for depth in 1..126 {
                let violations = compiled.validate(&nested(depth, "x", json!(1)));
                // The root, the first link and the part of `allOf` are three more.
                let fits = (depth + 1) * (length + 3) <= 768;
                assert_eq!(
                    violations.is_empty(),
                    fits,
                    "{length} {depth} {violations:?}"
                );
            }
        }
    };
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(judge)
        .unwrap()
        .join()
        .unwrap();
}

/// What leads as deep as a payload goes: by what stands in the schema, no end is seen.
fn bottomless() -> Vec<Value> {
    let x = |reference: &str| json!({"x": {"$ref": reference}});
    let (core, it) = ("https://json-schema.org/draft", "https://example.com/it");
    let sub = json!({"$id": "https://example.com/sub", "properties": x("#")});
    vec![
        json!({"properties": x("#")}),
        json!({"additionalProperties": {"$ref": "#/$defs/a"}, "$defs": {"a": {"additionalProperties": {"$ref": "#"}}}}),
        json!({"$anchor": "root", "properties": x("#root")}),
        json!({"$dynamicAnchor": "root", "properties": {"x": {"$dynamicRef": "#root"}}}),
        json!({"$id": it, "properties": x(it)}),
        json!({"$id": it, "properties": x("it")}),
        json!({"$schema": format!("{core}/2019-09/schema"), "$recursiveAnchor": true,
            "properties": {"x": {"$recursiveRef": "#"}}}),
        json!({"properties": {"x": sub}}),
        json!({"$ref": "#/x-more/examples/0", "x-more": {"examples": [{"properties": x("#/x-more/examples/0")}]}}),
        json!({"properties": {"default": {"$ref": "#"}, "enum": {"$ref": "#"}, "x": {"$ref": "#"}}}),
        json!({"$ref": format!("{core}/2020-12/schema")}),
    ]
}

/// Where the schema bounds the walk, the payload is not measured; where it does not, it is.
fn judge_what_is_deep(deep: &Value, twice: &Value) {
    let said = |schema: &Value, payload: &Value| {
        let compiled = compile(schema).unwrap();
        let violations = compiled.validate(payload);
        assert_eq!(compiled.accepts(payload), violations.is_empty(), "{schema}");
        violations
            .into_iter()
            .map(|v| v.message)
            .collect::<String>()
    };
    for schema in bottomless() {
        assert!(said(&schema, deep).contains("too deep"), "{schema}");
    }
    assert!(said(&json!({"uniqueItems": true}), twice).contains("too deep"));
    let shallow = json!({"properties": {"x": {"type": "object"}}, "examples": [{"id": "1"}]});
    assert_eq!(said(&shallow, deep), "", "the schema looks no deeper");
    let shut = json!({"properties": {"x": {"properties": {"x": {"maxProperties": 0}}}}});
    assert!(said(&shut, deep).contains("too deep"));
    assert!(said(&json!({"const": {"x": {"x": 1}}}), deep).contains("too deep"));
}

#[test]
fn a_payload_of_any_depth_fits_a_small_stack() {
    let stack = |mib: usize| std::thread::Builder::new().stack_size(mib << 20);
    let make_and_judge = move || {
        let deep = (0..20_000).fold(json!({}), |value, _| {
            Value::Object([("x".to_owned(), value)].into_iter().collect())
        });
        let twice = json!([deep.clone(), deep.clone()]);
        std::thread::scope(|scope| {
            let judging = stack(2).spawn_scoped(scope, || judge_what_is_deep(&deep, &twice));
            judging.unwrap().join().unwrap();
        });
    };
    stack(512).spawn(make_and_judge).unwrap().join().unwrap();
}

#[test]
fn a_schema_is_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&compile(&json!({"type": "object"})).unwrap());
}
