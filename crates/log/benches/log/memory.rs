//! Memory of a process whose readers lag behind all over a backlog while it is appended to: it must
//! not grow with the backlog or the lag.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_log::{Append, AppendError, Batch, Durability, Log, ReadLimit, Record};

use crate::arguments::Arguments;
use crate::child::{Running, numbers};
use crate::open::{BODY_BYTES, Backlog, CHANNELS, open};
use crate::sink::names;
use crate::table::{Table, number};
use crate::window::Window;

/// Readers that lag behind.
const READERS: usize = 100;
/// What each reads in its turn, and holds until the next.
const READ_LIMIT: ReadLimit = ReadLimit {
    records: 100,
    bytes: 256 << 10,
};
/// How long they read.
const RUN_TIME: Duration = Duration::from_secs(4);
/// What a run may take beside memory: MB.
const LIMIT: &str = "256";

/// What a run adds to lagging readers: what it is called, records that a slow reader holds, and
/// records in flight.
const CASES: [(&str, u64, u64); 3] = [
    ("1,000 in flight", 0, 1_000),
    ("1,000 in flight, a slow reader holds 1,000", 1_000, 1_000),
    (
        "until the queue refuses, and the slow reader",
        1_000,
        u64::MAX / 2,
    ),
];

pub(crate) fn run(arguments: &Arguments, backlog: &Backlog) {
    let title = format!(
        "MEMORY: MB of a process that opens the backlog; {READERS} lagging readers are spread over its \
         channels and its history,\neach with at most {} records in hand; one producer appends durable \
         records of {BODY_BYTES} B as fast as it can.",
        READ_LIMIT.records
    );
    let columns = [
        ("the producer has", 46),
        ("peak RSS", 8),
        ("limit", 6),
        ("after open", 10),
        ("anonymous", 9),
        ("read/s", 10),
        ("append/s", 10),
    ];
    let table = Table::start(&title, &columns);
    for (what, held, window) in CASES {
        let time = u64::try_from(arguments.time(RUN_TIME).as_millis()).expect("a short run");
        let passed = [time, backlog.segment_bytes, held, window];
        let line = Running::start("memory", &backlog.directory, &passed).line();
        let [opened, peak, anonymous, read, appended] =
            numbers::<5>(&line.split(' ').collect::<Vec<_>>()).map(|number| number as f64);
        let megabytes = |kibibytes: f64| format!("{:.0}", kibibytes * 1_024.0 / 1e6);
        table.row(&[
            what.to_owned(),
            megabytes(peak),
            LIMIT.to_owned(),
            megabytes(opened),
            megabytes(anonymous),
            number(read * 1e3 / time as f64),
            number(appended * 1e3 / time as f64),
        ]);
    }
}

/// In a child: prints the peak after opening, the peak at the end, the anonymous memory at the end,
/// all in KiB, and records read and appended.
pub(crate) fn measure(directory: &Path, words: &[&str]) {
    let [time, segment_bytes, held, window] = numbers(words);
    let (log, _) = open(directory, segment_bytes);
    let opened = status("VmHWM:");
    let channels = names(CHANNELS);
    let window = Arc::new(Window::new(window));
    let (read, held) = thread::scope(|scope| {
        scope.spawn(|| produce(&log, &channels, &window));
        let held = hold(&log, &channels[0], usize::try_from(held).expect("a few"));
        let read = read_on(&log, &channels, Duration::from_millis(time));
        window.end();
        (read, held)
    });
    let bytes: usize = held.iter().map(Record::bytes).sum();
    assert!(bytes >= held.len() * BODY_BYTES, "they are still there");
    let (peak, anonymous) = (status("VmHWM:"), status("RssAnon:"));
    println!("{opened} {peak} {anonymous} {read} {}", window.done());
}

/// Reads so many records and keeps them.
fn hold(log: &Log, channel: &Name, count: usize) -> Vec<Record> {
    let mut held: Vec<Record> = Vec::new();
    while held.len() < count {
        let from = held.last().map_or(0, |last| last.sequence + 1);
        held.extend(log.read(channel, from, READ_LIMIT).expect("a read"));
    }
    held
}

/// Lagging readers read on in turns. Returns how many records they have read.
fn read_on(log: &Log, channels: &[Name], time: Duration) -> u64 {
    struct Lagging {
        channel: usize,
        next: u64,
        in_hand: Vec<Record>,
    }
    let lagging = |at: usize| {
        let channel = at % channels.len();
        // 37 has no divisor in common with 100: neighbours are far apart in history.
        let part = (at * 37 % READERS) as u64;
        Lagging {
            channel,
            next: log.tail(&channels[channel]) * part / READERS as u64,
            in_hand: Vec::new(),
        }
    };
    let mut readers: Vec<Lagging> = (0..READERS).map(lagging).collect();
    let mut read = 0;
    let start = Instant::now();
    while start.elapsed() < time {
        for reader in &mut readers {
            let channel = &channels[reader.channel];
            reader.in_hand = log.read(channel, reader.next, READ_LIMIT).expect("a read");
            read += reader.in_hand.len() as u64;
            // At the tail it starts over.
            let last = reader.in_hand.last();
            reader.next = last.map_or(0, |last| last.sequence + 1);
        }
    }
    read
}

fn produce(log: &Log, channels: &[Name], window: &Arc<Window>) {
    let body = Bytes::from(vec![b'x'; BODY_BYTES]);
    let refused = Arc::new(AtomicBool::new(false));
    let mut sent = 0;
    while window.enter(sent) {
        let channel = usize::try_from(sent).expect("64 bits") % channels.len();
        let append = Append::new(channels[channel].clone(), Timestamp::EPOCH, body.clone());
        let done = {
            let (window, refused) = (Arc::clone(window), Arc::clone(&refused));
            move |placed| match placed {
                Ok(_) => window.leave(1),
                Err(AppendError::Full { .. }) => refused.store(true, Ordering::Relaxed),
                Err(error) => panic!("an append: {error}"),
            }
        };
        log.append(Batch::of(vec![append]), Durability::Durable, done);
        match refused.swap(false, Ordering::Relaxed) {
            true => thread::sleep(Duration::from_millis(1)),
            false => sent += 1,
        }
    }
}

/// A figure that the system has of this process, in KiB.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("what Linux tells");
    let line = status
        .lines()
        .find(|line| line.starts_with(name))
        .expect("a line");
    let figure = line.split_whitespace().nth(1).expect("a figure");
    figure.parse().expect("a number")
}
