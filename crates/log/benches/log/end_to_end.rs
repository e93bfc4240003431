//! Records a second that are published, durable, visible, and read back: the consumer compares every byte
//! with what was sent.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;

use crate::arguments::Arguments;
use crate::publish::rate;
use crate::sink::{Reader, Sink, with_bare, with_log};
use crate::table::{Table, ratio};
use crate::window::{EndOnDrop, Window};

/// How long one run takes.
const RUN_TIME: Duration = Duration::from_millis(500);
/// Records that are not acknowledged.
const WINDOW: u64 = 1_000;
/// Records that are not read: what the consumer may lag behind, so that its rate is the rate.
const UNREAD_MAX: u64 = 16_000;
const CHANNELS: usize = 1_000;

pub(crate) fn run(arguments: &Arguments) {
    let title = "END TO END: records/s that a consumer has read. One producer with 1,000 in flight; \
                 the consumer at most 16,000 behind.\nThe bare file's consumer gets each group from \
                 its writer's memory.";
    let table = Table::beside_limit(title, "bytes  channels");
    let mut costs = Vec::new();
    for (bytes, aim) in [(256, "≥ 0.60"), (1_024, "≥ 0.85")] {
        let body = Bytes::from(vec![b'x'; bytes]);
        let (mut one, mut many, mut bare) = (Vec::new(), Vec::new(), Vec::new());
        for run in 0..arguments.runs() {
            let consumer = Reader::Consumer;
            for turn in 0..3 {
                match (run + turn) % 3 {
                    0 => one.push(with_log(arguments, 1, consumer, |sink| {
                        throughput(arguments, sink, &body)
                    })),
                    1 => many.push(with_log(arguments, CHANNELS, consumer, |sink| {
                        throughput(arguments, sink, &body)
                    })),
                    _ => bare.push(with_bare(arguments, consumer, |sink| {
                        throughput(arguments, sink, &body)
                    })),
                }
            }
        }
        table.compared(format!("{bytes:>5}  {:>8}", 1), &one, &bare, aim);
        table.compared(format!("{bytes:>5}  {CHANNELS:>8}"), &many, &bare, aim);
        costs.push((bytes, ratio(&many, &one)));
    }
    println!();
    for (bytes, ratio) in costs {
        println!("{bytes:>5} B: {CHANNELS} channels through one channel: {ratio}   aim ≥ 0.90");
    }
}

fn throughput(arguments: &Arguments, sink: &impl Sink, body: &Bytes) -> f64 {
    let acknowledged = Arc::new(Window::new(WINDOW));
    let read = Window::new(UNREAD_MAX);
    thread::scope(|scope| {
        let _end = EndOnDrop(vec![acknowledged.as_ref(), &read]);
        scope.spawn(|| {
            let mut sent: u64 = 0;
            while acknowledged.enter(sent) && read.enter(sent) {
                let acknowledged = Arc::clone(&acknowledged);
                let channel = usize::try_from(sent).unwrap_or(0);
                sink.send(channel, body, move || acknowledged.leave(1));
                sent += 1;
            }
        });
        scope.spawn(|| {
            let each = |read: &[u8]| {
                assert!(read == body.as_ref(), "a body as it was sent");
            };
            sink.consume(each, |count| read.leave(count));
        });
        let rate = rate(arguments, RUN_TIME, || read.done());
        sink.end();
        rate
    })
}
