//! Shards shared by processes: here by several members of one process.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_broker::{Append, Batch, Broker, CommitError, Durability, StateChange};
use tidegate_broker_kafka::{KafkaBroker, KafkaConfig, Members};
use tokio::time::timeout;

use crate::support;

const PATIENCE: Duration = Duration::from_secs(60);

async fn until(members: &Members, fits: impl FnMut(&BTreeSet<i32>) -> bool) -> BTreeSet<i32> {
    let mut assigned = members.assigned();
    let found = timeout(PATIENCE, assigned.wait_for(fits)).await;
    found.expect("nothing changes").unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_shard_has_one_owner_and_is_handed_over_once_it_is_released() {
    let test = "every_shard_has_one_owner_and_is_handed_over_once_it_is_released";
    let Some(mut config) = support::config(test) else {
        return;
    };
    config.partitions = 4;
    let one = Members::join(&config).await.unwrap();
    let all = until(&one, |assigned| assigned.len() == 4).await;
    assert!(all.iter().all(|shard| one.hold(*shard)));
    let other = Members::join(&config).await.unwrap();
    let left = until(&one, |assigned| assigned.len() == 2).await;
    let asked: Vec<i32> = all.difference(&left).copied().collect();
    // It is asked for, and not handed over while it is worked on.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(other.assigned().borrow().len(), 0);
    for shard in &asked {
        assert!(!one.hold(*shard));
        one.release(*shard);
    }
    let theirs = until(&other, |assigned| assigned.len() == 2).await;
    assert_eq!(theirs, asked.into_iter().collect());
    for shard in &left {
        one.release(*shard);
    }
    one.leave().await;
    assert_eq!(until(&other, |assigned| assigned.len() == 4).await, all);
    other.leave().await;
}

fn event(channel: &Name, key: &str) -> Append {
    Append {
        channel: channel.clone(),
        key: Some(key.to_owned()),
        time: Timestamp::from_millis(1_730_291_041_637),
        headers: vec![("id".to_owned(), key.to_owned())],
        payload: Bytes::from_static(b"{}"),
    }
}

fn batch(appends: Vec<Append>, state: &'static str) -> Batch {
    Batch {
        appends,
        state: StateChange::Append(vec![Bytes::from_static(state.as_bytes())]),
    }
}

async fn open(config: &KafkaConfig, shard: i32) -> Arc<KafkaBroker> {
    let mut config = config.clone();
    config.shard = shard;
    Arc::new(KafkaBroker::open(config).await.unwrap())
}

/// What one owner has committed the next one reads, and whoever was owner before can write no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_former_owner_of_a_shard_can_write_no_more() {
    let test = "the_former_owner_of_a_shard_can_write_no_more";
    let Some(mut config) = support::config(test) else {
        return;
    };
    let a = Name::new("a").unwrap();
    config.partitions = 3;
    config.channels = vec![(a.clone(), "a".to_owned())];
    let shards = [
        open(&config, 0).await,
        open(&config, 1).await,
        open(&config, 2).await,
    ];
    // Events of any key are written by any shard; each is read in the one that its key belongs to.
    let keys: Vec<String> = (0..30).map(|key| format!("key-{key}")).collect();
    for (at, key) in keys.iter().enumerate() {
        let shard = &shards[at % 3];
        let committed = shard.commit(batch(vec![event(&a, key)], "done"), Durability::Durable);
        committed.await.unwrap();
    }
    let mut read = Vec::new();
    for shard in &shards {
        let mut tail = shard.tail(&a);
        let limit = tidegate_broker::ReadLimit {
            records: 100,
            bytes: 1 << 20,
        };
        let found = timeout(PATIENCE, async {
            loop {
                let found = shard.read(&a, 0, limit).await.unwrap();
                if found.len() >= 5 {
                    return found;
                }
                tail.changed().await.unwrap();
            }
        });
        read.push(found.await.expect("a shard has few of the keys"));
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let limit = tidegate_broker::ReadLimit {
        records: 100,
        bytes: 1 << 20,
    };
    let mut seen = BTreeSet::new();
    for shard in &shards {
        let found = shard.read(&a, 0, limit).await.unwrap();
        for record in found {
            assert!(seen.insert(record.key.unwrap()), "a key is in two shards");
        }
    }
    assert_eq!(seen, keys.into_iter().collect());
    assert_eq!(shards[1].state().await.unwrap().len(), 10);
    let next = open(&config, 1).await;
    assert_eq!(next.state().await.unwrap().len(), 10);
    let late = shards[1]
        .commit(batch(Vec::new(), "late"), Durability::Durable)
        .await;
    assert!(matches!(late, Err(CommitError::Stopped { .. })), "{late:?}");
    let reason = shards[1].stopped().unwrap();
    assert_eq!(reason, "another process has taken this shard over");
    next.commit(batch(Vec::new(), "next"), Durability::Durable)
        .await
        .unwrap();
    let state = next.state().await.unwrap();
    assert_eq!(state.last().map(|last| &last[..]), Some(&b"next"[..]));
    assert_eq!(state.len(), 11);
    // Its neighbours are not touched.
    shards[0]
        .commit(batch(Vec::new(), "on"), Durability::Durable)
        .await
        .unwrap();
}
