//! What other clients publish and get: Python's `pika`, which is where `TIDEGATE_REGISTRY_CLIENTS` says.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_broker::{Append, Batch, Broker, Durability, ReadLimit, StateChange};
use tidegate_broker_rabbitmq::RabbitBroker;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::support;

const PATIENCE: Duration = Duration::from_secs(60);

fn python() -> Option<PathBuf> {
    let (_, folder) = std::env::vars().find(|(name, _)| name == "TIDEGATE_REGISTRY_CLIENTS")?;
    let python = Path::new(&folder).join("venv/bin/python");
    let has_pika = Command::new(&python).args(["-c", "import pika"]).output();
    has_pika.ok()?.status.success().then_some(python)
}

fn event(channel: &Name) -> Batch {
    let headers = [
        ("id", "e-1"),
        ("source", "/shop"),
        ("type", "OrderPlaced"),
        ("datacontenttype", "application/json"),
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
        state: StateChange::NONE,
    }
}

#[expect(clippy::too_many_lines, reason = "one conversation, there and back")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pika_publishes_what_is_delivered_and_gets_what_is_published() {
    let test = "pika_publishes_what_is_delivered_and_gets_what_is_published";
    let Some(python) = python() else {
        println!("skipped: {test}: TIDEGATE_REGISTRY_CLIENTS names no environment with pika");
        return;
    };
    let Some(mut config) = support::config(test) else {
        return;
    };
    let orders = Name::new("orders").unwrap();
    config.channels = vec![(orders.clone(), "OrderPlaced".to_owned())];
    let broker = RabbitBroker::open(config.clone(), support::clock())
        .await
        .unwrap();
    let exchange = format!("{}tidegate.shop", config.prefix);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/there_and_back.py");
    let address = config.address().replace("amqp://", "amqp://guest:guest@");
    let mut client = Command::new(python);
    client.arg(script).args([
        format!("{address}/%2f"),
        format!("{exchange}.in"),
        exchange,
        "orders".to_owned(),
        "3".to_owned(),
    ]);
    let mut client = client
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    let (bound, mut lines) = spawn_blocking(move || (lines.next(), lines)).await.unwrap();
    assert_eq!(bound.unwrap().unwrap(), "bound");
    broker
        .commit(event(&orders), Durability::Durable)
        .await
        .unwrap();
    let mut tail = broker.tail(&orders);
    writeln!(client.stdin.take().unwrap(), "go").unwrap();
    let limit = ReadLimit {
        records: 100,
        bytes: 1 << 20,
    };
    let found = timeout(PATIENCE, async {
        loop {
            tail.borrow_and_update();
            let found = broker.read(&orders, 0, limit).await.unwrap();
            if found.len() >= 3 {
                return found;
            }
            tail.changed().await.unwrap();
        }
    });
    let found = found.await.expect("what others publish is not seen");
    let attribute = |at: usize, name: &str| {
        let mut headers = found[at].headers.iter();
        headers
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(attribute(1, "id"), Some("pika-1"));
    assert_eq!(attribute(1, "source"), Some("/pika"));
    assert_eq!(attribute(1, "type"), Some("OrderPlaced"));
    assert_eq!(attribute(1, "datacontenttype"), Some("application/json"));
    assert_eq!(found[1].key.as_deref(), Some("A-2"));
    assert_eq!(&found[1].payload[..], b"{\"n\":1}");
    assert_eq!(attribute(2, "id"), Some("pika-2"));
    assert_eq!(attribute(2, "source"), Some("/rabbitmq/orders"));
    let told = spawn_blocking(move || {
        let told: Vec<String> = lines.by_ref().map_while(Result::ok).collect();
        assert!(client.wait().unwrap().success());
        told
    });
    let told = timeout(PATIENCE, told)
        .await
        .expect("the client never ends")
        .unwrap();
    assert_eq!(told[0], "unroutable");
    assert_eq!(told.len(), 4, "{told:?}");
    for words in [
        "\"cloudEvents:id\": \"e-1\"",
        "\"cloudEvents:source\": \"/shop\"",
        "\"cloudEvents:specversion\": \"1.0\"",
        "\"cloudEvents:partitionkey\": \"A-1\"",
        "\"type\": \"application/json\"",
        "\"key\": \"orders\"",
    ] {
        assert!(told[1].contains(words), "{words}: {}", told[1]);
    }
    assert!(told[2].contains("\"cloudEvents:id\": \"pika-1\""));
    assert!(told[3].contains("\"cloudEvents:id\": \"pika-2\""));
}
