//! Python's `confluent-kafka`, which is where `TIDEGATE_REGISTRY_CLIENTS` says: it reads what is published, and what it publishes
//! is read.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tidegate_base::{Name, Timestamp};
use tidegate_broker::{Append, Batch, Broker, Durability, ReadLimit, StateChange};
use tidegate_broker_kafka::KafkaBroker;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::support;

const PATIENCE: Duration = Duration::from_secs(120);
const ALL: ReadLimit = ReadLimit {
    records: 100,
    bytes: 1 << 20,
};

fn python() -> Option<PathBuf> {
    let (_, folder) = std::env::vars().find(|(name, _)| name == "TIDEGATE_REGISTRY_CLIENTS")?;
    let python = Path::new(&folder).join("venv/bin/python");
    let mut imports = Command::new(&python);
    let has_it = imports.args(["-c", "import confluent_kafka"]).output();
    has_it.ok()?.status.success().then_some(python)
}

fn event(channel: &Name) -> Batch {
    let headers = [
        ("id", "e-1"),
        ("source", "/shop"),
        ("type", "OrderPlaced"),
        ("datacontenttype", "application/json"),
        ("traceparent", "00-1"),
    ];
    Batch {
        appends: vec![Append {
            channel: channel.clone(),
            key: Some("A-1".to_owned()),
            time: Timestamp::from_millis(1_730_291_041_637),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            payload: Bytes::from_static(b"{\"orderId\":\"A-1\"}"),
        }],
        // In the same transaction: its marker is passed over by other clients.
        state: StateChange::Append(vec![Bytes::from_static(b"state")]),
    }
}

/// What Python's client has read of a topic, its own two events among it.
async fn there_and_back(python: PathBuf, place: [String; 2]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/there_and_back.py");
    let mut client = Command::new(python);
    client.arg(script).args(place).arg("3");
    let told = spawn_blocking(move || client.output());
    let told = timeout(PATIENCE, told).await.expect("it never ends");
    let told = told.unwrap().unwrap();
    let said = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{said}");
    let told = String::from_utf8(told.stdout).unwrap();
    let told = told.lines().map(|line| serde_json::from_str(line).unwrap());
    told.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn python_reads_what_is_published_and_publishes_what_is_read() {
    let test = "python_reads_what_is_published_and_publishes_what_is_read";
    let Some(python) = python() else {
        println!(
            "skipped: {test}: TIDEGATE_REGISTRY_CLIENTS names no environment with confluent-kafka"
        );
        return;
    };
    let Some(mut config) = support::config(test) else {
        return;
    };
    let orders = Name::new("orders").unwrap();
    config.channels = vec![(orders.clone(), "OrderPlaced".to_owned())];
    let (topic, servers) = (format!("{}orders", config.prefix), config.servers.clone());
    let broker = KafkaBroker::open(config).await.unwrap();
    broker
        .commit(event(&orders), Durability::Durable)
        .await
        .unwrap();
    let told = there_and_back(python, [servers, topic.clone()]).await;
    assert_eq!(told.len(), 3, "{told:?}");
    let ours = json!({
        "key": "A-1",
        "body": "{\"orderId\":\"A-1\"}",
        "headers": {
            "ce_specversion": "1.0",
            "ce_id": "e-1",
            "ce_source": "/shop",
            "ce_type": "OrderPlaced",
            "ce_traceparent": "00-1",
            "content-type": "application/json",
        },
    });
    assert_eq!(told[0], ours);
    assert_eq!(told[1]["headers"]["ce_id"], "python-1");

    let mut tail = broker.tail(&orders);
    let read = timeout(PATIENCE, async {
        loop {
            tail.borrow_and_update();
            let read = broker.read(&orders, 0, ALL).await.unwrap();
            if read.len() >= 3 {
                return read;
            }
            tail.changed().await.unwrap();
        }
    });
    let read = read.await.expect("what others publish is not seen");
    let attribute = |at: usize, name: &str| {
        let mut headers = read[at].headers.iter();
        let found = headers.find(|(header, _)| header == name);
        found.map(|(_, value)| value.clone())
    };
    let of_python = ["id", "source", "type", "datacontenttype", "note"];
    assert_eq!(
        of_python.map(|name| attribute(1, name).unwrap_or_default()),
        [
            "python-1",
            "/python",
            "OrderPlaced",
            "application/json",
            "Euro € 😀"
        ]
    );
    assert_eq!(read[1].key.as_deref(), Some("A-2"));
    assert_eq!(&read[1].payload[..], b"{\"n\":1}");
    // What says nothing of itself is told by its place.
    assert_eq!(attribute(2, "source"), Some(format!("/kafka/{topic}")));
    assert_eq!(attribute(2, "type").as_deref(), Some("OrderPlaced"));
}
