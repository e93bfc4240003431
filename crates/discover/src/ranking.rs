//! Which candidate is worth most, and how sure that is.

use tidegate_base::Random;

use crate::discovery::{Call, Weight};
use crate::interval::number;
use crate::replay::BLOCKS;

/// How often the traffic is drawn again.
const RESAMPLES: usize = 999;
/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// What a candidate is worth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Worth {
    /// Seconds of waiting that users would save each day, at the observed rate; `None` when less
    /// than a second was observed, or no prediction is made.
    pub seconds_per_day: Option<f64>,
    /// Requests that would not fail any more each day; `None` when nothing failed.
    pub failures_per_day: Option<f64>,
    /// What has to be done besides: an outbox, an order, a way around stale reads.
    pub obligations: usize,
    /// Whether no other candidate is at least as good in all three, and better in one.
    pub is_on_front: bool,
    /// How likely it is the one that saves most waiting, by drawing parts of the observed time again.
    pub is_first: Option<f64>,
    /// The cheapest experiment that would refute it.
    pub experiment: String,
}

/// Fills in the worth of every candidate.
pub(crate) fn rank(calls: &mut [Call]) {
    for call in calls.iter_mut() {
        let saved = call
            .savings
            .iter()
            .filter_map(|saving| Some(saving.rate? * saving.mean.value()? / 1e9));
        let sum: f64 = saved.sum();
        let known = call.rate.is_some() && call.savings.iter().any(|s| s.mean.value().is_some());
        let removed = call.coupled.removed_per_million;
        call.worth = Worth {
            seconds_per_day: known.then_some(sum * DAY),
            failures_per_day: removed
                .zip(call.rate)
                .map(|(removed, rate)| removed / 1e6 * rate * DAY),
            obligations: obligations(call),
            experiment: experiment(call),
            ..Worth::default()
        };
    }
    mark_front(calls);
    mark_first(calls);
}

fn obligations(call: &Call) -> usize {
    use crate::discovery::Signal::{LocalWrite, Ordering, ReadYourWrites};
    let against = call.evidence.iter().filter(|evidence| {
        let counts = evidence.weight == Weight::Against || evidence.signal == Ordering;
        let hits = evidence.share.is_some_and(|share| share.hits > 0);
        counts && hits && matches!(evidence.signal, LocalWrite | Ordering | ReadYourWrites)
    });
    against.count()
}

/// The cheapest experiment that would refute the proposal, for want of what was not seen.
fn experiment(call: &Call) -> String {
    let name = format!("{} of {}", call.callee_operation, call.callee);
    if call.coupled.with.total < 20 {
        return format!(
            "let {name} fail in a test environment, 20 times: if requests to {} fail with it, its \
             outcome is needed",
            call.caller
        );
    }
    format!(
        "delay {name} by its median in a test environment: requests to {} must take longer by as \
         much as is saved here, and their answers must not change",
        call.caller
    )
}

fn mark_front(calls: &mut [Call]) {
    let key = |call: &Call| {
        let worth = &call.worth;
        (
            worth.seconds_per_day.unwrap_or(0.0),
            worth.failures_per_day.unwrap_or(0.0),
            worth.obligations,
        )
    };
    let all: Vec<_> = calls
        .iter()
        .filter(|call| call.class.is_feasible())
        .map(key)
        .collect();
    for call in calls.iter_mut().filter(|call| call.class.is_feasible()) {
        let mine = key(call);
        let is_beaten = all.iter().any(|other| {
            let as_good = other.0 >= mine.0 && other.1 >= mine.1 && other.2 <= mine.2;
            as_good && *other != mine
        });
        call.worth.is_on_front = !is_beaten;
    }
}

/// The share of draws in which each candidate saves most.
fn mark_first(calls: &mut [Call]) {
    let candidates: Vec<usize> = calls
        .iter()
        .enumerate()
        .filter(|(_, call)| call.class.is_feasible() && !call.savings.is_empty())
        .map(|(index, _)| index)
        .collect();
    if candidates.is_empty() {
        return;
    }
    let count = usize::from(BLOCKS);
    let blocks: Vec<Vec<f64>> = candidates
        .iter()
        .map(|candidate| calls.get(*candidate).map(by_time).unwrap_or_default())
        .collect();
    let random = Random::new(1, "bootstrap rank", "");
    let mut wins = vec![0_usize; candidates.len()];
    let mut times = vec![0.0; count];
    let mut index = 0;
    for _ in 0..RESAMPLES {
        times.fill(0.0);
        for _ in 0..count {
            let drawn = u128::from(random.bits(index)) * u128::try_from(count).unwrap_or(1);
            if let Some(times) = times.get_mut(usize::try_from(drawn >> 64).unwrap_or(0)) {
                *times += 1.0;
            }
            index += 1;
        }
        let total = |own: &Vec<f64>| -> f64 {
            let each = own.iter().zip(&times);
            each.map(|(saved, times)| saved * times).sum()
        };
        let totals = blocks.iter().map(total).zip(&mut wins);
        let best = totals.max_by(|(a, _), (b, _)| a.total_cmp(b));
        if let Some((_, wins)) = best {
            *wins += 1;
        }
    }
    for (index, wins) in candidates.into_iter().zip(wins) {
        if let Some(call) = calls.get_mut(index) {
            call.worth.is_first = Some(number(wins) / number(RESAMPLES));
        }
    }
}

/// What the call saves in all endpoints, in each part of the time.
fn by_time(call: &Call) -> Vec<f64> {
    let mut all = vec![0.0; BLOCKS.into()];
    for saving in &call.savings {
        for (all, one) in all.iter_mut().zip(&saving.by_time) {
            *all += one;
        }
    }
    all
}
