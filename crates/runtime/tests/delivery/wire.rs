//! Records that name their schemas in a registry of others: read, held, refused, and written.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use futures_util::future::{BoxFuture, FutureExt};
use serde_json::{Value, json};
use tidegate_base::{Envelope, Timestamp};
use tidegate_broker::{
    Append, Batch, Broker, Durability, MemoryBroker, ReadLimit, Record, StateChange,
};
use tidegate_model::{Design, SchemaPath, Source, read};
use tidegate_registry::{Body, SchemaType};
use tidegate_runtime::{
    DeadLetterFilter, FoundSchema, LettersSelection, Missing, OtherRegistry, PublishError, Runtime,
    SchemaSource, Settings, SourceError, TokioClock, WrittenError,
};
use tidegate_schema::wire::SchemaId;
use tokio::time::Instant;

use crate::support::{Script, permanent, retryable, seconds};

const DESIGN: &str = r#"
tidegate: 1
system: shop
events:
  AvroOrder:
    schema: order.avsc
    key: /id
    rules: [{rule: "event.id != 'never'", because: it is no order}]
  JsonOrder: {schema: order.json, key: /id}
  ProtoOrder: {schema: "order.proto#shop.Order", key: /orderId}
  Free: {}
services:
  shop: {publishes: [AvroOrder, JsonOrder, ProtoOrder, Free]}
  reader:
    consumes:
      AvroOrder: {deliver: {to: "http://localhost:9001/", timeout: 5s}, retry: {initial: 60s, max: 60s, jitter: none}}
      JsonOrder: {deliver: {to: "http://localhost:9001/", timeout: 5s}}
      ProtoOrder: {deliver: {to: "http://localhost:9001/", timeout: 5s}}
      Free: {deliver: {to: "http://localhost:9001/", timeout: 5s}}
  puller:
    consumes:
      AvroOrder: {deliver: {timeout: 8s}, order: none, retry: {initial: 1s, max: 1s, jitter: none}}
"#;
const AVRO: &str = r#"{"type":"record","name":"Order","namespace":"shop","fields":[
  {"name":"id","type":"string"},{"name":"count","type":"int","default":1}]}"#;
/// As a producer has it, who knows more and less.
const WRITER: &str = r#"{"type":"record","name":"Order","namespace":"shop","fields":[
  {"name":"id","type":"string"},{"name":"note","type":"string"}]}"#;
const JSON: &str = r#"{"type":"object","required":["id"],"properties":{"id":{"type":"string"}}}"#;
const PROTO: &str = r#"syntax = "proto3"; package shop; import "money.proto";
  message Unused {} message Order { string order_id = 1; base.Money total = 2; }"#;
const MONEY: &str = r#"syntax = "proto3"; package base; message Money { int64 cents = 1; }"#;

/// `{"id": "a", "note": "x"}` by [`WRITER`].
const WRITTEN: &[u8] = b"\x02a\x02x";

fn design() -> Design {
    let source = Source {
        name: Arc::from("design.yaml"),
        text: DESIGN.to_owned(),
    };
    let file = |path: &SchemaPath| match path.path().as_str() {
        "order.avsc" => Ok(AVRO.to_owned()),
        "order.json" => Ok(JSON.to_owned()),
        "order.proto" => Ok(PROTO.to_owned()),
        "money.proto" => Ok(MONEY.to_owned()),
        other => Err(format!("no file {other}")),
    };
    let reading = read(&[source], &file);
    assert!(reading.findings.is_empty(), "{:?}", reading.findings);
    reading.design.expect("the design is readable")
}

/// A registry that can be away.
#[derive(Clone, Debug, Default)]
struct Shelf {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    schemas: HashMap<SchemaId, FoundSchema>,
    subjects: BTreeMap<String, Vec<(u32, Body)>>,
    is_away: bool,
    asked: usize,
}

impl Shelf {
    fn with(schemas: &[(u32, SchemaType, &str)]) -> Self {
        let shelf = Self::default();
        for (id, schema_type, schema) in schemas {
            let body = Body {
                schema_type: *schema_type,
                schema: (*schema).to_owned(),
                ..Body::default()
            };
            let found = FoundSchema {
                body,
                used: Vec::new(),
            };
            let mut inner = shelf.inner.lock().unwrap();
            inner.schemas.insert(SchemaId::Number(*id), found);
        }
        shelf
    }

    fn goes_away(&self, is_away: bool) {
        self.inner.lock().unwrap().is_away = is_away;
    }

    fn asked(&self) -> usize {
        self.inner.lock().unwrap().asked
    }
}

impl SchemaSource for Shelf {
    fn schema(&self, id: SchemaId) -> BoxFuture<'static, Result<FoundSchema, SourceError>> {
        let mut inner = self.inner.lock().unwrap();
        inner.asked += 1;
        let found = inner.schemas.get(&id).cloned();
        let found = found.ok_or_else(|| SourceError::Refused("it has no such schema".to_owned()));
        let found = match inner.is_away {
            true => Err(SourceError::Away("no route".to_owned())),
            false => found,
        };
        async move { found }.boxed()
    }

    fn version(
        &self,
        subject: String,
        body: Body,
        missing: Missing,
    ) -> BoxFuture<'static, Result<Option<(u32, u32)>, SourceError>> {
        let mut inner = self.inner.lock().unwrap();
        let next = 100 + u32::try_from(inner.schemas.len()).unwrap();
        let versions = inner.subjects.entry(subject).or_default();
        let at = versions.iter().position(|(_, known)| *known == body);
        let at = match (at, missing) {
            (None, Missing::Leave) => return async { Ok(None) }.boxed(),
            (None, Missing::Register) => {
                versions.push((next, body.clone()));
                versions.len() - 1
            }
            (Some(at), _) => at,
        };
        let (id, _) = versions.get(at).unwrap();
        let (id, version) = (*id, u32::try_from(at + 1).unwrap());
        let used = match body.references.as_slice() {
            [] => Vec::new(),
            _ => vec![("money.proto".to_owned(), MONEY.to_owned())],
        };
        let found = FoundSchema { body, used };
        inner.schemas.insert(SchemaId::Number(id), found);
        async move { Ok(Some((id, version))) }.boxed()
    }
}

struct World {
    runtime: Runtime,
    broker: Arc<dyn Broker>,
    script: Script,
    shelf: Shelf,
}

impl World {
    async fn new(shelf: Shelf) -> Self {
        let broker = Arc::new(MemoryBroker::new());
        Self::on(shelf, broker, Script::default(), None).await
    }

    async fn on(
        shelf: Shelf,
        broker: Arc<dyn Broker>,
        script: Script,
        written: Option<Missing>,
    ) -> Self {
        let clock = Arc::new(TokioClock::starting_at(Timestamp::from_millis(
            1_700_000_000_000,
        )));
        let registry = OtherRegistry::new(Arc::new(shelf.clone()), clock.clone());
        let mut settings = Settings {
            other_registry: Some(registry.clone()),
            ..Settings::default()
        };
        if let Some(missing) = written {
            let subject = |event: &tidegate_base::Name| format!("{event}-value");
            settings.wire_ids = registry.ids(&design(), subject, missing).await.unwrap();
        }
        let caller = Arc::new(script.clone());
        let design = design();
        let runtime = Runtime::start(&design, Arc::clone(&broker), caller, clock, settings);
        Self {
            runtime: runtime.await.unwrap(),
            broker,
            script,
            shelf,
        }
    }

    /// What another client writes to a topic.
    async fn written(&self, event: &str, id: &str, more: &[(&str, &str)], payload: &[u8]) {
        let mut headers = vec![("id", id), ("source", "/others"), ("type", event)];
        headers.extend(more);
        let headers = headers.into_iter();
        let append = Append {
            channel: event.parse().unwrap(),
            key: None,
            time: Timestamp::from_millis(1_700_000_000_000),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            payload: payload.to_vec().into(),
        };
        let batch = Batch {
            appends: vec![append],
            state: StateChange::NONE,
        };
        let commit = self.broker.commit(batch, Durability::Durable);
        commit.await.unwrap();
    }

    /// What was handed to the handler, by its id.
    fn received(&self) -> Vec<(String, Envelope)> {
        let received = self.script.received().into_iter();
        received
            .map(|(_, event)| (event.id.clone(), event))
            .collect()
    }

    fn payload(&self, id: &str) -> Value {
        let received = self.received();
        let (_, event) = received.iter().find(|(found, _)| found == id).unwrap();
        assert_eq!(event.data_content_type.as_deref(), Some("application/json"));
        event.data_json().unwrap()
    }

    async fn stored(&self, event: &str) -> Record {
        let limit = ReadLimit {
            records: 10,
            bytes: usize::MAX,
        };
        let read = self.broker.read(&event.parse().unwrap(), 0, limit);
        read.await.unwrap().remove(0)
    }

    async fn letters(&self) -> Vec<(String, String)> {
        let page = self.runtime.dead_letters(DeadLetterFilter::default()).await;
        let letters = page.letters.into_iter();
        let mut letters: Vec<_> = letters.map(|one| (one.event_id, one.error)).collect();
        letters.sort();
        letters
    }
}

fn framed(id: u32, rest: &[u8]) -> Vec<u8> {
    [&[0], id.to_be_bytes().as_slice(), rest].concat()
}

fn published(event: &str, data: Value) -> Envelope {
    let text =
        json!({"specversion": "1.0", "id": "p", "source": "/shop", "type": event, "data": data});
    Envelope::from_json(text.to_string().as_bytes()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_others_write_is_handed_out_as_the_design_has_it() {
    let shelf = Shelf::with(&[
        (7, SchemaType::Avro, WRITER),
        (8, SchemaType::Json, JSON),
        (9, SchemaType::Avro, r#""string""#),
    ]);
    let world = World::new(shelf).await;
    for number in 0..20 {
        let id = number.to_string();
        world
            .written("AvroOrder", &id, &[], &framed(7, WRITTEN))
            .await;
    }
    // In a header, as newer clients name it: in base64 of the bytes.
    let beside = [("schemaid", "AAAAAAc=")];
    world.written("AvroOrder", "beside", &beside, WRITTEN).await;
    world
        .written("JsonOrder", "json", &[], &framed(8, br#"{"id": "b"}"#))
        .await;
    world
        .written("Free", "free", &[], &framed(9, b"\x04hi"))
        .await;
    let media = [("datacontenttype", "application/json")];
    world
        .written("JsonOrder", "plain", &media, br#"{"id": "c"}"#)
        .await;
    // Without a schema in the design these are just bytes.
    world
        .written("Free", "bytes", &[], &framed(4_000, b"hi"))
        .await;
    tokio::time::sleep(seconds(1)).await;
    for id in ["0", "19", "beside"] {
        assert_eq!(world.payload(id), json!({"id": "a", "count": 1}));
    }
    assert_eq!(world.payload("json"), json!({"id": "b"}));
    assert_eq!(world.payload("free"), json!("hi"));
    assert_eq!(world.payload("plain"), json!({"id": "c"}));
    let received = world.received();
    let (_, bytes) = received.iter().find(|(id, _)| id == "bytes").unwrap();
    assert_eq!(bytes.data.as_deref(), Some(&framed(4_000, b"hi")[..]));
    assert_eq!(received.len(), 25);
    assert!(
        received
            .iter()
            .all(|(_, event)| !event.extensions.contains_key("schemaid"))
    );
    assert_eq!(world.letters().await, []);
    assert_eq!(world.shelf.asked(), 4, "what was told is kept");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_a_dead_letter_and_others_go_on() {
    let shelf = Shelf::with(&[
        (7, SchemaType::Avro, WRITER),
        (8, SchemaType::Json, JSON),
        (9, SchemaType::Avro, "no schema"),
    ]);
    let world = World::new(shelf).await;
    world
        .written("AvroOrder", "1-unknown", &[], &framed(4_000, WRITTEN))
        .await;
    world
        .written("AvroOrder", "2-cut", &[], &framed(7, b"\x02"))
        .await;
    world
        .written("AvroOrder", "3-format", &[], &framed(8, b"{}"))
        .await;
    world
        .written("AvroOrder", "4-compile", &[], &framed(9, WRITTEN))
        .await;
    world.written("AvroOrder", "5-short", &[], &[0, 1]).await;
    world
        .written("AvroOrder", "6-rule", &[], &framed(7, b"\x0anever\x02x"))
        .await;
    world
        .written("JsonOrder", "7-design", &[], &framed(8, br#"{"id": 1}"#))
        .await;
    world
        .written("AvroOrder", "8-good", &[], &framed(7, WRITTEN))
        .await;
    tokio::time::sleep(seconds(1)).await;
    let letters = world.letters().await;
    let found: Vec<&str> = letters.iter().map(|(id, _)| id.as_str()).collect();
    let wanted = [
        "1-unknown",
        "2-cut",
        "3-format",
        "4-compile",
        "5-short",
        "6-rule",
        "7-design",
    ];
    assert_eq!(found, wanted, "{letters:?}");
    assert!(
        letters[0].1.contains("`4000`") && letters[0].1.contains("no such schema"),
        "{letters:?}"
    );
    assert!(letters[5].1.contains("it is no order"), "{letters:?}");
    let calls: Vec<String> = world.received().into_iter().map(|(id, _)| id).collect();
    assert_eq!(calls, ["8-good"], "no handler is bothered with the others");
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_away_holds_what_needs_it() {
    let shelf = Shelf::with(&[(7, SchemaType::Avro, WRITER)]);
    shelf.goes_away(true);
    let world = World::new(shelf).await;
    world
        .written("AvroOrder", "1", &[], &framed(7, WRITTEN))
        .await;
    let media = [("datacontenttype", "application/json")];
    world
        .written("JsonOrder", "plain", &media, br#"{"id": "c"}"#)
        .await;
    tokio::time::sleep(seconds(600)).await;
    let calls: Vec<String> = world.received().into_iter().map(|(id, _)| id).collect();
    assert_eq!(calls, ["plain"], "what needs no schema goes on");
    assert_eq!(world.letters().await, []);
    let view = world.runtime.view();
    let said = view
        .attention
        .iter()
        .find(|one| one.kind == "registry")
        .unwrap();
    assert!(
        said.sentence.contains("no route") && said.severity == "error",
        "{}",
        said.sentence
    );
    let asked = world.shelf.asked();
    assert!((40..60).contains(&asked), "it is asked {asked} times");
    let mut event = published("AvroOrder", Value::Null);
    event.data = Some(framed(7, WRITTEN).into());
    event.data_content_type = None;
    let refused = world.runtime.publish(vec![event.clone()]).await;
    assert!(
        matches!(refused, Err(PublishError::Full { .. })),
        "{refused:?}"
    );

    world.shelf.goes_away(false);
    tokio::time::sleep(seconds(20)).await;
    assert_eq!(world.payload("1"), json!({"id": "a", "count": 1}));
    assert_eq!(world.script.calls().last(), Some(&("1".to_owned(), 1)));
    let view = world.runtime.view();
    assert!(view.attention.iter().all(|one| one.kind != "registry"));
    world.runtime.publish(vec![event]).await.unwrap();
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(world.payload("p"), json!({"id": "a", "count": 1}));
}

/// Nobody else asks the registry again.
#[tokio::test(start_paused = true)]
async fn a_producer_alone_is_taken_once_the_registry_answers_again() {
    let shelf = Shelf::with(&[(7, SchemaType::Avro, WRITER)]);
    shelf.goes_away(true);
    let world = World::new(shelf).await;
    let mut event = published("AvroOrder", Value::Null);
    event.data = Some(framed(7, WRITTEN).into());
    event.data_content_type = None;
    for _ in 0..5 {
        let refused = world.runtime.publish(vec![event.clone()]).await;
        assert!(
            matches!(refused, Err(PublishError::Full { .. })),
            "{refused:?}"
        );
        tokio::time::sleep(seconds(20)).await;
    }
    world.shelf.goes_away(false);
    world.runtime.publish(vec![event]).await.unwrap();
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(world.payload("p"), json!({"id": "a", "count": 1}));
}

#[tokio::test(start_paused = true)]
async fn no_attempt_is_counted_while_the_registry_is_away() {
    let shelf = Shelf::with(&[(7, SchemaType::Avro, WRITER)]);
    let world = World::new(shelf.clone()).await;
    world.script.answer("1", [retryable()]);
    world
        .written("AvroOrder", "1", &[], &framed(7, WRITTEN))
        .await;
    tokio::time::sleep(seconds(1)).await;
    let World {
        runtime,
        broker,
        script,
        ..
    } = world;
    assert_eq!(script.calls(), [("1".to_owned(), 1)]);
    runtime.drain(seconds(1)).await;
    drop(runtime);
    // Another process knows nothing, and has a retry to make.
    shelf.goes_away(true);
    let world = World::on(shelf, broker, script, None).await;
    tokio::time::sleep(seconds(600)).await;
    assert_eq!(world.script.calls(), [("1".to_owned(), 1)]);
    assert_eq!(world.letters().await, []);
    world.shelf.goes_away(false);
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(
        world.script.calls(),
        [("1".to_owned(), 1), ("1".to_owned(), 2)]
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_puller_gets_does_not_wait_for_what_the_registry_holds() {
    let shelf = Shelf::with(&[(7, SchemaType::Avro, WRITER)]);
    let world = World::new(shelf.clone()).await;
    let puller = "puller/AvroOrder".parse().unwrap();
    let named = framed(7, WRITTEN);
    world.written("AvroOrder", "1", &[], &named).await;
    let pulled = world.runtime.pull(&puller, 2, seconds(5)).await.unwrap();
    let [first] = pulled.as_slice() else {
        panic!("{pulled:?}");
    };
    let refused = world.runtime.settle(&first.lease, permanent());
    refused.await.unwrap();
    let World {
        runtime,
        broker,
        script,
        ..
    } = world;
    runtime.drain(seconds(1)).await;
    drop(runtime);
    // Another process knows nothing. A letter that comes back needs its schema, another event does not.
    shelf.goes_away(true);
    let world = World::on(shelf, broker, script, None).await;
    let letters = LettersSelection::of(puller.clone());
    assert_eq!(world.runtime.redrive(letters).await.unwrap().done.len(), 1);
    let plain = published("AvroOrder", json!({"id": "b", "count": 2}));
    world.runtime.publish(vec![plain]).await.unwrap();
    tokio::time::sleep(seconds(1)).await;
    let begun_at = Instant::now();
    let pulled = world.runtime.pull(&puller, 2, seconds(30)).await.unwrap();
    let got: Vec<&str> = pulled.iter().map(|one| one.envelope.id.as_str()).collect();
    assert_eq!(got, ["p"]);
    assert!(begun_at.elapsed() < seconds(1), "{:?}", begun_at.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_is_published_is_written_for_others_and_handed_out_as_it_was() {
    let shelf = Shelf::default();
    let broker = Arc::new(MemoryBroker::new());
    let written = Some(Missing::Register);
    let world = World::on(shelf, broker, Script::default(), written).await;
    let orders = [
        ("AvroOrder", json!({"id": "a", "count": 3})),
        ("JsonOrder", json!({"id": "b"})),
        (
            "ProtoOrder",
            json!({"orderId": "c", "total": {"cents": "250"}}),
        ),
    ];
    for (event, data) in &orders {
        let event = Envelope {
            id: (*event).to_owned(),
            ..published(event, data.clone())
        };
        world.runtime.publish(vec![event]).await.unwrap();
    }
    tokio::time::sleep(seconds(1)).await;
    let encoded: [&[u8]; 3] = [
        b"\x02a\x06",
        br#"{"id":"b"}"#,
        // The second message of its file.
        b"\x02\x02\x0a\x01c\x12\x03\x08\xfa\x01",
    ];
    for ((event, data), encoded) in orders.iter().zip(encoded) {
        let record = world.stored(event).await;
        assert_eq!(record.payload[0], 0, "{record:?}");
        assert_eq!(&record.payload[5..], encoded, "{event}");
        let media = (
            "datacontenttype".to_owned(),
            "application/octet-stream".to_owned(),
        );
        assert!(record.headers.contains(&media), "{record:?}");
        assert_eq!(world.payload(event), *data);
    }
    // What is in the wire format already stays as it is.
    let record = world.stored("AvroOrder").await;
    let mut again = published("AvroOrder", Value::Null);
    again.data = Some(record.payload.clone());
    world.runtime.publish(vec![again]).await.unwrap();
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(world.payload("p"), json!({"id": "a", "count": 3}));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_with_a_schema_that_is_not_registered() {
    let clock = Arc::new(TokioClock::new());
    let registry = OtherRegistry::new(Arc::new(Shelf::default()), clock);
    let subject = |event: &tidegate_base::Name| format!("eu.{event}-value");
    let ids = registry.ids(&design(), subject, Missing::Leave).await;
    let Err(WrittenError::Absent { subject, .. }) = ids else {
        panic!("{ids:?}");
    };
    assert_eq!(subject, "eu.AvroOrder-value");
}
