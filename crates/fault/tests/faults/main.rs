//! The log on a disk that fails: what was acknowledged stays, nothing is invented, damage is told.

#![cfg(test)]

mod crash;
mod damage;
mod failure;
mod upgrade;

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_log::{
    Append, AppendError, Batch, Durability, Log, OpenError, Options, Placed, ReadLimit, Record,
    Recovery, StateChange,
};

use tidegate_fault::FaultDisk;

const ALL: ReadLimit = ReadLimit {
    records: usize::MAX,
    bytes: usize::MAX,
};

/// Small, so that a few batches fill several segments and zeros stand behind the tail.
const SMALL: Options = Options {
    segment_bytes: 4_000,
    ahead_bytes: 1_500,
    queue_bytes_max: 1 << 20,
    bytes_max: None,
    recent_bytes_max: 0,
    reserve_bytes: 0,
};

/// One segment for everything.
const ONE_SEGMENT: Options = Options {
    segment_bytes: 1 << 30,
    ..SMALL
};

fn open(disk: &FaultDisk, options: Options) -> Result<(Log, Recovery), OpenError> {
    Log::open_on(Arc::new(disk.clone()), options)
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// Batch number `at`: two records in `a`, one in `b`, one of the state, all saying the number, with
/// `padding` more bytes.
fn batch(at: usize, padding: usize) -> Batch {
    let body = Bytes::from(format!("{at} {}", "x".repeat(padding)));
    let append = |channel| Append::new(name(channel), Timestamp::from_millis(1), body.clone());
    Batch {
        appends: vec![append("a"), append("b"), append("a")],
        state: StateChange::Append(vec![body.clone()]),
        cursors: vec![],
    }
}

fn append(log: &Log, batch: Batch, class: Durability) -> Result<Placed, AppendError> {
    let (sender, receiver) = sync_channel(1);
    log.append(batch, class, move |result| sender.send(result).unwrap());
    receiver.recv().unwrap()
}

/// All records of a channel: one read gives those of one segment.
fn read_all(log: &Log, channel: &str) -> Vec<Record> {
    let mut all: Vec<Record> = Vec::new();
    loop {
        let from = all.last().map_or(0, |last| last.sequence + 1);
        let records = log.read(&name(channel), from, ALL).unwrap();
        if records.is_empty() {
            return all;
        }
        all.extend(records);
    }
}

/// The numbers of the batches that the log holds; each must be there whole.
fn batches(log: &Log) -> Vec<usize> {
    let number = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).unwrap();
        text.split_once(' ').unwrap().0.parse::<usize>().unwrap()
    };
    let read = |channel| -> Vec<usize> {
        let records = read_all(log, channel);
        records
            .iter()
            .map(|record| number(record.payload()))
            .collect()
    };
    let (a, b) = (read("a"), read("b"));
    let state: Vec<usize> = log
        .state()
        .unwrap()
        .iter()
        .map(|bytes| number(bytes))
        .collect();
    assert_eq!(
        a.chunks(2).map(|pair| pair[0]).collect::<Vec<_>>(),
        b,
        "a batch is there in part"
    );
    assert_eq!(a.len(), 2 * b.len(), "a batch is there in part");
    assert_eq!(state, b, "a batch is there in part");
    assert_eq!(log.tail(&name("b")), b.len() as u64);
    b
}
