//! Python's `nats-py`, which is where `TIDEGATE_REGISTRY_CLIENTS` says: it reads what is published, and what it publishes is read.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_broker::{Append, Batch, Broker, Durability, ReadLimit, StateChange};
use tidegate_broker_nats::Session;
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
    let has_it = Command::new(&python).args(["-c", "import nats"]).output();
    has_it.ok()?.status.success().then_some(python)
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
        state: StateChange::Append(vec![Bytes::from_static(b"state")]),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn python_reads_what_is_published_and_publishes_what_is_read() {
    let test = "python_reads_what_is_published_and_publishes_what_is_read";
    let Some(python) = python() else {
        println!("skipped: {test}: TIDEGATE_REGISTRY_CLIENTS names no environment with nats-py");
        return;
    };
    let Some(mut config) = support::config(test) else {
        return;
    };
    let orders = Name::new("orders").unwrap();
    config.channels = vec![(orders.clone(), "OrderPlaced".to_owned())];
    let stream = format!("{}_shop_0", config.prefix);
    let subject = format!("{}.shop.0.orders", config.prefix);
    let url = format!("nats://{}", config.servers[0]);
    let session = Session::connect(config).await.unwrap();
    let broker = session.open(0).await.unwrap();
    broker
        .commit(event(&orders), Durability::Durable)
        .await
        .unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/there_and_back.py");
    let mut client = Command::new(python);
    client.arg(script).args([&url, &stream, &subject, "3"]);
    let told = spawn_blocking(move || client.output());
    let told = timeout(PATIENCE, told).await.expect("it never ends");
    let told = told.unwrap().unwrap();
    let said = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{said}");
    let told = String::from_utf8(told.stdout).unwrap();
    let told: Vec<&str> = told.lines().collect();
    assert_eq!(told.len(), 3, "{told:?}");
    for words in [
        "\"ce-specversion\": \"1.0\"",
        "\"ce-id\": \"e-1\"",
        "\"ce-source\": \"/shop\"",
        "\"ce-type\": \"OrderPlaced\"",
        "\"ce-datacontenttype\": \"application/json\"",
        r#""body": "{\"orderId\":\"A-1\"}""#,
    ] {
        assert!(told[0].contains(words), "{words}: {}", told[0]);
    }
    assert!(told[1].contains("\"ce-id\": \"python-1\""), "{}", told[1]);

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
    let of_python = ["id", "source", "type", "note"];
    assert_eq!(
        of_python.map(|name| attribute(1, name).unwrap_or_default()),
        ["python-1", "/python", "OrderPlaced", "Euro €"]
    );
    assert_eq!(read[1].key.as_deref(), Some("A-2"));
    assert_eq!(&read[1].payload[..], b"{\"n\":1}");
    // What says nothing of itself is told by its place.
    assert_eq!(attribute(2, "source"), Some(format!("/nats/{subject}")));
}
