//! The drafted design as YAML, with the evidence as comments.

use std::fmt::{self, Write as _};

use indexmap::IndexMap;
use tidegate_base::{Name, Rate, format_duration};

use super::comment::one_line;
use super::proposal::Proposal;
use super::{Basis, schema};
use crate::discovery::Discovery;

/// What one service does in the draft, by index of proposal.
#[derive(Default)]
struct Roles {
    publishes: Vec<usize>,
    consumes: Vec<usize>,
}

/// The text of `design.yaml`.
pub(super) fn yaml(
    discovery: &Discovery,
    system: &Name,
    basis: Basis,
    proposals: &[Proposal<'_>],
    traffic: Option<&str>,
) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    write(&mut text, discovery, (system, basis, traffic), proposals).unwrap_or_default();
    text
}

fn write(
    out: &mut String,
    discovery: &Discovery,
    (system, basis, traffic): (&Name, Basis, Option<&str>),
    proposals: &[Proposal<'_>],
) -> fmt::Result {
    head(out, discovery, basis, traffic)?;
    writeln!(out, "tidegate: 1\nsystem: {}", scalar(system))?;
    if proposals.is_empty() {
        return writeln!(
            out,
            "\n# No call between services was found: there is nothing to draft."
        );
    }
    writeln!(out, "\nevents:")?;
    for proposal in proposals {
        event(out, discovery, basis, proposal)?;
    }
    let mut services: IndexMap<&Name, Roles> = IndexMap::new();
    for (index, proposal) in proposals.iter().enumerate() {
        services
            .entry(&proposal.publisher)
            .or_default()
            .publishes
            .push(index);
        services
            .entry(&proposal.consumer)
            .or_default()
            .consumes
            .push(index);
    }
    services.sort_keys();
    writeln!(out, "services:")?;
    for (name, roles) in &services {
        service(out, name, roles, proposals)?;
    }
    absent(out, discovery, &services)
}

fn head(
    out: &mut String,
    discovery: &Discovery,
    basis: Basis,
    traffic: Option<&str>,
) -> fmt::Result {
    writeln!(
        out,
        "# A draft from traces: every number was measured, every name can be changed."
    )?;
    for capture in &discovery.captures {
        let name = one_line(&capture.name);
        writeln!(
            out,
            "# {name}: {}, {} traces, {} spans",
            capture.format, capture.traces, capture.spans
        )?;
    }
    writeln!(out, "# Observed for {}.", format_duration(discovery.window))?;
    if let Some(traffic) = traffic {
        writeln!(out, "# recording.jsonl: {traffic}.")?;
    }
    if basis == Basis::Exploring {
        writeln!(
            out,
            "#\n# FOR EXPLORING ONLY: by the evidence, no call of these traces can become an event.\n\
             # The calls below cost the most time; the comment at each says why its answer is needed."
        )?;
    }
    writeln!(out)
}

fn event(
    out: &mut String,
    discovery: &Discovery,
    basis: Basis,
    proposal: &Proposal<'_>,
) -> fmt::Result {
    writeln!(out, "  {}:", scalar(&proposal.event))?;
    for call in &proposal.calls {
        let during = one_line(&call.caller_operation);
        writeln!(
            out,
            "    # {} during {during}: {} calls",
            call.class, call.count
        )?;
        if basis == Basis::Exploring {
            writeln!(out, "    #   {}", one_line(&call.class.explanation()))?;
        }
        for evidence in &call.evidence {
            let weight = evidence.weight.word();
            writeln!(out, "    #   {weight}: {}", one_line(&evidence.claim))?;
        }
        writeln!(
            out,
            "    #   traces: {}",
            one_line(&call.exemplars.join(" "))
        )?;
    }
    let critical = proposal.critical();
    let share = if discovery.waiting.is_zero() {
        0.0
    } else {
        critical.as_secs_f64() / discovery.waiting.as_secs_f64() * 100.0
    };
    writeln!(
        out,
        "    #   on the critical path for {} ({share:.1}% of all waiting)",
        format_duration(critical)
    )?;
    predicted(out, proposal)?;
    let operation = proposal
        .calls
        .first()
        .map(|call| call.callee_operation.as_str());
    let summary = format!(
        "{} asked {} for {}.",
        proposal.publisher,
        proposal.consumer,
        operation.unwrap_or_default()
    );
    writeln!(out, "    summary: {}", quoted(&summary))?;
    writeln!(
        out,
        "    owner: {}",
        scalar(&format!("team-{}", proposal.publisher))
    )?;
    writeln!(out, "    schema: {}", schema::path(&proposal.event))?;
    let key = &proposal.schema.key;
    match &proposal.schema.reason {
        Some(reason) => writeln!(out, "    key: {key}   # {reason}")?,
        None => writeln!(out, "    key: {key}")?,
    }
    writeln!(out, "    retention: 7d")?;
    targets(out, proposal)
}

/// What a replay says that requests save.
fn predicted(out: &mut String, proposal: &Proposal<'_>) -> fmt::Result {
    for saving in proposal
        .calls
        .iter()
        .filter_map(|call| call.savings.first())
    {
        if let Some(mean) = saving.mean.value() {
            let milliseconds = |nanos: f64| nanos / 1e6;
            writeln!(
                out,
                "    #   saves {:.2} ms of {:.2} ms in each {} (predicted by replay)",
                milliseconds(mean),
                milliseconds(saving.before),
                one_line(&saving.operation)
            )?;
        }
    }
    Ok(())
}

fn targets(out: &mut String, proposal: &Proposal<'_>) -> fmt::Result {
    let peak = proposal.peak_rate();
    writeln!(
        out,
        "    targets:                  # measured; how long the business can wait is for it to say"
    )?;
    if let Some(rate) = proposal.rate.and_then(Rate::per_second) {
        writeln!(out, "      rate: {rate}")?;
    }
    if let Some(peak) = Rate::per_second(peak) {
        writeln!(out, "      peak: {peak}")?;
    }
    if let Some((p99, what)) = proposal.waited() {
        writeln!(out, "      p99: {}   # {what}", format_duration(p99))?;
    }
    let sizes = proposal.calls.iter().filter_map(|call| call.workload.bytes);
    if let Some(size) = sizes
        .map(|(_, largest)| largest)
        .max()
        .filter(|size| *size > 0)
    {
        writeln!(out, "      size: {size}B")?;
    }
    writeln!(out)
}

fn service(
    out: &mut String,
    name: &Name,
    roles: &Roles,
    proposals: &[Proposal<'_>],
) -> fmt::Result {
    let events = |indexes: &[usize]| {
        let names = indexes.iter().filter_map(|index| proposals.get(*index));
        names
            .map(|proposal| scalar(&proposal.event))
            .collect::<Vec<_>>()
    };
    writeln!(
        out,
        "  {}:\n    owner: {}",
        scalar(name),
        scalar(&format!("team-{name}"))
    )?;
    if !roles.publishes.is_empty() {
        writeln!(
            out,
            "    publishes: [{}]",
            events(&roles.publishes).join(", ")
        )?;
    }
    if roles.consumes.is_empty() {
        return writeln!(out);
    }
    writeln!(out, "    consumes:")?;
    for proposal in roles
        .consumes
        .iter()
        .filter_map(|index| proposals.get(*index))
    {
        consume(out, name, proposal)?;
    }
    writeln!(out)
}

fn consume(out: &mut String, service: &Name, proposal: &Proposal<'_>) -> fmt::Result {
    let n = proposal.arrivals.len();
    let failures = proposal.failures;
    writeln!(
        out,
        "      {}:              # {failures} of {n} calls failed",
        scalar(&proposal.event)
    )?;
    let required = scalar(&proposal.schema.required());
    writeln!(out, "        requires: [{required}]\n        deliver:")?;
    writeln!(
        out,
        "          concurrency: {}         # busy half the time at the peak",
        proposal.concurrency()
    )?;
    writeln!(
        out,
        "          timeout: {}            # at least 1s, and five times the longest usual handling, {}",
        format_duration(proposal.timeout()),
        format_duration(proposal.handling.high)
    )?;
    // Zero is what clocks of milliseconds say of short work; a design needs a time.
    let handling = &proposal.handling;
    let handler_time = handling.mean.max(std::time::Duration::from_micros(1));
    let varies = handling.scv.map_or_else(String::new, |scv| {
        format!(", squared coefficient of variation {scv:.2}")
    });
    writeln!(
        out,
        "          handler-time: {}   # mean of {n}; median {}{varies}",
        format_duration(handler_time),
        format_duration(handling.median)
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

/// Services that were seen and take no part.
fn absent(
    out: &mut String,
    discovery: &Discovery,
    services: &IndexMap<&Name, Roles>,
) -> fmt::Result {
    let absent: Vec<String> = discovery
        .services
        .iter()
        .filter(|service| {
            super::naming::service(&service.name).is_none_or(|name| !services.contains_key(&name))
        })
        .map(|service| one_line(&service.name))
        .collect();
    if absent.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "# Also seen, with synchronous calls only: {}.",
        absent.join(", ")
    )
}

/// A name as a YAML scalar: quoted where YAML would read something else than a text.
pub(crate) fn scalar(name: &impl fmt::Display) -> String {
    let name = name.to_string();
    let plain = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && !matches!(
            name.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain { name } else { quoted(&name) }
}

/// A text as a YAML scalar in double quotes, which JSON's are.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(one_line(text)).to_string()
}
