//! Histories in which the log has once broken a promise, each as small as it shows it.

#![cfg(test)]

mod clean;
mod damage;
mod interrupted;
mod race;
mod room;

use std::io;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_fault::{Dice, FaultDisk};
use tidegate_log::{
    Append, AppendError, Batch, Disk, DiskFile, Durability, History, Keep, Log, Options, Placed,
    ReadError, ReadLimit, StateChange,
};

const OPTIONS: Options = Options {
    segment_bytes: 4_000,
    ahead_bytes: 0,
    queue_bytes_max: 1 << 20,
    bytes_max: None,
    recent_bytes_max: 0,
    reserve_bytes: 0,
};

const ALL: ReadLimit = ReadLimit {
    records: usize::MAX,
    bytes: usize::MAX,
};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn seconds(at: u64) -> Timestamp {
    Timestamp::from_millis(at * 1_000)
}

fn open(disk: &FaultDisk, options: Options) -> Log {
    Log::open_stepped(Arc::new(disk.clone()), options)
        .unwrap()
        .0
}

/// Appends, and writes all that waits.
fn append(log: &Log, batch: Batch) -> Result<Placed, AppendError> {
    let (sender, receiver) = sync_channel(1);
    log.append(batch, Durability::Durable, move |result| {
        sender.send(result).unwrap();
    });
    while log.step() {}
    receiver.recv().unwrap()
}

/// A record of second `at` and 200 bytes.
fn record(channel: &str, at: u64) -> Append {
    let payload = Bytes::from(format!("{at:0>200}"));
    Append::new(name(channel), seconds(at), payload)
}

fn fill(log: &Log, channel: &str, range: std::ops::Range<u64>) {
    for at in range {
        append(log, Batch::of(vec![record(channel, at)])).unwrap();
    }
}

fn sequences(log: &Log, channel: &str) -> Result<Vec<u64>, ReadError> {
    let limit = ReadLimit {
        records: 50,
        bytes: 20_000,
    };
    let mut all = Vec::new();
    loop {
        let from = all.last().map_or(0, |last| last + 1);
        let records = log.read(&name(channel), from, limit)?;
        if records.is_empty() {
            return Ok(all);
        }
        all.extend(records.iter().map(|record| record.sequence));
    }
}

/// Everything before `needed_from` may go.
fn passed(needed_from: u64) -> Keep {
    Keep {
        age: Some(Duration::ZERO),
        needed_from,
        ..Keep::default()
    }
}

const LATER: u64 = 1_000_000;
