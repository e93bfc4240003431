//! A system with a registry, and a client that knows nothing.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tidegate_base::Clock;
use tidegate_broker::{Broker, MemoryBroker};
use tidegate_model::{Design, SchemaPath, Source, read};
use tidegate_runtime::{Answer, Attempt, Caller, Outcome, Registry, Runtime, Settings, TokioClock};
use tidegate_server::{Access, Server, Token};

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

const DESIGN: &str = r#"
tidegate: 1
system: shop
events:
  AvroOrder: {schema: order.avsc, key: /id}
  JsonOrder: {schema: order.json, key: /id}
  ProtoOrder: {schema: "order.proto#shop.Order", key: /orderId}
  Free: {}
services:
  shop: {publishes: [AvroOrder, JsonOrder, ProtoOrder, Free]}
  reader: {consumes: {AvroOrder: {}, JsonOrder: {}, ProtoOrder: {}, Free: {}}}
"#;

/// The design's own Avro schema: a field that writers have is not in it, and one of its own has a default.
const AVRO: &str = r#"{"type":"record","name":"Order","namespace":"shop","fields":[
  {"name":"id","type":"string"},
  {"name":"total","type":{"type":"record","name":"Money","namespace":"base","fields":[
    {"name":"unit","type":"string"},{"name":"cents","type":"long"}]}},
  {"name":"count","type":"int","default":1}]}"#;
const JSON: &str = r#"{"$schema":"http://json-schema.org/draft-07/schema#","title":"Order","type":"object",
  "required":["id","total"],"properties":{"id":{"type":"string"},"total":{"type":"object",
  "required":["unit","cents"],"additionalProperties":false,
  "properties":{"unit":{"type":"string"},"cents":{"type":"integer"}}}}}"#;
const PROTO: &str = r#"syntax = "proto3"; package shop; import "base/money.proto";
  message Unused {} message Order { string order_id = 1; base.Money total = 2; }"#;
const MONEY: &str =
    r#"syntax = "proto3"; package base; message Money { string unit = 1; int64 cents = 2; }"#;

fn design() -> Design {
    let source = Source {
        name: Arc::from("design.yaml"),
        text: DESIGN.to_owned(),
    };
    let file = |path: &SchemaPath| match path.path().as_str() {
        "order.avsc" => Ok(AVRO.to_owned()),
        "order.json" => Ok(JSON.to_owned()),
        "order.proto" => Ok(PROTO.to_owned()),
        "base/money.proto" => Ok(MONEY.to_owned()),
        other => Err(format!("no file {other}")),
    };
    let reading = read(&[source], &file);
    assert!(reading.findings.is_empty(), "{:?}", reading.findings);
    reading.design.expect("the design is readable")
}

/// Nothing is pushed.
struct Nobody;

impl Caller for Nobody {
    fn call(&self, _: Attempt) -> BoxFuture<'static, Answer> {
        async { Answer::from(Outcome::Done) }.boxed()
    }
}

pub(crate) struct System {
    pub(crate) url: String,
    pub(crate) runtime: Runtime,
    client: Client<HttpConnector, Full<Bytes>>,
    _server: Server,
}

/// An answer: status, JSON (or text), media type.
pub(crate) type Answered = (u16, Value, String);

impl System {
    pub(crate) async fn start() -> Self {
        let design = design();
        let broker: Arc<dyn Broker> = Arc::new(MemoryBroker::new());
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
        let profile = tidegate_compat::Profile::Confluent;
        let registry = Registry::open(&design, Arc::clone(&broker), Arc::clone(&clock), profile);
        let settings = Settings {
            registry: Some(registry.await.unwrap()),
            ..Settings::default()
        };
        let caller = Arc::new(Nobody);
        let runtime = Runtime::start(&design, broker, caller, clock, settings);
        let runtime = runtime.await.unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let access = Access::new(listen, Some(Token::new(TOKEN).unwrap())).unwrap();
        let server = Server::start(runtime.clone(), access).await.unwrap();
        Self {
            url: format!("http://{}", server.address()),
            runtime,
            client: Client::builder(TokioExecutor::new()).build_http(),
            _server: server,
        }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answered {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        let basic = STANDARD.encode(format!("anybody:{TOKEN}"));
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.header("authorization", format!("Basic {basic}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let response = self.client.request(request).await.unwrap();
        let status = response.status().as_u16();
        let media = response.headers().get("content-type");
        let media = media.map_or("", |media| media.to_str().unwrap()).to_owned();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        let value = serde_json::from_slice(&bytes).unwrap_or_else(|_| text());
        (status, value, media)
    }

    /// Asks the registry; the status and the answer.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let media = ("content-type", "application/vnd.schemaregistry.v1+json");
        let path = format!("/registry{path}");
        let (status, answer, _) = self.send(method, &path, &[media], body).await;
        (status, answer)
    }

    /// The number of a refusal; panics when it is none, or its status another.
    pub(crate) async fn code(&self, method: &str, path: &str, body: Value) -> u64 {
        let (status, answer) = self.ask(method, path, body).await;
        let code = answer["error_code"].as_u64();
        let code = code.unwrap_or_else(|| panic!("{method} {path}: {status} {answer}"));
        assert!(answer["message"].is_string(), "{answer}");
        let of_code = if code < 1_000 { code } else { code / 100 };
        assert_eq!(u64::from(status), of_code, "{answer}");
        code
    }

    /// What is answered; panics when it is refused.
    pub(crate) async fn fine(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(method, path, body).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    pub(crate) async fn register(&self, subject: &str, body: Value) -> u64 {
        let path = format!("/subjects/{subject}/versions");
        self.fine("POST", &path, body).await["id"].as_u64().unwrap()
    }
}

/// An Avro record with fields of one type.
pub(crate) fn record(name: &str, fields: &[&str]) -> Value {
    let fields: Vec<Value> = fields
        .iter()
        .map(|field| json!({"name": field, "type": "long", "default": 0}))
        .collect();
    json!({"schema": json!({"type": "record", "name": name, "fields": fields}).to_string()})
}
