//! What must be true of a broker after any faults: everything acknowledged is there once, in order and whole.
//!
//! [`load`] commits numbered batches while a test does what it does to the broker; [`found`] reads what is there in
//! the end, and [`check`] says what is wrong with that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tidegate_base::{Name, Timestamp};
use tokio::time::sleep;

use super::scene::{channel, read_all, state_numbers};
use crate::{Append, Batch, Broker, CommitError, Durability, Record, StateChange};

/// Commits of one owner that are under way at the same time.
const IN_FLIGHT: usize = 16;

/// What became of each batch, by its number: where its records are, or that nobody knows.
pub type Fates = BTreeMap<u64, Option<Vec<u64>>>;

/// The channels that [`batch`] has a record for each.
///
/// # Errors
///
/// Never: the names are valid.
pub fn channels() -> Result<[Name; 2], String> {
    Ok([channel("a")?, channel("b")?])
}

/// The batch with this number: a record for each channel, and one of the state.
///
/// # Errors
///
/// Never: the names are valid.
pub fn batch(number: u64) -> Result<Batch, String> {
    let text = Bytes::from(number.to_string());
    let append = |channel: Name| Append {
        channel,
        key: Some(format!("key-{}", number % 7)),
        time: Timestamp::from_millis(1_730_291_041_637_u64.saturating_add(number)),
        headers: vec![("id".to_owned(), number.to_string())],
        payload: text.clone(),
    };
    Ok(Batch {
        appends: channels()?.map(append).to_vec(),
        state: StateChange::Append(vec![text.clone()]),
    })
}

/// What the load and the test tell each other.
#[derive(Debug, Default)]
pub struct Signs {
    /// Batches that were acknowledged.
    pub acknowledged: AtomicU64,
    /// Nothing more is to be committed.
    pub over: AtomicBool,
}

type Ended = (u64, Result<Vec<u64>, CommitError>);

/// Commits one batch after the other until the load is over or the broker is somebody else's.
///
/// # Errors
///
/// When a commit fails in another way.
pub async fn load(
    broker: Arc<dyn Broker>,
    next: Arc<AtomicU64>,
    signs: Arc<Signs>,
) -> Result<Fates, String> {
    let over = &signs.over;
    let mut fates = Fates::new();
    let mut under_way: FuturesUnordered<BoxFuture<'static, Ended>> = FuturesUnordered::new();
    loop {
        while under_way.len() < IN_FLIGHT && !over.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            // The call takes its place in the order.
            let commit = broker.commit(batch(number)?, Durability::Durable);
            under_way.push(Box::pin(async move { (number, commit.await) }));
        }
        match under_way.next().await {
            None => return Ok(fates),
            Some((number, Ok(sequences))) => {
                signs.acknowledged.fetch_add(1, Ordering::Relaxed);
                fates.insert(number, Some(sequences));
            }
            Some((number, Err(CommitError::Stopped { .. }))) => {
                fates.insert(number, None);
                over.store(true, Ordering::Relaxed);
            }
            Some((number, Err(error))) => return Err(format!("batch {number}: {error}")),
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// What is there in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Of each channel the sequences, and the numbers of the batches that they are of.
    pub channels: [Vec<(u64, u64)>; 2],
    /// The numbers of the batches that the state is of.
    pub state: Vec<u64>,
}

/// Reads what is there.
///
/// # Errors
///
/// When something cannot be read, or was never written.
pub async fn found(broker: &dyn Broker) -> Result<Found, String> {
    let [a, b] = channels()?;
    let of = |records: Vec<Record>| -> Result<Vec<(u64, u64)>, String> {
        let number = |record: &Record| Ok((record.sequence, super::scene::parse(&record.payload)?));
        records.iter().map(number).collect()
    };
    Ok(Found {
        channels: [
            of(read_all(broker, &a, 0).await?)?,
            of(read_all(broker, &b, 0).await?)?,
        ],
        state: state_numbers(broker).await?,
    })
}

/// What is wrong with what is there in the end.
#[must_use]
pub fn check(fates: &Fates, found: &Found) -> Vec<String> {
    let mut wrong = Vec::new();
    for ((name, found_there), place) in ["a", "b"].into_iter().zip(&found.channels).zip(0..) {
        let there: BTreeMap<u64, u64> = found_there
            .iter()
            .map(|(at, number)| (*number, *at))
            .collect();
        if there.len() != found_there.len() {
            wrong.push(format!("channel {name} has a record twice"));
        }
        if !found_there.is_sorted_by(|one, next| one.0 < next.0 && one.1 < next.1) {
            wrong.push(format!("channel {name} is out of order"));
        }
        for (number, sequences) in fates {
            let acknowledged = sequences.as_ref().and_then(|s| s.get::<usize>(place));
            match (acknowledged, there.get(number)) {
                (Some(said), found) if found != Some(said) => wrong.push(format!(
                    "batch {number} was acknowledged at {said} of channel {name}, and is at {found:?}"
                )),
                _ => {}
            }
        }
        if let Some(invented) = there.keys().find(|number| !fates.contains_key(number)) {
            wrong.push(format!("channel {name} has {invented}, which nobody wrote"));
        }
        let numbers: Vec<u64> = found_there.iter().map(|(_, number)| *number).collect();
        if numbers != found.state {
            wrong.push(format!(
                "channel {name} and the state are not of the same batches"
            ));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_finds_what_is_doctored() {
        let fates: Fates = [(0, Some(vec![0, 0])), (1, None), (2, Some(vec![2, 2]))].into();
        let wrong = |a: &[(u64, u64)], b: &[(u64, u64)], state: &[u64]| {
            let channels = [a.to_vec(), b.to_vec()];
            let state = state.to_vec();
            check(&fates, &Found { channels, state })
        };
        let fine = [(0, 0), (2, 2)];
        assert_eq!(wrong(&fine, &fine, &[0, 2]), Vec::<String>::new());
        let with_unknown = [(0, 0), (1, 1), (2, 2)];
        let found = wrong(&with_unknown, &with_unknown, &[0, 1, 2]);
        assert_eq!(found, Vec::<String>::new());
        for (a, b, state, words) in [
            (
                &[(0, 0)][..],
                &[(0, 0)][..],
                &[0][..],
                "batch 2 was acknowledged",
            ),
            (
                &fine[..],
                &with_unknown[..],
                &[0, 2][..],
                "not of the same batches",
            ),
            (
                &fine[..],
                &fine[..],
                &[0, 1, 2][..],
                "not of the same batches",
            ),
            (
                &[(0, 0), (2, 2), (3, 2)][..],
                &fine[..],
                &[0, 2][..],
                "twice",
            ),
            (
                &[(0, 2), (2, 0)][..],
                &fine[..],
                &[0, 2][..],
                "out of order",
            ),
            (
                &[(0, 0), (2, 2), (4, 9)][..],
                &fine[..],
                &[0, 2][..],
                "nobody wrote",
            ),
        ] {
            let wrong = wrong(a, b, state);
            assert!(
                wrong.iter().any(|wrong| wrong.contains(words)),
                "{words}: {wrong:?}"
            );
        }
    }
}
