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
    /// All but the last one that was added to: what each stands for, and how much was kept of it.
    all: BTreeMap<u64, (f64, f64)>,
    last: (u64, f64, f64),
}

impl Seconds {
    pub(crate) fn add(&mut self, offset: Duration, weight: f64) {
        let second = offset.as_secs();
        if self.last.0 != second {
            self.finish();
            self.last = (second, 0.0, 0.0);
        }
        self.last.1 += weight;
        self.last.2 += 1.0;
    }

    fn add_all(&mut self, mut other: Self) {
        other.finish();
        for (second, (weight, kept)) in other.all {
            self.count(second, weight, kept);
        }
    }

    /// Counts the last second among all.
    pub(crate) fn finish(&mut self) {
        let (second, weight, kept) = std::mem::take(&mut self.last);
        if kept > 0.0 {
            self.count(second, weight, kept);
        }
    }

    fn count(&mut self, second: u64, weight: f64, kept: f64) {
        let known = self.all.entry(second).or_default();
        known.0 += weight;
        known.1 += kept;
    }

    /// In windows of so many seconds a peak is told. Where each one that was kept stands for several, a second with few of
    /// them tells chance, so often over: the shortest of these windows that has a hundred on average, or the longest.
    fn window(&self) -> u64 {
        const WINDOWS: [u64; 7] = [1, 2, 5, 10, 20, 30, 60];
        const KEPT_MIN: f64 = 100.0;
        let sum = |of: fn(&(f64, f64)) -> f64| self.all.values().map(of).sum::<f64>();
        let (weight, kept) = (sum(|second| second.0), sum(|second| second.1));
        let [Some(first), Some(last)] = [self.all.keys().next(), self.all.keys().next_back()]
        else {
            return 1;
        };
        if weight <= kept * 1.001 {
            return 1;
        }
        #[expect(clippy::cast_precision_loss, reason = "seconds of a capture are few")]
        let enough = |window: &u64| kept * *window as f64 >= KEPT_MIN * (last - first + 1) as f64;
        let longest = WINDOWS
            .iter()
            .copied()
            .rfind(|window| *window <= last - first + 1);
        let found = WINDOWS.into_iter().find(enough);
        found.unwrap_or(60).min(longest.unwrap_or(1))
    }

    /// The most in one of them; on average in one of the fullest window, where what was kept stands for more.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of spans are not negative and far below 2^52"
    )]
    #[expect(clippy::cast_precision_loss, reason = "a window is a minute at most")]
    pub(crate) fn peak(&self) -> usize {
        let window = self.window();
        let mut most: f64 = 0.0;
        let mut current = (0, 0.0);
        for (second, (weight, _)) in &self.all {
            if second / window != current.0 {
                current = (second / window, 0.0);
            }
            current.1 += weight;
            most = most.max(current.1);
        }
        (most / window as f64).round() as usize
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
