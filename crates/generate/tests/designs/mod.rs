//! Designs to generate from: written ones, and any.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tidegate_model::{Design, Source};

/// A small shop with every kind of schema that stays within one file.
pub(crate) const SHOP: &str = r##"
tidegate: 1
system: shop
processes:
  checkout: {owner: retail, criticality: high, steps: [orders, billing]}
events:
  OrderPlaced:
    type: com.example.order-placed
    summary: 'A customer''s order was accepted: "new".'
    owner: team-orders
    schema:
      type: object
      required: [orderId, total]
      properties:
        orderId: {$ref: '#/$defs/id'}
        total: {type: number, minimum: 0}
        $ref: {type: string, enum: ['#/not-a-reference']}
      $defs:
        id: {type: string, minLength: 1}
    key: /orderId
    compatibility: backward-transitive
    retention: 30d
    retention-size: 10GB
    targets: {rate: 2000/s, peak: 10000/s, p99: 250ms, size: 1KiB}
  PaymentTaken:
    key: /orderId
    cleanup-policy: compact
    schema:
      type: object
      properties: {orderId: {$ref: '#/$defs/id', description: The order., minLength: 3}}
      $defs: {id: {type: string}}
      unevaluatedProperties: false
  ParcelSent: {schema: parcel.avsc}
  Audited: {schema: 'audited.proto#Audited'}
services:
  orders: {summary: Takes orders., owner: team-orders, publishes: [OrderPlaced, Audited]}
  billing:
    publishes: [PaymentTaken]
    consumes:
      OrderPlaced:
        requires: [orderId]
        deliver: {to: 'http://localhost:9001/events', concurrency: 16, timeout: 5s, handler-time: 40ms}
        guarantee: deduplicated
        needs: [payments-api]
        retry: {backoff: exponential, initial: 100ms, max: 30s, jitter: full, attempts: 8, budget: 20%, age: 1h}
        dead-letter: {owner: team-billing, retention: 60d}
        objective: 30s
  shipping:
    publishes: [ParcelSent]
    consumes:
      PaymentTaken: {order: none, dead-letter: {owner: team-shipping}}
dependencies:
  payments-api: {owner: team-billing, breaker: {failure-rate: 50%, open: 10s}}
"##;

/// Reads a design; its schema files are these.
pub(crate) fn read(text: &str) -> Design {
    let file = Source {
        name: "design.yaml".into(),
        text: text.to_owned(),
    };
    let schema = |path: &tidegate_model::SchemaPath| match path.written.as_str() {
        "parcel.avsc" => Ok(
            r#"{"type":"record","name":"ParcelSent","fields":[{"name":"id","type":"string"}]}"#
                .to_owned(),
        ),
        "audited.proto" => {
            Ok("syntax = \"proto3\";\nmessage Audited {\n  string who = 1;\n}\n".to_owned())
        }
        other => Err(format!("no {other}")),
    };
    let reading = tidegate_model::read(&[file], &schema);
    reading
        .design
        .unwrap_or_else(|| panic!("{:#?}", reading.findings))
}

/// Names that are easily confused with each other, with keywords and with separators.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("end".to_owned()),
        Just("a.send.b".to_owned()),
        Just("a".to_owned()),
        Just("b".to_owned()),
        Just("a-b".to_owned()),
        Just("a_b".to_owned()),
        Just("a_b_2".to_owned()),
        Just("a.b".to_owned()),
        Just("a.b.dead-letters".to_owned()),
        Just("send".to_owned()),
        Just("true".to_owned()),
        Just("1".to_owned()),
        "[a-zA-Z0-9][a-zA-Z0-9._-]{0,6}",
    ]
}

fn names(most: usize) -> impl Strategy<Value = Vec<String>> {
    proptest::collection::hash_set(name(), 1..=most).prop_map(|set| {
        let mut names: Vec<String> = set.into_iter().collect();
        names.sort();
        names
    })
}

/// Any design: `links` says who publishes, consumes and needs what.
pub(crate) fn any() -> impl Strategy<Value = Design> {
    let links = proptest::collection::vec(any_links(), 6);
    (names(6), names(6), names(3), links, ".{0,12}").prop_map(
        |(services, events, dependencies, links, text)| {
            let declared: Map<String, Value> = events
                .iter()
                .map(|name| (name.clone(), json!({"key": "/id", "summary": text})))
                .collect();
            let services: Map<String, Value> = services
                .iter()
                .zip(&links)
                .map(|(name, links)| (name.clone(), service(&events, &dependencies, *links)))
                .collect();
            let first = services.keys().next().cloned();
            let dependencies: Map<String, Value> = dependencies
                .iter()
                .map(|name| (name.clone(), json!({"owner": text})))
                .collect();
            let design = json!({
                "tidegate": 1,
                "system": "any",
                "processes": {"end": {"steps": [first]}, "a": {"owner": text, "steps": [first]}},
                "events": declared,
                "services": services,
                "dependencies": dependencies,
            });
            read(&design.to_string())
        },
    )
}

fn any_links() -> impl Strategy<Value = (u8, u8, u8, bool)> {
    (
        proptest::num::u8::ANY,
        proptest::num::u8::ANY,
        proptest::num::u8::ANY,
        proptest::bool::ANY,
    )
}

fn service(events: &[String], dependencies: &[String], links: (u8, u8, u8, bool)) -> Value {
    let (publishes, consumes, needs, dead_letter) = links;
    let chosen = |names: &[String], bits: u8| -> Vec<String> {
        let all = names.iter().enumerate();
        all.filter(|(place, _)| bits & (1 << place) != 0)
            .map(|(_, name)| name.clone())
            .collect()
    };
    let consumed: Map<String, Value> = chosen(events, consumes)
        .into_iter()
        .map(|event| {
            let mut consume = json!({"needs": chosen(dependencies, needs)});
            if dead_letter {
                consume["dead-letter"] = json!({"owner": "x"});
            }
            (event, consume)
        })
        .collect();
    json!({"publishes": chosen(events, publishes), "consumes": consumed})
}
