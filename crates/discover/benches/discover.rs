//! How fast captures become a ranking, beside only parsing the same bytes with serde or prost in the
//! same run; and how much memory ten million spans take.
//!
//! `cargo bench -p tidegate-discover`. The ratio is the whole way, from bytes to the ranking, over bare
//! parsing into a `serde_json::Value` or decoding the protobuf messages; writing the ranking down as
//! JSON is measured apart.
//! `-- memory [SPANS]` makes OTLP protobuf while it is read, and prints the peak of resident memory from
//! reading to the report. `-- write [SPANS]` writes the same to standard output, for the command line.
//! `-- profile FILE` reads and ranks one capture again and again, for a profiler.

#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark may stop at the first mistake, and its numbers are small"
)]

mod made;

use std::fs;
use std::hint::black_box;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::{Duration, Instant};

use made::{Protobuf, SPANS_OF_TRACE, jaeger};
use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message as _;
use serde_json::Value;
use tidegate_base::limit::{SPAN_MEMORY_BYTES_MAX, SPANS_ANALYSED_MAX, TRACES_ANALYSED_MAX};
use tidegate_discover::{Paint, ReportFormat, discover, report};
use tidegate_trace::{Ingest, Spill, Traces, read};

/// The allocator of the command line.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds in which everything is measured once, in turn. Times are of the processor, the least of all
/// rounds; the ratio is the median of the rounds' own.
const REPETITIONS: usize = 9;

const FILES: [&str; 6] = [
    "online_boutique/nezha_online_boutique_normal.otlp.json",
    "train_ticket/nezha_train_ticket_normal.otlp.json",
    "train_ticket/nezha_train_ticket_normal.jaeger.json",
    "otel_demo/otel_demo_traces_only.otlp.jsonl",
    "otel_demo/otel_demo_traces.otlp.pb",
    "traceweaver/hotel_load25.jaeger.json",
];

/// How often a small real capture follows itself, for its throughput beside what it costs once: some of the work is
/// for each path of calls and not for each span.
const AGAIN: u64 = 100;

/// Traces of the captures that are made.
const MADE: usize = 20_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = arguments.get(1).and_then(|text| text.parse().ok());
    match arguments.first().map(String::as_str) {
        Some("memory") => memory(number.unwrap_or(10_000_000)),
        Some("write") => {
            let traces = number.unwrap_or(10_000_000).div_ceil(SPANS_OF_TRACE);
            io::copy(&mut Protobuf::new(traces), &mut io::stdout().lock()).unwrap();
        }
        Some("profile") => profile(&arguments[1]),
        _ => speed(),
    }
}

fn speed() {
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let folder = above.find(|above| above.join("shared/data/traces").is_dir());
    println!(
        "{:<54} {:>7} {:>8} {:>8} {:>8} {:>8} {:>9} {:>6}",
        "capture", "spans", "bare ms", "read ms", "rank ms", "JSON ms", "spans/s", "ratio"
    );
    for file in FILES {
        match folder.map(|folder| fs::read(folder.join("shared/data/traces").join(file))) {
            Some(Ok(bytes)) => {
                compare(file, &bytes);
                if file.ends_with(".pb") {
                    let again = repeated(&bytes, AGAIN);
                    compare(&format!("{AGAIN} times as long: .pb"), &again);
                }
            }
            _ => println!("skipped: {file} is absent"),
        }
    }
    let mut bytes = Vec::new();
    Protobuf::new(MADE).read_to_end(&mut bytes).unwrap();
    compare("made.pb", &bytes);
    compare("made.jaeger.json", jaeger(MADE).as_bytes());
}

fn compare(file: &str, bytes: &[u8]) {
    let bare = if file.ends_with(".pb") {
        bare_protobuf
    } else {
        bare_json
    };
    let traces = read(file, bytes).unwrap();
    let spans = traces.spans().count();
    let captures = [(file.to_owned(), traces)];
    // In turn, so that a disturbance meets all of them.
    let found = discover(&captures);
    let mut best = [Duration::MAX; 4];
    let mut ratios = Vec::new();
    for _ in 0..REPETITIONS {
        let works: [&dyn Fn(); 4] = [
            &|| bare(bytes),
            &|| _ = black_box(read(file, bytes).unwrap()),
            &|| rank(&captures),
            &|| _ = black_box(report(&found, ReportFormat::Json, Paint::Plain)),
        ];
        let times = works.map(|work| {
            let start = processor_time();
            work();
            processor_time().saturating_sub(start)
        });
        for (best, time) in best.iter_mut().zip(times) {
            *best = time.min(*best);
        }
        let [bare, reading, ranking, _] = times.map(|time| time.as_secs_f64());
        ratios.push((reading + ranking) / bare);
    }
    ratios.sort_by(f64::total_cmp);
    let [bare, reading, ranking, writing] = best.map(|time| time.as_secs_f64());
    println!(
        "{file:<54} {spans:>7} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>9.0} {:>6.2}",
        bare * 1e3,
        reading * 1e3,
        ranking * 1e3,
        writing * 1e3,
        spans as f64 / (reading + ranking),
        ratios[ratios.len() / 2]
    );
}

/// The capture so many times, one after the other, each time with traces of its own.
fn repeated(bytes: &[u8], times: u64) -> Vec<u8> {
    let once = TracesData::decode(bytes).unwrap();
    let spans = |data: &TracesData| -> Vec<(u64, u64)> {
        let scopes = data.resource_spans.iter().flat_map(|of| &of.scope_spans);
        let spans = scopes.flat_map(|of| &of.spans);
        spans
            .map(|span| (span.start_time_unix_nano, span.end_time_unix_nano))
            .collect()
    };
    let starts = spans(&once).into_iter().map(|(start, _)| start).min();
    let ends = spans(&once).into_iter().map(|(_, end)| end).max();
    let length = ends.unwrap() - starts.unwrap();
    let renamed = |id: &mut Vec<u8>, round: u64| {
        for (byte, other) in id.iter_mut().zip(round.to_be_bytes()) {
            *byte ^= other;
        }
    };
    let mut all = Vec::new();
    for round in 0..times {
        let mut data = once.clone();
        let scopes = data.resource_spans.iter_mut();
        let scopes = scopes.flat_map(|of| &mut of.scope_spans);
        for span in scopes.flat_map(|of| &mut of.spans) {
            renamed(&mut span.trace_id, round);
            for link in &mut span.links {
                renamed(&mut link.trace_id, round);
            }
            span.start_time_unix_nano += round * length;
            span.end_time_unix_nano += round * length;
        }
        // Messages one after the other are read as one.
        data.encode(&mut all).unwrap();
    }
    all
}

/// What this thread has had of the processor: others on the machine do not count.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn rank(captures: &[(String, Traces)]) {
    black_box(discover(captures));
}

fn bare_json(bytes: &[u8]) {
    for document in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
        black_box(document.unwrap());
    }
}

fn bare_protobuf(bytes: &[u8]) {
    black_box(TracesData::decode(bytes).unwrap());
}

fn profile(file: &str) {
    let mut bytes = Vec::new();
    if file == "made" {
        Protobuf::new(MADE).read_to_end(&mut bytes).unwrap();
    } else {
        bytes = fs::read(file).unwrap();
    }
    let start = Instant::now();
    let (mut read_in, mut ranked_in, mut rounds) = (Duration::ZERO, Duration::ZERO, 0);
    while start.elapsed() < Duration::from_secs(8) {
        let before = processor_time();
        let captures = [(file.to_owned(), read(file, &bytes).unwrap())];
        let after = processor_time();
        rank(&captures);
        (read_in, ranked_in) = (
            read_in + after - before,
            ranked_in + processor_time() - after,
        );
        rounds += 1;
    }
    println!(
        "each round: read in {:?}, ranked in {:?}",
        read_in / rounds,
        ranked_in / rounds
    );
}

/// From that many spans to the report, in the way and with the limits of the command line.
fn memory(spans: usize) {
    let start = Instant::now();
    let traces = spans.div_ceil(SPANS_OF_TRACE);
    let mut ingest = Ingest::new()
        .with_spill(Box::new(Files(tempfile::tempdir().unwrap())))
        .with_limit(SPAN_MEMORY_BYTES_MAX);
    ingest.read("made.pb", Protobuf::new(traces)).unwrap();
    let (read, after_reading) = (start.elapsed(), peak_megabytes());
    let captures = ingest
        .into_chosen(SPANS_ANALYSED_MAX, TRACES_ANALYSED_MAX)
        .unwrap();
    let discovery = discover(&captures);
    let text = report(&discovery, ReportFormat::Json, Paint::Plain);
    println!(
        "{} spans in {} traces, {} spans looked at one by one: peak {after_reading:.0} MB after reading, \
         {:.0} MB after a report of {} KB; {:.1} s to read with making them, {:.1} s in all",
        discovery.sampling.spans_read,
        discovery.sampling.traces_read,
        discovery.spans,
        peak_megabytes(),
        text.len() / 1_000,
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

/// A file for each bucket.
struct Files(tempfile::TempDir);

impl Spill for Files {
    fn append(&mut self, bucket: usize, bytes: &[u8]) -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        options.create(true).append(true);
        let path = self.0.path().join(bucket.to_string());
        io::Write::write_all(&mut options.open(path)?, bytes)
    }

    fn read(&mut self, bucket: usize) -> io::Result<Vec<u8>> {
        fs::read(self.0.path().join(bucket.to_string()))
    }
}
