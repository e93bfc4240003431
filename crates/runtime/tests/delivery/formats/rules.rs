//! Rules of the design are kept by what comes in; older versions of a schema are taken too.

use serde_json::{Value, json};
use tidegate_base::Envelope;
use tidegate_runtime::{PublishError, Settings};

use crate::support::World;

const DESIGN: &str = r"
tidegate: 1
system: shop
events:
  Sold:
    version: v2
    versions: {v1: {schema: {type: object, required: [id], properties: {id: {type: string}, sum: {type: number}}, additionalProperties: false}}}
    schema: {type: object, required: [id, total], properties: {id: {type: string}, total: {type: number}}, additionalProperties: false}
    rules:
      - {rule: '!has(event.total) || event.total > 0.0', because: a refund is another event}
      - attributes.source.startsWith('/shops/')
      - event.id.size() < 20
  Noted: {rules: ['event.text.size() > 1']}
services:
  shop: {publishes: [Sold, Noted]}
  books: {consumes: {Sold: {}, Noted: {}}}
";

async fn said(world: &World, kind: &str, source: &str, data: Value) -> String {
    let event = json!({
        "specversion": "1.0", "id": data.to_string(), "source": source, "type": kind, "data": data,
    });
    let event = Envelope::from_value(event).unwrap();
    match world.runtime.publish(vec![event]).await {
        Ok(_) => "stored".to_owned(),
        Err(PublishError::Invalid { problem, .. }) => problem.to_string(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_breaks_a_rule_is_refused_with_the_rule_and_its_reason() {
    let world = World::with(DESIGN, Settings::default()).await;
    let sold = |total: f64| json!({"id": "a", "total": total});
    assert_eq!(said(&world, "Sold", "/shops/1", sold(1.0)).await, "stored");
    insta::assert_snapshot!(
        said(&world, "Sold", "/shops/1", sold(-1.0)).await,
        @"the event breaks the rule `!has(event.total) || event.total > 0.0`; a refund is another event"
    );
    insta::assert_snapshot!(
        said(&world, "Sold", "/stores/1", sold(2.0)).await,
        @"the event breaks the rule `attributes.source.startsWith('/shops/')`"
    );
    // Without a schema, a rule finds out itself what is there.
    assert_eq!(
        said(&world, "Noted", "/shops/1", json!({"text": "it is"})).await,
        "stored"
    );
    insta::assert_snapshot!(
        said(&world, "Noted", "/shops/1", json!({"n": 1})).await,
        @"the event breaks the rule `event.text.size() > 1`: the event has no `text`"
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_of_an_older_version_is_taken_and_keeps_the_rules() {
    let world = World::with(DESIGN, Settings::default()).await;
    assert_eq!(
        said(&world, "Sold", "/shops/1", json!({"id": "a", "sum": 1})).await,
        "stored"
    );
    // What fits no version is told of the newest.
    insta::assert_snapshot!(
        said(&world, "Sold", "/shops/1", json!({"id": "a", "sum": "1"})).await,
        @r#"the payload does not keep its schema: "total" is a required property at the root"#
    );
    let long = json!({"id": "a".repeat(20)});
    insta::assert_snapshot!(
        said(&world, "Sold", "/shops/1", long).await,
        @"the event breaks the rule `event.id.size() < 20`"
    );
}
