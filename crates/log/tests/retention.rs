//! What goes and what stays when a log is cleaned, and who reads meanwhile.

#![cfg(test)]

use std::fs::DirEntry;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_log::{
    Append, Batch, Cleaned, Durability, History, Keep, Log, Options, ReadLimit, Record, StateChange,
};

const OPTIONS: Options = Options {
    segment_bytes: 4_000,
    ahead_bytes: 0,
    queue_bytes_max: 1 << 20,
    bytes_max: None,
    recent_bytes_max: 0,
    reserve_bytes: 0,
};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn open(directory: &Path) -> Log {
    let (log, recovery) = Log::open(directory, OPTIONS).unwrap();
    assert_eq!((recovery.cut, recovery.damages), (None, vec![]));
    log
}

/// A record of second `at` with a key of ten and 200 bytes.
fn record(channel: &str, at: u64) -> Append {
    let payload = Bytes::from(format!("{at:0>200}"));
    let mut append = Append::new(name(channel), seconds(at), payload);
    append.key = Some(format!("key-{}", at % 10));
    append
}

fn seconds(at: u64) -> Timestamp {
    Timestamp::from_millis(at * 1_000)
}

fn append(log: &Log, batch: Batch) {
    let (sender, done) = sync_channel(1);
    log.append(batch, Durability::Durable, move |result| {
        sender.send(result).unwrap()
    });
    done.recv().unwrap().unwrap();
}

fn fill(log: &Log, channel: &str, range: std::ops::Range<u64>) {
    for at in range {
        append(log, Batch::of(vec![record(channel, at)]));
    }
}

fn read_all(log: &Log, channel: &str, mut from: u64) -> Vec<Record> {
    let limit = ReadLimit {
        records: 50,
        bytes: 20_000,
    };
    let mut all = Vec::new();
    loop {
        let records = log.read(&name(channel), from, limit).unwrap();
        let Some(last) = records.last() else {
            return all;
        };
        from = last.sequence + 1;
        all.extend(records);
    }
}

fn sequences(log: &Log, channel: &str) -> Vec<u64> {
    let records = read_all(log, channel, 0);
    records.iter().map(|record| record.sequence).collect()
}

fn bytes_on_disk(directory: &Path) -> u64 {
    // The log makes the file of its next segment beside us and renames it when it is needed: what
    // was listed may bear another name already.
    let length = |entry: std::io::Result<DirEntry>| match entry.unwrap().metadata() {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => 0,
        Err(error) => panic!("{error}"),
    };
    std::fs::read_dir(directory).unwrap().map(length).sum()
}

fn keep(needed_from: u64) -> Keep {
    Keep {
        needed_from,
        ..Keep::default()
    }
}

#[test]
fn what_is_old_and_not_needed_goes_for_good() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    fill(&log, "a", 0..200);
    let before = bytes_on_disk(directory.path());
    assert_eq!(log.clean(seconds(1_000)).unwrap(), Cleaned::default());
    let aged = Keep {
        age: Some(Duration::from_secs(50)),
        pinned: vec![3, 120],
        ..keep(180)
    };
    log.keep(&name("a"), aged.clone());
    // All before second 100 is older than 50 s at second 150; record 3 is pinned.
    let cleaned = log.clean(seconds(150)).unwrap();
    assert_eq!(cleaned.records, 99);
    assert!(cleaned.bytes > before / 3, "{cleaned:?}");
    assert!(bytes_on_disk(directory.path()) < before * 2 / 3);
    let expected: Vec<u64> = [3].into_iter().chain(100..200).collect();
    assert_eq!(sequences(&log, "a"), expected);
    assert_eq!((log.head(&name("a")), log.tail(&name("a"))), (100, 200));

    // Cleaning again finds nothing more to do.
    for _ in 0..3 {
        let again = log.clean(seconds(150)).unwrap();
        assert_eq!((again.records, again.segments), (0, 0), "{again:?}");
    }

    // Later all is old: what is needed or pinned stays.
    assert_eq!(log.clean(seconds(5_000)).unwrap().records, 79);
    let expected: Vec<u64> = [3, 120].into_iter().chain(180..200).collect();
    assert_eq!(sequences(&log, "a"), expected);
    drop(log);

    // Pinned records are there again as soon as that is said again.
    let log = open(directory.path());
    assert_eq!(log.head(&name("a")), 180);
    assert_eq!(sequences(&log, "a"), (180..200).collect::<Vec<_>>());
    log.keep(&name("a"), aged);
    assert_eq!(sequences(&log, "a"), expected);

    // When nothing is needed any more nothing stays, but no sequence is used again.
    log.keep(
        &name("a"),
        Keep {
            age: Some(Duration::ZERO),
            ..keep(u64::MAX)
        },
    );
    log.clean(seconds(9_000)).unwrap();
    assert_eq!(sequences(&log, "a"), [0; 0]);
    drop(log);
    let log = open(directory.path());
    fill(&log, "a", 200..201);
    assert_eq!(sequences(&log, "a"), [200]);
}

#[test]
fn the_oldest_go_as_long_as_enough_stays() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    fill(&log, "a", 0..200);
    log.keep(
        &name("a"),
        Keep {
            bytes: Some(20_000),
            ..keep(u64::MAX)
        },
    );
    let cleaned = log.clean(seconds(0)).unwrap();
    assert!(cleaned.records > 0);
    let stay: usize = read_all(&log, "a", 0).iter().map(Record::bytes).sum();
    // Counted by whole segments of 4,000 bytes, with some 40 bytes around each record.
    assert!((16_000..=25_000).contains(&stay), "{stay}");
    let left = log.clean(seconds(0)).unwrap();
    assert_eq!(left.records, 0, "cleaning again removes nothing");
}

#[test]
fn the_latest_of_each_key_stays() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    fill(&log, "a", 0..200);
    for at in 0..200 {
        let mut without_key = record("b", at);
        without_key.key = None;
        append(&log, Batch::of(vec![without_key]));
    }
    for channel in ["a", "b"] {
        log.keep(
            &name(channel),
            Keep {
                history: History::LatestPerKey,
                pinned: vec![7],
                ..keep(150)
            },
        );
    }
    let before = bytes_on_disk(directory.path());
    let cleaned = log.clean(seconds(0)).unwrap();
    let found = sequences(&log, "a");
    assert_eq!(cleaned.records, 200 - found.len() as u64);
    // Everything from 150 on is needed, 7 is pinned, and all other keys have a later record.
    assert!(found.starts_with(&[7]), "{found:?}");
    assert_eq!(found[found.len() - 50..], (150..200).collect::<Vec<_>>());
    assert!(found.len() < 75, "{found:?}");
    assert_eq!(sequences(&log, "b").len(), 200, "without a key all stay");
    assert!(bytes_on_disk(directory.path()) < before);
    assert_eq!(log.sequence_at(&name("a"), seconds(20)).unwrap(), found[1]);
    drop(log);
    assert_eq!(sequences(&open(directory.path()), "a"), found);
}

#[test]
fn old_state_and_cursors_go_and_small_segments_are_joined() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let item = |at: u64| Bytes::from(format!("{at:0>300}"));
    for at in 0..300 {
        append(
            &log,
            Batch {
                appends: Vec::new(),
                state: match at % 50 {
                    0 => StateChange::Replace(vec![item(at)]),
                    _ => StateChange::Append(vec![item(at)]),
                },
                cursors: vec![(name("c"), at)],
            },
        );
    }
    let before = bytes_on_disk(directory.path());
    let cleaned = log.clean(seconds(0)).unwrap();
    assert_eq!(cleaned.records, 0, "no record of a channel went");
    assert!(bytes_on_disk(directory.path()) < before / 3);
    let state: Vec<Bytes> = (250..300).map(item).collect();
    let check = |log: &Log| {
        assert_eq!(log.state().unwrap(), state);
        assert_eq!(log.cursor(&name("c")), Some(299));
    };
    check(&log);
    drop(log);
    check(&open(directory.path()));
}

#[test]
fn the_first_record_of_a_time_is_found_wherever_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    assert_eq!(log.sequence_at(&name("a"), seconds(0)).unwrap(), 0);
    // Times that now and then go back.
    let time = |at: u64| if at % 7 == 3 { at - 3 } else { at };
    for at in 0..300 {
        let mut append_one = record("a", at);
        append_one.time = seconds(time(at));
        append(&log, Batch::of(vec![append_one]));
    }
    let check = |log: &Log| {
        for wanted in (0..310).step_by(3) {
            let expected = (0..300).find(|at| time(*at) >= wanted).unwrap_or(300);
            let found = log.sequence_at(&name("a"), seconds(wanted)).unwrap();
            assert_eq!(found, expected, "second {wanted}");
        }
    };
    check(&log);
    drop(log);
    check(&open(directory.path()));
}

/// Readers all over the log, a writer, and a cleaner that removes and rewrites under their feet.
#[test]
fn who_reads_while_the_log_is_cleaned_misses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    log.keep(
        &name("a"),
        Keep {
            bytes: Some(100_000),
            ..keep(u64::MAX)
        },
    );
    log.keep(
        &name("b"),
        Keep {
            history: History::LatestPerKey,
            ..keep(u64::MAX)
        },
    );
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for at in 0..3_000 {
                append(
                    &log,
                    Batch::of(vec![record("a", at), record("b", at), record("c", at)]),
                );
            }
            ended.store(true, Ordering::Relaxed);
        });
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                log.clean(seconds(0)).unwrap();
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    let head = log.head(&name("a"));
                    let a = read_all(&log, "a", head);
                    let pairs = a.windows(2);
                    // The head may move on while the first of them are read.
                    let jumps = pairs.filter(|p| p[1].sequence != p[0].sequence + 1);
                    assert!(jumps.count() <= 1);
                    let all = sequences(&log, "c");
                    assert_eq!(all, (0..all.len() as u64).collect::<Vec<_>>());
                    let b = read_all(&log, "b", 0);
                    assert!(b.windows(2).all(|p| p[0].sequence < p[1].sequence));
                }
            });
        }
    });
    assert_eq!(sequences(&log, "c").len(), 3_000);
    let latest = sequences(&log, "b");
    assert!(latest.ends_with(&(2_990..3_000).collect::<Vec<_>>()));
}
