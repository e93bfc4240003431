//! Appends numbered batches to the log in the directory given, and prints the number of each one once
//! it is durable, while a second thread cleans. It goes on until it is killed: the crash test does that.

#![expect(clippy::expect_used, reason = "it stops at the first error")]
#![expect(clippy::disallowed_methods, reason = "cleaning now and then is enough")]

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_log::{Append, Batch, Durability, History, Keep, Log, Options, StateChange};

/// Batches in flight.
const IN_FLIGHT: u64 = 64;
/// Bytes that the first two channels keep at least.
const KEPT_BYTES: u64 = 300_000;
/// Keys of the third channel, of which only the latest records are kept.
const KEYS: u64 = 10;
/// Batches between two checkpoints of the state.
const CHECKPOINT: u64 = 200;

fn main() {
    let directory = std::env::args().nth(1).expect("a directory");
    let options = Options {
        segment_bytes: 100_000,
        ahead_bytes: 50_000,
        ..Options::default()
    };
    let (log, _) = Log::open(Path::new(&directory), options).expect("a log");
    let log = Arc::new(log);
    keep(&log);
    thread::spawn({
        let log = Arc::clone(&log);
        move || loop {
            log.clean(Timestamp::EPOCH).expect("a clean");
            thread::sleep(Duration::from_millis(3));
        }
    });
    let first = log.tail(&name("a"));
    let (sender, acknowledged) = sync_channel(128);
    for number in first.. {
        let sender = sender.clone();
        log.append(batch(number), Durability::Durable, move |result| {
            result.expect("an append");
            sender.send(number).expect("the receiver is there");
        });
        if number >= first + IN_FLIGHT {
            let number = acknowledged.recv().expect("the sender is there");
            // One write for one line: a line that the test reads was printed whole.
            let line = format!("{number}\n");
            std::io::stdout()
                .write_all(line.as_bytes())
                .expect("the test reads");
        }
    }
}

fn keep(log: &Log) {
    for channel in ["a", "b", "c"] {
        let keep = Keep {
            age: None,
            bytes: (channel != "c").then_some(KEPT_BYTES),
            history: match channel {
                "c" => History::LatestPerKey,
                _ => History::All,
            },
            needed_from: u64::MAX,
            pinned: Vec::new(),
        };
        log.keep(&name(channel), keep);
    }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// A record in each of three channels, one of the state and a cursor, all saying `number`.
fn batch(number: u64) -> Batch {
    let padding = "x".repeat(usize::try_from(number % 700).unwrap_or(0));
    let body = Bytes::from(format!("{number} {padding}"));
    let append = |channel| {
        let mut append = Append::new(name(channel), Timestamp::EPOCH, body.clone());
        append.key = Some((number % KEYS).to_string());
        append
    };
    let items = vec![body.clone()];
    Batch {
        appends: ["a", "b", "c"].map(append).to_vec(),
        state: match number.is_multiple_of(CHECKPOINT) {
            true => StateChange::Replace(items),
            false => StateChange::Append(items),
        },
        cursors: vec![(name("consumer"), number)],
    }
}
