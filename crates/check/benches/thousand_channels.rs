//! How long a check of a large design takes: 1,000 events, 1,000 services, 1,000 consumers with
//! their own schemas, from text to findings. Prints times; asserts none, as machines differ.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_model::{Reading, SchemaPath, Source};

/// The allocator of the `tidegate` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CHANNELS: usize = 1_000;
const ROUNDS: usize = 21;
/// What the product promises for a check of that size.
const LIMIT: Duration = Duration::from_millis(100);

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

#[expect(clippy::print_stdout, reason = "a benchmark is its output")]
fn main() -> Result<(), std::fmt::Error> {
    let text = design()?;
    let bytes = text.len();
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
    let (read, check) = (median(reads), median(checks));
    println!("{CHANNELS} channels, {bytes} bytes, {found} findings, median of {ROUNDS} rounds");
    println!("read   {read:>10.2?}");
    println!("check  {check:>10.2?}");
    let ratio = (read + check).as_secs_f64() / LIMIT.as_secs_f64();
    println!(
        "sum    {:>10.2?}   {ratio:.2} of the limit, {LIMIT:?}",
        read + check
    );
    Ok(())
}
