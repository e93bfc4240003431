//! Which calls become events, and what is known of each.

use std::collections::HashSet;
use std::time::Duration;

use indexmap::IndexMap;
use tidegate_base::Name;
use tidegate_base::limit::CONCURRENCY_MAX;
use tidegate_trace::recording::{Arrival, Outcome};

use super::samples::Samples;
use super::schema::{self, Schema};
use super::{Basis, naming};
use crate::discovery::{Call, Class, Discovery};
use crate::interval::number;
use crate::services::{peak, rate};
use crate::workload;

/// Most events of a draft where the evidence allows them.
const FEASIBLE_MAX: usize = 100;
/// Most events of a draft for exploring.
const EXPLORING_MAX: usize = 6;
/// The utilisation at the peak that a draft's concurrency aims at.
const UTILISATION_AIM: f64 = 0.5;
/// The shortest timeout of a draft.
const TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// One event of a draft: all calls of one operation from one service to another.
#[derive(Clone, Debug)]
pub(super) struct Proposal<'a> {
    pub(super) event: Name,
    pub(super) publisher: Name,
    pub(super) consumer: Name,
    /// The calls, costliest first; never empty.
    pub(super) calls: Vec<&'a Call>,
    /// All of them, by time.
    pub(super) arrivals: Vec<Arrival>,
    pub(super) rate: Option<f64>,
    pub(super) peak: usize,
    /// How long one handling takes.
    pub(super) handling: Handling,
    pub(super) failures: usize,
    /// What is known of its payload.
    pub(super) schema: Schema,
}

/// How long one handling takes.
#[derive(Clone, Debug)]
pub(super) struct Handling {
    /// What keeps workers busy: a median says nothing of a handler that is slow now and then.
    pub(super) mean: Duration,
    pub(super) median: Duration,
    /// The variance over the squared mean; `None` of fewer than ten.
    pub(super) scv: Option<f64>,
    /// The longest, or p99 where it can be estimated.
    pub(super) high: Duration,
}

impl Handling {
    fn of(arrivals: &[Arrival]) -> Self {
        let each = arrivals.iter().map(|arrival| arrival.handler_time);
        let mut times: Vec<Duration> = each.collect();
        times.sort_unstable();
        let seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
        let longest = times.last().copied().unwrap_or_default();
        let count = u32::try_from(times.len()).unwrap_or(u32::MAX).max(1);
        Self {
            mean: times.iter().sum::<Duration>() / count,
            median: times.get(times.len() / 2).copied().unwrap_or_default(),
            scv: workload::scv(&seconds),
            high: crate::Quantile::of(&times, 0.99).value().unwrap_or(longest),
        }
    }
}

/// The proposals, costliest first, and why they are in.
pub(super) fn proposals(discovery: &Discovery) -> (Basis, Vec<Proposal<'_>>) {
    let feasible = grouped(
        discovery
            .calls
            .iter()
            .filter(|call| call.class.is_feasible()),
    );
    if !feasible.is_empty() {
        return (
            Basis::Feasible,
            build(feasible, discovery.window, FEASIBLE_MAX),
        );
    }
    let others = discovery
        .calls
        .iter()
        .filter(|call| call.class != Class::AlreadyAsync);
    (
        Basis::Exploring,
        build(grouped(others), discovery.window, EXPLORING_MAX),
    )
}

type Group<'a> = ((Name, Name, &'a str), Vec<&'a Call>);

fn grouped<'a>(calls: impl Iterator<Item = &'a Call>) -> Vec<Group<'a>> {
    let mut groups: IndexMap<(Name, Name, &str), Vec<&Call>> = IndexMap::new();
    for call in calls {
        let names = (naming::service(&call.caller), naming::service(&call.callee));
        if let (Some(publisher), Some(consumer)) = names
            && publisher != consumer
        {
            groups
                .entry((publisher, consumer, &call.callee_operation))
                .or_default()
                .push(call);
        }
    }
    let mut groups: Vec<Group<'_>> = groups.into_iter().collect();
    groups.sort_by_key(|(_, calls)| {
        std::cmp::Reverse(calls.iter().map(|call| call.critical).sum::<Duration>())
    });
    groups
}

fn build(groups: Vec<Group<'_>>, window: Duration, most: usize) -> Vec<Proposal<'_>> {
    let mut taken = HashSet::new();
    let named =
        groups
            .into_iter()
            .take(most)
            .filter_map(|((publisher, consumer, operation), calls)| {
                let event = unique(
                    &naming::event(consumer.as_str(), operation),
                    &publisher,
                    &mut taken,
                )?;
                Some(proposal(event, publisher, consumer, calls, window))
            });
    named.collect()
}

/// The name, with the publisher or a number in it where it is taken; names that differ in case
/// only count as taken.
fn unique(name: &str, publisher: &Name, taken: &mut HashSet<String>) -> Option<Name> {
    let stem = name.strip_suffix("Requested").unwrap_or(name);
    let by = naming::event(publisher.as_str(), "");
    let by = by.strip_suffix("Requested").unwrap_or(&by).to_owned();
    let first = [name.to_owned(), format!("{stem}By{by}Requested")].into_iter();
    let numbered = (2..).map(|number| format!("{stem}{number}Requested"));
    let free = first
        .chain(numbered)
        .find(|name| taken.insert(name.to_ascii_lowercase()))?;
    Name::new(&free).ok()
}

fn proposal<'a>(
    event: Name,
    publisher: Name,
    consumer: Name,
    calls: Vec<&'a Call>,
    window: Duration,
) -> Proposal<'a> {
    let mut arrivals: Vec<Arrival> = calls
        .iter()
        .flat_map(|call| call.arrivals.iter().cloned())
        .collect();
    arrivals.sort_by(|a, b| (a.offset, &a.key).cmp(&(b.offset, &b.key)));
    let stands_for: f64 = calls.iter().map(|call| call.stands_for).sum();
    let each = stands_for / number(arrivals.len().max(1));
    let asked = schema::Asked {
        event: &event,
        publisher: &publisher,
        consumer: &consumer,
        operation: calls.first().map_or("", |call| &call.callee_operation),
        calls: arrivals.len(),
    };
    let payloads = calls.iter().flat_map(|call| &call.payloads);
    Proposal {
        schema: schema::of(&asked, &Samples::of(payloads)),
        rate: rate(stands_for, window),
        peak: peak(arrivals.iter().map(|arrival| (arrival.offset, each))),
        handling: Handling::of(&arrivals),
        failures: arrivals
            .iter()
            .filter(|arrival| arrival.outcome == Outcome::Failed)
            .count(),
        event,
        publisher,
        consumer,
        calls,
        arrivals,
    }
}

impl Proposal<'_> {
    /// The time that requests spent in nothing but these calls.
    pub(super) fn critical(&self) -> Duration {
        self.calls.iter().map(|call| call.critical).sum()
    }

    /// The peak as a rate; the mean where it is higher, as in a window of less than a second.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of spans are far below 2^52"
    )]
    pub(super) fn peak_rate(&self) -> f64 {
        (self.peak as f64).max(self.rate.unwrap_or_default())
    }

    /// How long callers wait at the 99th percentile, of the call that takes longest; or the longest
    /// wait, where there are too few to tell. Two digits, rounded up; with what it is, in words.
    pub(super) fn waited(&self) -> Option<(Duration, String)> {
        let each = self.calls.iter().map(|call| {
            let p99 = call.latency.p99.value();
            (p99.unwrap_or(call.latency.max), p99.is_some(), call.count)
        });
        let (longest, is_p99, n) = each.max()?;
        // Work that goes on behind the answer, or takes very long once in a thousand.
        let is_exceeded = self.handling.mean > longest;
        let longest = longest.max(self.handling.mean);
        let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
        let digits = nanos.checked_ilog10().unwrap_or(0).saturating_sub(1);
        let step = 10_u64.saturating_pow(digits).max(1_000);
        let rounded = nanos.div_ceil(step).saturating_mul(step);
        let what = if is_exceeded {
            "as handling takes on average, more than callers wait today".to_owned()
        } else if is_p99 {
            format!("as callers wait today in 99 of 100, of {n}")
        } else {
            format!("as callers wait today at most, of {n}: too few for a p99")
        };
        (rounded > 0).then(|| (Duration::from_nanos(rounded), what))
    }

    /// Workers that are busy half the time at the peak; at least two.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the number is not negative, and cut to the limit before"
    )]
    pub(super) fn concurrency(&self) -> u32 {
        let busy = self.peak_rate() * self.handling.mean.as_secs_f64();
        (busy / UTILISATION_AIM)
            .ceil()
            .clamp(2.0, f64::from(CONCURRENCY_MAX)) as u32
    }

    /// Five times the longest usual handling, in whole seconds; at least [`TIMEOUT_MIN`], at most
    /// a day.
    pub(super) fn timeout(&self) -> Duration {
        let long = self.handling.high.max(self.handling.mean).saturating_mul(5);
        let whole = long.as_secs() + u64::from(long.subsec_nanos() > 0);
        Duration::from_secs(whole.min(86_400)).max(TIMEOUT_MIN)
    }
}
