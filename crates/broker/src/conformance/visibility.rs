//! When commits become visible, and whether they are seen whole.

use std::sync::Arc;
use std::time::Duration;

use tidegate_base::limit::BATCH_BYTES_MAX;
use tokio::time::timeout;

use super::Outcome;
use super::scene::{
    ALL, append, batch, channel, commit, done, expect, number, numbers, read_all, state_numbers,
};
use crate::{AtomicBatch, Batch, Broker, CommitError, Durability, StateChange};

/// How long the word that a commit is done may be on its way while its records are visible already.
const GRACE: Duration = Duration::from_secs(2);
/// Looks at a commit on its way.
const LOOKS: usize = 20;
/// Commits that are watched.
const COMMITS: u64 = 50;

pub(super) async fn done_is_visible(broker: Arc<dyn Broker>) -> Outcome {
    let a = channel("a")?;
    let tail = broker.tail(&a);
    for at in 0..COMMITS {
        let class = if at.is_multiple_of(2) {
            Durability::Durable
        } else {
            Durability::Written
        };
        done(broker.commit(batch([append(&a, number(at))]), class).await)?;
        expect(
            "records that are visible",
            &read_all(&*broker, &a, at).await?.len(),
            &1,
        )?;
        expect("the tail", &*tail.borrow(), &(at + 1))?;
    }
    Ok(())
}

/// Watches commits whose futures nobody polls: once a record is visible, its commit must be done.
pub(super) async fn visible_is_done(broker: Arc<dyn Broker>) -> Outcome {
    let a = channel("a")?;
    let mut tail = broker.tail(&a);
    for at in 0..COMMITS {
        let payload = vec![b'x'; 100_000];
        let commit = broker.commit(batch([append(&a, payload)]), Durability::Durable);
        tail.wait_for(|tail| *tail > at)
            .await
            .map_err(|error| error.to_string())?;
        expect(
            "records that are visible",
            &read_all(&*broker, &a, at).await?.len(),
            &1,
        )?;
        let late = |_| format!("record {at} is visible, but its commit is not done");
        done(timeout(GRACE, commit).await.map_err(late)?)?;
    }
    Ok(())
}

/// Reads channels and state while batches over all of them are committed.
pub(super) async fn whole(broker: Arc<dyn Broker>) -> Outcome {
    if broker.promises().atomic_batch != AtomicBatch::Whole {
        return Ok(());
    }
    let (a, b) = (channel("a")?, channel("b")?);
    for at in 0..COMMITS {
        let appends = vec![append(&a, number(at)), append(&b, number(at))];
        let state = StateChange::Append(vec![number(at)]);
        let commit = broker.commit(Batch { appends, state }, Durability::Durable);
        for _ in 0..LOOKS {
            // What is read later must be at least as far as what was read before.
            let first = numbers(&*broker, &a).await?.len();
            let second = state_numbers(&*broker).await?.len();
            let third = numbers(&*broker, &b).await?.len();
            let fourth = numbers(&*broker, &a).await?.len();
            let far = [first, second, third, fourth];
            expect(&format!("whether {far:?} ascends"), &far.is_sorted(), &true)?;
            tokio::task::yield_now().await;
        }
        done(commit.await)?;
    }
    Ok(())
}

pub(super) async fn refused(broker: Arc<dyn Broker>) -> Outcome {
    let (a, b) = (channel("a")?, channel("b")?);
    let appends = vec![append(&a, "0"), append(&b, vec![0; BATCH_BYTES_MAX + 1])];
    let state = StateChange::Replace(vec![number(0)]);
    let result = broker
        .commit(Batch { appends, state }, Durability::Durable)
        .await;
    if !matches!(result, Err(CommitError::Invalid { .. })) {
        return Err(format!(
            "a batch over the limit is not refused as invalid: {result:?}"
        ));
    }
    for name in [&a, &b] {
        let read = broker
            .read(name, 0, ALL)
            .await
            .map_err(|error| error.to_string())?;
        expect(&format!("what `{name}` has"), &read.len(), &0)?;
    }
    expect("the state", &state_numbers(&*broker).await?, &Vec::new())?;
    expect(
        "the next sequence",
        &commit(&*broker, batch([append(&a, "0")])).await?,
        &vec![0],
    )
}

pub(super) async fn tail_wakes(broker: Arc<dyn Broker>) -> Outcome {
    let (a, b) = (channel("a")?, channel("b")?);
    let mut tail = broker.tail(&a);
    expect("the tail", &*tail.borrow_and_update(), &0)?;
    commit(&*broker, batch([append(&b, "other")])).await?;
    expect(
        "whether another channel wakes",
        &tail.has_changed().unwrap_or(true),
        &false,
    )?;
    for at in [1_u64, 2, 5] {
        let missing = (*tail.borrow()..at).map(|at| append(&a, number(at)));
        commit(&*broker, batch(missing)).await?;
        let wait = tail.wait_for(|tail| *tail >= at);
        let woken = timeout(GRACE, wait)
            .await
            .map_err(|_| "nobody was woken".to_owned())?;
        let tail = *woken.map_err(|error| error.to_string())?;
        expect("the tail", &tail, &at)?;
    }
    expect(
        "the tail of a later watcher",
        &*broker.tail(&a).borrow(),
        &5,
    )
}

pub(super) async fn dropped(broker: Arc<dyn Broker>) -> Outcome {
    let a = channel("a")?;
    drop(broker.commit(batch([append(&a, "0")]), Durability::Durable));
    let behind = commit(&*broker, batch([append(&a, "1")])).await?;
    expect("the sequence behind the dropped call", &behind, &vec![1])?;
    expect("the channel", &numbers(&*broker, &a).await?, &vec![0, 1])
}
