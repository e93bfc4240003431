//! What is there after the broker has ended and another has been opened on what it kept.

use std::sync::Arc;

use super::scene::{
    append, batch, channel, commit, expect, number, numbers, read_all, state_numbers,
};
use super::{Outcome, Subject};
use crate::{AtomicBatch, Batch, Broker, Durability, StateChange};

pub(super) async fn kept(subject: &dyn Subject, broker: Arc<dyn Broker>) -> Outcome {
    let channels = [channel("a")?, channel("b")?];
    for at in 0..40_u64 {
        let appends = channels
            .iter()
            .map(|name| append(name, number(at)))
            .collect();
        let state = match at {
            20 => StateChange::Replace(vec![number(at)]),
            _ => StateChange::Append(vec![number(at)]),
        };
        commit(&*broker, Batch { appends, state }).await?;
    }
    let mut before = Vec::new();
    for name in &channels {
        before.push(read_all(&*broker, name, 0).await?);
    }
    let broker = subject.reopen(broker).await;
    for (name, before) in channels.iter().zip(before) {
        expect(
            &format!("channel `{name}`"),
            &read_all(&*broker, name, 0).await?,
            &before,
        )?;
        expect(
            "the tail",
            &*broker.tail(name).borrow(),
            &(before.len() as u64),
        )?;
    }
    expect(
        "the state",
        &state_numbers(&*broker).await?,
        &(20..40).collect(),
    )
}

pub(super) async fn goes_on(subject: &dyn Subject, mut broker: Arc<dyn Broker>) -> Outcome {
    let a = channel("a")?;
    for at in 0..4 {
        let sequences = commit(&*broker, batch([append(&a, number(at))])).await?;
        expect("the sequence", &sequences, &vec![at])?;
        broker = subject.reopen(broker).await;
    }
    expect(
        "the channel",
        &numbers(&*broker, &a).await?,
        &vec![0, 1, 2, 3],
    )
}

pub(super) async fn in_flight(subject: &dyn Subject, broker: Arc<dyn Broker>) -> Outcome {
    let (a, b) = (channel("a")?, channel("b")?);
    let commits: Vec<_> = (0..100)
        .map(|at| {
            let appends = vec![append(&a, number(at)), append(&b, number(at))];
            let state = StateChange::Append(vec![number(at)]);
            broker.commit(Batch { appends, state }, Durability::Durable)
        })
        .collect();
    drop(commits);
    let whole = broker.promises().atomic_batch != AtomicBatch::Prefix;
    let broker = subject.reopen(broker).await;
    let found = numbers(&*broker, &a).await?;
    expect(
        "whether channel a has a prefix",
        &found,
        &(0..found.len() as u64).collect(),
    )?;
    if whole {
        expect("channel b", &numbers(&*broker, &b).await?, &found)?;
        expect("the state", &state_numbers(&*broker).await?, &found)?;
    }
    Ok(())
}
