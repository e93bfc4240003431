//! Events whose schema is Avro or Protobuf: as JSON, and in the schema's own encoding; rules and older versions.

mod rules;

use std::sync::Arc;

use tidegate_base::{Envelope, Timestamp};
use tidegate_broker::{Broker, MemoryBroker};
use tidegate_model::{SchemaPath, Source};
use tidegate_runtime::{PublishError, Runtime, Settings, TokioClock};

use crate::support::Script;

const DESIGN: &str = "
tidegate: 1
system: shop
events:
  Paid: {schema: paid.avsc, key: /orderId}
  Sent: {schema: 'sent.proto#Sent', key: /orderId}
services:
  orders: {publishes: [Paid, Sent]}
  billing: {consumes: {Paid: {}, Sent: {}}}
";

fn schema_text(path: &SchemaPath) -> Result<String, String> {
    match path.written.as_str() {
        "paid.avsc" => Ok(r#"{"type": "record", "name": "Paid", "fields": [
            {"name": "orderId", "type": "string"}, {"name": "cents", "type": ["null", "long"]}]}"#
            .to_owned()),
        "sent.proto" => Ok("syntax = \"proto3\"; import \"part.proto\"; message Sent { string order_id = 1; Part part = 2; }".to_owned()),
        "part.proto" => Ok("syntax = \"proto3\"; message Part { int32 count = 1; }".to_owned()),
        other => Err(other.to_owned()),
    }
}

async fn runtime() -> Runtime {
    let source = Source {
        name: Arc::from("design.yaml"),
        text: DESIGN.to_owned(),
    };
    let design = tidegate_model::read(&[source], &schema_text)
        .design
        .unwrap();
    let broker: Arc<dyn Broker> = Arc::new(MemoryBroker::new());
    let clock = TokioClock::starting_at(Timestamp::from_millis(1_700_000_000_000));
    let caller = Arc::new(Script::default());
    Runtime::start(
        &design,
        broker,
        caller,
        Arc::new(clock),
        Settings::default(),
    )
    .await
    .unwrap()
}

fn event(kind: &str, media: Option<&str>, data: &[u8]) -> Envelope {
    let mut attributes = vec![
        ("id".to_owned(), "1".to_owned()),
        ("source".to_owned(), "/shop".to_owned()),
        ("type".to_owned(), kind.to_owned()),
        ("specversion".to_owned(), "1.0".to_owned()),
    ];
    attributes.extend(media.map(|media| ("datacontenttype".to_owned(), media.to_owned())));
    Envelope::from_attributes(attributes, Some(data.to_vec().into()))
}

async fn said(runtime: &Runtime, event: Envelope) -> String {
    match runtime.publish(vec![event]).await {
        Ok(accepted) => {
            let sequences: Vec<u64> = accepted.iter().map(|one| one.sequence).collect();
            format!("stored as {sequences:?}")
        }
        Err(PublishError::Invalid { problem, .. }) => problem.to_string(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_is_held_against_its_schema_in_every_encoding() {
    let runtime = runtime().await;
    let events = [
        event("Paid", None, br#"{"orderId": "o1", "cents": {"long": 5}}"#),
        event("Paid", None, br#"{"orderId": "o1", "cents": 5}"#),
        event("Paid", Some("avro/binary"), &[4, b'o', b'1', 2, 10]),
        event("Paid", Some("avro/binary"), &[4, b'o', b'1', 6, 10]),
        event("Paid", Some("avro/binary"), &[4, b'o']),
        event(
            "Paid",
            Some("application/protobuf"),
            &[4, b'o', b'1', 2, 10],
        ),
        event("Sent", None, br#"{"orderId": "o1", "part": {"count": 2}}"#),
        event(
            "Sent",
            None,
            br#"{"orderId": "o1", "part": {"count": "many"}}"#,
        ),
        event(
            "Sent",
            Some("application/protobuf"),
            &[0x0a, 2, b'o', b'1', 0x12, 2, 8, 2],
        ),
        event("Sent", Some("application/x-protobuf"), &[0x0a, 200]),
        event("Sent", Some("application/protobuf"), &[0x12, 2, 8, 2]),
        event("Sent", Some("text/plain"), b"o1"),
    ];
    let mut all = Vec::new();
    for event in events {
        all.push(said(&runtime, event).await);
    }
    insta::assert_snapshot!(all.join("\n"), @r###"
stored as [0]
the payload does not keep its schema: a union is written null or {"branch": value}; the branches are null, long at /cents
stored as [0]
the payload does not keep its schema: the union has no branch 3 at /cents
the payload does not keep its schema: the bytes end within the value at /orderId
the payload is neither JSON nor, by its media type, avro/binary
stored as [0]
the payload does not keep its schema: invalid digit found in string at /part/count
stored as [0]
the payload does not keep its schema: failed to decode Protobuf message: invalid varint at the root
the key at `/orderId` is absent
the payload is neither JSON nor, by its media type, application/protobuf
"###);
}
