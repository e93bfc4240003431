//! Measures and judges every call of a set of captures.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use tidegate_trace::recording::{Arrival, Outcome};
use tidegate_trace::{Skipped, Trace, Traces};

use crate::calls;
use crate::classify::classify;
use crate::critical_path::{CriticalPath, critical_paths, is_waited_for};
use crate::discovery::{Call, Capture, Discovery};
use crate::evidence::Facts;
use crate::observe::{Observation, observe};
use crate::operation;
use crate::services::{Totals, latency, peak, rate};
use crate::survey::Survey;
use crate::window::Window;

/// Caller, its operation, callee, its operation.
type Path = (String, String, String, String);

/// Measures services, operations and calls of the captures, each with its name, and judges every
/// call. The same captures always give the same result, whatever the order of their spans.
#[must_use]
pub fn discover(captures: &[(String, Traces)]) -> Discovery {
    let mut seen: HashSet<Arc<str>> = HashSet::new();
    let traces: Vec<&Trace> = captures
        .iter()
        .flat_map(|(_, capture)| &capture.traces)
        .filter(|trace| seen.insert(Arc::clone(trace.id())))
        .collect();
    let window = Window::new(
        captures
            .iter()
            .filter_map(|(_, capture)| stretch(capture))
            .collect(),
    );
    let observed = window.duration();
    let mut totals = Totals::default();
    let mut observations: IndexMap<Path, Vec<Observation>> = IndexMap::new();
    let mut waiting = Duration::ZERO;
    for trace in &traces {
        totals.add(trace, &window);
        let paths = critical_paths(trace);
        waiting += paths
            .iter()
            .map(|path| nanos(path.duration))
            .sum::<Duration>();
        observe_calls(trace, &paths, &window, &mut observations);
    }
    let (services, operations) = totals.finish(observed);
    let calls = observations
        .into_iter()
        .map(|(path, seen)| judge(path, seen, observed, waiting));
    Discovery {
        captures: captures
            .iter()
            .map(|(name, capture)| summary(name, capture))
            .collect(),
        window: observed,
        traces: traces.len(),
        spans: traces.iter().map(|trace| trace.spans().len()).sum(),
        orphans: traces.iter().map(|trace| trace.orphans().count()).sum(),
        waiting,
        services,
        operations,
        calls: ranked(calls.collect()),
    }
}

fn stretch(capture: &Traces) -> Option<(tidegate_base::Timestamp, tidegate_base::Timestamp)> {
    let start = capture.traces.iter().map(Trace::start).min()?;
    let end = capture.traces.iter().map(Trace::end).max()?;
    Some((start, end))
}

fn summary(name: &str, capture: &Traces) -> Capture {
    Capture {
        name: name.to_owned(),
        format: capture.format.to_string(),
        traces: capture.traces.len(),
        spans: capture.spans().count(),
        left_out: left_out(&capture.skipped),
    }
}

fn left_out(skipped: &Skipped) -> Vec<String> {
    let counts = [
        (skipped.metrics, "documents of metrics"),
        (skipped.logs, "documents of logs"),
        (skipped.without_trace_id, "spans without a trace id"),
        (skipped.without_span_id, "spans without an id"),
        (skipped.without_time, "spans without a start time"),
        (skipped.duplicates, "spans reported more than once"),
        (
            skipped.cyclic_spans,
            "spans of traces in which a span is its own ancestor",
        ),
    ];
    counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect()
}

fn observe_calls(
    trace: &Trace,
    paths: &[CriticalPath],
    window: &Window,
    observations: &mut IndexMap<Path, Vec<Observation>>,
) {
    let critical = critical_of_subtrees(trace, paths);
    let mut survey = Survey::of(trace);
    for found in calls::find(trace) {
        let (Some(call), Some(entry)) = (trace.span(found.call), trace.span(found.entry)) else {
            continue;
        };
        let answer = found.answer.and_then(|index| trace.span(index));
        let callee = match answer {
            Some(answer) => answer.service.to_string(),
            None => calls::peer(call).unwrap_or_else(|| "unknown".to_owned()),
        };
        let caller = trace
            .parent(found.call)
            .filter(|_| found.answer == Some(found.call));
        let caller = caller.and_then(|parent| trace.span(parent)).unwrap_or(call);
        let path = (
            caller.service.to_string(),
            operation::name(entry),
            callee,
            operation::name(answer.unwrap_or(call)),
        );
        let time = critical.get(found.call).copied().unwrap_or_default();
        if let Some(seen) = observe(trace, &mut survey, found, window.offset(call.start), time) {
            observations.entry(path).or_default().push(seen);
        }
    }
}

/// The critical-path time of each span and everything below it that is waited for.
fn critical_of_subtrees(trace: &Trace, paths: &[CriticalPath]) -> Vec<Duration> {
    let mut times = vec![Duration::ZERO; trace.spans().len()];
    for segment in paths.iter().flat_map(|path| &path.segments) {
        if let Some(time) = times.get_mut(segment.span) {
            *time += nanos(segment.end - segment.start);
        }
    }
    let order: Vec<usize> = trace.depth_first().collect();
    for child in order.into_iter().rev() {
        let time = times.get(child).copied().unwrap_or_default();
        if let Some(parent) = trace
            .parent(child)
            .filter(|parent| is_waited_for(trace, *parent, child))
            && let Some(total) = times.get_mut(parent)
        {
            *total += time;
        }
    }
    times
}

fn nanos(length: i128) -> Duration {
    Duration::from_nanos(u64::try_from(length).unwrap_or_default())
}

fn judge(path: Path, mut seen: Vec<Observation>, observed: Duration, waiting: Duration) -> Call {
    seen.sort_by(|a, b| (a.offset, &a.trace_id).cmp(&(b.offset, &b.trace_id)));
    let (caller, caller_operation, callee, callee_operation) = path;
    let facts = Facts::new(&seen, &callee, &callee_operation);
    let critical: Duration = seen.iter().map(|observation| observation.critical).sum();
    let long_enough = observed >= Duration::from_secs(1);
    Call {
        class: classify(&facts),
        evidence: facts.evidence(),
        missing: facts.missing(),
        failures: facts.share(|observation| observation.failed),
        coupling: facts.coupled(),
        count: seen.len(),
        rate: rate(seen.len(), observed),
        peak: peak(seen.iter().map(|observation| observation.offset)),
        latency: latency(seen.iter().map(|observation| observation.waited).collect()),
        handling: latency(seen.iter().map(|observation| observation.handled).collect()),
        critical,
        critical_share: ratio(critical, waiting),
        critical_per_second: long_enough.then(|| ratio(critical, observed)),
        exemplars: exemplars(&seen),
        arrivals: seen.iter().map(arrival).collect(),
        caller,
        caller_operation,
        callee,
        callee_operation,
    }
}

fn ratio(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() {
        0.0
    } else {
        part.as_secs_f64() / whole.as_secs_f64()
    }
}

/// The traces of the slowest, the median and the fastest call, without repetition.
fn exemplars(seen: &[Observation]) -> Vec<String> {
    let mut by_wait: Vec<&Observation> = seen.iter().collect();
    by_wait.sort_by(|a, b| (b.waited, &a.trace_id).cmp(&(a.waited, &b.trace_id)));
    let mut chosen: Vec<String> = Vec::new();
    for index in [0, by_wait.len() / 2, by_wait.len().saturating_sub(1)] {
        let id = by_wait
            .get(index)
            .map(|observation| observation.trace_id.to_string());
        chosen.extend(id.filter(|id| !chosen.contains(id)));
    }
    chosen
}

fn arrival(observation: &Observation) -> Arrival {
    Arrival {
        offset: observation.offset,
        handler_time: observation.handled,
        outcome: if observation.failed {
            Outcome::Failed
        } else {
            Outcome::Succeeded
        },
        key: observation.trace_id.to_string(),
        payload_bytes: observation.request_bytes,
    }
}

/// Feasible calls first; then by critical-path time, most first; then by name.
fn ranked(mut calls: Vec<Call>) -> Vec<Call> {
    let key = |call: &Call| (!call.class.is_feasible(), std::cmp::Reverse(call.critical));
    let name = |call: &Call| {
        [
            &call.caller,
            &call.caller_operation,
            &call.callee,
            &call.callee_operation,
        ]
        .map(Clone::clone)
    };
    calls.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| name(a).cmp(&name(b))));
    calls
}
