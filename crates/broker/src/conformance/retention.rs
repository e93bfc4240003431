//! What a clean removes, and what it must leave.
//!
//! A broker may leave some of what may go for later, but not all of it: the checks hold it to what
//! must stay, and to having removed something.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tidegate_base::{Name, Timestamp};

use super::scene::{append, batch, channel, commit, expect, read_all};
use super::{Outcome, Subject};
use crate::{Append, Broker, Cleaned, History, Keep, ReadLimit, Record};

/// Records of a channel, accepted one second after the other.
const RECORDS: u64 = 60;
/// Bytes of each payload.
const PAYLOAD: usize = 1_000;
/// Keys that take turns; every seventh record has none.
const KEYS: u64 = 5;

/// Lets every record go that is not needed.
fn nothing(needed_from: u64) -> Keep {
    let age = Some(Duration::ZERO);
    Keep {
        age,
        needed_from,
        ..Keep::ALL
    }
}

fn record(name: &Name, at: u64) -> Append {
    let plain = append(name, vec![b'x'; PAYLOAD]);
    Append {
        key: (at % 7 != 6).then(|| format!("key-{}", at % KEYS)),
        time: plain.time + Duration::from_secs(at),
        ..plain
    }
}

/// When the last record of [`fill`] is one second old.
fn end(name: &Name) -> Timestamp {
    record(name, RECORDS).time
}

/// Fills a channel, a record at a time, so that a broker has places to cut.
async fn fill(broker: &dyn Broker) -> Result<Name, String> {
    let a = channel("a")?;
    for at in 0..RECORDS {
        commit(broker, batch([record(&a, at)])).await?;
    }
    Ok(a)
}

/// Cleans, and holds what is there to what was there before, and to the head. Returns the records
/// that stayed.
async fn clean(broker: &dyn Broker, name: &Name, keep: Keep) -> Result<Vec<Record>, String> {
    let before = read_all(broker, name, 0).await?;
    let head_before = broker.head(name);
    let pinned = keep.pinned.clone();
    broker.keep(name, keep);
    let cleaned = broker.clean(end(name)).await;
    let cleaned = cleaned.map_err(|error| error.to_string())?;
    let after = read_all(broker, name, 0).await?;
    let invented = after.iter().find(|record| !before.contains(record));
    expect("a record that was never there", &invented, &None)?;
    let gone = before.len().saturating_sub(after.len());
    expect("records removed", &cleaned.records, &(gone as u64))?;
    expect(
        "whether their bytes are counted",
        &(cleaned.bytes > 0),
        &(gone > 0),
    )?;
    let head = broker.head(name);
    if head < head_before {
        return Err(format!("the head goes back from {head_before} to {head}"));
    }
    head_fits(broker, name, &after, &pinned)?;
    Ok(after)
}

/// That the head is the first record that is not a pinned one left behind, or the tail.
fn head_fits(broker: &dyn Broker, name: &Name, records: &[Record], pinned: &[u64]) -> Outcome {
    let (head, tail) = (broker.head(name), *broker.tail(name).borrow());
    let mut sequences = records.iter().map(|record| record.sequence);
    let at_head = sequences.clone().any(|sequence| sequence == head);
    let stray = sequences.find(|sequence| *sequence < head && !pinned.contains(sequence));
    expect("a record before the head", &stray, &None)?;
    expect(
        &format!("whether head {head} is a record or tail {tail}"),
        &(at_head || head == tail),
        &true,
    )
}

fn sequences_of(records: &[Record]) -> BTreeSet<u64> {
    records.iter().map(|record| record.sequence).collect()
}

/// That all of `must` stayed, and something went.
fn stayed(found: &[Record], must: impl IntoIterator<Item = u64>) -> Outcome {
    let found = sequences_of(found);
    let missing: Vec<u64> = must.into_iter().filter(|at| !found.contains(at)).collect();
    expect("what is gone but must stay", &missing, &Vec::new())?;
    let went = (found.len() as u64) < RECORDS;
    expect("whether anything went", &went, &true)
}

/// That only the oldest went.
fn oldest_went(broker: &dyn Broker, name: &Name, found: &[Record]) -> Outcome {
    let head = broker.head(name);
    expect(
        "what stayed",
        &sequences_of(found),
        &(head..RECORDS).collect::<BTreeSet<_>>(),
    )
}

pub(super) async fn unsaid(broker: Arc<dyn Broker>) -> Outcome {
    let a = fill(&*broker).await?;
    let cleaned = broker.clean(end(&a)).await;
    expect("the clean", &cleaned, &Ok(Cleaned::default()))?;
    let found = read_all(&*broker, &a, 0).await?;
    expect("the records", &(found.len() as u64), &RECORDS)?;
    expect("the head", &broker.head(&a), &0)?;
    expect(
        "the head of an unknown channel",
        &broker.head(&channel("b")?),
        &0,
    )
}

pub(super) async fn age(broker: Arc<dyn Broker>) -> Outcome {
    let a = fill(&*broker).await?;
    let age = Duration::from_secs(20);
    let keep = Keep {
        age: Some(age),
        needed_from: RECORDS,
        ..Keep::ALL
    };
    let found = clean(&*broker, &a, keep).await?;
    // At the end the last one is a second old.
    stayed(&found, RECORDS - 20..RECORDS)?;
    oldest_went(&*broker, &a, &found)
}

pub(super) async fn bytes(broker: Arc<dyn Broker>) -> Outcome {
    let a = fill(&*broker).await?;
    let keep = Keep {
        bytes: Some(20 * PAYLOAD as u64),
        needed_from: RECORDS,
        ..Keep::ALL
    };
    let found = clean(&*broker, &a, keep).await?;
    // What a broker counts besides the payloads is less than a third of them.
    stayed(&found, RECORDS - 15..RECORDS)?;
    oldest_went(&*broker, &a, &found)
}

pub(super) async fn latest(broker: Arc<dyn Broker>) -> Outcome {
    let a = fill(&*broker).await?;
    let all = read_all(&*broker, &a, 0).await?;
    let keep = Keep {
        history: History::LatestPerKey,
        needed_from: RECORDS,
        ..Keep::ALL
    };
    let found = clean(&*broker, &a, keep).await?;
    let keyed = all
        .iter()
        .filter_map(|r| Some((r.key.clone()?, r.sequence)));
    let last: BTreeMap<String, u64> = keyed.collect();
    let keyless = all.iter().filter(|record| record.key.is_none());
    let must = keyless.map(|record| record.sequence);
    stayed(&found, must.chain(last.into_values()))
}

pub(super) async fn needed(broker: Arc<dyn Broker>) -> Outcome {
    let a = fill(&*broker).await?;
    let keep = Keep {
        bytes: Some(0),
        history: History::LatestPerKey,
        ..nothing(RECORDS / 2)
    };
    let found = clean(&*broker, &a, keep).await?;
    stayed(&found, RECORDS / 2..RECORDS)
}

pub(super) async fn pinned(broker: Arc<dyn Broker>) -> Outcome {
    let a = fill(&*broker).await?;
    let pinned = vec![0, 3, 17, RECORDS - 1];
    let keep = Keep {
        bytes: Some(0),
        history: History::LatestPerKey,
        pinned: pinned.clone(),
        ..nothing(RECORDS)
    };
    // Twice: what the first has passed over must not be lost to the second.
    for _ in 0..2 {
        let found = clean(&*broker, &a, keep.clone()).await?;
        stayed(&found, pinned.iter().copied())?;
    }
    let one = ReadLimit {
        records: 1,
        bytes: PAYLOAD,
    };
    for at in pinned {
        let read = broker.read(&a, at, one).await;
        let read = read.map_err(|error| error.to_string())?;
        let whole = record(&a, at).into_record(at);
        expect("a pinned record", &read, &vec![whole])?;
    }
    Ok(())
}

pub(super) async fn said_last(broker: Arc<dyn Broker>) -> Outcome {
    let a = fill(&*broker).await?;
    broker.keep(&a, nothing(RECORDS));
    let found = clean(&*broker, &a, Keep::ALL).await?;
    expect("the records", &(found.len() as u64), &RECORDS)?;
    let found = clean(&*broker, &a, nothing(RECORDS)).await?;
    stayed(&found, [])
}

pub(super) async fn sequences(broker: Arc<dyn Broker>) -> Outcome {
    let a = fill(&*broker).await?;
    stayed(&clean(&*broker, &a, nothing(RECORDS)).await?, [])?;
    goes_on(&*broker, &a).await
}

/// That the next record takes the next sequence, and is found.
async fn goes_on(broker: &dyn Broker, a: &Name) -> Outcome {
    expect("the tail", &*broker.tail(a).borrow(), &RECORDS)?;
    let sequences = commit(broker, batch([record(a, RECORDS)])).await?;
    expect("the next sequence", &sequences, &vec![RECORDS])?;
    expect("the tail", &*broker.tail(a).borrow(), &(RECORDS + 1))?;
    let found = read_all(broker, a, RECORDS).await?;
    let whole = record(a, RECORDS).into_record(RECORDS);
    expect("the next record", &found, &vec![whole])
}

pub(super) async fn reopened(subject: &dyn Subject, broker: Arc<dyn Broker>) -> Outcome {
    let a = fill(&*broker).await?;
    let pinned = vec![5];
    let keep = Keep {
        pinned: pinned.clone(),
        ..nothing(RECORDS / 2)
    };
    let before = clean(&*broker, &a, keep).await?;
    stayed(&before, pinned.iter().copied())?;
    let head = broker.head(&a);
    let broker = subject.reopen(broker).await;
    expect("the head", &broker.head(&a), &head)?;
    // What was said is said no more.
    let cleaned = broker.clean(end(&a)).await.map(|cleaned| cleaned.records);
    expect("the records of the clean", &cleaned, &Ok(0))?;
    // What is pinned before the head is seen once that is said again.
    let keep = Keep {
        pinned: pinned.clone(),
        ..nothing(RECORDS / 2)
    };
    broker.keep(&a, keep);
    let after = read_all(&*broker, &a, 0).await?;
    expect("the records", &sequences_of(&after), &sequences_of(&before))?;
    expect("whether they are as before", &(after == before), &true)?;
    head_fits(&*broker, &a, &after, &pinned)
}

pub(super) async fn sequences_reopened(subject: &dyn Subject, broker: Arc<dyn Broker>) -> Outcome {
    let a = fill(&*broker).await?;
    stayed(&clean(&*broker, &a, nothing(RECORDS)).await?, [])?;
    let broker = subject.reopen(broker).await;
    goes_on(&*broker, &a).await
}

pub(super) async fn times(broker: Arc<dyn Broker>) -> Outcome {
    let a = fill(&*broker).await?;
    let keep = Keep {
        pinned: vec![3],
        ..nothing(40)
    };
    clean(&*broker, &a, keep).await?;
    let head = broker.head(&a);
    for at in [0, 3, head, RECORDS - 1, RECORDS] {
        let found = broker.sequence_at(&a, record(&a, at).time).await;
        let found = found.map_err(|error| error.to_string())?;
        let first = at.max(head);
        expect(&format!("the first as old as {at}"), &found, &first)?;
    }
    Ok(())
}
