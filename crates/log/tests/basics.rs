//! The log on a real directory: what goes in comes out, now and after reopening.

#![cfg(test)]

use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_log::{
    Append, AppendError, Batch, Durability, Log, OpenError, Options, Placed, ReadLimit, Record,
    StateChange,
};

const ALL: ReadLimit = ReadLimit {
    records: usize::MAX,
    bytes: usize::MAX,
};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn batch(appends: &[(&str, &str)], state: StateChange) -> Batch {
    let append = |(channel, body): &(&str, &str)| {
        let payload = Bytes::copy_from_slice(body.as_bytes());
        Append::new(name(channel), Timestamp::from_millis(7), payload)
    };
    Batch {
        appends: appends.iter().map(append).collect(),
        state,
        cursors: vec![],
    }
}

fn append(log: &Log, batch: Batch) -> Result<Placed, AppendError> {
    let (sender, receiver) = sync_channel(1);
    log.append(batch, Durability::Durable, move |result| {
        sender.send(result).unwrap()
    });
    receiver.recv().unwrap()
}

/// All records from `from` on: one read gives those of one segment.
fn read_all(log: &Log, channel: &str, mut from: u64) -> Vec<Record> {
    let mut all = Vec::new();
    loop {
        let records = log.read(&name(channel), from, ALL).unwrap();
        let Some(last) = records.last() else {
            return all;
        };
        from = last.sequence + 1;
        all.extend(records);
    }
}

fn bodies(log: &Log, channel: &str, from: u64) -> Vec<String> {
    let records = read_all(log, channel, from);
    for (record, sequence) in records.iter().zip(from..) {
        assert_eq!(record.sequence, sequence);
        assert_eq!(record.time, Timestamp::from_millis(7));
    }
    records
        .iter()
        .map(|record| String::from_utf8(record.payload().to_vec()).unwrap())
        .collect()
}

fn state(log: &Log) -> Vec<String> {
    let state = log.state().unwrap();
    state
        .iter()
        .map(|record| String::from_utf8(record.to_vec()).unwrap())
        .collect()
}

fn texts(texts: &[&str]) -> Vec<Bytes> {
    texts
        .iter()
        .map(|text| Bytes::copy_from_slice(text.as_bytes()))
        .collect()
}

#[test]
fn what_goes_in_comes_out_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    let (log, recovery) = Log::open(directory.path(), Options::default()).unwrap();
    assert_eq!(
        (recovery.position, recovery.segments, recovery.cut),
        (0, 1, None)
    );

    let placed = append(
        &log,
        batch(&[("a", "1"), ("b", "2"), ("a", "3")], StateChange::NONE),
    );
    let place = |position, sequences: &[u64]| {
        Ok(Placed {
            position,
            sequences: sequences.into(),
        })
    };
    assert_eq!(placed, place(0, &[0, 0, 1]));
    append(&log, batch(&[], StateChange::Append(texts(&["x", "y"])))).unwrap();
    let placed = append(
        &log,
        batch(&[("b", "4")], StateChange::Append(texts(&["z"]))),
    );
    assert_eq!(placed, place(4, &[1]));
    assert_eq!(append(&log, batch(&[], StateChange::NONE)), place(6, &[]));

    let check = |log: &Log| {
        assert_eq!(bodies(log, "a", 0), ["1", "3"]);
        assert_eq!(bodies(log, "a", 1), ["3"]);
        assert_eq!(bodies(log, "b", 0), ["2", "4"]);
        assert_eq!(bodies(log, "c", 0), [""; 0]);
        assert_eq!(bodies(log, "a", 9), [""; 0]);
        assert_eq!((log.tail(&name("a")), log.tail(&name("c"))), (2, 0));
        assert_eq!(state(log), ["x", "y", "z"]);
    };
    check(&log);
    drop(log);
    let (log, recovery) = Log::open(directory.path(), Options::default()).unwrap();
    assert_eq!(
        (recovery.position, recovery.segments, recovery.cut),
        (6, 1, None)
    );
    check(&log);

    append(
        &log,
        batch(&[("a", "5")], StateChange::Replace(texts(&["only"]))),
    )
    .unwrap();
    assert_eq!(state(&log), ["only"]);
    append(&log, batch(&[], StateChange::Replace(vec![]))).unwrap();
    assert_eq!(state(&log), [""; 0]);
    drop(log);
    let (log, _) = Log::open(directory.path(), Options::default()).unwrap();
    assert_eq!(state(&log), [""; 0]);
    assert_eq!(bodies(&log, "a", 0), ["1", "3", "5"]);
}

#[test]
fn segments_roll_and_are_read_across() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 300,
        ..Options::default()
    };
    let (log, _) = Log::open(directory.path(), options).unwrap();
    let body = "x".repeat(100);
    for _ in 0..9 {
        append(
            &log,
            batch(&[("a", &body)], StateChange::Append(texts(&["s"]))),
        )
        .unwrap();
    }
    let large = "y".repeat(1_000);
    append(&log, batch(&[("a", &large)], StateChange::NONE)).unwrap();
    append(&log, batch(&[("a", "end")], StateChange::NONE)).unwrap();
    let check = |log: &Log| {
        let read = bodies(log, "a", 0);
        assert_eq!(read.len(), 11);
        assert_eq!(read[9..], [large.clone(), "end".to_owned()]);
        assert_eq!(bodies(log, "a", 8).len(), 3);
        assert_eq!(state(log).len(), 9);
    };
    check(&log);
    drop(log);
    let (log, recovery) = Log::open(directory.path(), options).unwrap();
    assert!(recovery.segments > 5, "{recovery:?}");
    check(&log);
}

#[test]
fn a_read_keeps_its_limits() {
    let directory = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(directory.path(), Options::default()).unwrap();
    append(
        &log,
        batch(
            &[("a", "12345"), ("a", "123"), ("a", "12"), ("a", "1")],
            StateChange::NONE,
        ),
    )
    .unwrap();
    let read = |from, records, bytes| {
        log.read(&name("a"), from, ReadLimit { records, bytes })
            .unwrap()
            .len()
    };
    // Each record has some 40 bytes beside its payload.
    assert_eq!(read(0, 2, 1_000), 2);
    assert_eq!(read(0, 9, 150), 3);
    assert_eq!(read(0, 9, 0), 1);
    assert_eq!(read(1, 9, 100), 2);
}

#[test]
fn a_log_has_one_writer() {
    let directory = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(directory.path(), Options::default()).unwrap();
    let error = Log::open(directory.path(), Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::Locked { pid: Some(pid), .. } if pid == std::process::id()));
    let said = format!("is in use by process {}; stop it first", std::process::id());
    assert!(error.to_string().ends_with(&said), "{error}");
    drop(log);
    Log::open(directory.path(), Options::default()).unwrap();
}

#[test]
fn limits_push_back_and_write_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        bytes_max: Some(1_400),
        ..Options::default()
    };
    let (log, _) = Log::open(directory.path(), options).unwrap();
    let body = "x".repeat(200);
    append(&log, batch(&[("a", &body)], StateChange::NONE)).unwrap();
    let error = append(&log, batch(&[("a", &body)], StateChange::NONE)).unwrap_err();
    insta::assert_snapshot!(error, @"the log holds 1295 of at most 1400 bytes; nothing was written, try again in 1s");
    let placed = append(&log, batch(&[("a", "fits")], StateChange::NONE)).unwrap();
    assert_eq!(placed.sequences[0], 1);

    let large = "x".repeat(17 << 20);
    let error = append(&log, batch(&[("a", &large)], StateChange::NONE)).unwrap_err();
    insta::assert_snapshot!(error, @"the batch is 17825847 bytes as written; the most is 16777216; nothing was written");
    log.close();
    let error = append(&log, batch(&[("a", "late")], StateChange::NONE)).unwrap_err();
    insta::assert_snapshot!(error, @"the writer has stopped: the log is closed");
    assert_eq!(bodies(&log, "a", 1), ["fits"]);
}

/// A crowd: many callers, both classes, and answers that take their time, so that groups are acknowledged
/// while the next are written.
#[test]
fn a_crowd_is_answered_in_the_order_of_the_calls() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 50_000,
        ..Options::default()
    };
    let (log, _) = Log::open(directory.path(), options).unwrap();
    let answered = Arc::new(Mutex::new(Vec::new()));
    let spin = |times: u64| (0..times).for_each(|_| std::hint::spin_loop());
    for number in 0..5_000_u64 {
        let answered = Arc::clone(&answered);
        let durability = match number % 2 {
            0 => Durability::Written,
            _ => Durability::Durable,
        };
        let text = number.to_string();
        let batch = batch(&[("a", &text)], StateChange::NONE);
        log.append(batch, durability, move |placed| {
            spin(1_000);
            answered.lock().unwrap().push(placed.unwrap().sequences[0]);
        });
        spin(500);
    }
    log.close();
    let answered = answered.lock().unwrap();
    assert!(answered.iter().copied().eq(0..5_000));
    let expected = (0..5_000).map(|number| number.to_string());
    assert!(bodies(&log, "a", 0).into_iter().eq(expected));
}

#[test]
fn a_caller_that_panics_ends_the_writer_and_nobody_waits_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let (log, _) = Log::open(directory.path(), Options::default()).unwrap();
    for number in 0..1_000_u64 {
        let batch = batch(&[("a", "1")], StateChange::NONE);
        log.append(batch, Durability::Durable, move |_| {
            assert_ne!(number, 500, "a caller fails");
        });
    }
    log.close();
    assert!(log.stopped().is_some());
    let (sender, receiver) = sync_channel(1);
    log.append(Batch::EMPTY, Durability::Durable, move |result| {
        sender.send(result).unwrap();
    });
    let refused = receiver.recv().unwrap();
    assert!(matches!(refused, Err(AppendError::Stopped { .. })));
    drop(log);
    let (log, recovery) = Log::open(directory.path(), Options::default()).unwrap();
    assert_eq!(recovery.damages, []);
    assert!(log.tail(&name("a")) > 500);
}
