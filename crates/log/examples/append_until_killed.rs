//! Appends numbered batches to the log in the directory given, and prints the number of each one once
//! it is durable. It goes on until it is killed: the crash test does that.

#![expect(clippy::expect_used, reason = "it stops at the first error")]

use std::io::Write;
use std::path::Path;
use std::sync::mpsc::sync_channel;

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_log::{Append, Batch, Durability, Log, Options, StateChange};

/// Batches in flight.
const IN_FLIGHT: usize = 64;

fn main() {
    let directory = std::env::args().nth(1).expect("a directory");
    let options = Options {
        segment_bytes: 200_000,
        ahead_bytes: 50_000,
        ..Options::default()
    };
    let (log, _) = Log::open(Path::new(&directory), options).expect("a log");
    let first = log.tail(&Name::new("a").expect("a name"));
    let (sender, acknowledged) = sync_channel(IN_FLIGHT * 2);
    for number in first.. {
        let sender = sender.clone();
        log.append(batch(number), Durability::Durable, move |result| {
            result.expect("an append");
            sender.send(number).expect("the receiver is there");
        });
        if number >= first + IN_FLIGHT as u64 {
            let number = acknowledged.recv().expect("the sender is there");
            // One write for one line: a line that the test reads was printed whole.
            let line = format!("{number}\n");
            std::io::stdout()
                .write_all(line.as_bytes())
                .expect("the test reads");
        }
    }
}

/// A record in each of two channels and one of the state, all saying `number`.
fn batch(number: u64) -> Batch {
    let padding = "x".repeat(usize::try_from(number % 700).unwrap_or(0));
    let body = Bytes::from(format!("{number} {padding}"));
    let append = |channel| Append::new(Name::new(channel).expect("a name"), Timestamp::EPOCH, body.clone());
    let appends = ["a", "b"].map(append).to_vec();
    Batch {
        appends,
        state: StateChange::Append(vec![body]),
        cursors: vec![],
    }
}
