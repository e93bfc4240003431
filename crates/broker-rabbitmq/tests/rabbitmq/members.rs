//! Shards shared by processes: here by several members of one process.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_broker::{
    Append, Batch, Broker, CommitError, Durability, ReadLimit, Record, StateChange,
};
use tidegate_broker_rabbitmq::{Members, RabbitBroker, RabbitConfig};
use tokio::time::{sleep, timeout};

use crate::support;

const PATIENCE: Duration = Duration::from_secs(60);

async fn until(members: &Members, fits: impl FnMut(&BTreeSet<u32>) -> bool) -> BTreeSet<u32> {
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
    config.shards = 4;
    let one = Members::join(&config).await.unwrap();
    let all = until(&one, |assigned| assigned.len() == 4).await;
    assert!(all.iter().all(|shard| one.hold(*shard)));
    let other = Members::join(&config).await.unwrap();
    let left = until(&one, |assigned| assigned.len() == 2).await;
    let asked: Vec<u32> = all.difference(&left).copied().collect();
    // It is asked for, and not handed over while it is worked on.
    sleep(Duration::from_millis(2_500)).await;
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
    // Killed: nobody is told, but RabbitMQ notices that the connection ends.
    let third = Members::join(&config).await.unwrap();
    drop(other);
    assert_eq!(until(&third, |assigned| assigned.len() == 4).await, all);
    third.leave().await;
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
    let state = match state {
        "" => StateChange::NONE,
        text => StateChange::Append(vec![Bytes::from_static(text.as_bytes())]),
    };
    Batch { appends, state }
}

const LIMIT: ReadLimit = ReadLimit {
    records: 100,
    bytes: 1 << 20,
};

async fn all(shards: &[RabbitBroker], a: &Name) -> Vec<(usize, Record)> {
    let mut found = Vec::new();
    for (at, shard) in shards.iter().enumerate() {
        let read = shard.read(a, 0, LIMIT).await.unwrap();
        found.extend(read.into_iter().map(|record| (at, record)));
    }
    found
}

/// What one owner has committed the next one reads, and whoever was owner before can write no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_former_owner_of_a_shard_can_write_no_more() {
    let test = "the_former_owner_of_a_shard_can_write_no_more";
    let Some(mut config) = support::config(test) else {
        return;
    };
    let a = Name::new("a").unwrap();
    config.shards = 3;
    config.channels = vec![(a.clone(), "a".to_owned())];
    let members = Members::join(&config).await.unwrap();
    let mut shards = Vec::new();
    for shard in 0..3 {
        shards.push(open(&config, shard).await);
    }
    // Events of any key are written by any shard; each is read in the one that its key belongs to.
    let keys: BTreeSet<String> = (0..30).map(|key| format!("key-{key}")).collect();
    for (at, key) in keys.iter().enumerate() {
        let state = if at % 2 == 0 { "done" } else { "" };
        let commit = shards[at % 3].commit(batch(vec![event(&a, key)], state), Durability::Durable);
        commit.await.unwrap();
    }
    let found = timeout(PATIENCE, async {
        loop {
            let found = all(&shards, &a).await;
            if found.len() >= 30 {
                return found;
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    let found = found.await.expect("an event is not passed on");
    let read: BTreeSet<String> = found.iter().filter_map(|(_, r)| r.key.clone()).collect();
    assert_eq!((found.len(), read), (30, keys));
    let owners: BTreeSet<usize> = found.iter().map(|(shard, _)| *shard).collect();
    assert_eq!(owners.len(), 3);
    let states = shards[1].state().await.unwrap().len();
    assert_eq!(states, 5);
    // Another process.
    let next = open(&config, 1).await;
    assert_eq!(next.state().await.unwrap().len(), states);
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
    assert_eq!(state.len(), states + 1);
    // Its neighbours are not touched.
    let on = shards[0].commit(batch(Vec::new(), "on"), Durability::Durable);
    on.await.unwrap();
    // Keys would change their shard if there were more shards from now on.
    config.shards = 4;
    let error = Members::join(&config).await.unwrap_err().to_string();
    assert!(error.contains("another number of shards than 4"), "{error}");
    members.leave().await;
}

async fn open(config: &RabbitConfig, shard: u32) -> RabbitBroker {
    let mut config = config.clone();
    config.shard = shard;
    let opened = RabbitBroker::open(config, support::clock()).await;
    opened.unwrap()
}
