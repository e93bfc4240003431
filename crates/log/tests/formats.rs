//! Logs of every released format version are read for ever. `fixtures/v1/whole` was written by the
//! example `write_fixture`; the others are copies of it, changed by hand.

#![cfg(test)]

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tidegate_base::{Name, Timestamp};
use tidegate_log::{Log, OpenError, Options, ReadLimit, Recovery};

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

fn check(log: &Log) {
    for (channel, count) in [("OrderPlaced", 10_u64), ("payments", 5)] {
        let all = ReadLimit {
            records: usize::MAX,
            bytes: usize::MAX,
        };
        let records = log.read(&Name::new(channel).unwrap(), 0, all).unwrap();
        assert_eq!(records.len() as u64, count);
        for (record, number) in records.iter().zip(0..) {
            assert_eq!(record.sequence, number);
            assert_eq!(
                record.time,
                Timestamp::from_millis(1_730_291_041_637 + number)
            );
            assert_eq!(
                record.payload(),
                format!("{channel} {number} {}", "·".repeat(20))
            );
        }
    }
    let state: Vec<_> = log.state().unwrap();
    assert_eq!(state, ["state 2", "state 3", "", "state 4", ""]);
}

#[test]
fn version_1_is_read() {
    let (_directory, opened) = open("v1/whole");
    let (log, recovery) = opened.unwrap();
    assert_eq!((recovery.position, recovery.cut), (20, None));
    assert!(recovery.segments > 1);
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
fn version_1_that_is_damaged_is_refused() {
    let (_directory, opened) = open("v1/damaged");
    let said = opened.unwrap_err().to_string();
    let expected = "segment `00000000000000000000.seg` is damaged at byte 32: checksum ";
    assert!(said.starts_with(expected), "{said}");
}
