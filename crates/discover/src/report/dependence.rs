//! How requests depend on calls, for readers: availability, slowness, and waiting for workers.

use serde_json::{Value, json};

use super::json::{nanos, proportion};
use super::table::{Align, Table};
use super::words::{duration, percent, share_of_million};
use crate::availability::{Availability, Dependency};
use crate::discovery::{Call, Discovery};
use crate::queueing::Credit;
use crate::slowness::Slowness;

/// Most endpoints and dependencies that are listed.
const ROWS_MAX: usize = 12;

/// What the table says, in a sentence.
pub(super) const AVAILABILITY: &str = "A request goes well when all that it waits for goes well: the \
last columns are how often it would if it did not wait for this one, and how many failures of a million requests go. \
That holds when event and change are stored together; published directly, multiply with the broker's availability.";

/// Slowness and queueing of one call, in a line each.
pub(super) fn lines(call: &Call) -> Vec<(&'static str, String)> {
    let slow = call.slowness.map(|slowness| ("slowness", slow(&slowness)));
    let queue = call.queueing.map(|credit| ("queueing", queue(&credit)));
    slow.into_iter().chain(queue).collect()
}

fn slow(slowness: &Slowness) -> String {
    let (value, low, high) = slowness.excess;
    format!(
        "when it takes over {}, {} of {} requests take over {}; otherwise {} of {}: {} more ({} to {})",
        tidegate_base::format_duration(slowness.slow),
        slowness.with.hits,
        slowness.with.total,
        tidegate_base::format_duration(slowness.limit),
        slowness.without.hits,
        slowness.without.total,
        percent(value),
        percent(low),
        percent(high)
    )
}

fn queue(credit: &Credit) -> String {
    let wait = |wait: Option<f64>| wait.map_or("without end".to_owned(), duration);
    let plural = if credit.workers == 1 { "" } else { "s" };
    let workers = format!("{} worker{plural}", credit.workers);
    let workers = if credit.is_told {
        workers
    } else {
        format!("if there are {workers} (say how many with --workers)")
    };
    format!(
        "apart from that, requests wait for a worker {} instead of {}, by Erlang C, {workers}: busy {} \
         instead of {}",
        wait(credit.waiting.1),
        wait(credit.waiting.0),
        percent(credit.busy.1),
        percent(credit.busy.0)
    )
}

/// Endpoints with their dependencies, those that failures begin in and candidates.
pub(super) fn rows(discovery: &Discovery) -> Vec<(&Availability, &Dependency)> {
    let all = discovery.endpoints.iter().flat_map(|endpoint| {
        let dependencies = endpoint.dependencies.iter();
        let telling = dependencies.filter(|one| one.passed_on.hits > 0 || one.is_candidate);
        telling.map(move |one| (endpoint, one))
    });
    all.take(ROWS_MAX).collect()
}

/// The cells of one row.
pub(super) fn cells(endpoint: &Availability, one: &Dependency) -> [String; 7] {
    let removed = 1e6 * (one.without - endpoint.serial);
    let (value, low, high) = one.availability;
    [
        format!("{} {}", endpoint.service, endpoint.operation),
        fine(endpoint.serial),
        format!("{} {}", one.service, one.operation),
        format!("{} ({} to {})", fine(value), fine(low), fine(high)),
        format!("{} of {}", one.passed_on.hits, one.passed_on.total),
        fine(one.without),
        share_of_million(removed),
    ]
}

/// Their heads.
pub(super) const HEAD: [&str; 7] = [
    "endpoint",
    "goes well",
    "needs",
    "which goes well",
    "fails with it",
    "without it",
    "less of a million",
];

pub(super) fn table(discovery: &Discovery) -> Table {
    let mut head: Vec<(&'static str, Align)> =
        HEAD.iter().map(|name| (*name, Align::Right)).collect();
    for index in [0, 2] {
        if let Some(column) = head.get_mut(index) {
            column.1 = Align::Left;
        }
    }
    let rows = rows(discovery).into_iter();
    Table {
        head,
        rows: rows
            .map(|(endpoint, one)| {
                cells(endpoint, one)
                    .map(|cell| super::human::clean(&cell))
                    .to_vec()
            })
            .collect(),
    }
}

/// A share close to all, with three digits more than others.
fn fine(share: f64) -> String {
    format!("{:.3}%", share * 100.0)
}

pub(super) fn endpoint(endpoint: &Availability) -> Value {
    json!({
        "service": endpoint.service,
        "endpoint": endpoint.operation,
        "failures": proportion(endpoint.failures),
        "availability": endpoint.observed(),
        "own_failures": proportion(endpoint.own),
        "serial_availability": endpoint.serial,
        "failures_per_million": endpoint.failures_per_million(),
        "dependencies": endpoint.dependencies.iter().map(dependency).collect::<Vec<_>>(),
    })
}

fn dependency(one: &Dependency) -> Value {
    let (value, low, high) = one.availability;
    json!({
        "service": one.service,
        "operation": one.operation,
        "candidate": one.is_candidate,
        "called": proportion(one.called),
        "failures_begin": proportion(one.failures),
        "request_fails_with": proportion(one.passed_on),
        "availability": {"value": value, "low": low, "high": high},
        "availability_without": one.without,
    })
}

pub(super) fn slowness(slowness: &Slowness) -> Value {
    let (value, low, high) = slowness.excess;
    json!({
        "limit_ns": nanos(slowness.limit),
        "slow_ns": nanos(slowness.slow),
        "over_limit_with": proportion(slowness.with),
        "over_limit_without": proportion(slowness.without),
        "excess": value,
        "low": low,
        "high": high,
    })
}

pub(super) fn queueing(credit: &Credit) -> Value {
    json!({
        "workers": credit.workers,
        "workers_told": credit.is_told,
        "busy_before": credit.busy.0,
        "busy_after": credit.busy.1,
        "waiting_before_ns": credit.waiting.0.map(f64::round),
        "waiting_after_ns": credit.waiting.1.map(f64::round),
    })
}
