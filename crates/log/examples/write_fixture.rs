//! Writes the log that `tests/formats.rs` expects into the directory given: for a new format version.

#![expect(clippy::expect_used, reason = "it stops at the first error")]

use std::path::Path;
use std::sync::mpsc::sync_channel;

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_log::{Append, Batch, Durability, Log, Options, StateChange};

fn main() {
    let directory = std::env::args().nth(1).expect("a directory");
    let options = Options {
        segment_bytes: 800,
        ..Options::default()
    };
    let (log, _) = Log::open(Path::new(&directory), options).expect("a new log");
    let append = |channel, number: u64| Append::new(Name::new(channel).expect("a name"), Timestamp::from_millis(1_730_291_041_637 + number), Bytes::from(format!("{channel} {number} {}", "·".repeat(20))));
    let text = |number| Bytes::from(format!("state {number}"));
    for number in 0..5 {
        let appends = vec![
            append("OrderPlaced", 2 * number),
            append("payments", number),
            append("OrderPlaced", 2 * number + 1),
        ];
        let state = match number {
            2 => StateChange::Replace(vec![text(number)]),
            _ => StateChange::Append(vec![text(number), Bytes::new()]),
        };
        let (sender, done) = sync_channel(1);
        log.append(
            Batch { appends, state, cursors: vec![] },
            Durability::Durable,
            move |result| {
                sender.send(result).expect("the receiver is there");
            },
        );
        done.recv().expect("an answer").expect("an append");
    }
}
