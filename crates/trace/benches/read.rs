//! How fast captures are read, against bare parsing of the same bytes in the same run.
//!
//! `cargo bench -p tidegate-trace`. The ratio is what the normalised spans cost over building a
//! `serde_json::Value`, or over decoding the protobuf messages; below 1.00 is faster than bare.

#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first mistake"
)]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message as _;
use serde_json::Value;
use tidegate_trace::read;

/// Repetitions of each measurement, of which the fastest counts: the others were disturbed.
const REPETITIONS: usize = 15;

const FILES: [&str; 6] = [
    "online_boutique/nezha_online_boutique_normal.otlp.json",
    "otel_demo/otel_demo_traces_only.otlp.jsonl",
    "otel_demo/otel_demo_capture_all_signals.otlp.jsonl",
    "otel_demo/otel_demo_traces.otlp.pb",
    "traceweaver/hotel_load25.jaeger.json",
    "zipkin_lens/smartthings-mobile-web-install.json",
];

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/traces");
    println!(
        "{:<56} {:>9} {:>9} {:>9} {:>6}",
        "capture", "KB", "MB/s", "bare MB/s", "ratio"
    );
    for file in FILES {
        let Ok(bytes) = fs::read(folder.join(file)) else {
            println!("skipped: {file} is absent");
            continue;
        };
        let bare = if file.ends_with(".pb") {
            bare_protobuf
        } else {
            bare_json
        };
        let (ours, theirs) = fastest(
            &bytes,
            |bytes| _ = black_box(read(file, bytes).unwrap()),
            bare,
        );
        println!(
            "{file:<56} {:>9} {:>9.1} {:>9.1} {:>6.2}",
            bytes.len() / 1_000,
            megabytes_a_second(bytes.len(), ours),
            megabytes_a_second(bytes.len(), theirs),
            ours.as_secs_f64() / theirs.as_secs_f64()
        );
    }
}

/// The fastest of both, measured in turn so that a disturbance meets both.
fn fastest(bytes: &[u8], ours: impl Fn(&[u8]), bare: fn(&[u8])) -> (Duration, Duration) {
    let time = |work: &dyn Fn(&[u8])| {
        let start = Instant::now();
        work(black_box(bytes));
        start.elapsed()
    };
    (0..REPETITIONS).fold((Duration::MAX, Duration::MAX), |(fast, fast_bare), _| {
        (fast.min(time(&ours)), fast_bare.min(time(&bare)))
    })
}

fn bare_json(bytes: &[u8]) {
    for document in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
        black_box(document.unwrap());
    }
}

fn bare_protobuf(bytes: &[u8]) {
    black_box(TracesData::decode(bytes).unwrap());
}

fn megabytes_a_second(bytes: usize, time: Duration) -> f64 {
    let bytes = u32::try_from(bytes).map_or(f64::MAX, f64::from);
    bytes / 1e6 / time.as_secs_f64()
}
