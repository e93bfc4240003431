//! How long 1,000 channels against 1,000 channels take, beside plain checks of both: with nothing
//! changed, with one schema in a hundred, and with all of them. Prints times; asserts none, as
//! machines differ.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_compat::Profile;
use tidegate_compat::json::OpenContent;
use tidegate_contracts::past::{Options, compare};
use tidegate_model::{Design, SchemaPath, Source};

/// The allocator of the `tidegate` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CHANNELS: usize = 1_000;
const ROUNDS: usize = 11;

/// Each service publishes one event and consumes that of another; one schema in `every` takes more
/// than it did.
fn text(every: Option<usize>) -> Result<String, std::fmt::Error> {
    let mut text = String::from("tidegate: 1\nsystem: large\nevents:\n");
    for n in 0..CHANNELS {
        let is_wider = every.is_some_and(|every| n % every == 0);
        let least = if is_wider { -1 } else { 0 };
        write!(
            text,
            "  Event{n}:\n    summary: Something of kind {n} happened.\n    schema:\n      type: object\n      \
             additionalProperties: false\n      properties:\n        id{n}: {{type: string, minLength: 1}}\n        \
             total: {{type: integer, minimum: {least}}}\n        lines: {{type: array, items: {{$ref: \
             \"#/$defs/line\"}}}}\n      required: [id{n}, total]\n      $defs:\n        line: {{type: object, \
             properties: {{sku: {{type: string}}, count: {{type: integer}}}}, required: [sku]}}\n    key: /id{n}\n"
        )?;
    }
    text.push_str("services:\n");
    for n in 0..CHANNELS {
        let consumed = if n % 4 == 0 { n + 3 } else { n - 1 };
        write!(
            text,
            "  service-{n}:\n    owner: team-{team}\n    publishes: [Event{n}]\n    consumes:\n      \
             Event{consumed}:\n        requires: [id{consumed}, total]\n        deliver: {{to: \
             \"https://service-{n}.example/events\", timeout: 5s, handler-time: 20ms}}\n        guarantee: \
             deduplicated\n        retry: {{attempts: 6, budget: 20%}}\n        dead-letter: {{retention: 30d}}\n        \
             emits: []\n",
            team = n % 40,
        )?;
    }
    Ok(text)
}

fn read(text: &str) -> Option<Design> {
    let source = [Source {
        name: Arc::from("large.yaml"),
        text: text.to_owned(),
    }];
    let no_file = |path: &SchemaPath| Err(format!("{}: not found", path.written));
    tidegate_model::read(&source, &no_file).design
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures the time of the machine"
)]
fn now() -> Instant {
    Instant::now()
}

/// The median of some runs, and what the last one counted.
fn measured(mut run: impl FnMut() -> usize) -> (Duration, usize) {
    let mut times = Vec::new();
    let mut count = 0;
    for _ in 0..ROUNDS {
        let start = now();
        count = black_box(run());
        times.push(start.elapsed());
    }
    times.sort();
    (
        times.get(times.len() / 2).copied().unwrap_or_default(),
        count,
    )
}

#[expect(clippy::print_stdout, reason = "a benchmark is its output")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let old = text(None)?;
    let options = Options {
        profile: Profile::Exact,
        open_content: OpenContent::Exact,
        keep_going: &|| true,
    };
    let check = |text: &str| read(text).map_or(0, |design| tidegate_check::check(&design).len());
    let (plain, _) = measured(|| check(&old) + check(&old));
    println!("{CHANNELS} channels, median of {ROUNDS} rounds");
    println!("two plain checks          {plain:>10.2?}");
    for (name, every) in [
        ("nothing changed", None),
        ("1 schema in 100", Some(100)),
        ("every schema", Some(1)),
    ] {
        let new = text(every)?;
        let (Some(past), Some(now)) = (read(&old), read(&new)) else {
            return Err("the design cannot be read".into());
        };
        let (alone, changes) = measured(|| compare(&past, &[], &now, &options).len());
        let ratio = (plain + alone).as_secs_f64() / plain.as_secs_f64();
        println!(
            "compared, {name:<15} {alone:>10.2?}   {changes} changes; {ratio:.2} of two plain checks with them"
        );
    }
    Ok(())
}
