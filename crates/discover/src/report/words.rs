//! Numbers as readers see them, the same in every format.

use std::time::Duration;

use tidegate_base::format_duration;

use crate::discovery::{Call, Discovery, Evidence, Signal};
use crate::interval::Estimate;
use crate::statistics::{Proportion, Quantile};

/// What the numbers mean; stands in every report.
pub(super) const PREDICTED: &str = "What is saved is predicted: every trace is replayed as if the \
caller published an event and did not wait. Less queueing comes on top, and is not in it.";

/// What is saved, in a line for each number; why there is no number, where there is none.
pub(super) fn saving(discovery: &Discovery, call: &Call) -> Vec<(&'static str, String)> {
    if let Some(reason) = &discovery.completeness.withheld {
        return vec![("saves", format!("withheld: {reason}"))];
    }
    let Some(saving) = call.savings.first() else {
        return vec![("saves", "nothing: no request waits for it".to_owned())];
    };
    let of = format!(
        "{} of {} in each {}",
        estimate(saving.mean),
        duration(saving.before),
        saving.operation
    );
    let tails = [
        ("p50", saving.p50),
        ("p95", saving.p95),
        ("p99", saving.p99),
    ]
    .map(|(name, value)| format!("{name} {}", estimate(value)));
    let mut lines = vec![("saves", of), ("", tails.join(", "))];
    let worth = &call.worth;
    if let Some(seconds) = worth.seconds_per_day {
        let first = worth.is_first.map_or(String::new(), |share| {
            format!("; saves most of all with {} chance", percent(share))
        });
        let waiting = duration(seconds.max(0.0) * 1e9);
        lines.push(("worth", format!("{waiting} of waiting a day{first}")));
    }
    if call.class.is_feasible() {
        lines.push(("refuted by", worth.experiment.clone()));
    }
    lines
}

/// `12ms (10ms to 14ms)` of nanoseconds, or why there is no number.
pub(super) fn estimate(estimate: Estimate) -> String {
    match estimate {
        Estimate::Estimated {
            value, low, high, ..
        } => {
            let [value, low, high] = [value, low, high].map(duration);
            format!("{value} ({low} to {high})")
        }
        Estimate::NotEstimable { n, needed } => format!("not estimable (n={n}, needs {needed})"),
    }
}

/// Nanoseconds, to the microsecond where there are that many; less than zero with a minus.
pub(super) fn duration(nanos: f64) -> String {
    let whole = Duration::try_from_secs_f64(nanos.abs() / 1e9).unwrap_or_default();
    let step = if nanos.abs() < 1e5 { 1 } else { 1_000 };
    let rounded = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX) / step * step;
    let sign = if nanos < 0.0 && rounded > 0 { "-" } else { "" };
    format!("{sign}{}", format_duration(Duration::from_nanos(rounded)))
}

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

/// How many of a million, whole where they are many.
pub(super) fn share_of_million(count: f64) -> String {
    if count.abs() < 10.0 && count.abs() > 0.0 {
        format!("{count:.1}")
    } else {
        format!("{count:.0}")
    }
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
    lines.extend(sampled(discovery));
    let completeness = &discovery.completeness;
    if completeness.lost.hits > 0 {
        lines.push(format!(
            "{} of spans are lost; predictions rest on {} of {} traces that are complete",
            percent(completeness.lost.share()),
            completeness.used,
            completeness.traces
        ));
    }
    if completeness.by_clocks.hits > 0 {
        lines.push(format!(
            "{} of spans could be placed only by comparing the clocks of two hosts, as what calls them does more than \
             ask: orders and classes there are as right as those clocks",
            percent(completeness.by_clocks.share())
        ));
    }
    lines
}

/// For how many requests the traces stand, where not each for one.
fn sampled(discovery: &Discovery) -> Vec<String> {
    let sampling = &discovery.sampling;
    let mut lines = Vec::new();
    if sampling.traces_read > discovery.traces {
        lines.push(format!(
            "{} spans of {} traces were read, too many to look at each: these are chosen by their \
             identifiers; rates and peaks are scaled up",
            sampling.spans_read, sampling.traces_read
        ));
    }
    if sampling.with_probability > 0 {
        let uneven = if sampling.is_uneven {
            "; some stand for more than others: counts, shares and quantiles of calls are of what was \
             kept, savings and rates of what it stands for"
        } else {
            ""
        };
        lines.push(format!(
            "{} of {} traces say with what probability they were kept; all stand for {:.0} requests, \
             which rates and peaks are of{uneven}",
            sampling.with_probability, discovery.traces, sampling.stands_for
        ));
    }
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
             one that saves most waiting is {} to {} ({}).",
            feasible.len(),
            first.caller,
            first.callee,
            first.callee_operation
        ),
    }
}

/// How sure a claim is, where it tells more than the claim itself does.
pub(super) fn interval(evidence: &Evidence) -> Option<String> {
    if matches!(
        evidence.signal,
        Signal::Read | Signal::Write | Signal::Vocabulary
    ) {
        return None;
    }
    let (low, high) = evidence.interval()?;
    Some(match evidence.number {
        Some(_) => format!("{low:.2} to {high:.2}"),
        None => format!("{} to {}", percent(low), percent(high)),
    })
}
