//! What must be true of shards that processes share: each has one owner, and whoever was owner before can write no more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tidegate_base::Name;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::scene::{append, batch, channel, commit, done, expect, read_all};
use crate::{Append, Batch, CommitError, Durability, Shard, Sharing, StateChange};

/// How long something may take that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long something is watched that must not happen.
const WATCH: Duration = Duration::from_millis(2_500);
/// Shards that the members share.
pub const SHARED: usize = 4;
/// Shards of which one is taken over.
pub const OPENED: u32 = 3;
/// Keys of the events.
const KEYS: usize = 30;

/// What the checks are run on.
pub trait Shards: Send + Sync {
    /// Joins the processes that share [`SHARED`] shards.
    fn join(&self) -> BoxFuture<'_, Box<dyn Sharing>>;
}

/// A shard is handed over once its owner works on it no longer, when it leaves, and when it is killed.
///
/// # Errors
///
/// What happened instead.
pub async fn handed_over(shards: &dyn Shards) -> Result<(), String> {
    let one = shards.join().await;
    let all = until(&*one, SHARED).await?;
    let held = all.iter().all(|shard| one.hold(*shard));
    expect("whether what is assigned may be held", &held, &true)?;
    let other = shards.join().await;
    let left = until(&*one, SHARED / 2).await?;
    let asked: BTreeSet<u32> = all.difference(&left).copied().collect();
    // It is asked for, and not handed over while it is worked on.
    sleep(WATCH).await;
    expect(
        "what another has of what is worked on",
        &other.assigned().borrow().len(),
        &0,
    )?;
    for shard in &asked {
        expect(
            "whether what is asked for may be held",
            &one.hold(*shard),
            &false,
        )?;
        one.release(*shard);
    }
    let theirs = until(&*other, SHARED / 2).await?;
    expect("what is handed over", &theirs, &asked)?;
    for shard in &left {
        one.release(*shard);
    }
    one.leave().await;
    let found = until(&*other, SHARED).await?;
    expect("what is left to the other", &found, &all)?;
    let third = shards.join().await;
    // Killed: nobody is told.
    drop(other);
    let found = until(&*third, SHARED).await?;
    expect("what a killed one leaves", &found, &all)?;
    third.leave().await;
    Ok(())
}

async fn until(member: &dyn Sharing, shards: usize) -> Result<BTreeSet<u32>, String> {
    let mut assigned: watch::Receiver<BTreeSet<u32>> = member.assigned();
    let found = timeout(PATIENCE, assigned.wait_for(|now| now.len() == shards)).await;
    let found = found.map_err(|_| format!("nobody ever has {shards} shards"))?;
    Ok(found.map_err(|error| error.to_string())?.clone())
}

fn event(channel: &Name, key: &str) -> Append {
    let mut event = append(channel, "{}");
    event.key = Some(key.to_owned());
    event.headers = vec![("id".to_owned(), key.to_owned())];
    event
}

fn state(text: &'static str) -> Batch {
    Batch {
        appends: Vec::new(),
        state: StateChange::Append(vec![text.into()]),
    }
}

/// Of [`OPENED`] shards, with a channel `a`, the second is taken over by `next`: it has what its former owner has committed, which
/// can write no more, and knows why.
///
/// # Errors
///
/// What happened instead.
pub async fn fenced(
    shards: &[Arc<dyn Shard>],
    next: BoxFuture<'_, Arc<dyn Shard>>,
) -> Result<(), String> {
    let a = channel("a")?;
    let [first, former, _] = shards else {
        return Err(format!("{} shards, not {OPENED}", shards.len()));
    };
    passed_on(shards, &a).await?;
    let states = former.state().await.map_err(|e| e.to_string())?.len();
    expect("records of the state", &states, &5)?;
    let next = next.await;
    let found = next.state().await.map_err(|e| e.to_string())?.len();
    expect("records that the next owner finds", &found, &states)?;
    let late = former.commit(state("late"), Durability::Durable).await;
    let is_stopped = matches!(late, Err(CommitError::Stopped { .. }));
    expect("whether the former owner is stopped", &is_stopped, &true)?;
    let reason = former.stopped();
    let taken = Some("another process has taken this shard over");
    expect("why nothing can be written", &reason.as_deref(), &taken)?;
    commit(&*next, state("next")).await?;
    let found = next.state().await.map_err(|e| e.to_string())?;
    let last = found.last().map(|last| &last[..]);
    expect("the last of the state", &last, &Some(&b"next"[..]))?;
    expect("records of the state", &found.len(), &(states + 1))?;
    // Its neighbours are not touched.
    commit(&**first, state("on")).await.map(drop)
}

/// Events of any key are written by any shard; each is read in the one that its key belongs to, once.
async fn passed_on(shards: &[Arc<dyn Shard>], a: &Name) -> Result<(), String> {
    let keys: BTreeSet<String> = (0..KEYS).map(|key| format!("key-{key}")).collect();
    for ((at, key), shard) in keys.iter().enumerate().zip(shards.iter().cycle()) {
        let mut written = batch([event(a, key)]);
        if at % 2 == 0 {
            written.state = StateChange::Append(vec!["done".into()]);
        }
        done(shard.commit(written, Durability::Durable).await)?;
    }
    let found = timeout(PATIENCE, async {
        loop {
            let found = keys_of(shards, a).await?;
            if found.len() >= KEYS {
                return Ok::<_, String>(found);
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    let found = found
        .await
        .map_err(|_| "an event is not passed on".to_owned())??;
    let read: BTreeSet<String> = found.iter().map(|(_, key)| key.clone()).collect();
    expect("the keys", &(found.len(), read), &(KEYS, keys))?;
    let owners: BTreeSet<usize> = found.iter().map(|(shard, _)| *shard).collect();
    expect("shards that have events", &owners.len(), &shards.len())
}

async fn keys_of(shards: &[Arc<dyn Shard>], a: &Name) -> Result<Vec<(usize, String)>, String> {
    let mut found = Vec::new();
    for (at, shard) in shards.iter().enumerate() {
        let read = read_all(&**shard, a, 0).await?;
        found.extend(
            read.into_iter()
                .filter_map(|record| Some((at, record.key?))),
        );
    }
    Ok(found)
}
