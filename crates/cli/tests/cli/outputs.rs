//! What consumers publish with their answers, in the language of HTTP alone.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Daemon, agent, eventually};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A service that takes a payment and asks for a letter for each order, with as little as CloudEvents allow it to write.
fn service() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || while answer(&stream).is_some() {});
        }
    });
    port
}

fn answer(mut stream: &TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let order: Value = serde_json::from_slice(&body).unwrap();
    let taken = |kind: &str| json!({ "specversion": "1.0", "type": kind, "data": order });
    let events = json!([taken("PaymentTaken"), taken("PaymentTaken")]).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/cloudevents-batch+json\r\ncontent-length: {}\r\n\r\n",
        events.len()
    );
    stream.write_all((head + &events).as_bytes()).ok()
}

fn daemon(folder: &Path) -> Daemon {
    let schema =
        "schema: {type: object, required: [orderId], properties: {orderId: {type: string}}}";
    let design = folder.join("design.yaml");
    let written = format!(
        r"tidegate: 1
system: outputs
events:
  OrderPlaced: {{summary: An order., owner: team, key: /orderId, {schema}}}
  PaymentTaken: {{summary: A payment., owner: team, key: /orderId, {schema}}}
services:
  orders: {{owner: team, publishes: [OrderPlaced]}}
  billing:
    owner: team
    publishes: [PaymentTaken]
    consumes:
      OrderPlaced:
        deliver: {{to: 'http://127.0.0.1:{port}/events', concurrency: 8, timeout: 5s}}
        emits: [PaymentTaken]
        dead-letter: {{retention: 30d}}
  till:
    owner: team
    publishes: [PaymentTaken]
    consumes:
      OrderPlaced:
        deliver: {{concurrency: 8, timeout: 10s}}
        emits: [PaymentTaken]
        dead-letter: {{retention: 30d}}
  ledger:
    owner: team
    consumes:
      PaymentTaken:
        deliver: {{concurrency: 100, timeout: 10s}}
        dead-letter: {{retention: 30d}}
",
        port = service()
    );
    std::fs::write(&design, written).unwrap();
    let data = folder.join("data");
    Daemon::start(&[
        "run",
        design.to_str().unwrap(),
        "--data",
        data.to_str().unwrap(),
    ])
}

/// Pulls one delivery.
fn pull(daemon: &Daemon, consumer: &str) -> Value {
    let url = format!("{}/v1/consumers/{consumer}/pull", daemon.url);
    eventually("a delivery is pulled", || {
        let mut answer = agent().post(&url).send(r#"{"wait":"5s"}"#).unwrap();
        let answer: Value = answer.body_mut().read_json().unwrap();
        answer["deliveries"].get(0).cloned()
    })
}

/// The events that follow from one order, as a consumer of them sees them.
fn follow(folder: &Path) -> Vec<Value> {
    let daemon = daemon(folder);
    let event = json!({
        "specversion": "1.0", "id": "a", "source": "/shop", "type": "OrderPlaced",
        "traceparent": PARENT, "data": { "orderId": "7" },
    });
    let media = "application/cloudevents+json";
    let (status, _) = daemon.post("/v1/events", media, &event.to_string());
    assert_eq!(status, 202);
    let order = pull(&daemon, "till/OrderPlaced");
    let output =
        json!({ "specversion": "1.0", "type": "PaymentTaken", "data": { "orderId": "7" } });
    let body = json!({ "outcome": "done", "outputs": [output] }).to_string();
    let path = format!("/v1/leases/{}", order["lease"].as_str().unwrap());
    assert_eq!(daemon.post(&path, "application/json", &body).0, 204);
    let mut events: Vec<Value> = (0..3)
        .map(|_| {
            let delivery = pull(&daemon, "ledger/PaymentTaken");
            let path = format!("/v1/leases/{}", delivery["lease"].as_str().unwrap());
            let (status, _) = daemon.post(&path, "application/json", r#"{"outcome":"done"}"#);
            assert_eq!(status, 204);
            delivery["event"].clone()
        })
        .collect();
    let letters = daemon.get("/v1/dead-letters");
    assert_eq!(letters["total"], 0, "{letters}");
    events.sort_by_key(|event| event["id"].to_string());
    events
}

/// A handler that is asked twice says the same twice: only then are its events told apart from new ones.
#[test]
fn an_output_without_an_id_has_the_same_one_whenever_its_cause_is_handled() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let events = follow(first.path());
    let ids = |events: &[Value]| -> Vec<Value> {
        events.iter().map(|event| event["id"].clone()).collect()
    };
    let mut different = ids(&events);
    different.dedup();
    assert_eq!(different.len(), 3, "{events:?}");
    let mut sources: Vec<&str> = (events.iter())
        .map(|event| event["source"].as_str().unwrap())
        .collect();
    sources.sort_unstable();
    assert_eq!(sources, ["/billing", "/billing", "/till"]);
    for event in &events {
        assert!(event["id"].as_str().is_some_and(|id| !id.is_empty()));
        assert!(event["time"].is_string(), "{event}");
        assert_eq!(event["traceparent"], PARENT, "{event}");
        assert_eq!(event["data"], json!({ "orderId": "7" }));
    }
    // Another daemon, which knows nothing of the first.
    assert_eq!(ids(&follow(second.path())), ids(&events));
}
