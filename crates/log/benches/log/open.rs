//! How long it takes to open a log with a backlog, after a crash and after a clean close: it must grow
//! with the last segment, not with the history.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use tempfile::TempDir;
use tidegate_base::{Name, Timestamp};
use tidegate_log::{Append, Batch, Durability, Log, Options, Recovery};

use crate::arguments::Arguments;
use crate::child::{Running, numbers, orphaned};
use crate::sink::{folder, names};
use crate::table::{Table, figure, median};
use crate::window::Window;

/// Channels of the backlog.
pub(crate) const CHANNELS: usize = 100;
/// Bytes of its payloads.
pub(crate) const BODY_BYTES: usize = 1_024;
/// Records of one batch.
const BATCH_RECORDS: usize = 100;
/// Batches in flight.
const WINDOW: u64 = 64;
/// Opens and reads of each figure.
const RUNS: usize = 3;
/// What a child adds before it is killed once more.
const MORE_BYTES: u64 = 1 << 20;

/// A log with a history, closed.
pub(crate) struct Backlog {
    _folder: TempDir,
    pub(crate) directory: PathBuf,
    pub(crate) segment_bytes: u64,
}

impl Backlog {
    fn new(arguments: &Arguments) -> Self {
        let folder = folder(arguments);
        Self {
            directory: folder.path().join("log"),
            _folder: folder,
            segment_bytes: arguments.segment_bytes(),
        }
    }

    /// One of the size that was asked for.
    pub(crate) fn filled(arguments: &Arguments) -> Self {
        let backlog = Self::new(arguments);
        backlog.fill_and_kill(target(arguments, 1.0));
        drop(backlog.open());
        backlog
    }

    /// Grows it to `bytes` in a child that is killed while it appends.
    fn fill_and_kill(&self, bytes: u64) {
        let mut child = Running::start("fill", &self.directory, &[bytes, self.segment_bytes]);
        assert_eq!(child.line(), "filled");
        drop(child);
        // So that opening does not wait for a disk that has fallen behind.
        for segment in self.segments() {
            File::open(segment)
                .and_then(|file| file.sync_all())
                .expect("a sync");
        }
    }

    fn open(&self) -> (Log, Recovery) {
        open(&self.directory, self.segment_bytes)
    }

    /// Ms that opening takes, and what it found.
    fn time_open(&self) -> (f64, Recovery) {
        let start = Instant::now();
        let (log, recovery) = self.open();
        let took = start.elapsed();
        drop(log);
        assert!(recovery.damages.is_empty(), "{:?}", recovery.damages);
        (took.as_secs_f64() * 1e3, recovery)
    }

    fn segments(&self) -> Vec<PathBuf> {
        segments(&self.directory)
    }
}

pub(crate) fn open(directory: &Path, segment_bytes: u64) -> (Log, Recovery) {
    let options = Options {
        segment_bytes,
        ..Options::default()
    };
    Log::open(directory, options).expect("a log")
}

/// Paths of all segments, in order.
fn segments(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|end| end == "seg");
    let mut paths: Vec<_> = paths.filter(is_segment).collect();
    paths.sort_unstable();
    paths
}

/// Bytes of that part of the backlog: whole segments and a half, so that all tails are alike.
fn target(arguments: &Arguments, part: f64) -> u64 {
    let segment = arguments.segment_bytes();
    let mut bytes = segment / 2;
    while (bytes + segment / 2) as f64 <= arguments.backlog_bytes() * part {
        bytes += segment;
    }
    bytes
}

pub(crate) fn run(arguments: &Arguments) -> Backlog {
    let title = "OPEN: ms to open a backlog, after its process was killed while it appended and after \
                 a clean close, beside reading files from\nthe page cache. It must grow with the tail \
                 and not with the history: the same in all rows.";
    let columns = [
        ("history", 10),
        ("segments", 8),
        ("tail", 8),
        ("killed", 22),
        ("closed", 22),
        ("read tail (limit)", 22),
        ("read all", 22),
        ("closed/tail", 11),
    ];
    let table = Table::start(title, &columns);
    let backlog = Backlog::new(arguments);
    let mut medians = Vec::new();
    for part in [0.25, 0.5, 1.0] {
        let mut bytes = target(arguments, part);
        let mut killed = Vec::new();
        for _ in 0..RUNS {
            backlog.fill_and_kill(bytes);
            let (took, recovery) = backlog.time_open();
            killed.push(took);
            bytes = recovery.bytes + MORE_BYTES;
        }
        let (closed, found): (Vec<_>, Vec<_>) = (0..RUNS).map(|_| backlog.time_open()).unzip();
        let segments = backlog.segments();
        let (_, last) = segments.split_at(segments.len() - 1);
        let tail_bytes = last.iter().map(|path| bytes_of(path)).sum::<u64>();
        let tail = (0..RUNS).map(|_| time_read(last)).collect::<Vec<_>>();
        let all = (0..RUNS).map(|_| time_read(&segments)).collect::<Vec<_>>();
        medians.push((found[0].bytes as f64, median(&killed), median(&closed)));
        table.row(&[
            format!("{:.2} GB", found[0].bytes as f64 / 1e9),
            found[0].segments.to_string(),
            format!("{} MB", tail_bytes / 1_000_000),
            figure(&killed),
            figure(&closed),
            figure(&tail),
            figure(&all),
            format!("{:.2}", median(&closed) / median(&tail)),
        ]);
    }
    let (quarter, whole) = (medians[0], medians[2]);
    println!(
        "\n{:.1} times the history: {:.2} times as long after a kill, {:.2} after a close   aim 1",
        whole.0 / quarter.0,
        whole.1 / quarter.1,
        whole.2 / quarter.2,
    );
    backlog
}

fn bytes_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Ms that reading all of them takes.
fn time_read(paths: &[PathBuf]) -> f64 {
    let mut buffer = vec![0; 1 << 20];
    let start = Instant::now();
    for path in paths {
        let mut file = File::open(path).expect("a segment");
        while file.read(&mut buffer).expect("a read") > 0 {}
    }
    start.elapsed().as_secs_f64() * 1e3
}

/// In a child: appends until the log has so many bytes, says so, and goes on until it is killed.
pub(crate) fn fill(directory: &Path, words: &[&str]) {
    let [bytes, segment_bytes] = numbers(words);
    let orphaned = orphaned();
    let (log, _) = open(directory, segment_bytes);
    let channels = names(CHANNELS);
    let body = Bytes::from(vec![b'x'; BODY_BYTES]);
    let window = Arc::new(Window::new(WINDOW));
    let mut filled = false;
    let mut sent = 0;
    while window.enter(sent) && !orphaned.load(Ordering::Relaxed) {
        let window = Arc::clone(&window);
        let done = move |placed: Result<_, _>| {
            placed.expect("an append");
            window.leave(1);
        };
        log.append(batch(&channels, &body), Durability::Written, done);
        sent += 1;
        if !filled && sent.is_multiple_of(WINDOW / 4) {
            let held: u64 = segments(directory).iter().map(|path| bytes_of(path)).sum();
            filled = held >= bytes;
            if filled {
                println!("filled");
            }
        }
    }
}

fn batch(channels: &[Name], body: &Bytes) -> Batch {
    let append = |at| {
        let channel: &Name = &channels[at % channels.len()];
        Append::new(channel.clone(), Timestamp::EPOCH, body.clone())
    };
    Batch::of((0..BATCH_RECORDS).map(append).collect())
}
