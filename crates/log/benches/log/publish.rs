//! Records a second that are durable, in a closed loop.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::arguments::Arguments;
use crate::sink::{Reader, Sink, with_bare, with_log};
use crate::table::Table;
use crate::window::{EndOnDrop, Window};

/// How long one run takes.
const RUN_TIME: Duration = Duration::from_millis(300);
/// What is cut off the start of a run.
pub(crate) const WARM_UP: Duration = Duration::from_millis(150);

/// What one figure is of.
struct Load {
    bytes: usize,
    channels: usize,
    producers: usize,
    /// Of all producers together.
    window: usize,
}

/// Bytes, channels, producers, window: every axis by itself, and the corners that hurt.
const LOADS: [(usize, usize, usize, usize); 17] = [
    (256, 1, 1, 1),
    (256, 1, 1, 100),
    (256, 1, 1, 1_000),
    (256, 1, 2, 100),
    (256, 1, 4, 100),
    (256, 1, 8, 100),
    (256, 1, 2, 1_000),
    (256, 1, 4, 1_000),
    (256, 1, 8, 1_000),
    (256, 1_000, 1, 100),
    (256, 1_000, 1, 1_000),
    (256, 1_000, 8, 1_000),
    (1_024, 1, 1, 1),
    (1_024, 1, 1, 100),
    (1_024, 1, 1, 1_000),
    (1_024, 1, 8, 1_000),
    (1_024, 1_000, 1, 1_000),
];

pub(crate) fn run(arguments: &Arguments) {
    let title = "PUBLISH: records/s that are durable. In flight: of all producers together, in equal \
                 parts.";
    let heads = "bytes  channels  producers  in flight";
    let table = Table::beside_limit(title, heads);
    for (bytes, channels, producers, window) in LOADS {
        let load = Load {
            bytes,
            channels,
            producers,
            window,
        };
        let (mut log, mut bare) = (Vec::new(), Vec::new());
        for run in 0..arguments.runs() {
            let mut of_log = || {
                let rate = |sink: &_| throughput(arguments, sink, &load);
                log.push(with_log(arguments, channels, Reader::Nobody, rate));
            };
            let mut of_bare = || {
                let rate = |sink: &_| throughput(arguments, sink, &load);
                bare.push(with_bare(arguments, Reader::Nobody, rate));
            };
            alternate(run, &mut of_log, &mut of_bare);
        }
        let what = format!("{bytes:>5}  {channels:>8}  {producers:>9}  {window:>9}");
        table.compared(what, &log, &bare, "");
    }
}

/// Runs both, each first in every other run.
pub(crate) fn alternate(run: usize, one: &mut dyn FnMut(), other: &mut dyn FnMut()) {
    match run.is_multiple_of(2) {
        true => {
            one();
            other();
        }
        false => {
            other();
            one();
        }
    }
}

fn throughput(arguments: &Arguments, sink: &impl Sink, load: &Load) -> f64 {
    let body = Bytes::from(vec![b'x'; load.bytes]);
    let size = load.window / load.producers;
    let window = || Arc::new(Window::new(size as u64));
    let windows: Vec<_> = (0..load.producers).map(|_| window()).collect();
    thread::scope(|scope| {
        let _end = EndOnDrop(windows.iter().map(AsRef::as_ref).collect());
        for (producer, window) in windows.iter().enumerate() {
            // Producers are spread over the channels.
            let first = producer * load.channels / load.producers;
            let body = &body;
            scope.spawn(move || produce(sink, window, first, body));
        }
        let done = || windows.iter().map(|window| window.done()).sum();
        rate(arguments, RUN_TIME, done)
    })
}

fn produce(sink: &impl Sink, window: &Arc<Window>, first: usize, body: &Bytes) {
    let mut sent = 0;
    let mut channel = first;
    while window.enter(sent) {
        let window = Arc::clone(window);
        sink.send(channel, body, move || window.leave(1));
        sent += 1;
        channel += 1;
    }
}

/// How fast `count` grows, a second.
pub(crate) fn rate(arguments: &Arguments, time: Duration, count: impl Fn() -> u64) -> f64 {
    thread::sleep(arguments.time(WARM_UP));
    let (start, before) = (Instant::now(), count());
    thread::sleep(arguments.time(time));
    (count() - before) as f64 / start.elapsed().as_secs_f64()
}
