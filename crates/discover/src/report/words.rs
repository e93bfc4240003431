//! Numbers as readers see them, the same in every format.

use std::time::Duration;

use tidegate_base::format_duration;

use crate::discovery::{Call, Discovery};
use crate::statistics::{Proportion, Quantile};

/// Why the benefit is not a promise; stands in every report.
pub(super) const UPPER_BOUND: &str = "Time taken away is an upper bound: the part of requests in \
which nothing but the call went on. It is not a prediction of a replay.";

/// `12ms (10ms to 14ms)`, or why there is no number.
pub(super) fn quantile(quantile: Quantile) -> String {
    match quantile {
        Quantile::Estimated {
            value, low, high, ..
        } => {
            let [value, low, high] = [value, low, high].map(format_duration);
            format!("{value} ({low} to {high})")
        }
        Quantile::NotEstimable { n, needed } => format!("not estimable (n={n}, needs {needed})"),
    }
}

/// `12ms`, or a dash where there are too few observations.
pub(crate) fn short_quantile(quantile: Quantile) -> String {
    quantile
        .value()
        .map_or_else(|| "-".to_owned(), format_duration)
}

/// `3 of 10 (11% to 60%)`.
pub(crate) fn proportion(proportion: Proportion) -> String {
    let counts = format!("{} of {}", proportion.hits, proportion.total);
    match proportion.interval() {
        Some((low, high)) => format!("{counts} ({} to {})", percent(low), percent(high)),
        None => counts,
    }
}

/// `12.3%`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// `2.17/s`, or a dash where less than a second was observed.
pub(super) fn rate(rate: Option<f64>) -> String {
    rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.2}/s"))
}

/// `39.71ms each second`, or a dash where less than a second was observed.
pub(super) fn per_second(share: Option<f64>) -> String {
    share.map_or_else(
        || "-".to_owned(),
        |share| {
            format!(
                "{}/s",
                format_duration(Duration::from_secs_f64(share.max(0.0)))
            )
        },
    )
}

/// What was read, in a sentence for each capture and one for all.
pub(super) fn scope(discovery: &Discovery) -> Vec<String> {
    let mut lines: Vec<String> = discovery
        .captures
        .iter()
        .map(|capture| {
            let mut line = format!(
                "{}: {}, {} traces, {} spans",
                capture.name, capture.format, capture.traces, capture.spans
            );
            if !capture.left_out.is_empty() {
                line = format!("{line}; left out: {}", capture.left_out.join(", "));
            }
            line
        })
        .collect();
    let mut all = format!(
        "{} traces, {} spans, {} services over {}",
        discovery.traces,
        discovery.spans,
        discovery.services.len(),
        format_duration(discovery.window)
    );
    if discovery.orphans > 0 {
        let orphans = Proportion {
            hits: discovery.orphans,
            total: discovery.spans,
        };
        all = format!(
            "{all}; {} of all spans name a parent that is absent",
            percent(orphans.share())
        );
    }
    lines.push(all);
    lines
}

/// The verdict in a sentence.
pub(super) fn verdict(discovery: &Discovery) -> String {
    let feasible: Vec<&Call> = discovery
        .calls
        .iter()
        .filter(|call| call.class.is_feasible())
        .collect();
    let total = discovery.calls.len();
    match feasible.first() {
        None if total == 0 => "No call between services was found.".to_owned(),
        None => format!(
            "None of the {total} calls between services can become an event by this evidence."
        ),
        Some(first) => format!(
            "{} of the {total} calls between services could become events by this evidence; the \
             one that takes away most waiting is {} to {} ({}).",
            feasible.len(),
            first.caller,
            first.callee,
            first.callee_operation
        ),
    }
}
