//! A draft design from what could become events in a process.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use indexmap::{IndexMap, IndexSet};
use serde_json::json;
use tidegate_base::limit::{CONCURRENCY_MAX, KEY_BYTES_MAX};
use tidegate_base::{Name, Rate, format_duration};
use tidegate_trace::Recording;
use tidegate_trace::recording::{Arrival, Outcome, Stream, write};

use super::events::{Drafted, drafted};
use super::found::{Candidate, ProcessDiscovery};
use super::report::words::long;
use crate::draft::Draft;
use crate::draft::comment::one_line;
use crate::draft::design::{quoted, scalar};
use crate::draft::naming::kebab;

/// The longest timeout of a draft.
const TIMEOUT_MAX: Duration = Duration::from_secs(86_400);
/// The utilisation at the peak that a draft's concurrency aims at.
const UTILISATION_AIM: f64 = 0.5;

/// What one service publishes, and what it consumes.
type Roles<'a> = (Vec<&'a Name>, Vec<(&'a Name, &'a Candidate)>);

/// Drafts a design in which the feasible parts of the process are events.
#[must_use]
pub fn draft(discovery: &ProcessDiscovery, system: Name) -> Draft {
    let drafted = drafted(discovery);
    let recording = recording(discovery, &drafted);
    let mut files = vec![(
        "design.yaml".to_owned(),
        design(discovery, &system, &drafted),
    )];
    for one in &drafted {
        files.push((schema_path(&one.event), schema(one)));
    }
    files.push(("recording.jsonl".to_owned(), write(&recording)));
    files.push(("README.md".to_owned(), readme(discovery, &system, &drafted)));
    Draft {
        files,
        recording,
        explores: false,
    }
}

fn schema_path(event: &Name) -> String {
    format!("schemas/{}.json", kebab(event))
}

fn schema(drafted: &Drafted<'_>) -> String {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": drafted.event.as_str(),
        "description": format!(
            "{} is through with a case. The log does not hold what is in it: add the fields that handlers read.",
            drafted.publisher
        ),
        "type": "object",
        "required": [drafted.key],
        "properties": {
            drafted.key.clone(): {
                "type": "string",
                "minLength": 1,
                "description": "What the event is about; events with the same one keep their order.",
            },
        },
    });
    format!("{schema:#}\n")
}

fn recording(discovery: &ProcessDiscovery, drafted: &[Drafted<'_>]) -> Recording {
    let names: Vec<&str> = discovery.logs.iter().map(|log| log.name.as_str()).collect();
    let streams = drafted.iter().filter_map(|one| {
        let (consumer, _) = one.consumers.first()?;
        let arrivals = one.published.iter().map(|arrived| Arrival {
            offset: arrived.offset,
            handler_time: arrived.work,
            outcome: Outcome::Succeeded,
            key: cut(&arrived.case),
            payload_bytes: None,
        });
        let mut arrivals: Vec<Arrival> = arrivals.collect();
        arrivals.sort_by(|a, b| (a.offset, &a.key).cmp(&(b.offset, &b.key)));
        let stream = Stream {
            publisher: one.publisher.clone(),
            consumer: consumer.clone(),
            arrivals,
        };
        Some((one.event.clone(), stream))
    });
    Recording {
        origin: names.join(", "),
        duration: discovery.window,
        streams: streams.collect(),
    }
}

/// At most as many bytes as a key may have.
fn cut(text: &str) -> String {
    let mut end = text.len().min(KEY_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

fn design(discovery: &ProcessDiscovery, system: &Name, drafted: &[Drafted<'_>]) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    write_design(&mut text, discovery, system, drafted).unwrap_or_default();
    text
}

fn write_design(
    out: &mut String,
    discovery: &ProcessDiscovery,
    system: &Name,
    drafted: &[Drafted<'_>],
) -> fmt::Result {
    writeln!(
        out,
        "# A draft from process logs: every number was measured, every name can be changed."
    )?;
    for log in &discovery.logs {
        writeln!(
            out,
            "# {}: {}, {} cases",
            one_line(&log.name),
            log.format,
            log.cases
        )?;
    }
    writeln!(out, "# Observed for {}.\n", long(discovery.window))?;
    writeln!(out, "tidegate: 1\nsystem: {}", scalar(system))?;
    if drafted.is_empty() {
        return writeln!(
            out,
            "\n# No part of the process could become an event by this evidence."
        );
    }
    writeln!(out, "\nevents:")?;
    for one in drafted {
        event(out, one, discovery.window)?;
    }
    let mut services: IndexMap<&Name, Roles<'_>> = IndexMap::new();
    for one in drafted {
        services
            .entry(&one.publisher)
            .or_default()
            .0
            .push(&one.event);
        for (consumer, candidate) in &one.consumers {
            services
                .entry(consumer)
                .or_default()
                .1
                .push((&one.event, candidate));
        }
    }
    services.sort_keys();
    writeln!(out, "services:")?;
    for (name, (publishes, consumes)) in &services {
        service(out, name, publishes, consumes, drafted)?;
    }
    Ok(())
}

fn event(out: &mut String, one: &Drafted<'_>, window: Duration) -> fmt::Result {
    writeln!(out, "  {}:", scalar(&one.event))?;
    for (_, candidate) in &one.consumers {
        writeln!(
            out,
            "    # {} for {}: {} times, waiting {}",
            candidate.class.code(),
            one_line(&candidate.activities.join(", ")),
            candidate.count,
            long(candidate.waiting)
        )?;
        for reason in &candidate.evidence {
            let weight = reason.weight.word();
            writeln!(out, "    #   {weight}: {}", one_line(&reason.claim))?;
        }
        writeln!(
            out,
            "    #   cases: {}",
            one_line(&candidate.exemplars.join(" "))
        )?;
    }
    if let Some(next) = one.decided {
        writeln!(
            out,
            "    # published only where it is decided that {} is next",
            one_line(next)
        )?;
    }
    let done = one.after.map_or_else(
        || "A case arrived".to_owned(),
        |after| format!("{after} is complete"),
    );
    let summary = match one.decided {
        Some(next) => format!("{done}, and it is decided that {next} is next."),
        None => format!("{done}."),
    };
    writeln!(out, "    summary: {}", quoted(&summary))?;
    writeln!(
        out,
        "    owner: {}",
        scalar(&format!("team-{}", one.publisher))
    )?;
    writeln!(out, "    schema: {}", schema_path(&one.event))?;
    writeln!(out, "    key: /{}\n    retention: 30d", one.key)?;
    let (rate, peak) = rates(one, window);
    if let (Some(rate), Some(peak)) = (rate, peak) {
        writeln!(
            out,
            "    targets:                  # measured; add p99 as the business expects it"
        )?;
        writeln!(out, "      rate: {rate}\n      peak: {peak}")?;
    }
    writeln!(out)
}

/// Events a second on average, and in the busiest hour.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn rates(one: &Drafted<'_>, window: Duration) -> (Option<Rate>, Option<Rate>) {
    let mut hours: BTreeMap<u64, usize> = BTreeMap::new();
    for arrived in &one.published {
        *hours.entry(arrived.offset.as_secs() / 3_600).or_default() += 1;
    }
    let seconds = window.as_secs_f64().max(1.0);
    let mean = one.published.len() as f64 / seconds;
    let peak = hours.values().copied().max().unwrap_or_default();
    let peak = (peak as f64 / 3_600.0).max(mean);
    (Rate::per_second(mean), Rate::per_second(peak))
}

fn service(
    out: &mut String,
    name: &Name,
    publishes: &[&Name],
    consumes: &[(&Name, &Candidate)],
    drafted: &[Drafted<'_>],
) -> fmt::Result {
    writeln!(
        out,
        "  {}:\n    owner: {}",
        scalar(name),
        scalar(&format!("team-{name}"))
    )?;
    if !publishes.is_empty() {
        let events: IndexSet<String> = publishes.iter().map(scalar).collect();
        let events: Vec<String> = events.into_iter().collect();
        writeln!(out, "    publishes: [{}]", events.join(", "))?;
    }
    if consumes.is_empty() {
        return writeln!(out);
    }
    writeln!(out, "    consumes:")?;
    for (event, candidate) in consumes {
        let key = drafted
            .iter()
            .find(|one| one.event == **event)
            .map(|one| one.key.as_str());
        consume(out, name, event, candidate, key.unwrap_or("id"))?;
    }
    writeln!(out)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are far below 2^52, and the number is cut to the limit before"
)]
fn consume(
    out: &mut String,
    service: &Name,
    event: &Name,
    candidate: &Candidate,
    key: &str,
) -> fmt::Result {
    let mut works: Vec<Duration> = candidate.arrivals.iter().map(|one| one.work).collect();
    works.sort_unstable();
    let longest = works.last().copied().unwrap_or_default();
    let whole = longest.saturating_mul(5).as_secs().saturating_add(1);
    let timeout = Duration::from_secs(whole).clamp(Duration::from_secs(1), TIMEOUT_MAX);
    let count = u32::try_from(works.len()).unwrap_or(u32::MAX).max(1);
    let mean = works.iter().sum::<Duration>() / count;
    // Zero is what clocks of seconds say of short work; a design needs a time.
    let work = mean.clamp(Duration::from_millis(1), timeout / 2);
    let busy = candidate.peak_hour as f64 / 3_600.0 * work.as_secs_f64();
    let concurrency = (busy / UTILISATION_AIM)
        .ceil()
        .clamp(2.0, f64::from(CONCURRENCY_MAX)) as u32;
    writeln!(out, "      {}:", scalar(event))?;
    writeln!(out, "        requires: [{key}]\n        deliver:")?;
    writeln!(
        out,
        "          concurrency: {concurrency}         # busy half the time in the busiest hour"
    )?;
    writeln!(
        out,
        "          timeout: {}            # five times the longest work, at most a day",
        format_duration(timeout)
    )?;
    writeln!(
        out,
        "          handler-time: {}   # the mean work of people; a handler that only fills their queue takes milliseconds",
        format_duration(work)
    )?;
    writeln!(out, "        guarantee: at-least-once")?;
    writeln!(
        out,
        "        retry: {{backoff: exponential, initial: 200ms, max: 30s, attempts: 8, budget: 20%}}"
    )?;
    writeln!(
        out,
        "        dead-letter: {{owner: {}, retention: 30d}}",
        scalar(&format!("team-{service}"))
    )
}

fn readme(discovery: &ProcessDiscovery, system: &Name, drafted: &[Drafted<'_>]) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    write_readme(&mut text, discovery, system, drafted).unwrap_or_default();
    text
}

fn write_readme(
    out: &mut String,
    discovery: &ProcessDiscovery,
    system: &Name,
    drafted: &[Drafted<'_>],
) -> fmt::Result {
    writeln!(out, "# {system}: a draft from process logs\n")?;
    writeln!(
        out,
        "Measured from {} cases with {} activity instances, over {}.\n",
        discovery.cases,
        discovery.instances,
        long(discovery.window)
    )?;
    writeln!(
        out,
        "| event | from | to | times | waiting an event takes away, at most |"
    )?;
    writeln!(out, "|---|---|---|---:|---:|")?;
    for one in drafted {
        for (consumer, candidate) in &one.consumers {
            writeln!(
                out,
                "| {} | {} | {consumer} | {} | {} |",
                one.event,
                one.publisher,
                candidate.count,
                long(candidate.removable)
            )?;
        }
    }
    if drafted.iter().any(|one| one.decided.is_some()) {
        writeln!(
            out,
            "\nWhere a case goes one way or another, each way has an event of its own: `…Decided` is\n\
             published for it, and the others are not. What always goes on side by side has one event."
        )?;
    }
    writeln!(
        out,
        "\n## What is measured and what is not\n\n\
         - Measured: rates, peaks, the time that work takes, who hands over to whom.\n\
         - Derived: concurrency, timeouts. Services are one for each activity: join those that one\n  \
           team or program does.\n\
         - Not known: payloads. The schemas hold the key only; add the fields that handlers read.\n\
         - Placeholders: owners are `team-` and the service's name.\n\n\
         ## Next\n\n\
         ```sh\n\
         tidegate check design.yaml\n\
         tidegate simulate design.yaml\n\
         tidegate run design.yaml --traffic recorded --speed 3600\n\
         ```"
    )
}
