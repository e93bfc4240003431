//! What requests would have taken if a call had been changed: every trace, replayed.

pub(crate) mod change;
pub(crate) mod complete;
mod endpoint;
pub(crate) mod gaps;
pub(crate) mod layout;
pub(crate) mod limit;
pub(crate) mod order;
pub(crate) mod place;
mod predicted;
pub(crate) mod waits;

use std::time::Duration;

use tidegate_base::Timestamp;
use tidegate_trace::{Labels, Trace};

use crate::interval::{self, Estimate, mean_saved};
use crate::tops::Tops;
use change::{Change, Replay, Scratch};
use complete::Completeness;
use endpoint::{Endpoint, Request};
use gaps::Doubt;
use layout::{Layout, Paths};
use order::{Learned, Order, View};
pub(crate) use predicted::BLOCKS;
pub use predicted::Saving;
use predicted::{Changes, Predicted, UNCHANGED};

/// One occurrence of a call: its trace and its span, by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Site {
    pub(crate) trace: u32,
    pub(crate) span: u32,
}

/// Which parts of a saving lost spans may hide, after traces that show a loss were left out.
#[derive(Clone, Copy, Debug, Default)]
struct Hidden {
    /// Of anything, to both sides.
    any: f64,
    /// Of the call itself, where nothing would miss it.
    calls: f64,
}

/// No endpoint: nobody enters by the path.
const NONE: usize = usize::MAX;
/// No request begins with the span.
pub(crate) const NO_REQUEST: u32 = u32::MAX;

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
    /// The number of the request that begins with each span, trace after trace; and where those of each
    /// trace begin.
    numbers: Vec<u32>,
    starts: Vec<usize>,
    /// How many requests there are.
    requests: usize,
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
        let mut before = Vec::new();
        for layout in &mut layouts {
            layout.settle(|layout, parent, kid| learned.waits(layout, parent, kid));
            layout.prepare(&learned, &mut before);
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
            numbers: Vec::new(),
            starts: Vec::new(),
            requests: 0,
            completeness: whole.completeness,
        };
        for (index, weight) in whole.by_trace.iter().enumerate() {
            what_if.add_requests(index, *weight);
        }
        for endpoint in &mut what_if.endpoints {
            endpoint.sort();
        }
        what_if.number_requests();
        what_if
    }

    fn number_requests(&mut self) {
        let mut spans = 0;
        for trace in self.traces {
            self.starts.push(spans);
            spans += trace.spans().len();
        }
        self.numbers = vec![NO_REQUEST; spans];
        for endpoint in &mut self.endpoints {
            endpoint.first_number = self.requests;
            for entry in &endpoint.entries {
                let start = self.starts.get(entry.trace as usize);
                let place = start.map(|start| start + entry.span as usize);
                if let Some(number) = place.and_then(|place| self.numbers.get_mut(place)) {
                    *number = u32::try_from(self.requests).unwrap_or(NO_REQUEST);
                }
                self.requests += 1;
            }
        }
        let (starts, numbers) = (&self.starts, &self.numbers);
        for request in self.endpoints.iter_mut().flat_map(|one| &mut one.requests) {
            request.number = number(starts, numbers, request.site).unwrap_or(NO_REQUEST);
        }
    }

    /// The number of the request that begins with the span.
    fn number(&self, site: Site) -> Option<usize> {
        number(&self.starts, &self.numbers, site).map(|number| number as usize)
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

    /// When a request began, by the clock of the trace's first span. What messages lead to may lie deep in each other:
    /// the times of all spans are found at once, where any is asked for.
    fn began(&self, (index, span): (usize, usize), times: &mut Option<Vec<Timestamp>>) -> u64 {
        let Some(trace) = self.traces.get(index) else {
            return 0;
        };
        let time = match trace.parent(span) {
            None => trace.span(span).map(|root| root.start),
            Some(_) => {
                let find = || self.times(index, &trace.depth_first().collect::<Vec<_>>());
                times.get_or_insert_with(find).get(span).copied()
            }
        };
        time.map_or(0, Timestamp::nanos)
    }

    fn add_requests(&mut self, index: usize, weight: f64) {
        let Some(trace) = self.traces.get(index).copied() else {
            return;
        };
        let mut times = None;
        for span in 0..trace.spans().len() {
            let layout = self.layouts.get(index);
            let place = layout.and_then(|layout| layout.place(span));
            let is_request = place::is_request(trace, span);
            let (true, Some(place), Some(entry)) = (is_request, place.copied(), trace.span(span))
            else {
                continue;
            };
            let start = self.began((index, span), &mut times);
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
            let stands_for = self.weights.get(index).copied().unwrap_or(1.0);
            endpoint.all += stands_for;
            endpoint.entries.push(site);
            endpoint.first = endpoint.first.min(start);
            endpoint.last = endpoint.last.max(start);
            if weight > 0.0 {
                endpoint.requests.push(Request {
                    site,
                    number: NO_REQUEST,
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

    /// When each span of a trace started, by the clock of its first span; `order` has parents before children.
    pub(crate) fn times(&self, index: usize, order: &[usize]) -> Vec<Timestamp> {
        let mut times = vec![0_u64; order.len()];
        if let (Some(trace), Some(layout)) = (self.traces.get(index), self.layouts.get(index)) {
            for span in order.iter().copied() {
                let parent = trace.parent(span).and_then(|parent| times.get(parent));
                let after = layout.place(span).map_or(0, |place| place.start);
                let time = match parent {
                    Some(parent) => parent.saturating_add_signed(after),
                    None => trace.span(span).map_or(0, |root| root.start.nanos()),
                };
                if let Some(own) = times.get_mut(span) {
                    *own = time;
                }
            }
        }
        times.into_iter().map(Timestamp::from_nanos).collect()
    }

    /// Whether the second child may have waited for the first, by all traces.
    pub(crate) fn may_precede(&self, trace: usize, parent: usize, pair: (usize, usize)) -> bool {
        self.layouts.get(trace).is_none_or(|layout| {
            self.learned
                .may_precede(layout, parent, pair, View::Pessimistic)
        })
    }

    /// The number of the request that waits for a call, however indirectly; [`NO_REQUEST`] of none.
    pub(crate) fn request_of(&self, call: Site, tops: &mut Tops) -> u32 {
        let Some(layout) = self.layouts.get(call.trace as usize) else {
            return NO_REQUEST;
        };
        let top = tops.of(call.span as usize, |span| layout.waiting(span));
        let entry = site(call.trace as usize, top);
        let number = entry.and_then(|entry| number(&self.starts, &self.numbers, entry));
        number.unwrap_or(NO_REQUEST)
    }

    /// A time of each request added up; those without one are left out, so that a call of few requests costs little.
    pub(crate) fn by_request(&self, times: impl Iterator<Item = (u32, Duration)>) -> Times {
        let mut sums: Vec<(u32, Duration)> = times
            .filter(|(request, _)| (*request as usize) < self.requests)
            .collect();
        sums.sort_unstable_by_key(|(request, _)| *request);
        sums.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                earlier.1 += later.1;
            }
            is_same
        });
        Times(sums)
    }

    /// The endpoint that has most of the requests that are given a time, and those.
    pub(crate) fn fullest<'t>(&self, times: &'t Times) -> Option<(usize, &'t [(u32, Duration)])> {
        let mut fullest: Option<(usize, &[(u32, Duration)])> = None;
        let mut rest = times.0.as_slice();
        while let Some((request, _)) = rest.first() {
            let endpoint = self.endpoint_of_request(*request)?;
            let end = self.endpoints.get(endpoint)?.numbers().end;
            let count = rest.partition_point(|(request, _)| (*request as usize) < end);
            let (own, others) = rest.split_at_checked(count)?;
            rest = others;
            if fullest.is_none_or(|(_, most)| own.len() > most.len()) {
                fullest = Some((endpoint, own));
            }
        }
        fullest
    }

    /// The mean of what is given for requests, over those about as long as the 50th, 95th and 99th
    /// percentile of the endpoint that has most of them; within two percent of ranks to both sides.
    pub(crate) fn around(&self, times: &Times) -> [Option<Duration>; 3] {
        let fullest = self.fullest(times);
        let fullest = fullest.and_then(|(at, own)| Some((self.endpoints.get(at)?, own)));
        let Some((endpoint, own)) = fullest else {
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
            let sum: Duration = window
                .iter()
                .filter_map(|place| {
                    let request = endpoint.requests.get(*place as usize)?;
                    let found = own.binary_search_by_key(&request.number, |(number, _)| *number);
                    own.get(found.ok()?).map(|(_, time)| *time)
                })
                .sum();
            Some(sum / count)
        })
    }

    /// What each endpoint would save, the largest saving in all first.
    pub(crate) fn savings(
        &self,
        sites: &[Site],
        change: impl Fn(Site) -> Change,
        observed: Duration,
    ) -> Vec<Saving> {
        let confidence = self.confidence(sites);
        let lengths = self
            .endpoints
            .iter()
            .map(|one| one.last.saturating_sub(one.first));
        let length = lengths.max().unwrap_or(0);
        let predicted = self.predicted(sites, &change).into_iter();
        let savings = predicted.map(|one| one.saving(confidence, (observed, length)));
        savings.collect()
    }

    /// What each endpoint would save on average by each of the changes, in the same order.
    pub(crate) fn means<const N: usize>(
        &self,
        sites: &[Site],
        changes: [&dyn Fn(Site) -> Change; N],
    ) -> [Vec<Estimate>; N] {
        let mut usual = self.changed(sites, &changes).into_iter();
        changes.map(|change| {
            let usual = usual.next();
            let predicted = usual.map(|usual| self.predict(usual, sites, change));
            predicted.iter().flatten().map(Predicted::mean).collect()
        })
    }

    fn predicted(&self, sites: &[Site], change: &dyn Fn(Site) -> Change) -> Vec<Predicted<'_>> {
        let usual = self.changed(sites, &[change]).pop();
        usual.map_or_else(Vec::new, |usual| self.predict(usual, sites, change))
    }

    /// From what requests would take as all views together say it, to what each endpoint would save.
    fn predict(
        &self,
        usual: Changes,
        sites: &[Site],
        change: &dyn Fn(Site) -> Change,
    ) -> Vec<Predicted<'_>> {
        let other = |view: (View, Doubt)| {
            let mut other = usual.clone();
            other.unsure.clear();
            self.change(
                std::slice::from_mut(&mut other),
                &usual.unsure,
                &[change],
                view,
            );
            other
        };
        // Where all views come to one result, they are not asked again.
        let others = (!usual.unsure.is_empty()).then(|| {
            let least = other((View::Pessimistic, Doubt::Longest));
            (least, other((View::Optimistic, Doubt::Shortest)))
        });
        let hidden = self.hidden(sites);
        let most = others.as_ref().map_or(&usual, |(_, most)| most);
        let touched = self.endpoints.iter().enumerate().filter(|(index, _)| {
            [&usual, most]
                .iter()
                .any(|changes| changes.endpoints.get(*index) == Some(&true))
        });
        let mut predicted: Vec<Predicted<'_>> = touched
            .map(|(_, endpoint)| {
                let pairs = endpoint.pairs(&usual);
                let bounds = others.as_ref().map(|(least, most)| {
                    [least, most].map(|changes| mean_saved(&endpoint.pairs(changes)))
                });
                Predicted::new(endpoint, pairs, bounds, hidden)
            })
            .collect();
        predicted.sort_by(|a, b| {
            let names = |one: &Predicted<'_>| {
                (one.endpoint.service.clone(), one.endpoint.operation.clone())
            };
            let all = |one: &Predicted<'_>| one.saved * one.endpoint.all;
            all(b)
                .total_cmp(&all(a))
                .then_with(|| names(a).cmp(&names(b)))
        });
        predicted
    }

    /// What requests would take by each of the changes, and the calls of those of which another view says
    /// something else; nothing where it is withheld.
    fn changed(&self, sites: &[Site], changes: &[&dyn Fn(Site) -> Change]) -> Vec<Changes> {
        if self.completeness.withheld.is_some() {
            return Vec::new();
        }
        let unchanged = Changes {
            after: vec![UNCHANGED; self.requests],
            endpoints: vec![false; self.endpoints.len()],
            unsure: Vec::new(),
        };
        let mut changed = vec![unchanged; changes.len()];
        self.change(
            &mut changed,
            sites,
            changes,
            (View::Pessimistic, Doubt::Usual),
        );
        changed
    }

    /// Replays every trace by each of the changes, one right after the other: traces lie far apart.
    fn change(
        &self,
        changed: &mut [Changes],
        sites: &[Site],
        changes: &[&dyn Fn(Site) -> Change],
        view: (View, Doubt),
    ) {
        let mut scratch = Scratch::default();
        let mut sorted = Vec::new();
        let sites = if sites.is_sorted() {
            sites
        } else {
            sorted.extend_from_slice(sites);
            sorted.sort_unstable();
            &sorted
        };
        let mut calls: Vec<(u32, Change)> = Vec::new();
        for sites in sites.chunk_by(|a, b| a.trace == b.trace) {
            let Some(first) = sites.first() else { continue };
            let Some(replay) = self.replay(first.trace as usize, view) else {
                continue;
            };
            for (changed, change) in changed.iter_mut().zip(changes) {
                calls.clear();
                calls.extend(sites.iter().map(|site| (site.span, change(*site))));
                replay.change(&calls, &mut scratch);
                self.note(changed, first.trace, &scratch);
                if scratch.is_unsure {
                    changed.unsure.extend_from_slice(sites);
                }
            }
        }
    }

    /// Notes which requests of a trace take another time.
    fn note(&self, changes: &mut Changes, trace: u32, scratch: &Scratch) {
        for changed in &scratch.changed {
            let Some(site) = site(trace as usize, changed.entry) else {
                continue;
            };
            // Work that nobody waits for is no request.
            let Some(number) = self.number(site) else {
                continue;
            };
            let endpoint = self.endpoint_of(site);
            if let Some(is) = endpoint.and_then(|one| changes.endpoints.get_mut(one)) {
                *is = true;
            }
            if let Some(after) = changes.after.get_mut(number) {
                *after = changed.after;
            }
        }
    }

    /// The endpoint whose request it is.
    fn endpoint_of(&self, site: Site) -> Option<usize> {
        let layout = self.layouts.get(site.trace as usize)?;
        let path = layout.place(site.span as usize)?.path;
        let endpoint = self.by_path.get(path as usize).copied();
        endpoint.filter(|endpoint| *endpoint != NONE)
    }

    /// An endpoint's service and operation, and all its requests with the number of the first: those of
    /// incomplete traces too.
    pub(crate) fn entries(&self, endpoint: usize) -> (&str, &str, &[Site], usize) {
        self.endpoints
            .get(endpoint)
            .map_or(("", "", &[], 0), |endpoint| {
                let (service, operation) = (&endpoint.service, &endpoint.operation);
                (service, operation, &endpoint.entries, endpoint.first_number)
            })
    }

    /// The endpoint of a request, by its number.
    pub(crate) fn endpoint_of_request(&self, request: u32) -> Option<usize> {
        let request = request as usize;
        let after = self
            .endpoints
            .partition_point(|one| one.first_number <= request);
        let endpoint = after.checked_sub(1)?;
        let numbers = self.endpoints.get(endpoint)?.numbers();
        numbers.contains(&request).then_some(endpoint)
    }

    /// Whether the request failed.
    pub(crate) fn failed(&self, request: Site) -> bool {
        let trace = self.traces.get(request.trace as usize);
        let span = trace.and_then(|trace| trace.span(request.span as usize));
        span.is_some_and(tidegate_trace::Span::failed)
    }

    /// How long the request took.
    pub(crate) fn length(&self, request: Site) -> Duration {
        let layout = self.layouts.get(request.trace as usize);
        let length = layout.map_or(0, |layout| layout.length(request.span as usize));
        Duration::from_nanos(length.unsigned_abs())
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
            _ => return Hidden::default(),
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

/// A time for each of some requests, by their numbers.
pub(crate) struct Times(Vec<(u32, Duration)>);

/// The number of the request that begins with the span.
fn number(starts: &[usize], numbers: &[u32], site: Site) -> Option<u32> {
    let start = starts.get(site.trace as usize)?;
    let number = *numbers.get(start + site.span as usize)?;
    (number != NO_REQUEST).then_some(number)
}

fn site(trace: usize, span: usize) -> Option<Site> {
    Some(Site {
        trace: u32::try_from(trace).ok()?,
        span: u32::try_from(span).ok()?,
    })
}
