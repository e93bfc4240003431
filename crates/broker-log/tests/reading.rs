//! Reads of records that are no longer recent, and the end of a broker.

#![cfg(test)]

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_broker::{
    Append, Batch, Broker, CommitError, Durability, ReadLimit, Record, StateChange,
};
use tidegate_broker_log::{LogBroker, Options};

fn batch(payload: Bytes) -> Batch {
    let append = Append {
        channel: Name::new("a").unwrap(),
        key: Some("k".to_owned()),
        time: Timestamp::from_millis(1),
        headers: vec![("id".to_owned(), "1".to_owned())],
        payload,
    };
    Batch {
        appends: vec![append],
        state: StateChange::NONE,
    }
}

#[tokio::test]
async fn old_records_are_read_as_recent_ones_are() {
    let directory = tempfile::tempdir().unwrap();
    let (broker, _) = LogBroker::open(directory.path(), Options::default()).unwrap();
    let payload = |at: u8| Bytes::from(vec![at; 1 << 20]);
    for at in 0..20 {
        broker
            .commit(batch(payload(at)), Durability::Written)
            .await
            .unwrap();
    }
    let a = Name::new("a").unwrap();
    for from in [0, 19] {
        let limit = ReadLimit {
            records: 1,
            bytes: 0,
        };
        let read: Vec<Record> = broker.read(&a, from, limit).await.unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(
            (read[0].sequence, read[0].key.as_deref()),
            (from, Some("k"))
        );
        assert!(read[0].payload == payload(u8::try_from(from).unwrap()));
    }
}

#[tokio::test]
async fn a_closed_broker_refuses_commits_and_is_read_on() {
    let directory = tempfile::tempdir().unwrap();
    let (broker, _) = LogBroker::open(directory.path(), Options::default()).unwrap();
    let in_flight = broker.commit(batch(Bytes::from("last")), Durability::Durable);
    assert_eq!(broker.stopped(), None);
    broker.close().await;
    assert_eq!(in_flight.await, Ok(vec![0]));
    let late = broker
        .commit(batch(Bytes::new()), Durability::Durable)
        .await;
    let reason = "the log is closed".to_owned();
    assert_eq!(broker.stopped().as_ref(), Some(&reason));
    assert_eq!(late, Err(CommitError::Stopped { reason }));
    let limit = ReadLimit {
        records: 9,
        bytes: 1_000,
    };
    assert_eq!(
        broker
            .read(&Name::new("a").unwrap(), 0, limit)
            .await
            .unwrap()
            .len(),
        1
    );
}
