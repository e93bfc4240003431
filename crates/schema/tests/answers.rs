//! What a schema says of payloads and of fields.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop there"
)]

use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_schema::{Compiled, Declared, Outline, locate};

fn compile(schema: &Value) -> Compiled {
    Compiled::json_schema(&schema.to_string()).unwrap()
}

fn order() -> Compiled {
    compile(&json!({
        "$defs": {
            "money": {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]},
            "stamped": {"properties": {"at": {"type": "string"}}, "required": ["at"]},
        },
        "type": "object",
        "allOf": [{"$ref": "#/$defs/stamped"}],
        "properties": {
            "orderId": {"type": "string", "minLength": 3},
            "total": {"$ref": "#/$defs/money"},
            "refund": {"oneOf": [{"type": "null"}, {"$ref": "#/$defs/money"}]},
            "lines": {"type": "array", "items": {"properties": {"sku": {"type": "string"}}, "required": ["sku"]}},
            "a/b": {"type": "boolean"},
        },
        "required": ["orderId", "total"],
        "anyOf": [
            {"properties": {"card": {}}, "required": ["card"]},
            {"properties": {"card": {}, "iban": {}}, "required": ["iban"]},
        ],
        "patternProperties": {"^x-": {}},
    }))
}

#[test]
fn violations_say_where_and_what_without_the_values() {
    let payload = json!({"orderId": "1", "total": {"amount": "secret-9"}, "at": 5, "iban": "x"});
    let said: Vec<_> = order()
        .validate(&payload)
        .iter()
        .map(|v| format!("{:?} {:?}: {}", v.path, v.schema_path, v.message))
        .collect();
    assert!(!said.join("").contains("secret-9"));
    assert_snapshot!(said.join("\n"), @r###"
"/orderId" "/properties/orderId/minLength": the value is shorter than 3 characters
"/total/amount" "/$defs/money/properties/amount/type": the value is not of type "integer"
"/at" "/$defs/stamped/properties/at/type": the value is not of type "string"
"###);
}

#[test]
fn fields_are_declared_and_required_through_references_and_alternatives() {
    let order = order();
    let fields = [
        "orderId",
        "total",
        "/total/amount",
        "at",
        "refund",
        "/refund/amount",
        "card",
        "iban",
        "/lines/0/sku",
        "/a~1b",
        "x-trace",
        "total.amount",
    ];
    let said: Vec<_> = fields
        .iter()
        .map(|f| {
            format!(
                "{f}: declared {:?}, required {:?}",
                order.declares(f),
                order.requires(f)
            )
        })
        .collect();
    assert_snapshot!(said.join("\n"), @r###"
orderId: declared Yes, required Yes
total: declared Yes, required Yes
/total/amount: declared Yes, required Yes
at: declared Yes, required Yes
refund: declared Yes, required No
/refund/amount: declared Unknown, required No
card: declared Yes, required Unknown
iban: declared Unknown, required Unknown
/lines/0/sku: declared Yes, required No
/a~1b: declared Yes, required No
x-trace: declared Unknown, required No
total.amount: declared Unknown, required No
"###);
    assert_eq!(order.required_fields(), ["orderId", "total", "at"]);
    assert_eq!(
        order.declared_fields(),
        ["orderId", "total", "refund", "lines", "a/b", "at"]
    );
}

#[test]
fn what_cannot_be_told_is_unknown() {
    let unknown = |schema: Value| compile(&schema).declares("a");
    assert_eq!(
        unknown(
            json!({"$anchor": "x", "allOf": [{"$ref": "#y"}], "$defs": {"y": {"$anchor": "y"}}})
        ),
        Declared::Unknown
    );
    assert_eq!(
        unknown(json!({"anyOf": [{"properties": {"a": {}}}, {}]})),
        Declared::Unknown
    );
    assert_eq!(
        unknown(json!({"additionalProperties": {"type": "string"}})),
        Declared::Unknown
    );
    assert_eq!(
        unknown(json!({"additionalProperties": false})),
        Declared::No
    );
    assert_eq!(unknown(json!(true)), Declared::No);
    let nullable = json!({"properties": {"a": {"type": ["object", "null"], "required": ["b"]}}, "required": ["a"]});
    assert_eq!(compile(&nullable).requires("/a/b"), Declared::Unknown);
}

#[test]
fn errors_name_the_place_inside_the_schema() {
    let said = |text: &str| {
        let error = Compiled::json_schema(text).unwrap_err();
        let place = error.pointer().and_then(|pointer| locate(text, pointer));
        format!("{error} {:?}", place.map(|p| (p.line, p.column, p.length)))
    };
    let texts = [
        "{\n \"properties\": {\n  \"a\": {\"type\": \"strnig\"}}}",
        "{\n \"properties\": {\n  \"a\": {\"pattern\": \"(\"}}}",
        "{\"required\": \"a\"}",
        "{\"properties\": {\"é\": {},\n \"b\": {\"$ref\": \"#/$defs/none\"}}}",
        "{\"allOf\": [{}, {\"$ref\": \"#nowhere\"}]}",
        "{\"a\": \n ]",
        "17",
        "",
    ];
    assert_snapshot!(texts.map(said).join("\n"), @r###"
"strnig" is not a type: write array, boolean, integer, null, number, object or string at `/properties/a/type` Some((3, 9, 6))
"(" is not a regular expression, or too large a one at `/properties/a/pattern` Some((3, 9, 9))
"a" is not of type "array" at `/required` Some((1, 2, 10))
reference `#/$defs/none` at `/properties/b/$ref` leads nowhere inside the schema Some((2, 8, 6))
reference `#nowhere` at `/allOf/1/$ref` leads nowhere inside the schema Some((1, 17, 6))
the schema is not JSON: expected value at line 2 column 2 None
17 is not of types "boolean", "object" at `` Some((1, 1, 1))
the schema is not JSON: EOF while parsing a value at line 1 column 0 None
"###);
}

#[test]
fn the_draft_is_the_one_that_the_schema_names() {
    let tuple = |draft: &str| {
        let schema = json!({"$schema": draft, "items": [{"type": "integer"}]});
        Compiled::json_schema(&schema.to_string()).map(|c| c.validate(&json!(["x"])).len())
    };
    assert_eq!(tuple("http://json-schema.org/draft-07/schema#").unwrap(), 1);
    assert!(tuple("https://json-schema.org/draft/2020-12/schema").is_err());
    // An unknown dialect is read as the newest draft: nothing is fetched to learn it.
    assert!(tuple("https://example.com/dialect").is_err());
}

fn any_json() -> impl Strategy<Value = Value> {
    let names = || {
        prop::sample::select(vec![
            "a",
            "b",
            "properties",
            "required",
            "$ref",
            "allOf",
            "anyOf",
            "not",
            "if",
            "then",
            "items",
            "type",
            "$defs",
            "const",
            "$id",
            "$anchor",
            "dependentSchemas",
            "pattern",
        ])
    };
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-3..3_i64).prop_map(Value::from),
        prop::sample::select(vec![
            "a",
            "#",
            "#/$defs/a",
            "#/properties/b",
            "object",
            "(",
            "#a"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(names().prop_map(str::to_owned), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Schemas of objects with the fields `a` and `b`, required here and there, through all that the
/// answers follow.
fn any_object_schema() -> impl Strategy<Value = Value> {
    let required = || prop::sample::subsequence(vec!["a", "b"], 0..=2);
    let leaf = prop_oneof![
        required().prop_map(|names| json!({"required": names})),
        Just(json!({"$ref": "#/$defs/d"})),
        Just(json!({"type": "object"})),
        Just(json!({"type": ["object", "null"]})),
        Just(json!(true)),
    ];
    let schema = leaf.prop_recursive(4, 24, 3, move |inner| {
        let list = || prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            (inner.clone(), inner.clone(), required()).prop_map(
                |(a, b, names)| json!({"properties": {"a": a, "b": b}, "required": names})
            ),
            list().prop_map(|parts| json!({"allOf": parts})),
            list().prop_map(|parts| json!({"anyOf": parts})),
            list().prop_map(|parts| json!({"oneOf": parts})),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| json!({"if": a, "then": b, "else": c})),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"if": a, "then": b})),
            inner.clone().prop_map(|a| json!({"not": a})),
        ]
    });
    (schema.clone(), schema).prop_map(|(root, definition)| match root {
        Value::Object(mut root) => {
            root.insert("$defs".to_owned(), json!({"d": definition}));
            Value::Object(root)
        }
        other => other,
    })
}

fn any_object() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(json!(null)), Just(json!(1)), Just(json!({}))];
    leaf.prop_recursive(2, 8, 2, |inner| {
        prop::collection::btree_map(prop::sample::select(vec!["a", "b"]), inner, 0..3)
            .prop_map(|map| json!(map))
    })
    .prop_filter("an object", Value::is_object)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_schema_and_no_payload_panics(schema in any_json(), payload in any_json()) {
        let text = schema.to_string();
        prop_assert_eq!(Outline::json_schema(&text).err(), Compiled::json_schema(&text).err());
        if let Ok(compiled) = Compiled::json_schema(&schema.to_string()) {
            for violation in compiled.validate(&payload) {
                prop_assert!(payload.pointer(&violation.path).is_some(), "{violation:?}");
            }
            for field in ["a", "/a/b", "/a/0", "/"] {
                let _ = (compiled.declares(field), compiled.requires(field));
            }
        }
    }

    /// The answers hold of payloads: without a required field, none fits.
    #[test]
    fn a_payload_without_a_required_field_never_fits(schema in any_object_schema(), payload in any_object()) {
        let text = schema.to_string();
        prop_assert_eq!(Outline::json_schema(&text).err(), Compiled::json_schema(&text).err());
        let Ok(compiled) = Compiled::json_schema(&schema.to_string()) else { return Ok(()) };
        for field in ["/a", "/b", "/a/a", "/a/b"] {
            if compiled.requires(field) == Declared::Yes && payload.pointer(field).is_none() {
                // Names below a value that is no object are required of objects alone.
                let parent = field.rsplit_once('/').and_then(|(parent, _)| payload.pointer(parent));
                if parent.is_none_or(Value::is_object) {
                    prop_assert!(!compiled.validate(&payload).is_empty(), "{field}");
                }
            }
        }
    }

    #[test]
    fn every_pointer_of_a_text_is_located_at_its_name(value in any_json()) {
        let text = format!("{value:#}");
        let mut waiting = vec![(String::new(), &value)];
        while let Some((pointer, value)) = waiting.pop() {
            let place = locate(&text, &pointer);
            prop_assert!(place.is_some(), "{pointer} in {text}");
            if let (Some(place), Some(name)) = (place, pointer.rsplit('/').next())
                && name.parse::<usize>().is_err() && !pointer.is_empty()
            {
                let line = text.lines().nth(place.line as usize - 1).unwrap();
                let there: String = line.chars().skip(place.column as usize - 1).take(place.length as usize).collect();
                prop_assert_eq!(there, format!("\"{name}\""));
            }
            match value {
                Value::Object(map) => waiting.extend(map.iter().map(|(n, v)| (format!("{pointer}/{n}"), v))),
                Value::Array(list) => waiting.extend(list.iter().enumerate().map(|(i, v)| (format!("{pointer}/{i}"), v))),
                _ => {}
            }
        }
    }

    #[test]
    fn locating_never_panics(text in ".{0,40}", pointer in "(/[a0~]{0,2}){0,3}") {
        if let Some(place) = locate(&text, &pointer) {
            prop_assert!(place.line >= 1 && place.column >= 1 && place.length >= 1);
        }
    }
}
