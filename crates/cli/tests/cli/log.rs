//! `tidegate log` on a log that is whole, damaged, repaired, in use, or not there.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use tidegate_base::{Name, Timestamp};
use tidegate_log::{Append, Batch, Durability, Log, Options, StateChange};

use crate::support::{eventually, expect_exit, run};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A log of three segments.
fn log() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 300,
        ..Options::default()
    };
    let (log, _) = Log::open(directory.path(), options).unwrap();
    let name = |name| Name::new(name).unwrap();
    for number in 0..6_u64 {
        let payload = match number {
            5 => vec![0xFF, 0xFE].into(),
            _ => format!("{{\"number\": {number}}}").into(),
        };
        let append = Append {
            key: Some(format!("k{number}")),
            headers: vec![("id".to_owned(), number.to_string())],
            ..Append::new(name("OrderPlaced"), Timestamp::from_millis(number), payload)
        };
        let batch = Batch {
            appends: vec![append],
            state: StateChange::Append(vec!["s".into()]),
            cursors: vec![(name("billing"), number)],
        };
        log.append(batch, Durability::Durable, |placed| drop(placed.unwrap()));
    }
    drop(log);
    directory
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> = paths
        .filter(|p| p.extension().is_some_and(|e| e == "seg"))
        .collect();
    segments.sort();
    segments
}

fn flip(segment: &Path) {
    let mut bytes = fs::read(segment).unwrap();
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    fs::write(segment, bytes).unwrap();
}

#[test]
fn a_whole_log_is_told() {
    let directory = log();
    let path = directory.path().to_str().unwrap();
    let output = run(&["log", "verify", path]);
    expect_exit(&output, 0);
    insta::assert_snapshot!(text(&output.stdout));
    let output = run(&["log", "verify", path, "--format", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["schema"], "tidegate/log-verify/v1");
    assert_eq!(
        (&report["whole"], &report["channels"][1]["records"]),
        (&true.into(), &6.into())
    );
    let output = run(&["log", "repair", path]);
    expect_exit(&output, 0);
    assert_eq!(text(&output.stdout), "whole: nothing to repair\n");
}

#[test]
fn records_are_dumped() {
    let directory = log();
    let path = directory.path().to_str().unwrap();
    let output = run(&["log", "dump", path, "--limit", "4"]);
    expect_exit(&output, 0);
    insta::assert_snapshot!(text(&output.stdout));
    let lines = |arguments: &[&str]| -> Vec<Value> {
        let command = [&["log", "dump", path, "--format", "json"], arguments].concat();
        let output = run(&command);
        expect_exit(&output, 0);
        let lines = text(&output.stdout);
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    assert_eq!(lines(&[]).len(), 18);
    let records = lines(&["--channel", "OrderPlaced", "--from", "3"]);
    assert_eq!(records.len(), 5);
    insta::assert_snapshot!(records[0]);
    assert_eq!(records[4]["payload_base64"], "//4=");
}

#[test]
fn a_damaged_log_is_repaired() {
    let directory = log();
    let path = directory.path().to_str().unwrap();
    flip(&segments(directory.path())[1]);
    let output = run(&["log", "verify", path]);
    expect_exit(&output, 1);
    assert!(
        text(&output.stdout).contains("damage: "),
        "{}",
        text(&output.stdout)
    );
    assert!(text(&output.stderr).contains("next: tidegate log repair "));
    expect_exit(&run(&["log", "dump", path]), 5);

    let before = segments(directory.path());
    let output = run(&["log", "repair", path, "--dry-run", "--format", "json"]);
    expect_exit(&output, 5);
    let planned: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(planned["steps"][0]["step"], "rewrite");
    assert_eq!(segments(directory.path()), before);
    let output = run(&["log", "repair", path]);
    expect_exit(&output, 5);
    let said = text(&output.stdout);
    assert!(
        said.contains("rewrite ") && said.contains("lost: "),
        "{said}"
    );
    let kept = planned["steps"][0]["kept"].as_str().unwrap();
    assert!(directory.path().join(kept).exists());
    expect_exit(&run(&["log", "verify", path]), 0);
    expect_exit(&run(&["log", "repair", path]), 0);
}

#[test]
fn a_log_in_use_or_absent_is_refused() {
    let directory = log();
    let path = directory.path().to_str().unwrap();
    let absent = directory.path().join("absent");
    // A process that another test starts just now may hold on to the lock until it runs.
    let open = || Log::open(directory.path(), Options::default()).ok();
    let _log = eventually("the log is free", open);
    for command in ["verify", "dump", "repair"] {
        let output = run(&["log", command, path]);
        expect_exit(&output, 4);
        assert!(text(&output.stderr).contains("stop it first"));
        let output = run(&["log", command, absent.to_str().unwrap()]);
        expect_exit(&output, 2);
        assert!(text(&output.stderr).contains("there is no log"));
    }
    assert!(!absent.exists());
}
