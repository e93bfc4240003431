//! Measures and judges every call of a set of captures.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use tidegate_trace::{Skipped, Trace, Traces};

use crate::calls;
use crate::critical_path::{self, CriticalPath, Known};
use crate::discovery::{Call, Capture, Discovery, Exclusive};
use crate::judge::{Court, Followers, Path, Reads};
use crate::observe::{Observation, observe};
use crate::operation;
use crate::options::Options;
use crate::ranking;
use crate::replay::{Site, WhatIf};
use crate::services::Totals;
use crate::signals::taint::{Values, fed, tainted};
use crate::survey::Survey;
use crate::window::Window;

/// In how many parts the observed time is cut to see how sure the ranking is.
const BLOCKS: usize = 40;

/// Service, operation and the service that it asks, if any.
type Doing = (String, String, Option<String>);

/// Measures services, operations and calls of the captures, each with its name, and judges every
/// call. The same captures always give the same result, whatever the order of their spans.
#[must_use]
pub fn discover(captures: &[(String, Traces)]) -> Discovery {
    discover_with(captures, &Options::default())
}

/// The same as [`discover`], by other options.
#[must_use]
pub fn discover_with(captures: &[(String, Traces)], options: &Options) -> Discovery {
    let mut seen: HashSet<Arc<str>> = HashSet::new();
    let traces: Vec<&Trace> = captures
        .iter()
        .flat_map(|(_, capture)| &capture.traces)
        .filter(|trace| seen.insert(Arc::clone(trace.id())))
        .collect();
    let stretches = captures.iter().filter_map(|(_, capture)| stretch(capture));
    let window = Window::new(stretches.collect());
    let what_if = WhatIf::new(&traces, options.order);
    let mut found = Collector::default();
    for (index, trace) in traces.iter().enumerate() {
        found.values.add(index, trace);
    }
    for (index, trace) in traces.iter().enumerate() {
        found.add(index, trace, &what_if, &window);
    }
    found.sort();
    let mut court = Court {
        what_if: &what_if,
        options,
        observed: window.duration(),
        waiting: found.waiting,
        reads: Reads::default(),
        followers: Followers::default(),
    };
    for (path, seen) in &found.observations {
        court.reads.note(path, seen);
        court.followers.note(path, seen);
    }
    let calls = judged(&court, &found.observations);
    let (services, operations) = found.totals.finish(window.duration());
    Discovery {
        captures: captures
            .iter()
            .map(|(name, capture)| summary(name, capture))
            .collect(),
        window: window.duration(),
        traces: traces.len(),
        spans: traces.iter().map(|trace| trace.spans().len()).sum(),
        orphans: traces.iter().map(|trace| trace.orphans().count()).sum(),
        waiting: found.waiting,
        completeness: what_if.completeness.clone(),
        services,
        operations,
        exclusive: by_time(found.exclusive),
        calls,
    }
}

fn judged(court: &Court<'_>, observations: &IndexMap<Path, Vec<Observation>>) -> Vec<Call> {
    let judged = observations.iter().map(|(path, seen)| {
        let call = court.judge(path, seen);
        let blocks = court.blocks(&call, seen, BLOCKS);
        (call, blocks)
    });
    let (mut calls, blocks): (Vec<Call>, Vec<Vec<f64>>) = judged.unzip();
    ranking::rank(&mut calls, &blocks);
    ranked(calls)
}

/// What is added up over all traces.
#[derive(Default)]
struct Collector {
    totals: Totals,
    observations: IndexMap<Path, Vec<Observation>>,
    exclusive: IndexMap<Doing, (usize, Duration)>,
    values: Values,
    waiting: Duration,
}

impl Collector {
    fn add(&mut self, index: usize, trace: &Trace, what_if: &WhatIf<'_>, window: &Window) {
        self.totals.add(trace, window);
        let known = Known {
            waits: &|parent, child| what_if.waits(index, parent, child),
            may_precede: &|parent, earlier, later| {
                what_if.may_precede(index, parent, (earlier, later))
            },
        };
        let paths = critical_path::paths(trace, &known);
        self.waiting += paths
            .iter()
            .map(|path| nanos(path.duration))
            .sum::<Duration>();
        let seen = Seen {
            index,
            trace,
            paths: &paths,
            known: &known,
        };
        self.add_exclusive(&seen);
        self.observe_calls(&seen, window);
    }

    /// Adds the critical-path time of each span without that of its children.
    fn add_exclusive(&mut self, seen: &Seen<'_>) {
        for (index, time) in own_times(seen).into_iter().enumerate() {
            let Some(span) = seen.trace.span(index) else {
                continue;
            };
            let other = seen.trace.children(index).iter().find_map(|child| {
                let child = seen.trace.span(*child)?;
                (child.service != span.service).then(|| child.service.to_string())
            });
            let callee = other.or_else(|| calls::peer(span));
            let key = (span.service.to_string(), operation::name(span), callee);
            let total = self.exclusive.entry(key).or_default();
            total.0 += 1;
            total.1 += time;
        }
    }

    fn sort(&mut self) {
        for seen in self.observations.values_mut() {
            seen.sort_by(|a, b| {
                (a.offset, &a.trace_id, a.site).cmp(&(b.offset, &b.trace_id, b.site))
            });
        }
    }

    fn observe_calls(&mut self, seen: &Seen<'_>, window: &Window) {
        let trace = seen.trace;
        let critical = critical_of_subtrees(seen);
        let mut survey = Survey::of(trace);
        let values = self.values.own(seen.index, trace);
        let all = calls::find(trace);
        let spans: Vec<usize> = all.iter().map(|found| found.call).collect();
        for found in all {
            let (Some(call), Some(entry)) = (trace.span(found.call), trace.span(found.entry))
            else {
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
            let observed = observe(trace, &mut survey, found, window.offset(call.start), time);
            if let (Some(mut observed), Ok(trace), Ok(span)) = (
                observed,
                u32::try_from(seen.index),
                u32::try_from(found.call),
            ) {
                observed.site = Site { trace, span };
                observed.marks.tainted = tainted(seen.trace, &values, found.call);
                let fed = fed(seen.trace, &values, found.call, &spans);
                observed.marks.feeds = fed.and_then(|fed| u32::try_from(fed).ok());
                observed.marks.is_forgotten = seen.trace.parent(found.call).is_some_and(|parent| {
                    critical_path::is_waited_for(seen.trace, parent, found.call)
                        && !(seen.known.waits)(parent, found.call)
                });
                self.observations.entry(path).or_default().push(observed);
            }
        }
    }
}

/// From the first start of a root to the last end of one: what other hosts' clocks say is not used.
fn stretch(capture: &Traces) -> Option<(tidegate_base::Timestamp, tidegate_base::Timestamp)> {
    let roots = || {
        let traces = capture.traces.iter();
        traces.flat_map(|trace| trace.roots().filter_map(|root| trace.span(root)))
    };
    let start = roots().map(|span| span.start).min()?;
    let end = roots().map(|span| span.end).max()?;
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

/// One trace and what is known of it.
struct Seen<'a> {
    index: usize,
    trace: &'a Trace,
    paths: &'a [CriticalPath],
    known: &'a Known<'a>,
}

/// The critical-path time of each span alone.
fn own_times(seen: &Seen<'_>) -> Vec<Duration> {
    let mut times = vec![Duration::ZERO; seen.trace.spans().len()];
    for segment in seen.paths.iter().flat_map(|path| &path.segments) {
        if let Some(time) = times.get_mut(segment.span) {
            *time += nanos(segment.end - segment.start);
        }
    }
    times
}

/// What is done, by time, most first.
fn by_time(exclusive: IndexMap<Doing, (usize, Duration)>) -> Vec<Exclusive> {
    let mut all: Vec<Exclusive> = exclusive
        .into_iter()
        .map(|((service, operation, callee), (count, time))| Exclusive {
            service,
            operation,
            callee,
            count,
            time,
        })
        .collect();
    all.sort_by(|a, b| {
        let names = |e: &Exclusive| (e.service.clone(), e.operation.clone(), e.callee.clone());
        b.time.cmp(&a.time).then_with(|| names(a).cmp(&names(b)))
    });
    all
}

/// The critical-path time of each span and everything below it that is waited for.
fn critical_of_subtrees(seen: &Seen<'_>) -> Vec<Duration> {
    let trace = seen.trace;
    let mut times = own_times(seen);
    let order: Vec<usize> = trace.depth_first().collect();
    for child in order.into_iter().rev() {
        let time = times.get(child).copied().unwrap_or_default();
        if let Some(parent) = trace
            .parent(child)
            .filter(|parent| (seen.known.waits)(*parent, child))
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

/// Feasible calls first; then by the waiting that they save, then by critical-path time, most
/// first; then by name.
fn ranked(mut calls: Vec<Call>) -> Vec<Call> {
    let key = |call: &Call| (!call.class.is_feasible(), std::cmp::Reverse(saved(call)));
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

/// The waiting that a candidate saves in all, where it is known; for ranking only.
fn saved(call: &Call) -> (Duration, Duration) {
    let each = call.savings.iter().filter_map(|saving| {
        Some(saving.mean.value()? * crate::interval::number(saving.requests) / 1e9)
    });
    let feasible = call.class.is_feasible();
    let seconds = if feasible { each.sum::<f64>() } else { 0.0 };
    let saved = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default();
    (saved, call.critical)
}
