//! How long reading a design of 1,000 events and 1,000 services takes, against the bare YAML parser.
//!
//! `cargo bench -p tidegate-model`

use std::hint::black_box;
use std::time::Duration;

use saphyr_parser::Parser;
use tidegate_model::{SchemaPath, Source};

/// Events, and services, of the design.
const ELEMENTS: usize = 1_000;
/// Runs of each.
const RUNS: usize = 31;
/// What a design of this size must be read in.
const READ_MAX: Duration = Duration::from_millis(50);

#[expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
fn main() {
    let text = design();
    let bytes = text.len();
    let files = [Source {
        name: "design.yaml".into(),
        text: text.clone(),
    }];
    let no_schemas = |_: &SchemaPath| Err("no schema files here".to_owned());
    assert!(
        tidegate_model::read(&files, &no_schemas)
            .findings
            .is_empty(),
        "the design is right"
    );

    let parse = fastest(|| {
        black_box(Parser::new_from_str(&text).filter_map(Result::ok).count());
    });
    let read = fastest(|| {
        black_box(tidegate_model::read(&files, &no_schemas));
    });
    let verdict = if read <= READ_MAX { "kept" } else { "EXCEEDED" };
    println!("design       {ELEMENTS} events, {ELEMENTS} services, {bytes} bytes");
    println!("parse only   {parse:>10.2?}   saphyr-parser events alone, fastest of {RUNS}");
    println!("read         {read:>10.2?}   design and findings, fastest of {RUNS}");
    println!(
        "ratio        {:>10.2}",
        read.as_secs_f64() / parse.as_secs_f64()
    );
    println!("limit        {READ_MAX:>10.2?}   {verdict}");
}

/// The shortest time of [`RUNS`] runs: what the work takes when nothing else runs.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn fastest(mut work: impl FnMut()) -> Duration {
    let times = (0..RUNS).map(|_| {
        let start = std::time::Instant::now();
        work();
        start.elapsed()
    });
    times.min().unwrap_or_default()
}

/// A design in which every service publishes one event and consumes the one before it.
fn design() -> String {
    let mut text = "tidegate: 1\nsystem: large\nevents:\n".to_owned();
    for n in 0..ELEMENTS {
        text.push_str(&format!(
            "  Event{n}:
    summary: What happened for the time number {n}.
    owner: team-{n}
    schema: {{type: object, required: [id], properties: {{id: {{type: string}}, total: {{type: number}}}}}}
    key: /id
    retention: 14d
    targets: {{rate: 50/s, peak: 200/s, p99: 500ms, size: 2KiB}}
"
        ));
    }
    text.push_str("dependencies:\n  api: {breaker: {failure-rate: 30%}}\nservices:\n");
    for n in 0..ELEMENTS {
        let before = (n + ELEMENTS - 1) % ELEMENTS;
        text.push_str(&format!(
            "  service{n}:
    owner: team-{n}
    publishes: [Event{n}]
    consumes:
      Event{before}:
        requires: [id, total]
        deliver: {{to: 'http://service{n}.internal:8080/events', concurrency: 8, timeout: 5s, handler-time: 20ms}}
        guarantee: deduplicated
        needs: [api]
        retry: {{initial: 200ms, max: 1m, attempts: 10, budget: 20%}}
        dead-letter: {{owner: team-{n}, retention: 30d}}
"
        ));
    }
    text
}
