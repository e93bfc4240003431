//! Services and operations, summed up.

use std::time::Duration;

use indexmap::IndexMap;
use tidegate_trace::{SpanKind, Trace};

use crate::discovery::{Latency, Operation, Service};
use crate::operation;
use crate::statistics::{Proportion, Quantile};
use crate::window::Window;

/// Sums up spans as they pass.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    services: IndexMap<String, Service>,
    operations: IndexMap<(String, String), Ran>,
}

#[derive(Debug, Default)]
struct Ran {
    durations: Vec<Duration>,
    offsets: Vec<Duration>,
    failures: Proportion,
    self_time: Duration,
}

impl Totals {
    pub(crate) fn add(&mut self, trace: &Trace, window: &Window) {
        for (index, span) in trace.spans().iter().enumerate() {
            let name = span.service.to_string();
            let service = self
                .services
                .entry(name.clone())
                .or_insert_with(|| Service {
                    name: name.clone(),
                    spans: 0,
                    operations: 0,
                    failures: Proportion::default(),
                });
            service.spans += 1;
            if is_request(trace, index) {
                service.failures.count(span.failed().into());
            }
            let ran = self
                .operations
                .entry((name, operation::name(span)))
                .or_default();
            ran.durations.push(span.duration());
            ran.offsets.push(window.offset(span.start));
            ran.failures.count(span.failed().into());
            ran.self_time += self_time(trace, index);
        }
    }

    pub(crate) fn finish(mut self, observed: Duration) -> (Vec<Service>, Vec<Operation>) {
        let mut operations = Vec::with_capacity(self.operations.len());
        for ((service, name), ran) in self.operations {
            if let Some(known) = self.services.get_mut(&service) {
                known.operations += 1;
            }
            operations.push(Operation {
                count: ran.durations.len(),
                rate: rate(ran.durations.len(), observed),
                peak: peak(ran.offsets),
                latency: latency(ran.durations),
                failures: ran.failures,
                self_time: ran.self_time,
                service,
                name,
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

/// The span's duration without the time in which a child ran, by raw times.
fn self_time(trace: &Trace, index: usize) -> Duration {
    let Some(span) = trace.span(index) else {
        return Duration::ZERO;
    };
    let mut covered = Duration::ZERO;
    let mut reached = span.start;
    for child in trace
        .children(index)
        .iter()
        .filter_map(|child| trace.span(*child))
    {
        let (start, end) = (child.start.max(reached), child.end.min(span.end));
        covered += end.since(start);
        reached = reached.max(end);
    }
    span.duration().saturating_sub(covered)
}

/// How often a second; `None` when less than a second was observed.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of spans are far below 2^52"
)]
pub(crate) fn rate(count: usize, observed: Duration) -> Option<f64> {
    (observed >= Duration::from_secs(1)).then(|| count as f64 / observed.as_secs_f64())
}

/// The most in one of the window's seconds.
pub(crate) fn peak(offsets: impl IntoIterator<Item = Duration>) -> usize {
    let mut seconds: IndexMap<u64, usize> = IndexMap::new();
    for offset in offsets {
        *seconds.entry(offset.as_secs()).or_default() += 1;
    }
    seconds.into_values().max().unwrap_or_default()
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
