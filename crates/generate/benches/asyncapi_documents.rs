//! How long the AsyncAPI documents of a design with 1,000 channels take, as multiples of reading the
//! design in the same run. Prints times; asserts none, as machines differ.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_generate::{asyncapi, to_yaml};
use tidegate_model::{SchemaPath, Source};

const CHANNELS: usize = 1_000;
const ROUNDS: usize = 11;

fn design() -> Result<String, std::fmt::Error> {
    let mut text = String::from("tidegate: 1\nsystem: large\nevents:\n");
    for n in 0..CHANNELS {
        write!(
            text,
            "  Event{n}:\n    key: /id\n    schema: {{type: object, properties: {{id: {{type: string}}}}}}\n",
        )?;
    }
    text.push_str("services:\n");
    for n in 0..CHANNELS {
        let consumed = (n + 1) % CHANNELS;
        write!(
            text,
            "  service-{n}:\n    publishes: [Event{n}]\n    consumes: {{Event{consumed}: {{dead-letter: {{}}}}}}\n",
        )?;
    }
    Ok(text)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures the time of the machine"
)]
fn now() -> Instant {
    Instant::now()
}

/// The median time of `work`.
fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort();
    times.get(ROUNDS / 2).copied().unwrap_or_default()
}

#[expect(clippy::print_stdout, reason = "a benchmark is its output")]
fn main() -> Result<(), std::fmt::Error> {
    let source = [Source {
        name: Arc::from("large.yaml"),
        text: design()?,
    }];
    let no_file = |path: &SchemaPath| Err(format!("{}: not found", path.written));
    let read = median(|| {
        black_box(tidegate_model::read(&source, &no_file));
    });
    let Some(design) = tidegate_model::read(&source, &no_file).design else {
        println!("the design cannot be read");
        return Ok(());
    };
    let bytes = to_yaml(&asyncapi(&design)).len();
    let system = median(|| {
        black_box(to_yaml(&asyncapi(&design)));
    });
    let each = median(|| {
        for name in design.services.keys() {
            black_box(tidegate_generate::asyncapi::service(&design, name));
        }
    });
    println!("{CHANNELS} channels, {bytes} bytes of AsyncAPI; medians of {ROUNDS}");
    println!("read the design      {read:>10.2?}   1.0");
    for (name, time) in [("one document", system), ("one each service", each)] {
        let ratio = time.as_secs_f64() / read.as_secs_f64();
        println!("{name:<20} {time:>10.2?}  {ratio:>4.1}");
    }
    Ok(())
}
