//! How long retries can take in the worst case.
//!
//! The delay before attempt k+1 is at most: `initial` (constant), `k * initial` (linear),
//! `initial * 2^(k-1)` (exponential), or `initial * 3^k` (decorrelated jitter), and never above
//! `max`. Full and equal jitter only shorten it. The first `immediate` retries have none, and k counts those that have one.
//! Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

use std::time::Duration;

use tidegate_model::design::{Backoff, ClassRule, Consume, Jitter, Retry};

/// The longest time that all delays of `retry` together can take.
///
/// With rules for single classes: no more than all that are counted apart have together, and no more than the longest
/// delay before each attempt of a delivery but the first.
#[must_use]
pub fn delays(retry: &Retry) -> Duration {
    if retry.classes.is_empty() {
        return plain_delays(retry);
    }
    let retried: Vec<_> = retry.retried().collect();
    let is_own = |class| retry.rule(class).is_some_and(ClassRule::is_own);
    let own = retried.iter().filter(|(class, _)| is_own(*class));
    let shared = retried.iter().find(|(class, _)| !is_own(*class));
    let together = own.chain(shared).map(|(_, policy)| plain_delays(policy));
    let together = together.fold(Duration::ZERO, Duration::saturating_add);
    let longest = retried.iter().map(|(_, policy)| policy.max.value);
    let longest = longest.max().unwrap_or_default();
    together.min(longest.saturating_mul(retry.most_attempts() - 1))
}

/// Of failures that are all counted together.
fn plain_delays(retry: &Retry) -> Duration {
    let retries = retry.attempts.value.saturating_sub(1);
    let gaps = f64::from(retries.saturating_sub(retry.immediate.value));
    let max = retry.max.value.as_secs_f64();
    let initial = retry.initial.value.as_secs_f64().min(max);
    let seconds = match (retry.jitter, retry.backoff) {
        (Jitter::Decorrelated, _) => geometric((initial * 3.0).min(max), 3.0, max, gaps),
        (_, Backoff::Constant) => initial * gaps,
        (_, Backoff::Linear) => arithmetic(initial, max, gaps),
        (_, Backoff::Exponential) => geometric(initial, 2.0, max, gaps),
    };
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// The longest time from the first attempt to the end of the last one, breakers closed.
#[must_use]
pub fn horizon(consume: &Consume) -> Duration {
    let retry = &consume.retry;
    let attempts = attempts_time(consume);
    let all = attempts.saturating_add(delays(retry));
    match &retry.age {
        Some(age) => all.min(age.value.saturating_add(consume.deliver.timeout.value)),
        None => all,
    }
}

/// The longest time that the attempts alone can take.
pub(crate) fn attempts_time(consume: &Consume) -> Duration {
    consume
        .deliver
        .timeout
        .value
        .saturating_mul(consume.retry.most_attempts())
}

/// `first + first*ratio + …`, each term at most `max`; `count` terms.
fn geometric(first: f64, ratio: f64, max: f64, count: f64) -> f64 {
    let mut sum = 0.0;
    let mut term = first;
    let mut left = count;
    while left >= 1.0 && term < max && term > 0.0 {
        sum += term;
        term = (term * ratio).min(max);
        left -= 1.0;
    }
    sum + term * left
}

/// `step + 2*step + …`, each term at most `max`; `count` terms.
fn arithmetic(step: f64, max: f64, count: f64) -> f64 {
    if step <= 0.0 {
        return 0.0;
    }
    let growing = (max / step).floor().min(count);
    step * growing * (growing + 1.0) / 2.0 + max * (count - growing)
}

#[cfg(test)]
mod tests {
    use super::{arithmetic, geometric};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sums_equal_the_terms_added_one_by_one(
            first in 1_u32..1_000, max in 1_u32..100_000, count in 0_u32..200, ratio in 2_u32..4,
        ) {
            let (first, max) = (f64::from(first.min(max)), f64::from(max));
            let mut term = first;
            let (mut growing, mut rising) = (0.0, 0.0);
            for k in 1..=count {
                growing += term;
                term = (term * f64::from(ratio)).min(max);
                rising += (first * f64::from(k)).min(max);
            }
            let geometric = geometric(first, f64::from(ratio), max, f64::from(count));
            prop_assert!((geometric - growing).abs() < 1e-6 * growing.max(1.0));
            let arithmetic = arithmetic(first, max, f64::from(count));
            prop_assert!((arithmetic - rising).abs() < 1e-6 * rising.max(1.0));
        }
    }
}
