//! Damage to a log on a real directory: verify tells it, dump goes on past it, repair keeps all that is
//! whole.

#![cfg(test)]

mod any;
mod interrupted;
mod told;

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use bytes::Bytes;
use tempfile::TempDir;
use tidegate_base::{Name, Timestamp};
use tidegate_log::inspect::{
    Filter, IndexState, InspectError, Item, Lost, Mode, Repaired, Report, Step, dump, repair,
    verify,
};
use tidegate_log::{
    Append, Batch, Durability, Keep, Log, OpenError, Options, ReadLimit, Record, StateChange,
};

const OPTIONS: Options = Options {
    segment_bytes: 1_500,
    ahead_bytes: 200,
    queue_bytes_max: 64 << 20,
    bytes_max: None,
    recent_bytes_max: 1 << 20,
    reserve_bytes: 0,
};
/// Where the snapshot of a segment starts.
const SNAPSHOT: usize = 1_024;
const CHANNELS: [&str; 2] = ["a", "b"];

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn payload(number: usize) -> String {
    format!("{number} {}", "x".repeat(number * 37 % 200))
}

fn append(log: &Log, batch: Batch) {
    let (sender, receiver) = sync_channel(1);
    log.append(batch, Durability::Durable, move |result| {
        sender.send(result).unwrap();
    });
    receiver.recv().unwrap().unwrap();
}

/// Two records of `a`, one of `b`, now and then a change of the state and a cursor.
fn batch(number: usize) -> Batch {
    let record = |channel: &str, part: usize| Append {
        key: Some(format!("k{number}")),
        headers: vec![("id".to_owned(), number.to_string())],
        ..Append::new(
            name(channel),
            Timestamp::from_millis(7),
            Bytes::from(payload(number + part)),
        )
    };
    Batch {
        appends: vec![record("a", 0), record("b", 1), record("a", 2)],
        state: match number % 5 {
            0 => StateChange::Replace(vec![Bytes::from(format!("all {number}"))]),
            1 => StateChange::Append(vec![Bytes::from(format!("more {number}"))]),
            _ => StateChange::NONE,
        },
        cursors: vec![(name("c"), number as u64); usize::from(number.is_multiple_of(3))],
    }
}

/// A closed log of `batches` batches.
fn log(batches: usize) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(directory.path(), OPTIONS).unwrap();
    for number in 0..batches {
        append(&log, batch(number));
    }
    directory
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(directory).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap())
    });
    files.filter(|(name, _)| name != "lock").collect()
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let names = files(directory).into_keys();
    let segments = names.filter(|name| name.ends_with(".seg"));
    segments.map(|name| directory.join(name)).collect()
}

fn index_of(segment: &Path) -> PathBuf {
    segment.with_extension("idx")
}

fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

/// Verifies, and checks that no byte is changed.
#[track_caller]
fn verified(directory: &Path) -> Report {
    let before = files(directory);
    let mut last = None;
    let report = verify(directory, |progress| {
        assert!(progress.bytes <= progress.bytes_total);
        assert!(last <= Some(progress.bytes));
        last = Some(progress.bytes);
    });
    assert!(files(directory) == before, "verify has changed something");
    report.unwrap()
}

/// Everything that a reader gets, channel by channel; any error is one.
fn read_all(log: &Log) -> Result<BTreeMap<(String, u64), Record>, tidegate_log::ReadError> {
    let mut all = BTreeMap::new();
    for channel in CHANNELS {
        let mut from = 0;
        loop {
            let limit = ReadLimit {
                records: 3,
                bytes: 1 << 20,
            };
            let records = log.read(&name(channel), from, limit)?;
            let Some(last) = records.last() else {
                break;
            };
            from = last.sequence + 1;
            for record in records {
                all.insert((channel.to_owned(), record.sequence), record);
            }
        }
    }
    log.state()?;
    Ok(all)
}

/// The channel records that dump tells: where each is, and how many bytes to the next.
fn dumped(directory: &Path) -> Vec<(String, u64, String, u64, Record)> {
    let mut all = Vec::new();
    let told = dump(directory, &Filter::default(), |item| {
        if let Item::Record {
            place,
            channel,
            record,
        } = item
        {
            let segment = place.segment.to_owned();
            all.push((
                channel.to_owned(),
                record.sequence,
                segment,
                place.byte,
                record,
            ));
        }
        ControlFlow::Continue(())
    });
    told.unwrap();
    all
}

/// Repairs, and checks what holds for every repair. Returns what readers get then.
#[track_caller]
fn repaired(directory: &Path) -> (Repaired, BTreeMap<(String, u64), Record>) {
    let before = files(directory);
    let planned = repair(directory, Mode::Plan, |_| ()).unwrap();
    assert!(files(directory) == before, "a plan has changed something");
    let whole = dumped(directory);
    let done = repair(directory, Mode::Apply, |_| ()).unwrap();
    assert_eq!(planned, done);
    let after = files(directory);
    for (file, bytes) in &before {
        let is_segment = file.ends_with(".seg");
        let kept = after
            .iter()
            .any(|(name, kept)| name.starts_with(file) && kept == bytes);
        let cut = done
            .report
            .torn
            .as_ref()
            .is_some_and(|torn| torn.segment == *file);
        assert!(!is_segment || kept || cut, "{file} is not kept");
    }
    let report = verified(directory);
    assert!(report.is_whole(), "{report:#?}");
    assert!(
        report
            .segments
            .iter()
            .all(|segment| segment.index.is_good()),
        "{report:#?}"
    );
    let again = repair(directory, Mode::Apply, |_| ()).unwrap();
    assert_eq!(again.steps, []);
    assert!(
        files(directory) == after,
        "a second repair has changed something"
    );
    let (log, recovery) = Log::open(directory, OPTIONS).unwrap();
    assert_eq!((recovery.cut, recovery.damages), (None, vec![]));
    let read = read_all(&log).unwrap();
    for (channel, sequence, _, _, record) in whole {
        if sequence < log.head(&name(&channel)) {
            continue;
        }
        assert_eq!(
            read.get(&(channel.clone(), sequence)),
            Some(&record),
            "{channel} {sequence}"
        );
    }
    // It goes on, and no sequence is used twice.
    for number in 1_000..1_020 {
        append(&log, batch(number));
    }
    let more = read_all(&log).unwrap();
    assert_eq!(more.len(), read.len() + 60);
    assert!(
        read.iter()
            .all(|(place, record)| more.get(place) == Some(record))
    );
    drop(log);
    assert!(verified(directory).is_whole());
    (done, read)
}

fn lost(report: &Report, channel: &str) -> Vec<Lost> {
    let channels = report.channels.iter();
    let mut of = channels.filter(|c| c.channel.as_ref().map_or("", Name::as_str) == channel);
    of.next()
        .map(|channel| channel.lost.clone())
        .unwrap_or_default()
}

#[test]
fn a_whole_log_is_whole() {
    let directory = log(60);
    let report = verified(directory.path());
    assert!(report.is_whole() && report.torn.is_none() && report.leftovers.is_empty());
    assert!(report.segments.len() > 5);
    let (last, closed) = report.segments.split_last().unwrap();
    assert!(
        closed
            .iter()
            .all(|segment| segment.index == IndexState::Whole)
    );
    assert_eq!(last.index, IndexState::NotNeeded);
    let channels: Vec<_> = report
        .channels
        .iter()
        .map(|c| (c.records, c.sequences))
        .collect();
    assert_eq!(
        channels,
        [
            (24, Some((0, 23))),
            (120, Some((0, 119))),
            (60, Some((0, 59)))
        ]
    );
    let (done, read) = repaired(directory.path());
    assert_eq!((done.steps, read.len()), (vec![], 180));
}

#[test]
fn what_is_no_log_is_said_and_left() {
    let directory = tempfile::tempdir().unwrap();
    let absent = directory.path().join("absent");
    for path in [directory.path(), &absent] {
        assert!(matches!(
            verify(path, |_| ()),
            Err(InspectError::Absent { .. })
        ));
        let repaired = repair(path, Mode::Apply, |_| ());
        assert!(matches!(repaired, Err(InspectError::Absent { .. })));
    }
    assert!(!absent.exists());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    let directory = log(1);
    let (_log, _) = Log::open(directory.path(), OPTIONS).unwrap();
    let error = verify(directory.path(), |_| ()).unwrap_err();
    assert!(
        matches!(error, InspectError::Open(OpenError::Locked { .. })),
        "{error}"
    );
}

#[test]
fn a_flipped_bit_takes_one_record() {
    let directory = log(60);
    let all = dumped(directory.path());
    let (channel, sequence, segment, byte, _) = all[40].clone();
    let file = directory.path().join(&segment);
    change(&file, |bytes| {
        bytes[usize::try_from(byte).unwrap() + 30] ^= 4
    });
    let report = verified(directory.path());
    assert_eq!(report.damages().count(), 1);
    assert_eq!(report.damages().next().unwrap().segment, segment);
    let one = Lost {
        from: sequence,
        next: sequence + 1,
        certain: true,
    };
    assert_eq!(lost(&report, &channel), [one]);
    assert_eq!(report.lost_unseen, 0);
    let (done, read) = repaired(directory.path());
    assert_eq!(read.len(), 179);
    let [Step::Rewritten { kept, anew, .. }] = done.steps.as_slice() else {
        panic!("{:?}", done.steps);
    };
    assert_eq!(*kept, format!("{segment}.damaged"));
    assert!(anew.ends_with(".1.seg"));
}

#[test]
fn bytes_that_are_cut_out_are_missed() {
    let directory = log(60);
    let file = segments(directory.path())[2].clone();
    let all = dumped(directory.path());
    let name = file.file_name().unwrap().to_str().unwrap();
    let of_file: Vec<_> = all
        .iter()
        .filter(|(_, _, segment, ..)| segment == name)
        .collect();
    // A whole frame: from its head to the head of the next one.
    let starts: Vec<usize> = of_file
        .iter()
        .filter(|(channel, sequence, ..)| channel == "a" && sequence % 2 == 0)
        .map(|(.., byte, _)| usize::try_from(*byte).unwrap() - 16)
        .collect();
    change(&file, |bytes| drop(bytes.drain(starts[1]..starts[2])));
    let report = verified(directory.path());
    assert!(!report.is_whole());
    assert_eq!(lost(&report, "a").len(), 1);
    let (_, read) = repaired(directory.path());
    assert_eq!(read.len(), 177);
}

#[test]
fn the_end_of_a_closed_segment_is_missed() {
    for zeros in [false, true] {
        let directory = log(60);
        let file = segments(directory.path())[1].clone();
        change(&file, |bytes| {
            let half = bytes.len() - 300;
            let length = bytes.len();
            bytes.truncate(half);
            if zeros {
                bytes.resize(length, 0);
            }
        });
        let report = verified(directory.path());
        assert!(!lost(&report, "a").is_empty());
        let (_, read) = repaired(directory.path());
        assert!(read.len() < 180 && read.len() > 170, "{}", read.len());
    }
}

#[test]
fn an_absent_segment_is_covered() {
    for at in [0, 1, 4] {
        let directory = log(60);
        let file = segments(directory.path())[at].clone();
        fs::remove_file(&file).unwrap();
        let report = verified(directory.path());
        assert_eq!(report.damages().count(), 0);
        assert!(!report.is_whole());
        assert_eq!((lost(&report, "a").len(), lost(&report, "b").len()), (1, 1));
        let (done, read) = repaired(directory.path());
        assert!(
            matches!(done.steps[0], Step::Covered { .. }),
            "{:?}",
            done.steps
        );
        assert!(read.len() > 140);
    }
}

#[test]
fn a_header_has_a_copy_and_an_index() {
    let directory = log(60);
    let files = segments(directory.path());
    change(&files[1], |bytes| bytes[3] ^= 1);
    change(&files[2], |bytes| bytes[..1_000].fill(7));
    let report = verified(directory.path());
    assert_eq!(report.damages().count(), 3);
    assert!(!report.has_lost());
    let (_, read) = repaired(directory.path());
    assert_eq!(read.len(), 180);
}

#[test]
fn a_segment_without_any_header_is_set_aside() {
    for at in [0, 2, usize::MAX] {
        let directory = log(60);
        let files = segments(directory.path());
        let at = at.min(files.len() - 1);
        change(&files[at], |bytes| bytes[..1_030].fill(7));
        if at + 1 < files.len() {
            change(&index_of(&files[at]), |bytes| bytes[9] ^= 1);
        }
        let opened = Log::open(directory.path(), OPTIONS).unwrap_err();
        assert!(matches!(opened, OpenError::Header { .. }));
        let report = verified(directory.path());
        assert_eq!(report.damages().count(), 1);
        let (done, read) = repaired(directory.path());
        let aside = done
            .steps
            .iter()
            .filter(|step| matches!(step, Step::Aside { .. }));
        assert_eq!(aside.count(), 1, "{:?}", done.steps);
        assert!(read.len() > 140 && read.len() < 180);
        // The latest sequences are not used again.
        let first_new = |channel| {
            let (log, _) = Log::open(directory.path(), OPTIONS).unwrap();
            log.tail(&name(channel))
        };
        assert!(first_new("a") >= 120 + 40 && first_new("b") >= 60 + 20);
    }
}

#[test]
fn a_version_that_nobody_writes_is_damage() {
    let directory = log(60);
    let last = segments(directory.path()).pop().unwrap();
    change(&last, |bytes| bytes[8..600].fill(0xA5));
    let opened = Log::open(directory.path(), OPTIONS).unwrap_err();
    assert!(!opened.to_string().is_empty());
    repaired(directory.path());
}

#[test]
fn the_only_segment_may_be_lost() {
    let directory = log(2);
    let files = segments(directory.path());
    assert_eq!(files.len(), 1);
    change(&files[0], |bytes| bytes[..1_100].fill(7));
    let (done, read) = repaired(directory.path());
    assert_eq!(read.len(), 0);
    assert_eq!(done.steps.len(), 2);
}

#[test]
fn a_snapshot_is_made_again() {
    for at in [0, 3, usize::MAX] {
        let directory = log(60);
        let files = segments(directory.path());
        let at = at.min(files.len() - 1);
        change(&files[at], |bytes| bytes[SNAPSHOT + 9] ^= 1);
        let report = verified(directory.path());
        assert_eq!(report.damages().count(), 1);
        assert!(!report.has_lost(), "{report:#?}");
        let (_, read) = repaired(directory.path());
        assert_eq!(read.len(), 180);
    }
}

#[test]
fn an_index_is_made_again() {
    let directory = log(60);
    let files = segments(directory.path());
    fs::remove_file(index_of(&files[0])).unwrap();
    change(&index_of(&files[1]), |bytes| bytes[20] ^= 1);
    change(&index_of(&files[2]), |bytes| bytes[74] ^= 1);
    fs::copy(index_of(&files[4]), index_of(&files[3])).unwrap();
    let report = verified(directory.path());
    assert!(report.is_whole());
    let states: Vec<IndexState> = report.segments[..5].iter().map(|s| s.index).collect();
    use IndexState::{Absent, Damaged, Stale, Whole};
    assert_eq!(states, [Absent, Damaged, Damaged, Stale, Whole]);
    let (done, read) = repaired(directory.path());
    assert_eq!((done.steps.len(), read.len()), (4, 180));
}

#[test]
fn a_torn_tail_is_no_damage() {
    let directory = log(20);
    let last = segments(directory.path()).pop().unwrap();
    change(&last, |bytes| {
        bytes.extend([7; 60]);
        bytes.extend([0; 500]);
    });
    let report = verified(directory.path());
    assert!(report.is_whole());
    assert_eq!(report.torn.unwrap().bytes, 60);
    let (done, read) = repaired(directory.path());
    assert_eq!(read.len(), 60);
    let [
        Step::Cut {
            kept, bytes: 60, ..
        },
    ] = done.steps.as_slice()
    else {
        panic!("{:?}", done.steps);
    };
    assert_eq!(fs::read(directory.path().join(kept)).unwrap(), [7; 60]);
}

#[test]
fn damage_in_the_last_segment_starts_another() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 1 << 20,
        ..OPTIONS
    };
    let (log, _) = Log::open(directory.path(), options).unwrap();
    for number in 0..20 {
        append(&log, batch(number));
    }
    drop(log);
    let file = segments(directory.path())[0].clone();
    change(&file, |bytes| bytes[2_000..2_100].fill(9));
    let report = verified(directory.path());
    assert!(report.has_lost() && report.torn.is_none());
    let (done, read) = repaired(directory.path());
    assert!(
        matches!(done.steps[0], Step::Started { .. }),
        "{:?}",
        done.steps
    );
    assert!(read.len() >= 56, "{}", read.len());
}

#[test]
fn what_retention_has_removed_is_not_lost() {
    let directory = log(60);
    let (log, _) = Log::open(directory.path(), OPTIONS).unwrap();
    let keep = |needed_from, pinned: &[u64]| Keep {
        bytes: Some(1),
        needed_from,
        pinned: pinned.to_vec(),
        ..Keep::default()
    };
    log.keep(&name("a"), keep(80, &[40]));
    log.keep(&name("b"), keep(40, &[]));
    log.clean(Timestamp::from_millis(9)).unwrap();
    append(&log, batch(60));
    drop(log);
    let report = verified(directory.path());
    assert!(report.is_whole(), "{report:#?}");
    // Damage to what is there is told as before.
    let files = segments(directory.path());
    change(&files[1], |bytes| {
        let at = bytes.len() - 40;
        bytes[at] ^= 1;
    });
    assert!(!verified(directory.path()).is_whole());
    repaired(directory.path());
}
