//! What requests would have taken if a call had been changed: every trace, replayed.

pub(crate) mod change;
pub(crate) mod complete;
pub(crate) mod gaps;
pub(crate) mod layout;
pub(crate) mod limit;
pub(crate) mod order;
pub(crate) mod place;

use std::collections::HashMap;

use foldhash::fast::RandomState;
use tidegate_trace::{Labels, Trace};

use crate::interval::{self, Estimate, Paired, mean_saved, nanos};
use change::{Change, Replay, Scratch};
use complete::Completeness;
use gaps::Doubt;
use layout::{Layout, Paths};
use order::{Learned, Order, View};

/// One occurrence of a call: its trace and its span, by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Site {
    pub(crate) trace: u32,
    pub(crate) span: u32,
}

/// What the requests of one endpoint would save; nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Saving {
    /// The service that handles the requests.
    pub service: String,
    /// What they ask for.
    pub operation: String,
    /// Requests that were replayed.
    pub requests: usize,
    /// Those of them that the change makes a difference to.
    pub affected: usize,
    /// How many requests the endpoint had: those of incomplete traces, and what traces that were
    /// sampled stand for, among them.
    pub stands_for: f64,
    /// All requests of the endpoint, each second; `None` when less than a second was observed.
    pub rate: Option<f64>,
    /// What they take on average.
    pub before: f64,
    /// What is saved of it.
    pub mean: Estimate,
    /// What is saved of the median.
    pub p50: Estimate,
    /// What is saved of the 95th percentile.
    pub p95: Estimate,
    /// What is saved of the 99th percentile.
    pub p99: Estimate,
    /// What the mean would be if only orders that were seen to be waited for were real.
    pub optimistic: f64,
    /// How sure it is that each order that was taken for real is: of the least known call.
    pub confidence: f64,
}

/// A request: an entry of a trace that is complete enough.
#[derive(Clone, Copy, Debug)]
struct Request {
    site: Site,
    start: u64,
    length: i64,
    weight: f64,
}

/// Which parts of a saving lost spans may hide, after traces that show a loss were left out.
#[derive(Clone, Copy, Debug)]
struct Hidden {
    /// Of anything, to both sides.
    any: f64,
    /// Of the call itself, where nothing would miss it.
    calls: f64,
}

/// The requests of one endpoint, by time.
#[derive(Debug, Default)]
struct Endpoint {
    service: String,
    operation: String,
    requests: Vec<Request>,
    /// All requests, in the order of the traces.
    entries: Vec<Site>,
    /// The places of `requests` by length.
    by_length: Vec<u32>,
    /// What all stand for, those of incomplete traces as well.
    all: f64,
    first: u64,
    last: u64,
}

/// No endpoint: nobody enters by the path.
const NONE: usize = usize::MAX;

/// All traces, ready to be replayed.
#[derive(Debug)]
pub(crate) struct WhatIf<'a> {
    pub(crate) traces: &'a [&'a Trace],
    /// How many requests each trace stands for, as it was sampled.
    pub(crate) weights: &'a [f64],
    labels: &'a Labels,
    layouts: Vec<Layout>,
    learned: Learned,
    endpoints: Vec<Endpoint>,
    /// Which endpoint an entry's path is of.
    by_path: Vec<usize>,
    pub(crate) completeness: Completeness,
}

impl<'a> WhatIf<'a> {
    pub(crate) fn new(
        traces: &'a [&'a Trace],
        weights: &'a [f64],
        labels: &'a Labels,
        order: Order,
    ) -> Self {
        let mut paths = Paths::default();
        let steps = layout::steps(traces, labels);
        let mut layouts: Vec<Layout> = traces
            .iter()
            .enumerate()
            .map(|(index, trace)| Layout::new((index, trace), labels, &mut paths, &steps))
            .collect();
        let mut learned = Learned::from(&mut layouts, paths.len(), order);
        for layout in &mut layouts {
            layout.settle(|layout, parent, kid| learned.waits(layout, parent, kid));
        }
        let whole = complete::weigh(traces, &layouts, labels);
        if whole.completeness.lost.hits == 0 {
            learned.learn_gaps(&layouts);
        }
        let mut what_if = Self {
            traces,
            weights,
            labels,
            layouts,
            learned,
            endpoints: Vec::new(),
            by_path: vec![NONE; paths.len()],
            completeness: whole.completeness,
        };
        for (index, weight) in whole.by_trace.iter().enumerate() {
            what_if.add_requests(index, *weight);
        }
        for endpoint in &mut what_if.endpoints {
            endpoint.sort();
        }
        what_if
    }

    /// How many requests a trace stands for.
    pub(crate) fn weight(&self, trace: usize) -> f64 {
        self.weights.get(trace).copied().unwrap_or(1.0)
    }

    fn replay(&self, trace: usize, (view, doubt): (View, Doubt)) -> Option<Replay<'_>> {
        Some(Replay {
            layout: self.layouts.get(trace)?,
            learned: &self.learned,
            view,
            doubt,
        })
    }

    fn add_requests(&mut self, index: usize, weight: f64) {
        let Some(trace) = self.traces.get(index).copied() else {
            return;
        };
        for span in 0..trace.spans().len() {
            let layout = self.layouts.get(index);
            let is_entry = layout.is_some_and(|layout| layout.waiting(span).is_none());
            let place = layout.and_then(|layout| layout.place(span));
            let (true, Some(place), Some(entry)) = (is_entry, place.copied(), trace.span(span))
            else {
                continue;
            };
            let next = self.endpoints.len();
            let Some(known) = self.by_path.get_mut(place.path as usize) else {
                continue;
            };
            if *known == NONE {
                *known = next;
            }
            let known = *known;
            if known == next {
                let label = self.labels.number(index, span);
                let label = label.and_then(|label| self.labels.label(label));
                let name = label.map(|label| self.labels.name(label.name));
                self.endpoints.push(Endpoint {
                    service: entry.service.to_string(),
                    operation: name.unwrap_or_default().to_owned(),
                    first: u64::MAX,
                    ..Endpoint::default()
                });
            }
            let (Some(endpoint), Some(site)) = (self.endpoints.get_mut(known), site(index, span))
            else {
                continue;
            };
            let start = entry.start.nanos();
            let stands_for = self.weights.get(index).copied().unwrap_or(1.0);
            endpoint.all += stands_for;
            endpoint.entries.push(site);
            endpoint.first = endpoint.first.min(start);
            endpoint.last = endpoint.last.max(start);
            if weight > 0.0 {
                endpoint.requests.push(Request {
                    site,
                    start,
                    length: place.length,
                    weight: weight * stands_for,
                });
            }
        }
    }

    /// Whether the parent waits for its child, by all traces.
    pub(crate) fn waits(&self, trace: usize, parent: usize, child: usize) -> bool {
        self.layouts
            .get(trace)
            .is_none_or(|layout| layout.waiting(child) == Some(parent))
    }

    /// Whether the second child may have waited for the first, by all traces.
    pub(crate) fn may_precede(&self, trace: usize, parent: usize, pair: (usize, usize)) -> bool {
        self.layouts.get(trace).is_none_or(|layout| {
            self.learned
                .may_precede(layout, parent, pair, View::Pessimistic)
        })
    }

    /// The request that waits for a call, however indirectly.
    pub(crate) fn request_of(&self, call: Site) -> Option<Site> {
        let layout = self.layouts.get(call.trace as usize)?;
        let mut span = call.span as usize;
        while let Some(parent) = layout.waiting(span) {
            span = parent;
        }
        site(call.trace as usize, span)
    }

    /// The mean of what is given for requests, over those about as long as the 50th, 95th and 99th
    /// percentile of the endpoint that has most of them; within two percent of ranks to both sides.
    pub(crate) fn around(
        &self,
        times: &HashMap<Site, std::time::Duration, RandomState>,
    ) -> [Option<std::time::Duration>; 3] {
        let mut counts: HashMap<usize, usize, RandomState> = HashMap::default();
        for endpoint in times.keys().filter_map(|site| self.endpoint_of(*site)) {
            *counts.entry(endpoint).or_default() += 1;
        }
        let most = counts
            .into_iter()
            .max_by_key(|(endpoint, count)| (*count, *endpoint));
        let Some(endpoint) = most.and_then(|(endpoint, _)| self.endpoints.get(endpoint)) else {
            return [None; 3];
        };
        let by_length = &endpoint.by_length;
        let n = by_length.len();
        [50, 95, 99].map(|percent| {
            let (from, to) = (n * (percent - 2) / 100, (n * (percent + 2) / 100).min(n));
            let window = by_length.get(from..to).unwrap_or_default();
            let count = u32::try_from(window.len())
                .ok()
                .filter(|count| *count >= 10)?;
            let sum: std::time::Duration = window
                .iter()
                .filter_map(|place| times.get(&endpoint.requests.get(*place as usize)?.site))
                .sum();
            Some(sum / count)
        })
    }

    /// What each endpoint would save, the largest saving in all first.
    pub(crate) fn savings(
        &self,
        sites: &[Site],
        change: impl Fn(Site) -> Change,
        observed: std::time::Duration,
    ) -> Vec<Saving> {
        if self.completeness.withheld.is_some() {
            return Vec::new();
        }
        let (after, unsure) = self.changed(sites, &change, (View::Pessimistic, Doubt::Usual));
        let other = |view: (View, Doubt)| {
            let mut other = after.clone();
            other.extend(self.changed(&unsure, &change, view).0);
            other
        };
        let least = other((View::Pessimistic, Doubt::Longest));
        let most = other((View::Optimistic, Doubt::Shortest));
        let mut touched: Vec<usize> = after
            .keys()
            .chain(most.keys())
            .filter_map(|site| self.endpoint_of(*site))
            .collect();
        touched.sort_unstable();
        touched.dedup();
        let confidence = self.confidence(sites);
        let hidden = self.hidden(sites);
        let mut savings: Vec<(f64, Saving)> = touched
            .into_iter()
            .filter_map(|index| self.endpoints.get(index))
            .map(|endpoint| {
                let pairs = |after: &Changes| -> Vec<Paired> {
                    let requests = endpoint.requests.iter();
                    requests
                        .map(|request| Paired {
                            before: request.length,
                            after: *after.get(&request.site).unwrap_or(&request.length),
                            weight: request.weight,
                        })
                        .collect()
                };
                let bounds = [&least, &most].map(|after| mean_saved(&pairs(after)));
                let pairs = pairs(&after);
                let saving = endpoint.saving(&pairs, bounds, (confidence, hidden), observed);
                (mean_saved(&pairs) * endpoint.all, saving)
            })
            .collect();
        savings.sort_by(|(a, one), (b, other)| {
            let names = |saving: &Saving| (saving.service.clone(), saving.operation.clone());
            b.total_cmp(a).then_with(|| names(one).cmp(&names(other)))
        });
        savings.into_iter().map(|(_, saving)| saving).collect()
    }

    /// What the calls would save in all, in each of so many blocks of requests, by their time.
    pub(crate) fn block_totals(
        &self,
        sites: &[Site],
        change: impl Fn(Site) -> Change,
        blocks: usize,
    ) -> Vec<f64> {
        let (after, _) = self.changed(sites, &change, (View::Pessimistic, Doubt::Usual));
        let first = self.endpoints.iter().map(|endpoint| endpoint.first).min();
        let last = self.endpoints.iter().map(|endpoint| endpoint.last).max();
        let (first, last) = (first.unwrap_or(0), last.unwrap_or(0));
        let span = u128::from(last.saturating_sub(first)) + 1;
        let mut totals = vec![0.0; blocks];
        for request in self
            .endpoints
            .iter()
            .flat_map(|endpoint| &endpoint.requests)
        {
            let Some(after) = after.get(&request.site) else {
                continue;
            };
            let into = u128::from(request.start - first) * u128::try_from(blocks).unwrap_or(1);
            let block = usize::try_from(into / span).unwrap_or(0);
            if let Some(total) = totals.get_mut(block) {
                *total += (nanos(request.length) - nanos(*after)) * request.weight;
            }
        }
        totals
    }

    /// What requests would take; and the calls of those of which another view says something else.
    fn changed(
        &self,
        sites: &[Site],
        change: &impl Fn(Site) -> Change,
        view: (View, Doubt),
    ) -> (Changes, Vec<Site>) {
        let mut after = Changes::default();
        let mut unsure = Vec::new();
        let mut scratch = Scratch::default();
        let mut sorted = sites.to_vec();
        sorted.sort_unstable();
        let mut calls: Vec<(u32, Change)> = Vec::new();
        for sites in sorted.chunk_by(|a, b| a.trace == b.trace) {
            let Some(first) = sites.first() else { continue };
            calls.clear();
            calls.extend(sites.iter().map(|site| (site.span, change(*site))));
            let Some(replay) = self.replay(first.trace as usize, view) else {
                continue;
            };
            for changed in replay.change(&calls, &mut scratch) {
                if let Some(site) = site(first.trace as usize, changed.entry) {
                    after.insert(site, changed.after);
                }
            }
            if scratch.is_unsure {
                unsure.extend_from_slice(sites);
            }
        }
        (after, unsure)
    }

    /// The endpoint whose request it is.
    pub(crate) fn endpoint_of(&self, site: Site) -> Option<usize> {
        let layout = self.layouts.get(site.trace as usize)?;
        let path = layout.place(site.span as usize)?.path;
        let endpoint = self.by_path.get(path as usize).copied();
        endpoint.filter(|endpoint| *endpoint != NONE)
    }

    /// An endpoint's service and operation, and all its requests: those of incomplete traces too.
    pub(crate) fn entries(&self, endpoint: usize) -> (String, String, &[Site]) {
        self.endpoints.get(endpoint).map_or_else(
            || (String::new(), String::new(), [].as_slice()),
            |endpoint| {
                let (service, operation) = (&endpoint.service, &endpoint.operation);
                (
                    service.clone(),
                    operation.clone(),
                    endpoint.entries.as_slice(),
                )
            },
        )
    }

    /// Whether the request failed.
    pub(crate) fn failed(&self, request: Site) -> bool {
        let trace = self.traces.get(request.trace as usize);
        let span = trace.and_then(|trace| trace.span(request.span as usize));
        span.is_some_and(tidegate_trace::Span::failed)
    }

    /// How long the request took.
    pub(crate) fn length(&self, request: Site) -> std::time::Duration {
        let layout = self.layouts.get(request.trace as usize);
        let length = layout.map_or(0, |layout| layout.length(request.span as usize));
        std::time::Duration::from_nanos(length.unsigned_abs())
    }

    /// What lost spans hide of a call.
    ///
    /// A lost span with children is missed by them, and its trace is left out; the few that are left
    /// stand for all, so any saving may be off by the share that is lost. Beyond that, a call
    /// without children is missed by none: it may save more than is seen.
    fn hidden(&self, sites: &[Site]) -> Hidden {
        let lost = self.completeness.lost;
        let lost = match lost.interval() {
            Some((_, high)) if lost.hits > 0 => high,
            _ => 0.0,
        };
        let leaves = sites.iter().filter(|site| {
            let layout = self.layouts.get(site.trace as usize);
            layout.is_some_and(|layout| layout.kids(site.span as usize).is_empty())
        });
        let leaves = interval::number(leaves.count()) / interval::number(sites.len().max(1));
        Hidden {
            any: lost,
            calls: lost * leaves,
        }
    }

    fn confidence(&self, sites: &[Site]) -> f64 {
        let each = sites.iter().filter_map(|site| {
            let layout = self.layouts.get(site.trace as usize)?;
            let parent = layout.waiting(site.span as usize)?;
            Some(self.learned.seen(layout, parent, site.span as usize))
        });
        each.min().map_or(1.0, order::confidence)
    }
}

/// What requests take when something is changed.
type Changes = HashMap<Site, i64, RandomState>;

impl Endpoint {
    fn sort(&mut self) {
        self.requests
            .sort_unstable_by_key(|request| (request.start, request.site));
        let count = u32::try_from(self.requests.len()).unwrap_or(u32::MAX);
        self.by_length = (0..count).collect();
        self.by_length.sort_unstable_by_key(|place| {
            let request = self.requests.get(*place as usize);
            request.map(|request| (request.length, request.site))
        });
    }

    fn saving(
        &self,
        pairs: &[Paired],
        bounds: [f64; 2],
        (confidence, hidden): (f64, Hidden),
        observed: std::time::Duration,
    ) -> Saving {
        #[expect(clippy::cast_precision_loss, reason = "seconds of a capture are few")]
        let seconds = self.last.saturating_sub(self.first) as f64 / 1e9;
        let blocks = interval::blocks(pairs.len(), seconds);
        let saved = mean_saved(pairs);
        let [least, optimistic] = bounds;
        let below = (saved - least.min(optimistic)).max(0.0) + hidden.any * saved.abs();
        let above =
            (least.max(optimistic) - saved).max(0.0) + (hidden.any + hidden.calls) * saved.abs();
        let weight: f64 = pairs.iter().map(|pair| pair.weight).sum();
        let sum: f64 = pairs
            .iter()
            .map(|pair| nanos(pair.before) * pair.weight)
            .sum();
        let quantiles = interval::quantiles(pairs, blocks, [0.5, 0.95, 0.99]);
        let [p50, p95, p99] = quantiles.map(|quantile| quantile.widened(below, above));
        Saving {
            service: self.service.clone(),
            operation: self.operation.clone(),
            requests: pairs.len(),
            affected: pairs
                .iter()
                .filter(|pair| pair.before != pair.after)
                .count(),
            stands_for: self.all,
            rate: crate::services::rate(self.all, observed),
            before: if weight > 0.0 { sum / weight } else { 0.0 },
            mean: interval::mean(pairs, blocks).widened(below, above),
            p50,
            p95,
            p99,
            optimistic,
            confidence,
        }
    }
}

fn site(trace: usize, span: usize) -> Option<Site> {
    Some(Site {
        trace: u32::try_from(trace).ok()?,
        span: u32::try_from(span).ok()?,
    })
}
