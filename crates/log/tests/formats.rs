//! Logs of every format version are read for ever. `fixtures/v2/whole` was written by the example
//! `write_fixture`, `fixtures/v1/whole` by what it was then; the others are copies, changed by hand.

#![cfg(test)]

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tidegate_base::{Name, Timestamp};
use tidegate_log::{Log, OpenError, Options, ReadLimit, Record, Recovery};

/// Opens a copy: opening writes a lock, and may cut.
fn open(fixture: &str) -> (TempDir, Result<(Log, Recovery), OpenError>) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(fixture);
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let opened = Log::open(copy.path(), Options::default());
    (copy, opened)
}

fn read_all(log: &Log, channel: &str) -> Vec<Record> {
    let all = ReadLimit {
        records: usize::MAX,
        bytes: usize::MAX,
    };
    let mut records: Vec<Record> = Vec::new();
    loop {
        let from = records.last().map_or(0, |last| last.sequence + 1);
        let more = log.read(&Name::new(channel).unwrap(), from, all).unwrap();
        if more.is_empty() {
            return records;
        }
        records.extend(more);
    }
}

fn check(log: &Log) {
    for (channel, count) in [("OrderPlaced", 10_u64), ("payments", 5)] {
        let records = read_all(log, channel);
        assert_eq!(records.len() as u64, count);
        for (record, number) in records.iter().zip(0..) {
            assert_eq!(record.sequence, number);
            assert_eq!(
                record.time,
                Timestamp::from_millis(1_730_291_041_637 + number)
            );
            assert_eq!(
                record.payload(),
                format!("{channel} {number} {}", "·".repeat(20)).as_bytes()
            );
        }
    }
    let state: Vec<_> = log.state().unwrap();
    assert_eq!(state, ["state 2", "state 3", "", "state 4", ""]);
}

/// What the second version has and the first had not.
fn check_more(log: &Log) {
    let ids = read_all(log, "payments");
    let ids = ids.iter().map(|record| record.headers().next().unwrap());
    let expected = ["0", "1", "2", "3", "4"].map(|id| ("id", id));
    assert!(ids.eq(expected));
    // The first records of the key have been superseded when the log was cleaned.
    let stock = read_all(log, "stock");
    let stock: Vec<_> = stock
        .iter()
        .map(|r| (r.sequence, r.key().unwrap()))
        .collect();
    assert_eq!(stock, [(3, "chair"), (4, "chair")]);
    assert_eq!(log.cursor(&Name::new("billing").unwrap()), Some(4));
}

#[test]
fn version_1_is_upgraded_and_read() {
    let (directory, opened) = open("v1/whole");
    let (log, recovery) = opened.unwrap();
    assert_eq!((recovery.position, recovery.cut), (20, None));
    assert!(recovery.segments > 1);
    check(&log);
    drop(log);
    let (log, recovery) = Log::open(directory.path(), Options::default()).unwrap();
    assert_eq!((recovery.position, recovery.damages), (20, vec![]));
    check(&log);
}

#[test]
fn version_1_with_a_torn_tail_is_cut() {
    let (directory, opened) = open("v1/torn");
    let (log, recovery) = opened.unwrap();
    check(&log);
    let cut = recovery.cut.unwrap();
    assert_eq!(cut.bytes, 100);
    assert_eq!(
        fs::read(directory.path().join(cut.kept)).unwrap().len(),
        100
    );
}

#[test]
fn version_1_that_is_damaged_is_refused_and_left_as_it_is() {
    let (directory, opened) = open("v1/damaged");
    let said = opened.unwrap_err().to_string();
    let expected = "segment `00000000000000000000.seg` is damaged at byte 32: checksum ";
    assert!(said.starts_with(expected), "{said}");
    let name = "00000000000000000000.seg";
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/v1/damaged");
    let before = fs::read(fixture.join(name)).unwrap();
    assert!(fs::read(directory.path().join(name)).unwrap() == before);
}

#[test]
fn version_2_is_read() {
    let (_directory, opened) = open("v2/whole");
    let (log, recovery) = opened.unwrap();
    assert_eq!((recovery.position, recovery.segments), (30, 4));
    assert_eq!((recovery.cut, recovery.damages), (None, vec![]));
    check(&log);
    check_more(&log);
}

#[test]
fn version_2_with_a_torn_tail_is_cut() {
    let (directory, opened) = open("v2/torn");
    let (log, recovery) = opened.unwrap();
    check(&log);
    check_more(&log);
    let cut = recovery.cut.unwrap();
    assert_eq!(cut.bytes, 100);
    assert_eq!(
        fs::read(directory.path().join(cut.kept)).unwrap().len(),
        100
    );
}

#[test]
fn version_2_that_is_damaged_is_read_around_the_damage() {
    let (_directory, opened) = open("v2/damaged");
    let (log, recovery) = opened.unwrap();
    let damage = &recovery.damages[0];
    assert_eq!(damage.segment, "00000000000000000018.seg");
    assert!((1_040..=1_500).contains(&damage.byte) && damage.byte + damage.bytes > 1_500);
    let all = ReadLimit {
        records: usize::MAX,
        bytes: usize::MAX,
    };
    let payments = Name::new("payments").unwrap();
    let lost: Vec<u64> = (0..5)
        .filter(|s| log.read(&payments, *s, all).is_err())
        .collect();
    assert_eq!(lost, [3]);
}

#[test]
fn a_checkpoint_in_parts_stands_for_what_was_before_it() {
    let (_copy, opened) = open("v2/parts");
    let (log, recovery) = opened.unwrap();
    assert!(recovery.damages.is_empty(), "{recovery:?}");
    let state: Vec<_> = log.state().unwrap();
    assert_eq!(state, ["d", "e", "f", "g"].map(|text| text.repeat(100)));
}
