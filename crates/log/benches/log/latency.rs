//! How long a record takes at a fixed rate, from the time at which it was *meant* to be sent: a
//! producer that is held up does not hide what that costs the records behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::arguments::Arguments;
use crate::publish::alternate;
use crate::sink::{Reader, Sink, with_bare, with_log};
use crate::table::Table;

/// Records a second.
const RATE: u32 = 10_000;
const RUN_TIME: Duration = Duration::from_millis(2_000);
const CHANNELS: usize = 100;
const BODY_BYTES: usize = 256;
/// How long the last records may take, which is far beyond all that can be called a latency.
const PATIENCE: Duration = Duration::from_secs(20);

/// Per record and in ns, 0 while it is not there.
struct Samples {
    acknowledged: Vec<AtomicU64>,
    read: Vec<AtomicU64>,
}

/// p50, p99 and p99.9 in ms, of acknowledgements and of reads.
type Quantiles = [[f64; 3]; 2];

pub(crate) fn run(arguments: &Arguments) {
    let title = format!(
        "LATENCY: ms from the intended send, open loop at {RATE} records/s, {BODY_BYTES} B, {CHANNELS} \
         channels, one consumer",
    );
    let table = Table::beside_limit(&title, "until");
    let (mut log, mut bare) = (Vec::new(), Vec::new());
    for run in 0..arguments.runs() {
        let mut of_log = || {
            let quantiles = |sink: &_| open_loop(arguments, sink);
            log.push(with_log(arguments, CHANNELS, Reader::Consumer, quantiles));
        };
        let mut of_bare = || {
            let quantiles = |sink: &_| open_loop(arguments, sink);
            bare.push(with_bare(arguments, Reader::Consumer, quantiles));
        };
        alternate(run, &mut of_log, &mut of_bare);
    }
    for (until, what) in ["durable and acknowledged", "read by the consumer"]
        .iter()
        .enumerate()
    {
        for (at, (quantile, aim)) in [("p50", ""), ("p99", "≤ 1.50"), ("p99.9", "")]
            .iter()
            .enumerate()
        {
            let of = |runs: &[Quantiles]| runs.iter().map(|run| run[until][at]).collect::<Vec<_>>();
            table.compared(format!("{what:25} {quantile}"), &of(&log), &of(&bare), aim);
        }
    }
}

fn open_loop(arguments: &Arguments, sink: &impl Sink) -> Quantiles {
    let count = usize::try_from(arguments.time(RUN_TIME).as_millis()).expect("a short run")
        * (RATE / 1_000) as usize;
    let none = || (0..count).map(|_| AtomicU64::new(0)).collect();
    let samples = Arc::new(Samples {
        acknowledged: none(),
        read: none(),
    });
    let start = Instant::now();
    let intended =
        move |at: usize| start + Duration::from_secs(1) / RATE * u32::try_from(at).expect("few");
    let took = move |at: usize| u64::try_from(intended(at).elapsed().as_nanos()).expect("short");
    thread::scope(|scope| {
        scope.spawn(|| {
            let each = |body: &[u8]| {
                let at = usize::from_le_bytes(body[..8].try_into().expect("eight bytes"));
                samples.read[at].store(took(at).max(1), Ordering::Release);
            };
            sink.consume(each, |_| {});
        });
        for at in 0..count {
            let mut body = vec![b'x'; BODY_BYTES];
            body[..8].copy_from_slice(&at.to_le_bytes());
            let body = Bytes::from(body);
            while Instant::now() < intended(at) {
                // Whoever has work to do may have the processor.
                thread::yield_now();
            }
            let samples = Arc::clone(&samples);
            sink.send(at, &body, move || {
                samples.acknowledged[at].store(took(at).max(1), Ordering::Release);
            });
        }
        let all = || samples.acknowledged.iter().chain(&samples.read);
        let sent = Instant::now();
        while all().any(|sample| sample.load(Ordering::Acquire) == 0) {
            assert!(sent.elapsed() < PATIENCE, "records are lost");
            thread::sleep(Duration::from_millis(1));
        }
        sink.end();
    });
    [quantiles(&samples.acknowledged), quantiles(&samples.read)]
}

fn quantiles(samples: &[AtomicU64]) -> [f64; 3] {
    let warm = samples.iter().skip(samples.len() / 10);
    let mut sorted: Vec<u64> = warm.map(|sample| sample.load(Ordering::Acquire)).collect();
    sorted.sort_unstable();
    [500, 990, 999].map(|q| sorted[sorted.len() * q / 1_000] as f64 / 1e6)
}
