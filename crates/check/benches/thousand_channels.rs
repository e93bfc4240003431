//! How long a check of a large design takes: 1,000 events, 1,000 services, 1,000 consumers with
//! their own schemas. Warm is from text to findings within one process; cold is a fresh process of the
//! program that is named, which reads the file too:
//! `cargo bench -p tidegate-check --bench thousand_channels -- target/release/tidegate`.
//! Prints times, and how many times as long as only reading the file they are; asserts none, as
//! machines differ.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_model::{Reading, SchemaPath, Source};

/// The allocator of the `tidegate` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CHANNELS: usize = 1_000;
const ROUNDS: usize = 21;
/// What the product promises for a check of that size.
const WARM_LIMIT: Duration = Duration::from_millis(50);
const COLD_LIMIT: Duration = Duration::from_millis(300);

/// Each service publishes one event and consumes that of another, in chains of four.
fn design() -> Result<String, std::fmt::Error> {
    let mut text = String::from("tidegate: 1\nsystem: large\nevents:\n");
    for n in 0..CHANNELS {
        write!(
            text,
            "  Event{n}:\n    summary: Something of kind {n} happened.\n    owner: team-{team}\n    schema:\n      \
             type: object\n      properties:\n        id{n}: {{type: string, minLength: 1}}\n        total: \
             {{type: integer, minimum: 0}}\n        lines: {{type: array, items: {{$ref: \"#/$defs/line\"}}}}\n      \
             required: [id{n}, total]\n      $defs:\n        line: {{type: object, properties: {{sku: {{type: \
             string}}, count: {{type: integer}}}}, required: [sku]}}\n    key: /id{n}\n    retention: 7d\n    \
             targets: {{rate: 20/s, peak: 80/s, p99: 250ms}}\n",
            team = n % 40,
        )?;
    }
    text.push_str("services:\n");
    for n in 0..CHANNELS {
        let consumed = if n % 4 == 0 { n + 3 } else { n - 1 };
        write!(
            text,
            "  service-{n}:\n    owner: team-{team}\n    publishes: [Event{n}]\n    consumes:\n      \
             Event{consumed}:\n        requires: [id{consumed}, total]\n        deliver: {{to: \
             \"https://service-{n}.example/events\", concurrency: 16, timeout: 5s, handler-time: 20ms}}\n        \
             guarantee: deduplicated\n        needs: [api-{api}]\n        retry: {{attempts: 6, budget: 20%}}\n        \
             dead-letter: {{retention: 30d}}\n        emits: []\n",
            team = n % 40,
            api = n % 20,
        )?;
    }
    text.push_str("dependencies:\n");
    for n in 0..20 {
        writeln!(
            text,
            "  api-{n}: {{breaker: {{failure-rate: 50%, minimum: 20, window: 30s}}}}"
        )?;
    }
    Ok(text)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures the time of the machine"
)]
fn now() -> Instant {
    Instant::now()
}

/// The times of a fresh process that checks the file, and the code that it left.
fn cold(program: &Path, file: &Path) -> io::Result<(Duration, Option<i32>)> {
    let (mut times, mut code) = (Vec::new(), None);
    for _ in 0..ROUNDS {
        let mut command = Command::new(program);
        command.arg("check").arg(file).stdout(Stdio::null());
        let start = now();
        code = command.status()?.code();
        times.push(start.elapsed());
    }
    Ok((median(times), code))
}

#[expect(clippy::print_stdout, reason = "a benchmark is its output")]
fn said(name: &str, time: Duration, reading: Duration, limit: Option<Duration>) {
    let times = time.as_secs_f64() / reading.as_secs_f64();
    let limit = limit.map_or(String::new(), |limit| {
        let share = time.as_secs_f64() / limit.as_secs_f64();
        format!("   {share:.2} of the limit, {limit:?}")
    });
    println!("{name:<10} {time:>10.2?} {times:>8.0} x{limit}");
}

#[expect(clippy::print_stdout, reason = "a benchmark is its output")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = design()?;
    let bytes = text.len();
    let file = std::env::temp_dir().join(format!("tidegate-bench-{}.yaml", std::process::id()));
    std::fs::write(&file, &text)?;
    let mut file_reads = Vec::new();
    for _ in 0..ROUNDS {
        let start = now();
        black_box(std::fs::read_to_string(&file)?);
        file_reads.push(start.elapsed());
    }
    let source = [Source {
        name: Arc::from("large.yaml"),
        text,
    }];
    let no_file = |path: &SchemaPath| Err(format!("{}: not found", path.written));
    let (mut reads, mut checks) = (Vec::new(), Vec::new());
    let mut found = 0;
    for _ in 0..ROUNDS {
        let start = now();
        let Reading {
            design, findings, ..
        } = black_box(tidegate_model::read(&source, &no_file));
        let middle = now();
        let rules = design
            .as_ref()
            .map(tidegate_check::check)
            .unwrap_or_default();
        let end = now();
        found = findings.len() + black_box(rules).len();
        reads.push(middle - start);
        checks.push(end - middle);
    }
    let (reading, read, check) = (median(file_reads), median(reads), median(checks));
    println!("{CHANNELS} channels, {bytes} bytes, {found} findings, medians of {ROUNDS} rounds");
    said("the file", reading, reading, None);
    said("read", read, reading, None);
    said("check", check, reading, None);
    said("warm", read + check, reading, Some(WARM_LIMIT));
    let program = std::env::args().skip(1).find(|one| !one.starts_with("--"));
    match program {
        Some(program) => {
            // A benchmark runs in the folder of its crate; a program is named from the workspace's.
            let workspace = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
            let (time, code) = cold(&workspace.join(program), &file)?;
            said("cold", time, reading, Some(COLD_LIMIT));
            println!("the program left with {code:?}");
        }
        None => println!("cold: skipped, no program is named"),
    }
    std::fs::remove_file(&file)?;
    Ok(())
}
