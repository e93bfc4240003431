//! Sequences and the order of commits.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;

use super::Outcome;
use super::scene::{append, batch, channel, commit, done, expect, number, numbers};
use crate::{Broker, Durability};

/// Commits in flight at the same time.
const IN_FLIGHT: u64 = 200;

pub(super) async fn dense(broker: Arc<dyn Broker>) -> Outcome {
    let (a, b) = (channel("a")?, channel("b")?);
    let first = batch([append(&a, "0"), append(&b, "0"), append(&a, "1")]);
    expect(
        "the sequences",
        &commit(&*broker, first).await?,
        &vec![0, 0, 1],
    )?;
    let second = batch([append(&b, "1"), append(&a, "2")]);
    expect(
        "the sequences",
        &commit(&*broker, second).await?,
        &vec![1, 2],
    )?;
    expect("channel a", &numbers(&*broker, &a).await?, &vec![0, 1, 2])?;
    expect("channel b", &numbers(&*broker, &b).await?, &vec![0, 1])
}

/// All calls first, without waiting; then their futures, the last first.
pub(super) async fn of_calls(broker: Arc<dyn Broker>) -> Outcome {
    calls(broker, |_| Durability::Durable).await
}

pub(super) async fn over_classes(broker: Arc<dyn Broker>) -> Outcome {
    let class = |at: u64| {
        if at.is_multiple_of(3) {
            Durability::Durable
        } else {
            Durability::Written
        }
    };
    calls(broker, class).await
}

async fn calls(broker: Arc<dyn Broker>, class: impl Fn(u64) -> Durability) -> Outcome {
    let a = channel("a")?;
    let mut commits: Vec<_> = (0..IN_FLIGHT)
        .map(|at| {
            (
                at,
                broker.commit(batch([append(&a, number(at))]), class(at)),
            )
        })
        .collect();
    while let Some((at, commit)) = commits.pop() {
        expect("the sequence of a call", &done(commit.await)?, &vec![at])?;
    }
    expect(
        "the channel",
        &numbers(&*broker, &a).await?,
        &(0..IN_FLIGHT).collect(),
    )
}

pub(super) async fn concurrent(broker: Arc<dyn Broker>) -> Outcome {
    let (a, tasks) = (channel("a")?, 8);
    let run = |task: u64| {
        let (broker, a) = (Arc::clone(&broker), a.clone());
        tokio::spawn(async move {
            let mut own = Vec::new();
            for at in 0..IN_FLIGHT / 4 {
                let payload = number(task * IN_FLIGHT + at);
                own.extend(commit(&*broker, batch([append(&a, payload)])).await?);
            }
            Ok::<_, String>(own)
        })
    };
    let mut seen = BTreeSet::new();
    for own in join_all((0..tasks).map(run)).await {
        let own = own.map_err(|error| error.to_string())??;
        expect(
            "whether the sequences of one task ascend",
            &own.is_sorted(),
            &true,
        )?;
        seen.extend(own);
    }
    let all = tasks * (IN_FLIGHT / 4);
    expect("the sequences of all tasks", &seen, &(0..all).collect())?;
    let read: BTreeSet<u64> = numbers(&*broker, &a).await?.into_iter().collect();
    let written =
        (0..tasks).flat_map(|task| (0..IN_FLIGHT / 4).map(move |at| task * IN_FLIGHT + at));
    expect("the payloads of all tasks", &read, &written.collect())
}

pub(super) async fn empty_batch(broker: Arc<dyn Broker>) -> Outcome {
    expect(
        "the sequences",
        &commit(&*broker, batch([])).await?,
        &Vec::new(),
    )
}
