//! How long reading a design of 1,000 events and 1,000 services takes, against the bare YAML parser.
//!
//! `cargo bench -p tidegate-model`

use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

use saphyr_parser::{Event, Parser};
use tidegate_model::Source;

/// Events, and services, of the design.
const ELEMENTS: usize = 1_000;
/// Runs of each; the median counts.
const RUNS: usize = 31;
/// What a design of this size must be read in.
const READ_MAX: Duration = Duration::from_millis(50);

fn main() {
    let text = design();
    let file = [Source {
        name: "design.yaml".into(),
        text,
    }];
    let no_files = |_: &tidegate_model::SchemaPath| Err("no files here".to_owned());
    assert!(
        tidegate_model::read(&file, &no_files).findings.is_empty(),
        "the design is right"
    );

    let parse = median(|| {
        let mut events = Parser::new_from_str(&file[0].text);
        let mut scalars = 0_usize;
        while let Some(Ok((event, _))) = events.next_event() {
            scalars += usize::from(matches!(event, Event::Scalar(..)));
        }
        black_box(scalars);
    });
    let read = median(|| {
        black_box(tidegate_model::read(&file, &no_files));
    });
    println!(
        "design       {ELEMENTS} events, {ELEMENTS} services, {} bytes",
        file[0].text.len()
    );
    println!("parse only   {parse:>10.2?}   (saphyr-parser events, median of {RUNS})");
    println!("read         {read:>10.2?}   (design and findings, median of {RUNS})");
    println!(
        "ratio        {:>10.2}",
        read.as_secs_f64() / parse.as_secs_f64()
    );
    println!(
        "limit        {READ_MAX:>10.2?}   {}",
        if read <= READ_MAX { "kept" } else { "EXCEEDED" }
    );
}

/// The median time of [`RUNS`] runs.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = std::time::Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort();
    times.get(RUNS / 2).copied().unwrap_or_default()
}

/// A design in which every service publishes one event and consumes the one before it.
fn design() -> String {
    let mut text = "tidegate: 1\nsystem: large\nevents:\n".to_owned();
    for n in 0..ELEMENTS {
        write!(
            text,
            "  Event{n}:
    summary: What happened for the time number {n}.
    owner: team-{n}
    schema: {{type: object, required: [id], properties: {{id: {{type: string}}, total: {{type: number}}}}}}
    key: /id
    retention: 14d
    targets: {{rate: 50/s, peak: 200/s, p99: 500ms, size: 2KiB}}
"
        )
        .expect("text grows");
    }
    text.push_str("dependencies:\n  api: {breaker: {failure-rate: 30%}}\nservices:\n");
    for n in 0..ELEMENTS {
        let before = (n + ELEMENTS - 1) % ELEMENTS;
        write!(
            text,
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
        )
        .expect("text grows");
    }
    text
}
