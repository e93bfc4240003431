//! What every target does with a log of any bytes: it is opened, read, written, cleaned and opened again,
//! and nothing of it may panic, run without end, or take memory without end.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_fault::FaultDisk;
use tidegate_log::{
    Append, Batch, Durability, History, Keep, Log, Options, ReadError, ReadLimit, Record,
    StateChange,
};

/// Small, so that a few records fill several segments.
pub const OPTIONS: Options = Options {
    segment_bytes: 600,
    ahead_bytes: 100,
    queue_bytes_max: 1 << 20,
    bytes_max: None,
    recent_bytes_max: 0,
    reserve_bytes: 0,
};

/// Reads that one channel is worth: sequences may be forged far apart.
const READS_MAX: usize = 3_000;

/// The channels that targets write.
pub fn channels() -> [Name; 2] {
    ["a", "b"].map(|name| Name::new(name).expect("a name"))
}

/// A log of a few segments, all of them whole; each call gives a disk of its own.
pub fn whole() -> FaultDisk {
    static WHOLE: OnceLock<FaultDisk> = OnceLock::new();
    WHOLE.get_or_init(write).killed()
}

fn write() -> FaultDisk {
    let disk = FaultDisk::new(7);
    let (log, _) = Log::open_stepped(Arc::new(disk.clone()), OPTIONS).expect("a new log");
    for number in 0..14_u64 {
        append(&log, number);
        log.step();
    }
    keep(&log);
    log.clean(Timestamp::from_nanos(4)).expect("a clean");
    for number in 14..20 {
        append(&log, number);
        log.step();
    }
    drop(log);
    disk
}

fn append(log: &Log, number: u64) {
    let record = |channel: Name| {
        let payload = Bytes::from(format!("{number} {}", "x".repeat(60)));
        let mut append = Append::new(channel, Timestamp::from_nanos(number), payload);
        append.key = Some(format!("key-{}", number % 3));
        append.headers = vec![("type".to_owned(), "t".to_owned())];
        append
    };
    let batch = Batch {
        appends: channels().map(record).to_vec(),
        state: match number % 5 {
            0 => StateChange::Replace(vec![Bytes::from("s")]),
            _ => StateChange::Append(vec![Bytes::from(number.to_string())]),
        },
        cursors: vec![(channels()[0].clone(), number)],
    };
    log.append(batch, Durability::Durable, drop);
}

fn keep(log: &Log) {
    for (channel, history) in channels().iter().zip([History::All, History::LatestPerKey]) {
        let keep = Keep {
            age: Some(Duration::from_nanos(1)),
            bytes: None,
            history,
            needed_from: 9,
            pinned: vec![1],
        };
        log.keep(channel, keep);
    }
}

/// Opens the log on `disk`, whatever it holds, and uses it. Returns the payloads that were read.
pub fn exercise(disk: &FaultDisk) -> BTreeSet<Bytes> {
    let mut payloads = BTreeSet::new();
    let Ok((log, _)) = Log::open_stepped(Arc::new(disk.clone()), OPTIONS) else {
        return payloads;
    };
    read(&log, &mut payloads);
    append(&log, 100);
    log.step();
    keep(&log);
    // Damage may be met: then it says so.
    drop(log.clean(Timestamp::from_nanos(60)));
    read(&log, &mut payloads);
    drop(log);
    let opened = Log::open_stepped(Arc::new(disk.clone()), OPTIONS);
    let (log, _) = opened.expect("what was opened once opens again");
    read(&log, &mut payloads);
    payloads
}

fn read(log: &Log, payloads: &mut BTreeSet<Bytes>) {
    drop(log.state());
    for channel in channels() {
        drop(log.sequence_at(&channel, Timestamp::from_nanos(10)));
        let (mut from, limit) = (0, ReadLimit { records: 50, bytes: 4_000 });
        for _ in 0..READS_MAX {
            from = match log.read(&channel, from, limit) {
                Ok(records) => {
                    let Some(last) = records.last().map(|last| last.sequence) else {
                        break;
                    };
                    payloads.extend(records.into_iter().map(Record::into_payload));
                    last.saturating_add(1)
                }
                Err(ReadError::Damaged { sequence, .. }) => sequence.saturating_add(1),
                Err(ReadError::Lost { next, .. }) => next,
                Err(ReadError::Io { .. }) => break,
            };
        }
    }
}
