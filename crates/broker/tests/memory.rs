//! The memory broker removes exactly what may go.

#![cfg(test)]

use std::time::Duration;

use futures_util::future::FutureExt;
use tidegate_base::{Name, Timestamp};
use tidegate_broker::{
    Append, Batch, Broker, Cleaned, CommitError, Durability, History, Keep, MemoryBroker,
    ReadLimit, StateChange,
};

fn name() -> Name {
    Name::new("a").unwrap()
}

fn at(second: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000) + Duration::from_secs(second)
}

/// Records of ten bytes with these keys, a second apart; a blank is no key.
fn filled(keys: &str) -> MemoryBroker {
    let broker = MemoryBroker::with_bytes_max(100);
    append(&broker, keys).unwrap();
    broker
}

fn append(broker: &MemoryBroker, keys: &str) -> Result<Vec<u64>, CommitError> {
    let appends = keys.chars().zip(0..).map(|(key, second)| {
        let key = (key != ' ').then(|| key.to_string());
        let payload = vec![b'x'; 10 - key.iter().len()].into();
        Append {
            channel: name(),
            key,
            time: at(second),
            headers: Vec::new(),
            payload,
        }
    });
    let appends = appends.collect();
    let state = StateChange::NONE;
    let commit = broker.commit(Batch { appends, state }, Durability::Durable);
    commit.now_or_never().unwrap()
}

fn clean(broker: &MemoryBroker, keep: Keep, second: u64) -> Cleaned {
    broker.keep(&name(), keep);
    let cleaned = broker.clean(at(second)).now_or_never().unwrap();
    cleaned.unwrap()
}

/// The sequences from `from` on.
fn from(broker: &MemoryBroker, from: u64) -> Vec<u64> {
    let limit = ReadLimit {
        records: 100,
        bytes: 1_000,
    };
    let read = broker.read(&name(), from, limit).now_or_never().unwrap();
    let records = read.unwrap();
    records.iter().map(|record| record.sequence).collect()
}

#[test]
fn what_is_older_goes_and_what_is_as_old_stays() {
    let broker = filled("     ");
    let keep = Keep {
        age: Some(Duration::from_secs(3)),
        needed_from: 5,
        ..Keep::ALL
    };
    let cleaned = clean(&broker, keep, 5);
    assert_eq!((cleaned.records, cleaned.bytes), (2, 20));
    assert_eq!((from(&broker, 0), broker.head(&name())), (vec![2, 3, 4], 2));
}

#[test]
fn as_many_bytes_stay_as_were_asked_for_at_least() {
    let broker = filled("     ");
    let keep = Keep {
        bytes: Some(25),
        needed_from: 5,
        ..Keep::ALL
    };
    assert_eq!(clean(&broker, keep, 5).records, 2);
    assert_eq!(from(&broker, 0), [2, 3, 4]);
}

#[test]
fn only_the_latest_of_each_key_stays() {
    let broker = filled("aab ba");
    let keep = Keep {
        history: History::LatestPerKey,
        needed_from: 6,
        ..Keep::ALL
    };
    assert_eq!(clean(&broker, keep.clone(), 6).records, 3);
    assert_eq!((from(&broker, 0), broker.head(&name())), (vec![3, 4, 5], 3));
    assert_eq!(clean(&broker, keep, 6), Cleaned::default());
}

#[test]
fn a_pinned_record_holds_up_neither_the_head_nor_those_behind_it() {
    let broker = filled("     ");
    let keep = |pinned: &[u64]| Keep {
        age: Some(Duration::ZERO),
        needed_from: 4,
        pinned: pinned.to_vec(),
        ..Keep::ALL
    };
    assert_eq!(clean(&broker, keep(&[1, 3]), 9).records, 2);
    assert_eq!((from(&broker, 0), broker.head(&name())), (vec![1, 3, 4], 4));
    // Needed no more, it goes, though what is kept now would let it stay.
    let later = Keep {
        needed_from: 4,
        pinned: vec![3],
        ..Keep::ALL
    };
    assert_eq!(clean(&broker, later, 9).records, 1);
    assert_eq!((from(&broker, 2), broker.head(&name())), (vec![3, 4], 4));
}

#[test]
fn what_is_removed_makes_room() {
    let broker = filled("          ");
    assert!(matches!(
        append(&broker, " "),
        Err(CommitError::Full { .. })
    ));
    let keep = Keep {
        bytes: Some(0),
        needed_from: 10,
        ..Keep::ALL
    };
    assert_eq!(clean(&broker, keep, 0).bytes, 100);
    assert_eq!(broker.head(&name()), 10);
    assert_eq!(append(&broker, "  "), Ok(vec![10, 11]));
    assert_eq!((from(&broker, 0), broker.head(&name())), (vec![10, 11], 10));
}
