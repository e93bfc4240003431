//! How fast captures become assembled traces, against bare parsing of the same bytes in the same run;
//! and how much memory ten million spans take.
//!
//! `cargo bench -p tidegate-trace`. The ratio is what the whole way costs over building a
//! `serde_json::Value`, or over decoding the protobuf messages; below 1.00 is faster than bare.
//! `cargo bench -p tidegate-trace -- memory [SPANS]` generates OTLP protobuf on the fly, reads it and
//! hands every trace over, and prints the peak of resident memory. `-- profile` reads the same bytes
//! again and again, for a profiler.

#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first mistake"
)]

use std::fs;
use std::hint::black_box;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message as _;
use serde_json::Value;
use tidegate_trace::{Ingest, read};

/// The allocator of the command line.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "memory") {
        let spans = arguments.get(1).and_then(|text| text.parse().ok());
        memory(spans.unwrap_or(10_000_000));
        return;
    }
    if arguments.first().is_some_and(|first| first == "profile") {
        let mut bytes = Vec::new();
        Generated::new(200_000).read_to_end(&mut bytes).unwrap();
        (0..REPETITIONS).for_each(|_| _ = black_box(read("generated", &bytes).unwrap()));
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/traces");
    println!(
        "{:<56} {:>8} {:>9} {:>9} {:>9} {:>6}",
        "capture", "KB", "spans/s", "MB/s", "bare MB/s", "ratio"
    );
    for file in FILES {
        match fs::read(folder.join(file)) {
            Ok(bytes) => compare(file, &bytes),
            Err(_) => println!("skipped: {file} is absent"),
        }
    }
    let mut bytes = Vec::new();
    Generated::new(200_000).read_to_end(&mut bytes).unwrap();
    compare("generated.pb", &bytes);
}

fn compare(file: &str, bytes: &[u8]) {
    let bare = if file.ends_with(".pb") {
        bare_protobuf
    } else {
        bare_json
    };
    let spans = read(file, bytes).unwrap().spans().count();
    let (ours, theirs) = fastest(
        bytes,
        |bytes| _ = black_box(read(file, bytes).unwrap()),
        bare,
    );
    println!(
        "{file:<56} {:>8} {:>9.0} {:>9.1} {:>9.1} {:>6.2}",
        bytes.len() / 1_000,
        float(spans) / ours.as_secs_f64(),
        float(bytes.len()) / 1e6 / ours.as_secs_f64(),
        float(bytes.len()) / 1e6 / theirs.as_secs_f64(),
        ours.as_secs_f64() / theirs.as_secs_f64()
    );
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

fn float(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

/// Reads that many generated spans in every order that a backend may write them, and says what it
/// took.
fn memory(spans: usize) {
    let start = Instant::now();
    let mut ingest = Ingest::new();
    ingest.read("generated", Generated::new(spans)).unwrap();
    let read = start.elapsed();
    let after_reading = peak_megabytes();
    let held = ingest.bytes();
    let (mut traces, mut assembled) = (0_usize, 0_usize);
    ingest
        .for_each(|_, trace| {
            traces += 1;
            assembled += trace.spans().len();
        })
        .unwrap();
    assert_eq!(assembled, spans);
    println!(
        "{spans} spans in {traces} traces: {:.1} bytes a span held; peak {after_reading:.0} MB after reading, {:.0} MB after every trace; {:.1} s to read with generating, {:.1} s in all",
        float(held) / float(spans),
        peak_megabytes(),
        read.as_secs_f64(),
        start.elapsed().as_secs_f64()
    );
}

/// The most memory that this process has had; 0 where the system does not tell.
fn peak_megabytes() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kilobytes.unwrap_or_default() / 1e3
}

/// OTLP protobuf as a collector writes it, made while it is read: batches of one service whose spans
/// belong to many traces, the spans of one trace far apart.
struct Generated {
    spans: usize,
    made: usize,
    rest: io::Cursor<Vec<u8>>,
}

/// Spans of one trace, each of another service.
const SPANS_OF_TRACE: usize = 10;
const SPANS_OF_BATCH: usize = 500;
/// Traces that are under way at the same time.
const INTERLEAVED: usize = 5_000;

impl Generated {
    fn new(spans: usize) -> Self {
        Self {
            spans,
            made: 0,
            rest: io::Cursor::default(),
        }
    }

    /// One `ResourceSpans`.
    fn batch(&mut self) -> Vec<u8> {
        let count = SPANS_OF_BATCH.min(self.spans - self.made);
        let round = self.made / (INTERLEAVED * SPANS_OF_TRACE);
        let service = self.made / INTERLEAVED % SPANS_OF_TRACE;
        let mut scope = Vec::new();
        for index in self.made..self.made + count {
            let trace = round * INTERLEAVED + index % INTERLEAVED;
            field(2, &span(trace, service, index), &mut scope);
        }
        self.made += count;
        let mut resource = Vec::new();
        attribute(
            "service.name",
            &format!("service-{service}"),
            &mut resource,
            1,
        );
        attribute("host.name", &format!("host-{service}"), &mut resource, 1);
        let mut spans = Vec::new();
        field(1, &resource, &mut spans);
        field(2, &scope, &mut spans);
        let mut message = Vec::new();
        field(1, &spans, &mut message);
        message
    }
}

impl Read for Generated {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let end = self.rest.get_ref().len() as u64;
        if self.rest.position() == end && self.made < self.spans {
            self.rest = io::Cursor::new(self.batch());
        }
        self.rest.read(out)
    }
}

fn span(trace: usize, service: usize, index: usize) -> Vec<u8> {
    let mut id = [0x5a; 16];
    // Spread as random identifiers are.
    let spread = (trace as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    id.iter_mut()
        .zip(spread.to_le_bytes())
        .for_each(|(to, from)| *to = from);
    let span_id = |service: usize| {
        (spread ^ (service as u64 + 1).wrapping_mul(0xff51_afd7_ed55_8ccd)).to_le_bytes()
    };
    let mut message = Vec::with_capacity(256);
    field(1, &id, &mut message);
    field(2, &span_id(service), &mut message);
    if service > 0 {
        field(4, &span_id(service / 2), &mut message);
    }
    field(
        5,
        format!("GET /things/{service}/{{id}}").as_bytes(),
        &mut message,
    );
    message.extend([6 << 3, if service == 0 { 2 } else { 3 }]);
    let start = 1_800_000_000_000_000_000 + trace as u64 * 1_000_003 + service as u64 * 50_021;
    for (number, time) in [
        (7_u8, start),
        (8, start + 1_234_567 + index as u64 % 90_001),
    ] {
        message.push(number << 3 | 1);
        message.extend(time.to_le_bytes());
    }
    attribute("http.request.method", "GET", &mut message, 9);
    attribute("http.response.status_code", "200", &mut message, 9);
    attribute(
        "url.path",
        &format!("/things/{service}/{index}"),
        &mut message,
        9,
    );
    attribute("thread.name", "worker-7", &mut message, 9);
    attribute("network.protocol.version", "1.1", &mut message, 9);
    message
}

fn attribute(key: &str, value: &str, message: &mut Vec<u8>, number: u32) {
    let mut text = Vec::new();
    field(1, value.as_bytes(), &mut text);
    let mut pair = Vec::new();
    field(1, key.as_bytes(), &mut pair);
    field(2, &text, &mut pair);
    field(number, &pair, message);
}

fn field(number: u32, bytes: &[u8], message: &mut Vec<u8>) {
    prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, message);
    prost::encoding::encode_varint(bytes.len() as u64, message);
    message.extend_from_slice(bytes);
}
