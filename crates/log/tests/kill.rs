//! A process that appends is killed at random moments: everything that it has acknowledged is there.

#![cfg(test)]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tidegate_base::Name;
use tidegate_log::{Log, Options, ReadLimit};

/// How often it is killed.
const KILLS: usize = 20;
/// Lines that it may print before it is killed.
const LINES_MAX: u64 = 400;

/// The program that appends; cargo builds examples with the tests.
fn program() -> Option<PathBuf> {
    let tests = std::env::current_exe().ok()?;
    let program = tests
        .parent()?
        .parent()?
        .join("examples")
        .join("append_until_killed");
    program.exists().then_some(program)
}

/// Runs the program until it has printed `lines` lines, kills it, and returns the last number that it
/// has printed, what was still in the pipe included.
fn run_and_kill(program: &Path, directory: &Path, lines: u64) -> Option<u64> {
    let mut child = Command::new(program)
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

/// The number of batches that the log holds, after checking that each is whole and in its place.
fn count(directory: &Path) -> u64 {
    let (log, _) = Log::open(directory, Options::default()).unwrap();
    let all = ReadLimit {
        records: usize::MAX,
        bytes: usize::MAX,
    };
    let state = log.state().unwrap();
    for channel in ["a", "b"].map(|name| Name::new(name).unwrap()) {
        let records = log.read(&channel, 0, all).unwrap();
        assert_eq!(records.len(), state.len(), "a batch is there in part");
        for (record, body) in records.iter().zip(&state) {
            assert_eq!(&record.payload(), body, "a batch is there in part");
            let number = format!("{} ", record.sequence);
            assert!(
                record.payload().starts_with(number.as_bytes()),
                "a record is out of place"
            );
        }
    }
    state.len() as u64
}

#[test]
fn everything_acknowledged_survives_being_killed() {
    let Some(program) = program() else {
        println!("skipped: the example `append_until_killed` is not built");
        return;
    };
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let directory = tempfile::tempdir().unwrap();
    let mut random = seed;
    let mut before = 0;
    for kill in 0..KILLS {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let lines = (random >> 33) % LINES_MAX;
        let last = run_and_kill(&program, directory.path(), lines);
        let held = count(directory.path());
        let acknowledged = last.map_or(before, |last| last + 1);
        assert!(
            held >= acknowledged,
            "kill {kill}: {acknowledged} acknowledged, {held} there"
        );
        before = held;
    }
    assert!(before > 100, "only {before} batches were written");
}
