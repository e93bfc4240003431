//! Numbers and sentences as readers see them, the same in every format.

use std::time::Duration;

use tidegate_base::format_duration;

use crate::process::found::{Arc, Bottleneck, Candidate, Estimate, ProcessDiscovery};
use crate::report::words::percent;

/// `12.3% (10.1% to 14.5%)`.
pub(crate) fn share(estimate: Estimate) -> String {
    format!(
        "{} ({} to {})",
        percent(estimate.value),
        percent(estimate.low),
        percent(estimate.high)
    )
}

/// `12.3 a day`, or a dash where less than a day was observed.
pub(crate) fn per_day(rate: Option<f64>) -> String {
    match rate {
        Some(rate) if rate < 10.0 => format!("{rate:.1}"),
        Some(rate) => format!("{rate:.0}"),
        None => "-".to_owned(),
    }
}

/// Two units at most: `2d 3h`, as the seconds of days do not matter.
pub(crate) fn long(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format_duration(duration),
        (0, 0, minutes) if seconds.is_multiple_of(60) => format!("{minutes}min"),
        (0, 0, minutes) => format!("{minutes}min {}s", seconds % 60),
        (0, hours, 0) => format!("{hours}h"),
        (0, hours, minutes) => format!("{hours}h {minutes}min"),
        (days, 0, _) => format!("{days}d"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

/// `a -> b`.
pub(crate) fn arc(arc: &Arc) -> String {
    format!(
        "{} -> {}",
        arc.from.as_deref().unwrap_or("(arrival)"),
        arc.to
    )
}

/// `a -> b, c`.
pub(crate) fn candidate(candidate: &Candidate) -> String {
    let after = candidate.after.as_deref().unwrap_or("(arrival)");
    format!("{after} -> {}", candidate.activities.join(", "))
}

/// `yes`, `no`, or why not told.
pub(crate) fn bottleneck(bottleneck: &Bottleneck) -> &'static str {
    match bottleneck {
        Bottleneck::Yes { .. } => "yes",
        Bottleneck::No { .. } => "no",
        Bottleneck::Unknown => "-",
    }
}

/// What was read, a line for each log and one for all.
pub(crate) fn scope(discovery: &ProcessDiscovery) -> Vec<String> {
    let mut lines: Vec<String> = discovery
        .logs
        .iter()
        .map(|log| {
            let line = format!(
                "{}: {}, {} cases, {} activity instances",
                log.name, log.format, log.cases, log.instances
            );
            if log.notes.is_empty() {
                line
            } else {
                format!("{line}; {}", log.notes.join(", "))
            }
        })
        .collect();
    lines.push(format!(
        "{} cases over {}",
        discovery.cases,
        long(discovery.window)
    ));
    lines
}

/// The verdict in a sentence.
pub(crate) fn verdict(discovery: &ProcessDiscovery) -> String {
    let feasible: Vec<&Candidate> = discovery
        .candidates
        .iter()
        .filter(|candidate| candidate.class.is_feasible())
        .collect();
    match feasible.first() {
        None => "No part of this process can become events by this evidence.".to_owned(),
        Some(first) => format!(
            "{} of {} parts of this process could become events by this evidence; the one that \
             takes away most waiting is {}.",
            feasible.len(),
            discovery.candidates.len(),
            candidate(first)
        ),
    }
}
