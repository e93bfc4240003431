//! What contracts add to the check of a large design: 1,000 events with 1,000 consumers that require types,
//! values and a rule, in which every contract is met, and in which every tenth is not. Prints times; asserts
//! none, as machines differ.

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

/// Which contracts are in the design.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    /// The names of fields alone.
    Fields,
    /// Types, values and rules, all of them met.
    Met,
    /// The same, and every tenth not met.
    SomeUnmet,
}

/// Each service publishes one event and consumes that of another.
fn design(ask: Ask) -> Result<String, std::fmt::Error> {
    let mut text = String::from("tidegate: 1\nsystem: large\nevents:\n");
    for n in 0..CHANNELS {
        let rules = match ask {
            Ask::Fields => "[]",
            Ask::Met | Ask::SomeUnmet => "['event.total >= 0', 'event.lines.all(l, l.count > 0)']",
        };
        write!(
            text,
            "  Event{n}:\n    rules: {rules}\n    schema:\n      type: object\n      properties:\n        \
             id{n}: {{type: string, minLength: 1}}\n        status: {{enum: [placed, paid, sent]}}\n        total: \
             {{type: integer, minimum: 0}}\n        lines: {{type: array, items: {{$ref: \"#/$defs/line\"}}}}\n      \
             required: [id{n}, total, status, lines]\n      $defs:\n        line: {{type: object, properties: {{sku: \
             {{type: string}}, count: {{type: integer}}}}, required: [sku, count]}}\n    key: /id{n}\n",
        )?;
    }
    text.push_str("services:\n");
    for n in 0..CHANNELS {
        let consumed = if n % 4 == 0 { n + 3 } else { n - 1 };
        let sent = if n % 10 == 0 && ask == Ask::SomeUnmet {
            ""
        } else {
            ", sent"
        };
        let more = match ask {
            Ask::Fields => String::new(),
            Ask::Met | Ask::SomeUnmet => format!(
                ", {{field: status, values: [placed, paid{sent}]}}, {{field: total, type: integer}}, \
                 {{rule: 'event.total >= 0'}}"
            ),
        };
        writeln!(
            text,
            "  service-{n}: {{publishes: [Event{n}], consumes: {{Event{consumed}: {{requires: [id{consumed}{more}]}}}}}}",
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
    for ask in [Ask::Fields, Ask::Met, Ask::SomeUnmet] {
        let source = [Source {
            name: Arc::from("large.yaml"),
            text: design(ask)?,
        }];
        let no_file = |path: &SchemaPath| Err(format!("{}: not found", path.written));
        let Reading { design, .. } = tidegate_model::read(&source, &no_file);
        let (mut rules, mut contracts) = (Vec::new(), Vec::new());
        let mut found = 0;
        for _ in 0..ROUNDS {
            let start = now();
            let _rules = black_box(design.as_ref().map(tidegate_check::check));
            let middle = now();
            let findings = design.as_ref().map(tidegate_contracts::parties::check);
            found = black_box(findings).map_or(0, |findings| findings.len());
            contracts.push(now() - middle);
            rules.push(middle - start);
        }
        let (rules, contracts) = (median(rules), median(contracts));
        println!("{ask:?}: {CHANNELS} channels, {found} findings, median of {ROUNDS} rounds");
        println!("  rules      {rules:>10.2?}");
        println!("  contracts  {contracts:>10.2?}");
    }
    Ok(())
}
