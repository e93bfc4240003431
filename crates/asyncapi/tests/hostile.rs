//! Nothing that stands in a document makes a panic, and nothing is read outside of the bundle.

#![cfg(test)]

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tidegate_asyncapi::{Bundle, files_referred_to, import, rabbitmq, validate};
use tidegate_base::Name;
use tidegate_model::Source;

fn source(text: String) -> Source {
    Source {
        name: "hostile.yaml".into(),
        text,
    }
}

/// Reads, validates and imports a text in every way.
fn survives(text: String) {
    let source = source(text);
    assert!(files_referred_to(&source).len() <= source.text.len());
    let queues = rabbitmq::import(&source, &Name::new("any").unwrap());
    assert!(queues.design.is_object());
    let bundle = Bundle::read(&[source], &[]);
    let findings = validate(&bundle);
    assert!(findings.len() <= 1_001);
    assert!(import(&bundle, None).design.is_object());
}

const REFERENCES: &[&str] = &[
    "#",
    "#/channels/a",
    "#/components/messages/a",
    "#/channels/a/messages/a",
    "#/x",
    "x.yaml",
    "https://x.example/y",
    "",
    "#/components/schemas/a",
    "#/%zz",
    "#/~2",
];

/// Keys that mean something.
const KEYS: &[&str] = &[
    "a",
    "b",
    "$ref",
    "asyncapi",
    "info",
    "title",
    "channels",
    "messages",
    "operations",
    "action",
    "channel",
    "payload",
    "headers",
    "schema",
    "schemaFormat",
    "traits",
    "reply",
    "address",
    "parameters",
    "location",
    "components",
    "schemas",
    "examples",
    "default",
    "type",
    "oneOf",
    "allOf",
    "properties",
    "required",
    "enum",
    "bindings",
    "kafka",
    "servers",
    "x-retry",
    "x-dead-letter",
    "x-delivery",
    "x-breaker",
    "x-schema-file",
    "minimum",
    "items",
    "definitions",
    "queues",
    "exchanges",
    "policies",
    "arguments",
    "name",
    "publish",
    "message",
    "security",
    "tags",
];

/// Keys and references that mean something, and values that do not fit them.
fn value() -> impl Strategy<Value = Value> {
    let references = prop::sample::select(REFERENCES);
    let leaf = prop_oneof![
        references.prop_map(|target| json!({"$ref": target})),
        prop::sample::select(vec![
            json!(null),
            json!(true),
            json!(-1),
            json!(1e300),
            json!(""),
            json!("a"),
            json!("{a}"),
            json!("P1D"),
            json!("$message.payload#/a"),
            json!("$message.header#"),
            json!("kafka"),
            json!("receive"),
            json!([]),
        ]),
    ];
    let keys = prop::sample::select(KEYS);
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec((keys.clone(), inner.clone()), 0..6).prop_map(|entries| {
                Value::Object(
                    entries
                        .into_iter()
                        .map(|(k, v)| (k.to_owned(), v))
                        .collect(),
                )
            }),
            prop::collection::vec(inner, 0..4).prop_map(Value::Array),
        ]
    })
}

/// A document with such values where a document has something.
fn document() -> impl Strategy<Value = Value> {
    let versions = prop::sample::select(vec!["3.0.0", "3.1.0", "2.6.0", "2.0.0"]);
    (versions, prop::collection::vec(value(), 8)).prop_map(|(version, parts)| {
        let mut parts = parts.into_iter();
        let mut next = || parts.next().unwrap_or_default();
        let mut document = Map::new();
        document.insert("asyncapi".into(), json!(version));
        document.insert("info".into(), next());
        document.insert("channels".into(), json!({"a": {"address": "a", "messages": {"a": next(), "b": {"payload": next()}}, "publish": next(), "b": next()}}));
        document.insert("operations".into(), json!({"a": {"action": "receive", "channel": {"$ref": "#/channels/a"}, "x-retry": next()}, "b": next()}));
        document.insert("components".into(), json!({"messages": {"a": {"payload": {"$ref": "#/components/schemas/a"}}}, "schemas": {"a": next()}}));
        Value::Object(document)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_is_survived(text in ".{0,200}") {
        survives(text);
    }

    #[test]
    fn any_document_is_survived(document in document()) {
        survives(document.to_string());
    }

    #[test]
    fn any_value_is_survived(value in value()) {
        survives(value.to_string());
    }
}

#[test]
fn what_nests_or_grows_without_end_is_refused() {
    survives("[".repeat(100_000));
    survives(format!("{}1{}", "{\"a\":".repeat(1_000), "}".repeat(1_000)));
    survives("a: &a [*a]\n".to_owned());
    let mut text = String::from(
        "asyncapi: 3.0.0\ninfo: {title: a, version: '1'}\nchannels: {}\ncomponents: {schemas: {\n",
    );
    for n in 0..2_000 {
        text.push_str(&format!("s{n}: {{allOf: [{{$ref: '#/components/schemas/s{}'}}, {{$ref: '#/components/schemas/s{}'}}]}},\n", n + 1, n + 2));
    }
    text.push_str("}, messages: {m: {payload: {$ref: '#/components/schemas/s0'}}}}\n");
    survives(text);
}
