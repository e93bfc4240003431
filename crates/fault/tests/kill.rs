//! A process that appends and cleans is killed at random moments: everything that it has acknowledged and
//! that retention has left is there.
//!
//! `TIDEGATE_KILLS=5000 cargo test --release -p tidegate-fault --test kill` kills it more often.

#![cfg(test)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use tidegate_base::{Name, Random};
use tidegate_log::{Log, Options, ReadLimit, Record};

/// How often it is killed unless it is said.
const KILLS: u64 = 200;
/// Lines that it may print before it is killed.
const LINES_MAX: u64 = 400;
/// Keys of the channel that keeps the latest of each, as the program has them.
const KEYS: u64 = 10;

/// The program that appends.
const PROGRAM: &str = env!("CARGO_BIN_EXE_append-until-killed");

#[expect(clippy::disallowed_methods, reason = "a number of kills by a command")]
fn setting(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs the program until it has printed `lines` lines, kills it, and returns the last number that it
/// has printed, what was still in the pipe included.
fn run_and_kill(directory: &Path, lines: u64) -> Option<u64> {
    let mut child = Command::new(PROGRAM)
        .arg(directory)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    for _ in 0..lines {
        output.read_line(&mut text).unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    output.read_to_string(&mut text).unwrap();
    text.lines().last().map(|line| line.parse().unwrap())
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn read_all(log: &Log, channel: &str) -> Vec<Record> {
    let all = ReadLimit {
        records: usize::MAX,
        bytes: usize::MAX,
    };
    let mut records: Vec<Record> = Vec::new();
    loop {
        let from = records.last().map_or(0, |last| last.sequence + 1);
        let more = log.read(&name(channel), from, all).unwrap();
        if more.is_empty() {
            return records;
        }
        records.extend(more);
    }
}

fn number(bytes: &[u8]) -> u64 {
    let text = std::str::from_utf8(bytes).unwrap();
    text.split_once(' ').unwrap().0.parse().unwrap()
}

/// Indexes whose segment is gone: nobody would ever remove them.
fn orphans(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "idx"))
        .filter(|path| !path.with_extension("seg").exists())
        .count()
}

/// The number of batches that the log has taken, after checking that what it holds of them is whole and
/// in its place.
fn count(directory: &Path) -> u64 {
    let (log, recovery) = Log::open(directory, Options::default()).unwrap();
    assert_eq!(orphans(directory), 0, "indexes without a segment");
    assert_eq!(recovery.damages, []);
    let count = log.tail(&name("a"));
    for channel in ["a", "b"] {
        let records = read_all(&log, channel);
        let numbers: Vec<u64> = records.iter().map(|r| number(r.payload())).collect();
        let expected: Vec<u64> = (log.head(&name(channel))..count).collect();
        assert_eq!(numbers, expected, "channel {channel}");
    }
    let mut latest = BTreeMap::new();
    for record in read_all(&log, "c") {
        assert_eq!(number(record.payload()), record.sequence);
        latest.insert(record.key().unwrap().to_owned(), record.sequence);
    }
    for sequence in count.saturating_sub(KEYS)..count {
        let key = (sequence % KEYS).to_string();
        assert_eq!(latest.get(&key), Some(&sequence), "the latest of key {key}");
    }
    let state: Vec<u64> = log
        .state()
        .unwrap()
        .iter()
        .map(|item| number(item))
        .collect();
    let since = count - state.len() as u64;
    assert_eq!(state, (since..count).collect::<Vec<_>>(), "the state");
    assert_eq!(log.cursor(&name("consumer")), count.checked_sub(1));
    count
}

#[test]
fn everything_acknowledged_survives_being_killed() {
    let seed = setting("TIDEGATE_SEED").unwrap_or(u64::from(std::process::id()));
    let kills = setting("TIDEGATE_KILLS").unwrap_or(KILLS);
    println!("TIDEGATE_SEED={seed}");
    let random = Random::new(seed, "kill", "lines");
    let directory = tempfile::tempdir().unwrap();
    let mut before = 0;
    for kill in 0..kills {
        let last = run_and_kill(directory.path(), random.bits(kill) % LINES_MAX);
        let held = count(directory.path());
        let acknowledged = last.map_or(before, |last| last + 1);
        assert!(
            held >= acknowledged,
            "kill {kill}: {acknowledged} acknowledged, {held} there"
        );
        before = held;
    }
    assert!(before > 10 * kills, "only {before} batches were written");
}
