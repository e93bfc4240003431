//! How fast the log takes records, beside the limit of this machine measured in the same run: a bare
//! file, zero-filled ahead, with the same group commit.
//!
//! ```text
//! cargo bench -p tidegate-log --bench append
//! cargo bench -p tidegate-log --bench append -- --in /dev/shm    the processor's part alone
//! ```
//!
//! What counts is the ratio: absolute figures move with the machine. Runs of the two alternate; the
//! figures are medians. Latency is taken from the time at which a record was *meant* to be sent.

#![expect(clippy::print_stdout, reason = "it prints its result")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "it stops at the first error"
)]
#![expect(
    clippy::indexing_slicing,
    reason = "quantiles of samples that are there"
)]

mod bare;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_log::{Append, Batch, Durability, Log, Options, StateChange};

use bare::BareFile;

/// Alternating runs of each figure.
const RUNS: usize = 3;
/// How long one run takes.
const RUN_TIME: Duration = Duration::from_millis(400);
/// What is cut off the start of a run.
const WARM_UP: Duration = Duration::from_millis(150);
/// Records a second of the open loop.
const OPEN_RATE: u32 = 10_000;

/// What is measured: takes a record, and calls back once it is durable.
trait Sink: Send + Sync {
    fn send(&self, channel: usize, body: Bytes, done: Box<dyn FnOnce() + Send>);
}

struct LogSink {
    log: Log,
    channels: Vec<Name>,
}

impl LogSink {
    fn new(directory: &Path, channels: usize) -> Self {
        let (log, _) = Log::open(directory, Options::default()).expect("a new log");
        let name = |at| Name::new(&format!("channel-{at}")).expect("a name");
        Self {
            log,
            channels: (0..channels).map(name).collect(),
        }
    }
}

impl Sink for LogSink {
    fn send(&self, channel: usize, body: Bytes, done: Box<dyn FnOnce() + Send>) {
        let channel = self.channels[channel % self.channels.len()].clone();
        let append = Append {
            channel,
            time: Timestamp::EPOCH,
            body,
        };
        let batch = Batch {
            appends: vec![append],
            state: StateChange::NONE,
        };
        self.log.append(batch, Durability::Durable, |result| {
            result.expect("an append");
            done();
        });
    }
}

impl Sink for BareFile {
    fn send(&self, _channel: usize, body: Bytes, done: Box<dyn FnOnce() + Send>) {
        self.append(body, done);
    }
}

/// Counts what is in flight, up to a window.
struct Window {
    size: usize,
    counts: Mutex<(usize, u64)>,
    freed: Condvar,
}

impl Window {
    fn enter(&self) {
        let counts = self.counts.lock().unwrap();
        let mut counts = self
            .freed
            .wait_while(counts, |(flying, _)| *flying >= self.size)
            .unwrap();
        counts.0 += 1;
    }

    fn leave(&self) {
        let mut counts = self.counts.lock().unwrap();
        counts.0 -= 1;
        counts.1 += 1;
        drop(counts);
        self.freed.notify_one();
    }

    fn done(&self) -> u64 {
        self.counts.lock().unwrap().1
    }
}

/// Records a second that are durable, with `size` in flight.
fn throughput(sink: &dyn Sink, size: usize, body: &Bytes) -> f64 {
    let window = Arc::new(Window {
        size,
        counts: Mutex::new((0, 0)),
        freed: Condvar::new(),
    });
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut channel = 0;
            while !ended.load(Ordering::Relaxed) {
                window.enter();
                let window = Arc::clone(&window);
                sink.send(channel, body.clone(), Box::new(move || window.leave()));
                channel += 1;
            }
        });
        thread::sleep(WARM_UP);
        let (start, before) = (Instant::now(), window.done());
        thread::sleep(RUN_TIME);
        let rate = (window.done() - before) as f64 / start.elapsed().as_secs_f64();
        ended.store(true, Ordering::Relaxed);
        rate
    })
}

/// Latencies in milliseconds (p50, p99, p99.9) at a fixed rate, from the intended send time.
fn open_loop(sink: &dyn Sink, body: &Bytes) -> [f64; 3] {
    let count = OPEN_RATE * 2;
    let samples = Arc::new(Mutex::new(Vec::new()));
    let start = Instant::now();
    for at in 0..count {
        let intended = start + Duration::from_secs(1) / OPEN_RATE * at;
        while let Some(wait) = intended.checked_duration_since(Instant::now()) {
            if wait > Duration::from_micros(60) {
                thread::sleep(wait - Duration::from_micros(60));
            }
        }
        let samples = Arc::clone(&samples);
        let done = move || samples.lock().unwrap().push(intended.elapsed());
        sink.send(at as usize, body.clone(), Box::new(done));
    }
    while samples.lock().unwrap().len() < count as usize {
        thread::sleep(Duration::from_millis(1));
    }
    let mut samples = samples.lock().unwrap().split_off(count as usize / 10);
    samples.sort_unstable();
    let quantile = |q: usize| samples[samples.len() * q / 1_000].as_secs_f64() * 1e3;
    [quantile(500), quantile(990), quantile(999)]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A log and a bare file in directories of their own, removed at the end.
fn pair(parent: &str, channels: usize) -> (tempfile::TempDir, LogSink, BareFile) {
    let folder = tempfile::tempdir_in(parent).expect("a directory");
    let log = LogSink::new(&folder.path().join("log"), channels);
    let bare = BareFile::create(&folder.path().join("bare"));
    (folder, log, bare)
}

fn main() {
    let parent = std::env::args().skip_while(|word| word != "--in").nth(1);
    let parent = parent.unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").to_owned());
    println!("durable records/s           log        bare file    ratio");
    for (bytes, channels, windows) in [
        (256, 1, [1, 100, 1_000]),
        (256, 100, [1, 100, 1_000]),
        (1_024, 1, [1, 100, 1_000]),
        (1_024, 100, [1, 100, 1_000]),
    ] {
        let body = Bytes::from(vec![b'x'; bytes]);
        for window in windows {
            let (mut logs, mut bares) = (Vec::new(), Vec::new());
            for _ in 0..RUNS {
                let (_folder, log, bare) = pair(&parent, channels);
                logs.push(throughput(&log, window, &body));
                bares.push(throughput(&bare, window, &body));
            }
            let (log, bare) = (median(logs), median(bares));
            println!(
                "{bytes:5} B {channels:4} ch {window:5} in flight {log:10.0} {bare:12.0} {:8.2}",
                log / bare
            );
        }
    }
    println!("\nms from the intended send at {OPEN_RATE}/s, 256 B, 100 channels: p50, p99, p99.9");
    let body = Bytes::from(vec![b'x'; 256]);
    let (mut logs, mut bares) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (_folder, log, bare) = pair(&parent, 100);
        logs.push(open_loop(&log, &body));
        bares.push(open_loop(&bare, &body));
    }
    for (name, at) in [("p50", 0), ("p99", 1), ("p99.9", 2)] {
        let log = median(logs.iter().map(|run| run[at]).collect());
        let bare = median(bares.iter().map(|run| run[at]).collect());
        println!(
            "{name:6} log {log:8.3}   bare file {bare:8.3}   ratio {:6.2}",
            log / bare
        );
    }
}
