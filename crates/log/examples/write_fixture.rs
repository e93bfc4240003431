//! Writes the log that `tests/formats.rs` expects into the directory given: for a new format version. With `parts`
//! behind it, the one with a checkpoint in parts.

#![expect(clippy::expect_used, reason = "it stops at the first error")]

use std::path::Path;
use std::sync::mpsc::sync_channel;

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_log::{Append, Batch, Durability, History, Keep, Log, Options, StateChange};

fn main() {
    let directory = std::env::args().nth(1).expect("a directory");
    let options = Options {
        segment_bytes: 800,
        ..Options::default()
    };
    let (log, _) = Log::open(Path::new(&directory), options).expect("a new log");
    if std::env::args().nth(2).is_some_and(|what| what == "parts") {
        return in_parts(&log);
    }
    for number in 0..5 {
        if number == 4 {
            clean(&log);
        }
        append(&log, batch(number));
    }
}

fn append(log: &Log, batch: Batch) {
    let (sender, done) = sync_channel(1);
    log.append(batch, Durability::Durable, move |result| {
        sender.send(result).expect("the receiver is there");
    });
    done.recv().expect("an answer").expect("an append");
}

/// A checkpoint that was cut off, and one that was finished, each with something appended meanwhile.
fn in_parts(log: &Log) {
    let text = |text: &str| vec![Bytes::from(text.repeat(100))];
    let states = [
        StateChange::Append(text("a")),
        StateChange::Begin(text("b")),
        StateChange::Append(text("c")),
        StateChange::Begin(text("d")),
        StateChange::Append(text("e")),
        StateChange::Finish(text("f")),
        StateChange::Append(text("g")),
    ];
    for state in states {
        let batch = Batch {
            state,
            ..Batch::EMPTY
        };
        append(log, batch);
    }
}

/// Leaves a segment that was written anew: of `stock`, only the latest record of each key.
fn clean(log: &Log) {
    let keep = Keep {
        history: History::LatestPerKey,
        needed_from: u64::MAX,
        ..Keep::default()
    };
    log.keep(&Name::new("stock").expect("a name"), keep);
    // Closes the segment that is full: only those are cleaned that have an index.
    append(log, Batch::EMPTY);
    log.index().expect("indexes");
    log.clean(Timestamp::EPOCH).expect("a clean");
}

fn batch(number: u64) -> Batch {
    let append = |channel, number: u64| {
        let mut append = Append::new(
            Name::new(channel).expect("a name"),
            Timestamp::from_millis(1_730_291_041_637 + number),
            Bytes::from(format!("{channel} {number} {}", "·".repeat(20))),
        );
        append.headers = vec![("id".to_owned(), number.to_string())];
        append
    };
    let mut stock = append("stock", number);
    stock.key = Some("chair".to_owned());
    stock.payload = Bytes::from("·".repeat(600));
    let text = |number| Bytes::from(format!("state {number}"));
    Batch {
        appends: vec![
            append("OrderPlaced", 2 * number),
            append("payments", number),
            append("OrderPlaced", 2 * number + 1),
            stock,
        ],
        state: match number {
            2 => StateChange::Replace(vec![text(number)]),
            _ => StateChange::Append(vec![text(number), Bytes::new()]),
        },
        cursors: vec![(Name::new("billing").expect("a name"), number)],
    }
}
