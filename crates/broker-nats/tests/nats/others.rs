//! Other clients of NATS: what they publish is delivered, what is published here they read; and who may connect.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use tidegate_base::{Name, Timestamp};
use tidegate_broker::{Append, Batch, Broker, Durability, Keep, ReadLimit, StateChange};
use tidegate_broker_nats::Session;
use tokio::time::timeout;

use crate::support;

const PATIENCE: Duration = Duration::from_secs(30);
const LIMIT: ReadLimit = ReadLimit {
    records: 100,
    bytes: 1 << 20,
};

fn event(channel: &Name, id: &str) -> Append {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Append {
        channel: channel.clone(),
        key: Some("k 1".to_owned()),
        time: Timestamp::from_millis(1_730_291_041_637),
        headers: vec![
            header("id", id),
            header("source", "/shop"),
            header("type", "com.shop.paid"),
            header("datacontenttype", "application/json"),
            header("note", "Euro € 😀"),
        ],
        payload: Bytes::from_static(br#"{"total":3}"#),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_plain_client_reads_what_is_published_and_is_read() {
    let test = "a_plain_client_reads_what_is_published_and_is_read";
    let Some(mut config) = support::config(test) else {
        return;
    };
    let paid = Name::new("Paid").unwrap();
    config.channels = vec![(paid.clone(), "com.shop.paid".to_owned())];
    let subject = format!("{}.shop.0.Paid", config.prefix);
    let url = format!("nats://{}", config.servers[0]);
    let broker = Session::connect(config)
        .await
        .unwrap()
        .open(0)
        .await
        .unwrap();
    let client = async_nats::connect(&url).await.unwrap();
    let mut live = client.subscribe(subject.clone()).await.unwrap();
    client.flush().await.unwrap();
    let batch = |id: &str| Batch {
        appends: vec![event(&paid, id)],
        state: StateChange::Append(vec![Bytes::from_static(b"state")]),
    };
    broker
        .commit(batch("1"), Durability::Durable)
        .await
        .unwrap();
    let seen = timeout(PATIENCE, live.next()).await.unwrap().unwrap();
    let headers = seen.headers.unwrap();
    let header = |name: &str| headers.get(name).map(|value| value.as_str());
    assert_eq!(header("ce-specversion"), Some("1.0"));
    assert_eq!(header("ce-id"), Some("1"));
    assert_eq!(header("ce-datacontenttype"), Some("application/json"));
    assert_eq!(header("ce-note"), Some("Euro%20%E2%82%AC%20%F0%9F%98%80"));
    assert_eq!(&seen.payload[..], br#"{"total":3}"#);
    // What knows nothing of this publishes with and without headers.
    let jetstream = async_nats::jetstream::new(client);
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("ce-specversion", "1.0");
    headers.insert("ce-id", "2");
    headers.insert("ce-source", "/till");
    headers.insert("ce-type", "com.shop.paid");
    headers.insert("ce-partitionkey", "k");
    let published = jetstream
        .publish_with_headers(subject.clone(), headers, Bytes::from_static(b"{}"))
        .await
        .unwrap();
    published.await.unwrap();
    let bare = jetstream.publish(subject.clone(), Bytes::from_static(b"[]"));
    let bare = bare.await.unwrap().await.unwrap();
    let mut tail = broker.tail(&paid);
    let there = timeout(PATIENCE, tail.wait_for(|tail| *tail > bare.sequence));
    there.await.expect("it is not seen").unwrap();
    let read = broker.read(&paid, 0, LIMIT).await.unwrap();
    let value = |at: usize, name: &str| {
        let mut headers = read[at].headers.iter();
        headers
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.clone())
    };
    assert_eq!(read.len(), 3);
    assert_eq!(read[0], event(&paid, "1").into_record(read[0].sequence));
    assert_eq!(value(1, "source").as_deref(), Some("/till"));
    assert_eq!(read[1].key.as_deref(), Some("k"));
    assert_eq!(value(2, "id"), Some(format!("0-{}", bare.sequence)));
    assert_eq!(value(2, "type").as_deref(), Some("com.shop.paid"));
    assert_eq!(value(2, "source"), Some(format!("/nats/{subject}")));
}

/// What may go leaves the stream, and a new owner reads on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stream_is_trimmed_and_read_on() {
    let Some(config) = support::config("a_stream_is_trimmed_and_read_on") else {
        return;
    };
    let url = format!("nats://{}", config.servers[0]);
    let stream = format!("{}_shop_0", config.prefix);
    let a = Name::new("a").unwrap();
    let session = Session::connect(config).await.unwrap();
    let broker = session.open(0).await.unwrap();
    for at in 0..300 {
        let appends = vec![event(&a, &at.to_string())];
        let state = match at {
            299 => StateChange::Replace(vec![Bytes::from_static(b"last")]),
            _ => StateChange::Append(vec![Bytes::from_static(b"one")]),
        };
        let commit = broker.commit(Batch { appends, state }, Durability::Durable);
        commit.await.unwrap();
    }
    let all = broker.read(&a, 0, LIMIT).await.unwrap();
    let tail = *broker.tail(&a).borrow();
    let keep = Keep {
        bytes: Some(5_000),
        needed_from: tail,
        ..Keep::ALL
    };
    broker.keep(&a, keep);
    let cleaned = broker
        .clean(Timestamp::from_millis(2_000_000_000_000))
        .await
        .unwrap();
    assert!(cleaned.records > 0);
    let client = async_nats::connect(&url).await.unwrap();
    let mut stream = async_nats::jetstream::new(client)
        .get_stream(stream)
        .await
        .unwrap();
    let first = stream.info().await.unwrap().state.first_sequence;
    assert!(first > all[50].sequence, "{first}");
    let head = broker.head(&a);
    drop(broker);
    let next = session.open(0).await.unwrap();
    assert_eq!((next.head(&a), *next.tail(&a).borrow()), (head, tail));
    assert_eq!(next.state().await.unwrap(), [Bytes::from_static(b"last")]);
    let left = next.read(&a, 0, LIMIT).await.unwrap();
    assert_eq!(left.first().map(|record| record.sequence), Some(head));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stream_that_loses_messages_is_not_taken() {
    let Some(config) = support::config("a_stream_that_loses_messages_is_not_taken") else {
        return;
    };
    let url = format!("nats://{}", config.servers[0]);
    let client = async_nats::connect(&url).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let name = format!("{}_shop_0", config.prefix);
    let foreign = |description: &str| async_nats::jetstream::stream::Config {
        name: name.clone(),
        description: Some(description.to_owned()),
        subjects: vec![format!("{}.shop.0.>", config.prefix)],
        max_age: Duration::from_secs(3_600),
        ..Default::default()
    };
    jetstream
        .create_stream(foreign("somebody else's"))
        .await
        .unwrap();
    let error = Session::connect(config.clone())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("is not one of Tidegate's"), "{error}");
    let ours = "shard 0 of 1 of shop, kept by Tidegate";
    jetstream.update_stream(foreign(ours)).await.unwrap();
    let error = Session::connect(config).await.unwrap_err().to_string();
    assert!(error.contains("max_age"), "{error}");
}
