//! What is told of records, of files that are not needed, and of old logs.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use tidegate_log::inspect::{Filter, InspectError, Item, LeftoverKind, Mode, dump, repair};

use super::{SNAPSHOT, change, log, name, segments, verified};

#[test]
fn dump_tells_everything_and_goes_on_past_damage() {
    let directory = log(12);
    let tell = |filter: &Filter| {
        let mut told = Vec::new();
        let dumped = dump(directory.path(), filter, |item| {
            told.push(match item {
                Item::Record {
                    channel,
                    record,
                    place,
                } => {
                    assert_eq!(place.position, record.position);
                    assert!(record.key().is_some() && record.headers().count() == 1);
                    format!("{} {channel} {}", record.position, record.sequence)
                }
                Item::State {
                    place,
                    sequence,
                    items,
                    ..
                } => {
                    assert_eq!(items.len(), 1);
                    format!("{} state {sequence}", place.position)
                }
                Item::Cursor {
                    place,
                    cursor,
                    value,
                } => {
                    format!("{} cursor {cursor} {value}", place.position)
                }
                Item::Trim { .. } => "trim".to_owned(),
                Item::Damage(_) => "damage".to_owned(),
            });
            ControlFlow::Continue(())
        });
        dumped.unwrap();
        told
    };
    let all = tell(&Filter::default());
    assert_eq!(
        all[..5],
        ["0 a 0", "1 b 0", "2 a 1", "3 state 0", "4 cursor c 0"]
    );
    let of_b = Filter {
        channel: Some(name("b")),
        from: 5,
        to: Some(20),
        limit: Some(3),
    };
    assert_eq!(tell(&of_b), ["6 b 1", "10 b 2", "13 b 3"]);
    let files = segments(directory.path());
    change(&files[0], |bytes| bytes[SNAPSHOT + 60] ^= 1);
    let damaged = tell(&Filter::default());
    assert_eq!(damaged.len(), all.len());
    assert!(damaged.contains(&"damage".to_owned()));
}

#[test]
fn leftovers_are_told() {
    let directory = log(30);
    let files = segments(directory.path());
    fs::write(directory.path().join("00000000000000000099.seg.new"), "x").unwrap();
    fs::write(
        directory
            .path()
            .join("00000000000000000000.seg.000000002000.cut"),
        "xy",
    )
    .unwrap();
    fs::write(
        directory.path().join("00000000000000000000.5.seg.damaged"),
        "xyz",
    )
    .unwrap();
    assert!(files.len() > 2);
    let report = verified(directory.path());
    let told: Vec<_> = report.leftovers.iter().map(|l| (l.kind, l.bytes)).collect();
    use LeftoverKind::{Cut, Damaged, Unfinished};
    assert_eq!(told, [(Damaged, 3), (Cut, 2), (Unfinished, 1)]);
    assert!(report.is_whole());
}

#[test]
fn the_first_version_is_verified_and_not_repaired() {
    let fixture = |name: &str| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures/v1")
            .join(name);
        let copy = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(source).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        copy
    };
    let whole = fixture("whole");
    let report = verified(whole.path());
    assert!(report.first_version && report.is_whole());
    assert_eq!(repair(whole.path(), Mode::Apply, |_| ()).unwrap().steps, []);
    assert!(verified(fixture("torn").path()).torn.is_some());
    let damaged = fixture("damaged");
    let report = verified(damaged.path());
    assert_eq!(report.damages().count(), 1);
    let error = repair(damaged.path(), Mode::Apply, |_| ()).unwrap_err();
    assert!(
        matches!(error, InspectError::FirstVersion { .. }),
        "{error}"
    );
}
