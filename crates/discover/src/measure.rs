//! Measures and judges every call of a set of captures.

use std::collections::HashSet;
use std::time::Duration;

use foldhash::fast::RandomState;
use indexmap::{IndexMap, IndexSet};
use tidegate_base::Timestamp;
use tidegate_trace::labels::Label;
use tidegate_trace::{Labels, Skipped, SpanKind, Trace, Traces};

use crate::availability::{self, Origins};
use crate::calls::{self, Found};
use crate::contrast::Blocks;
use crate::critical_path::{self, CriticalPath, Known};
use crate::discovery::{Call, Capture, Discovery, Exclusive};
use crate::draft::samples;
use crate::interval;
use crate::judge::{Court, Followers, Path, Reads};
use crate::observe::{Observation, observe};
use crate::options::Options;
use crate::ranking;
use crate::replay::{NO_REQUEST, Site, WhatIf};
use crate::sampling;
use crate::services::Totals;
use crate::signals::taint::{Values, fed, tainted};
use crate::supposition::answers;
use crate::survey::Survey;
use crate::told::{Reader, Told};
use crate::tops::Tops;
use crate::usual::Usual;
use crate::window::Window;

/// Service, operation and the service that it asks, if any, by their numbers.
type Doing = (u32, u32, Option<u32>);
/// Caller, its operation, callee, its operation, by their numbers.
type Numbers = (u32, u32, u32, u32);

/// Measures services, operations and calls of the captures, each with its name, and judges every
/// call. The same captures always give the same result, whatever the order of their spans.
#[must_use]
pub fn discover(captures: &[(String, Traces)]) -> Discovery {
    discover_with(captures, &Options::default())
}

/// The same as [`discover`], by other options.
#[must_use]
pub fn discover_with(captures: &[(String, Traces)], options: &Options) -> Discovery {
    let traces = distinct(captures);
    let (sampling, weights) = sampling::of(captures, &traces);
    let stretches = captures.iter().filter_map(|(_, capture)| stretch(capture));
    let window = Window::new(stretches.collect());
    // Both look into the same texts: once from far away is enough.
    let mut values = Values::default();
    let labels = Labels::of(traces.iter().copied().inspect(|trace| values.add(trace)));
    let what_if = WhatIf::new(&traces, &weights, &labels, options.order);
    let mut found = Collector::new(&labels, values, traces.len());
    if what_if.completeness.measured.measure.clients_without_server > 0 {
        found.usual = Usual::of(&traces, &labels);
    }
    found.in_blocks(&traces, window.duration());
    for (index, trace) in traces.iter().enumerate() {
        found.add(index, trace, &what_if, &window);
    }
    let observations = found.observations();
    let mut court = Court {
        what_if: &what_if,
        options,
        observed: window.duration(),
        waiting: found.waiting,
        reads: Reads::default(),
        followers: Followers::default(),
    };
    for (path, seen) in &observations {
        court.reads.note(path, seen);
        court.followers.note(path, seen);
    }
    let calls = judged(&court, &observations);
    let endpoints = availability::of(&what_if, &observations, &calls);
    let exclusive = found.by_time();
    let (services, operations) = found.totals.finish(&labels, window.duration());
    Discovery {
        captures: captures
            .iter()
            .map(|(name, capture)| summary(name, capture))
            .collect(),
        window: window.duration(),
        traces: traces.len(),
        spans: traces.iter().map(|trace| trace.spans().len()).sum(),
        orphans: traces.iter().map(|trace| trace.orphans().count()).sum(),
        sampling,
        waiting: found.waiting,
        requests: found.requests,
        completeness: what_if.completeness.clone(),
        services,
        operations,
        exclusive,
        endpoints,
        answers: answers(&court, &observations),
        calls,
    }
}

/// The traces of all captures, each once.
fn distinct(captures: &[(String, Traces)]) -> Vec<&Trace> {
    let mut seen: HashSet<&str, RandomState> = HashSet::default();
    captures
        .iter()
        .flat_map(|(_, capture)| &capture.traces)
        .filter(|trace| seen.insert(trace.id()))
        .collect()
}

fn judged(court: &Court<'_>, observations: &IndexMap<Path, Vec<Observation>>) -> Vec<Call> {
    let judged = observations.iter();
    let mut calls: Vec<Call> = judged.map(|(path, seen)| court.judge(path, seen)).collect();
    ranking::rank(&mut calls);
    // What a draft replays: candidates, or all calls where there is no candidate.
    let has_candidates = calls.iter().any(|call| call.class.is_feasible());
    for (call, seen) in calls.iter_mut().zip(observations.values()) {
        if call.class.is_feasible() || !has_candidates {
            call.arrivals = seen.iter().map(|seen| court.arrival(seen)).collect();
            call.payloads = samples::of(court.what_if.traces, seen);
        }
    }
    ranked(calls)
}

/// What is added up over all traces.
struct Collector<'a> {
    labels: &'a Labels,
    traces: usize,
    totals: Totals,
    observations: IndexMap<Numbers, Vec<Observation>, RandomState>,
    exclusive: IndexMap<Doing, (usize, Duration, Blocks), RandomState>,
    /// How long the caller of each trace waited; in which block of time each is, and how many there are.
    requests: Blocks,
    places: Vec<usize>,
    blocks: usize,
    values: Values,
    waiting: Duration,
    reader: Reader,
    told: Vec<Told>,
    survey: Survey,
    tops: Tops,
    usual: Usual,
    /// Services that are named by their callers alone.
    peers: IndexSet<String, RandomState>,
}

/// From this number on services are those of [`Collector::peers`].
const PEERS: u32 = 1 << 31;

impl<'a> Collector<'a> {
    fn new(labels: &'a Labels, values: Values, traces: usize) -> Self {
        Self {
            labels,
            traces,
            totals: Totals::default(),
            observations: IndexMap::default(),
            exclusive: IndexMap::default(),
            requests: Blocks::default(),
            places: Vec::new(),
            blocks: 0,
            values,
            waiting: Duration::ZERO,
            reader: Reader::default(),
            told: Vec::new(),
            survey: Survey::default(),
            tops: Tops::default(),
            usual: Usual::default(),
            peers: IndexSet::default(),
        }
    }

    /// Cuts the traces, by the time of their start, into blocks of as many.
    fn in_blocks(&mut self, traces: &[&Trace], observed: Duration) {
        self.blocks = interval::blocks(traces.len(), observed.as_secs_f64());
        self.requests = Blocks::new(self.blocks);
        self.places = vec![0; traces.len()];
        let mut order: Vec<(usize, &Trace)> = traces.iter().copied().enumerate().collect();
        order.sort_by_key(|(_, trace)| (began(trace), trace.id()));
        for (rank, (index, _)) in order.into_iter().enumerate() {
            if let Some(place) = self.places.get_mut(index) {
                *place = rank * self.blocks / traces.len();
            }
        }
    }

    fn place(&self, index: usize) -> usize {
        self.places.get(index).copied().unwrap_or_default()
    }

    fn add(&mut self, index: usize, trace: &Trace, what_if: &WhatIf<'_>, window: &Window) {
        let numbers = self.labels.trace(index);
        let mut told = std::mem::take(&mut self.told);
        self.reader.read(trace, &mut told);
        let order: Vec<usize> = trace.depth_first().collect();
        let times = what_if.times(index, &order);
        let weighted = (trace, told.as_slice(), what_if.weight(index));
        self.totals
            .add(weighted, (self.labels, numbers), (window, &times));
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
        if let Some(time) = time_of_caller(trace, &paths) {
            self.requests.add(self.place(index), time);
        }
        let names: Vec<u32> = numbers
            .iter()
            .map(|number| self.labels.label(*number).map_or(0, |label| label.name))
            .collect();
        let seen = Seen {
            index,
            trace,
            order: &order,
            times: &times,
            paths: &paths,
            known: &known,
            names: &names,
            told: &told,
        };
        let own = own_times(&seen);
        self.add_exclusive(&seen, &own);
        self.observe_calls(&seen, own, (what_if, window));
        self.told = told;
    }

    /// The number of a service that may have no span.
    fn peer(&mut self, name: String) -> u32 {
        if let Some(number) = self.labels.number_of_service(&name) {
            return number;
        }
        let (index, _) = self.peers.insert_full(name);
        PEERS | u32::try_from(index).unwrap_or(0)
    }

    fn service(&self, number: u32) -> &str {
        match number.checked_sub(PEERS) {
            Some(index) => self
                .peers
                .get_index(index as usize)
                .map_or("unknown", String::as_str),
            None => self.labels.service(number),
        }
    }

    fn number(&self, seen: &Seen<'_>, span: usize) -> Option<Label> {
        self.labels.label(self.labels.number(seen.index, span)?)
    }

    /// Adds the critical-path time of each span without that of its children.
    fn add_exclusive(&mut self, seen: &Seen<'_>, own: &[Duration]) {
        let (place, blocks) = (self.place(seen.index), self.blocks);
        for (index, time) in own.iter().enumerate() {
            let (Some(span), Some(label)) = (seen.trace.span(index), self.number(seen, index))
            else {
                continue;
            };
            let children = seen.trace.children(index).iter();
            let mut services =
                children.filter_map(|child| Some(self.number(seen, *child)?.service));
            let other = services.find(|service| *service != label.service);
            let callee = match other {
                Some(service) => Some(service),
                None => calls::peer(span).map(|peer| self.peer(peer)),
            };
            let total = self
                .exclusive
                .entry((label.service, label.name, callee))
                .or_insert_with(|| (0, Duration::ZERO, Blocks::new(blocks)));
            total.0 += 1;
            total.1 += *time;
            total.2.add(place, *time);
        }
    }

    /// All occurrences of each call path, by time.
    fn observations(&mut self) -> IndexMap<Path, Vec<Observation>> {
        let all = std::mem::take(&mut self.observations);
        all.into_iter()
            .map(|((caller, operation, callee, asked), mut seen)| {
                seen.sort_by_key(|seen| (seen.offset, seen.site));
                let path = (
                    self.service(caller).to_owned(),
                    self.labels.name(operation).to_owned(),
                    self.service(callee).to_owned(),
                    self.labels.name(asked).to_owned(),
                );
                (path, seen)
            })
            .collect()
    }

    fn observe_calls(
        &mut self,
        seen: &Seen<'_>,
        own: Vec<Duration>,
        (what_if, window): (&WhatIf<'_>, &Window),
    ) {
        let trace = seen.trace;
        let critical = critical_of_subtrees(seen, own);
        let mut survey = std::mem::take(&mut self.survey);
        survey.look(trace, seen.told, seen.order);
        let values = self.values.own(seen.index);
        let is_known = |span: usize| {
            let number = self.labels.number(seen.index, span);
            number.is_some_and(|number| self.usual.answer(number).is_some())
        };
        let all = calls::find(trace, seen.told, &is_known);
        let spans: Vec<usize> = all.iter().map(|found| found.call).collect();
        let origins = Origins::of(trace, seen.told, &all);
        let mut tops = std::mem::take(&mut self.tops);
        tops.begin(trace.spans().len());
        for found in all {
            let Some(path) = self.path(seen, found) else {
                continue;
            };
            let Some(start) = seen.times.get(found.call).copied() else {
                continue;
            };
            let time = critical.get(found.call).copied().unwrap_or_default();
            let offset = window.offset(start);
            let observed = observe(
                trace,
                (&mut survey, seen.told),
                (found, seen.names),
                offset,
                time,
            );
            if let (Some(mut observed), Ok(trace), Ok(span)) = (
                observed,
                u32::try_from(seen.index),
                u32::try_from(found.call),
            ) {
                observed.site = Site { trace, span };
                observed.request = what_if.request_of(observed.site, &mut tops);
                observed.marks.start = start.nanos();
                observed.marks.is_origin = origins.has(found.call);
                observed.marks.tainted = tainted(seen.trace, &values, found.call);
                let fed = fed(seen.trace, &values, found.call, &spans);
                observed.marks.feeds = fed.and_then(|fed| u32::try_from(fed).ok());
                let is_left = !observed.is_message && observed.request == NO_REQUEST;
                observed.marks.is_left_behind = is_left;
                observed.marks.may_be_joined = is_left && may_be_joined(seen.trace, found);
                let all = self.observations.entry(path).or_default();
                if all.len() == all.capacity() && !all.is_empty() {
                    // As many more as the rest of the traces will have, if they go on as they began.
                    let more = all.len() * (self.traces - seen.index) / (seen.index + 1);
                    all.reserve(more + 8);
                }
                all.push(observed);
            }
        }
        self.survey = survey;
        self.tops = tops;
    }

    /// Who calls whom for what, while handling what.
    fn path(&mut self, seen: &Seen<'_>, found: Found) -> Option<Numbers> {
        let trace = seen.trace;
        let call = self.number(seen, found.call)?;
        let entry = self.number(seen, found.entry)?;
        let answer = match found.answer {
            Some(answer) => self.number(seen, answer),
            None => {
                let asking = self.labels.number(seen.index, found.call);
                let usual = asking.and_then(|asking| self.usual.answer(asking));
                usual.and_then(|usual| self.labels.label(usual))
            }
        };
        let callee = match answer {
            Some(answer) => answer.service,
            None => {
                let peer = trace.span(found.call).and_then(calls::peer);
                self.peer(peer.unwrap_or_else(|| "unknown".to_owned()))
            }
        };
        let above = trace
            .parent(found.call)
            .filter(|_| found.answer == Some(found.call));
        let caller = above.and_then(|parent| self.number(seen, parent));
        let asked = answer.unwrap_or(call).name;
        Some((caller.unwrap_or(call).service, entry.name, callee, asked))
    }

    /// What is done, by time, most first.
    fn by_time(&self) -> Vec<Exclusive> {
        let each = self.exclusive.iter();
        let mut all: Vec<Exclusive> = each
            .map(
                |((service, operation, callee), (count, time, blocks))| Exclusive {
                    service: self.service(*service).to_owned(),
                    operation: self.labels.name(*operation).to_owned(),
                    callee: callee.map(|callee| self.service(callee).to_owned()),
                    count: *count,
                    time: *time,
                    blocks: blocks.clone(),
                },
            )
            .collect();
        all.sort_by(|a, b| {
            let names = |e: &Exclusive| (e.service.clone(), e.operation.clone(), e.callee.clone());
            b.time.cmp(&a.time).then_with(|| names(a).cmp(&names(b)))
        });
        all
    }
}

/// When the trace's request began: clocks of other hosts are not asked.
fn began(trace: &Trace) -> Timestamp {
    let whole = |root: &usize| trace.span(*root).is_some_and(|span| span.parent.is_none());
    let root = trace.roots().find(whole).or_else(|| trace.roots().next());
    let root = root.and_then(|root| trace.span(root));
    root.map_or(Timestamp::EPOCH, |root| root.start)
}

/// From the first start of a root to the last end of one: what other hosts' clocks say is not used.
fn stretch(capture: &Traces) -> Option<(Timestamp, Timestamp)> {
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
        format: formats(capture),
        traces: capture.traces.len(),
        spans: capture.spans().count(),
        left_out: left_out(&capture.skipped),
    }
}

/// Every format of a capture, as it may be several files put together.
fn formats(capture: &Traces) -> String {
    let all = std::iter::once(&capture.format).chain(&capture.other_formats);
    let names: Vec<String> = all.map(ToString::to_string).collect();
    names.join(", ")
}

fn left_out(skipped: &Skipped) -> Vec<String> {
    let counts = [
        (skipped.metrics, "documents of metrics"),
        (skipped.logs, "documents of logs"),
        (skipped.without_trace_id, "spans without a trace id"),
        (skipped.without_span_id, "spans without an id"),
        (skipped.without_time, "spans without a start time"),
        (
            skipped.without_end,
            "spans with no end, or one before their start, which count as 0 ns long",
        ),
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
    /// Its spans, parents before children.
    order: &'a [usize],
    /// When each started, by the clock of the first.
    times: &'a [Timestamp],
    paths: &'a [CriticalPath],
    known: &'a Known<'a>,
    /// The number of each span's name.
    names: &'a [u32],
    told: &'a [Told],
}

/// Whether something of the caller that goes on may wait for the call although the span that asks has ended before
/// it: asynchronous code asks so.
fn may_be_joined(trace: &Trace, found: Found) -> bool {
    let (Some(call), Some(entry)) = (trace.span(found.call), trace.span(found.entry)) else {
        return false;
    };
    let asks = trace.parent(found.call).and_then(|asks| trace.span(asks));
    asks.is_some_and(|asks| asks.end <= call.start) && call.end <= entry.end
}

/// How long the trace's caller waited: not for what messages lead to, and not once more for parts whose
/// parents were lost. `None` where nobody asked.
fn time_of_caller(trace: &Trace, paths: &[CriticalPath]) -> Option<Duration> {
    let asked = |path: &&CriticalPath| {
        let span = trace.span(path.entry);
        span.filter(|span| trace.parent(path.entry).is_none() && span.kind != SpanKind::Consumer)
    };
    let is_whole = |path: &&CriticalPath| asked(path).is_some_and(|span| span.parent.is_none());
    let has_root = paths.iter().any(|path| is_whole(&path));
    let counted = paths.iter().filter(|path| {
        if has_root {
            is_whole(path)
        } else {
            asked(path).is_some()
        }
    });
    counted
        .map(|path| nanos(path.duration))
        .reduce(|sum, time| sum + time)
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

/// The critical-path time of each span and everything below it that is waited for.
fn critical_of_subtrees(seen: &Seen<'_>, mut times: Vec<Duration>) -> Vec<Duration> {
    let trace = seen.trace;
    for child in seen.order.iter().rev().copied() {
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

fn nanos(length: i64) -> Duration {
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
    let each = call
        .savings
        .iter()
        .filter_map(|saving| Some(saving.mean.value()? * saving.stands_for / 1e9));
    let feasible = call.class.is_feasible();
    let seconds = if feasible { each.sum::<f64>() } else { 0.0 };
    let saved = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default();
    (saved, call.critical)
}
