//! Services and operations, summed up.

use std::collections::BTreeMap;
use std::time::Duration;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use tidegate_base::Timestamp;
use tidegate_trace::{Labels, SpanKind, Trace};

use crate::discovery::{Latency, Operation, Service};
use crate::replay::place;
use crate::statistics::{Proportion, Quantile};
use crate::told::Told;
use crate::window::Window;

/// Sums up spans as they pass.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// By the number of the service.
    services: IndexMap<u32, Service, RandomState>,
    /// By the number of the label.
    operations: Vec<Ran>,
}

#[derive(Debug, Default)]
struct Ran {
    durations: Vec<Duration>,
    /// What ran in each second, by what it stands for.
    seconds: Seconds,
    weight: f64,
    failures: Proportion,
    /// Those that are requests to the service, and how many of them failed.
    requests: Proportion,
    self_time: Duration,
}

impl Ran {
    fn add(&mut self, mut other: Self) {
        if self.durations.is_empty() {
            *self = other;
            return;
        }
        self.durations.append(&mut other.durations);
        self.seconds.add_all(other.seconds);
        self.weight += other.weight;
        self.failures.add(other.failures);
        self.self_time += other.self_time;
    }
}

impl Totals {
    /// Adds the spans of a trace that stands for so many.
    pub(crate) fn add(
        &mut self,
        (trace, told, weight): (&Trace, &[Told], f64),
        labels: (&Labels, &[u32]),
        (window, times): (&Window, &[Timestamp]),
    ) {
        if self.operations.len() < labels.0.len() {
            self.operations.resize_with(labels.0.len(), Ran::default);
        }
        let spans = trace.spans().iter().enumerate();
        for (((index, span), number), told) in spans.zip(labels.1).zip(told) {
            let Some(ran) = self.operations.get_mut(*number as usize) else {
                continue;
            };
            if is_request(trace, index) {
                ran.requests.count(told.failed.into());
            }
            ran.durations.push(span.duration());
            let start = times.get(index).copied().unwrap_or(span.start);
            ran.seconds.add(window.offset(start), weight);
            ran.weight += weight;
            ran.failures.count(told.failed.into());
            ran.self_time += self_time(trace, index);
        }
    }

    pub(crate) fn finish(
        mut self,
        labels: &Labels,
        observed: Duration,
    ) -> (Vec<Service>, Vec<Operation>) {
        // Spans of several kinds may have one name.
        let mut by_name: IndexMap<(u32, u32), Ran, RandomState> = IndexMap::default();
        for (number, ran) in self.operations.into_iter().enumerate() {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let Some(label) = labels.label(number).filter(|_| !ran.durations.is_empty()) else {
                continue;
            };
            let service = self.services.entry(label.service);
            let service = service.or_insert_with(|| Service {
                name: labels.service(label.service).to_owned(),
                spans: 0,
                operations: 0,
                failures: Proportion::default(),
            });
            service.spans += ran.durations.len();
            service.failures.add(ran.requests);
            by_name
                .entry((label.service, label.name))
                .or_default()
                .add(ran);
        }
        let mut operations = Vec::with_capacity(by_name.len());
        for ((service, name), mut ran) in by_name {
            if let Some(known) = self.services.get_mut(&service) {
                known.operations += 1;
            }
            ran.seconds.finish();
            operations.push(Operation {
                count: ran.durations.len(),
                rate: rate(ran.weight, observed),
                peak: ran.seconds.peak(),
                latency: latency(ran.durations),
                failures: ran.failures,
                self_time: ran.self_time,
                service: labels.service(service).to_owned(),
                name: labels.name(name).to_owned(),
            });
        }
        operations.sort_by(|a, b| {
            (std::cmp::Reverse(a.self_time), &a.service, &a.name).cmp(&(
                std::cmp::Reverse(b.self_time),
                &b.service,
                &b.name,
            ))
        });
        let mut services: Vec<Service> = self.services.into_values().collect();
        services.sort_by(|a, b| a.name.cmp(&b.name));
        (services, operations)
    }
}

/// Whether the span is a request to its service: it answers, or it comes from elsewhere.
fn is_request(trace: &Trace, index: usize) -> bool {
    let Some(span) = trace.span(index) else {
        return false;
    };
    match span.kind {
        SpanKind::Server | SpanKind::Consumer => true,
        SpanKind::Client | SpanKind::Producer => false,
        SpanKind::Unspecified | SpanKind::Internal => {
            let parent = trace.parent(index).and_then(|parent| trace.span(parent));
            parent.is_none_or(|parent| parent.service != span.service)
        }
    }
}

/// The span's duration without the time in which it waited for a child. Clocks of other hosts change nothing
/// where durations place the child.
fn self_time(trace: &Trace, index: usize) -> Duration {
    let Some(span) = trace.span(index) else {
        return Duration::ZERO;
    };
    let own = place::length(span);
    let has_one_answer = place::has_one_answer(trace, index);
    let children = trace.children(index).iter();
    let mut waits: Vec<(i64, i64)> = children
        .filter(|child| place::is_waited_for(trace, (index, has_one_answer), **child))
        .filter_map(|child| trace.span(*child))
        .map(|child| {
            let start = place::start_in(span, child, has_one_answer);
            let end = start.saturating_add(place::length(child));
            (start.clamp(0, own), end.clamp(0, own))
        })
        .collect();
    waits.sort_unstable();
    let mut reached = 0;
    let mut waited = 0;
    for (start, end) in waits {
        waited += (end - start.max(reached)).max(0);
        reached = reached.max(end);
    }
    Duration::from_nanos(u64::try_from(own - waited).unwrap_or_default())
}

/// How often a second, of what stands for so many; `None` when less than a second was observed.
pub(crate) fn rate(count: f64, observed: Duration) -> Option<f64> {
    (observed >= Duration::from_secs(1)).then(|| count / observed.as_secs_f64())
}

/// What happened in each second of the window.
#[derive(Debug, Default)]
pub(crate) struct Seconds {
    /// All but the last one that was added to.
    all: BTreeMap<u64, f64>,
    last: (u64, f64),
}

impl Seconds {
    pub(crate) fn add(&mut self, offset: Duration, weight: f64) {
        let second = offset.as_secs();
        if self.last.0 != second {
            self.finish();
            self.last = (second, 0.0);
        }
        self.last.1 += weight;
    }

    fn add_all(&mut self, mut other: Self) {
        other.finish();
        for (second, weight) in other.all {
            *self.all.entry(second).or_default() += weight;
        }
    }

    /// Counts the last second among all.
    pub(crate) fn finish(&mut self) {
        let (second, weight) = std::mem::take(&mut self.last);
        if weight != 0.0 {
            *self.all.entry(second).or_default() += weight;
        }
    }

    /// The most in one of them.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of spans are not negative and far below 2^52"
    )]
    pub(crate) fn peak(&self) -> usize {
        self.all
            .values()
            .fold(0.0, |most: f64, one| most.max(*one))
            .round() as usize
    }
}

/// The most in one of the window's seconds, where each stands for so many.
pub(crate) fn peak(offsets: impl IntoIterator<Item = (Duration, f64)>) -> usize {
    let mut seconds = Seconds::default();
    for (offset, weight) in offsets {
        seconds.add(offset, weight);
    }
    seconds.finish();
    seconds.peak()
}

pub(crate) fn latency(mut durations: Vec<Duration>) -> Latency {
    durations.sort_unstable();
    Latency {
        p50: Quantile::of(&durations, 0.5),
        p95: Quantile::of(&durations, 0.95),
        p99: Quantile::of(&durations, 0.99),
        max: durations.last().copied().unwrap_or_default(),
    }
}
