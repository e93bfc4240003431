//! When a failed delivery is tried again: a question with one answer, however often it is asked.

use std::time::Duration;

use tidegate_base::Ratio;
use tidegate_base::limit::RETRY_AFTER_SECONDS_MAX;

use crate::classes::{ClassRules, FailureClass, Fate, Tally};
use crate::mutant::{self, Mutant};
use crate::random::Draws;

/// What happens after a failure that may pass.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// How the delay grows.
    pub backoff: Backoff,
    /// So many retries come without a delay, before those with one.
    pub immediate: u32,
    /// The first delay.
    pub initial: Duration,
    /// The longest delay.
    pub max: Duration,
    /// How much is left to chance.
    pub jitter: Jitter,
    /// Most attempts, the first one included; at least 1.
    pub attempts: u32,
    /// A delivery older than this is not retried.
    pub age: Option<Duration>,
    /// Retries as a share of first attempts; `None`: no budget.
    pub budget: Option<Ratio>,
    /// Whether later deliveries of the same key wait meanwhile.
    pub mode: RetryMode,
    /// What is said of single classes of failures.
    pub classes: ClassRules,
}

/// How the delay between attempts grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backoff {
    /// Always `initial`.
    Constant,
    /// `initial` times the number of failed attempts.
    Linear,
    /// Doubles after each failed attempt.
    Exponential,
}

/// How much of a delay is left to chance.
///
/// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// Nothing.
    None,
    /// All: uniform from zero to the delay.
    Full,
    /// The upper half of the delay.
    Equal,
    /// From `initial` to three times the previous delay.
    Decorrelated,
}

/// Whether later deliveries of the same key wait while one is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryMode {
    /// They wait: order is kept.
    Blocking,
    /// They go on: order is lost.
    NonBlocking,
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Try again after this time.
    After(Duration),
    /// Failures of this class are not retried.
    Parked,
    /// The attempts are used up.
    Exhausted,
    /// The delivery would be too old.
    Expired,
}

impl RetryPolicy {
    /// What to do after a failure, which is counted in `tally`, of a delivery that is `age` old, when the handler
    /// asked for at least `floor`.
    #[must_use]
    pub fn decide(
        &self,
        class: FailureClass,
        tally: Tally,
        age: Duration,
        floor: Duration,
        draws: Draws,
    ) -> Decision {
        if self.fate(class) != Fate::Retried {
            return Decision::Parked;
        }
        let (failures, policy) = self.counted(class, tally);
        let is_last = failures >= policy.attempts || tally.failures >= self.most_attempts();
        if is_last && !mutant::is(Mutant::AttemptsUnbounded) {
            return Decision::Exhausted;
        }
        let delay = match failures.checked_sub(policy.immediate) {
            None | Some(0) => Duration::ZERO,
            Some(delayed) => policy.delay(delayed, draws),
        };
        let delay = delay.max(floor);
        match self.age {
            Some(most) if age.saturating_add(delay) > most => Decision::Expired,
            _ => Decision::After(delay),
        }
    }

    /// The delay after `failures` failed attempts, those without one not counted; at most `max`.
    #[must_use]
    pub fn delay(&self, failures: u32, draws: Draws) -> Duration {
        let failures = failures.max(1);
        let most = self.growth(failures);
        match self.jitter {
            Jitter::None => most,
            Jitter::Full => draws.between(failures, Duration::ZERO, most),
            Jitter::Equal => draws.between(failures, most / 2, most),
            Jitter::Decorrelated => self.decorrelated(failures, draws),
        }
    }

    /// The longest time between two attempts that there can be, what a handler asks for included.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        let asked = Duration::from_secs(RETRY_AFTER_SECONDS_MAX);
        let own = self.retried().map(|policy| policy.max);
        own.fold(self.max.max(asked), Duration::max)
    }

    fn growth(&self, failures: u32) -> Duration {
        let factor = match self.backoff {
            Backoff::Constant => 1,
            Backoff::Linear => failures,
            Backoff::Exponential => 1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX),
        };
        self.initial.saturating_mul(factor).min(self.max)
    }

    /// Each delay is drawn from the one before, so that one is computed again from the first on.
    fn decorrelated(&self, failures: u32, draws: Draws) -> Duration {
        // Beyond this many the walk has long forgotten where it began.
        let first = failures.saturating_sub(64).max(1);
        (first..=failures).fold(self.initial, |previous, number| {
            draws
                .between(number, self.initial, previous.saturating_mul(3))
                .min(self.max)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy(backoff: Backoff, jitter: Jitter) -> RetryPolicy {
        RetryPolicy {
            backoff,
            immediate: 0,
            initial: Duration::from_millis(100),
            max: Duration::from_secs(2),
            jitter,
            attempts: 8,
            age: None,
            budget: None,
            mode: RetryMode::Blocking,
            classes: ClassRules::default(),
        }
    }

    /// What is decided after so many failures of the handler itself.
    fn decided(policy: &RetryPolicy, failures: u32, age: Duration, floor: Duration) -> Decision {
        let tally = Tally {
            failures,
            ..Tally::default()
        };
        let draws = Draws::of(0, "");
        policy.decide(FailureClass::Retryable, tally, age, floor, draws)
    }

    #[test]
    fn delays_grow_as_named() {
        let delays = |backoff| -> Vec<u128> {
            let policy = policy(backoff, Jitter::None);
            (1..8)
                .map(|n| policy.delay(n, Draws::of(0, "")).as_millis())
                .collect()
        };
        assert_eq!(delays(Backoff::Constant), [100; 7]);
        assert_eq!(delays(Backoff::Linear), [100, 200, 300, 400, 500, 600, 700]);
        assert_eq!(
            delays(Backoff::Exponential),
            [100, 200, 400, 800, 1_600, 2_000, 2_000]
        );
    }

    #[test]
    fn what_the_handler_asks_for_is_the_least() {
        let policy = policy(Backoff::Constant, Jitter::None);
        let minute = Duration::from_mins(1);
        let decide = |floor| decided(&policy, 1, Duration::ZERO, floor);
        assert_eq!(decide(minute), Decision::After(minute));
        assert_eq!(
            decide(Duration::ZERO),
            Decision::After(Duration::from_millis(100))
        );
    }

    #[test]
    fn retries_without_a_delay_come_first_and_count() {
        let mut policy = policy(Backoff::Exponential, Jitter::None);
        policy.immediate = 2;
        let decide = |failures, floor| decided(&policy, failures, Duration::ZERO, floor);
        let after = |millis| Decision::After(Duration::from_millis(millis));
        let all: Vec<Decision> = (1..=8).map(|n| decide(n, Duration::ZERO)).collect();
        let delays = [0, 0, 100, 200, 400, 800, 1_600].map(after);
        assert_eq!(all, [&delays[..], &[Decision::Exhausted]].concat());
        // What the handler asks for is the least all the same.
        assert_eq!(decide(1, Duration::from_millis(30)), after(30));
    }

    #[test]
    fn attempts_and_age_end_it() {
        let mut policy = policy(Backoff::Constant, Jitter::None);
        assert_eq!(
            decided(&policy, 8, Duration::ZERO, Duration::ZERO),
            Decision::Exhausted
        );
        policy.age = Some(Duration::from_secs(10));
        let old = Duration::from_millis(9_901);
        assert_eq!(decided(&policy, 1, old, Duration::ZERO), Decision::Expired);
    }

    proptest! {
        #[test]
        fn a_delay_keeps_its_bounds_and_asking_changes_nothing(
            failures in 0_u32..2_000,
            seed: u64,
            backoff in prop::sample::select(vec![Backoff::Constant, Backoff::Linear, Backoff::Exponential]),
            jitter in prop::sample::select(vec![Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated]),
        ) {
            let policy = policy(backoff, jitter);
            let draws = Draws::of(seed, "");
            let delay = policy.delay(failures, draws);
            prop_assert!(delay <= policy.max);
            if jitter == Jitter::Decorrelated {
                prop_assert!(delay >= policy.initial);
            }
            prop_assert_eq!(delay, policy.delay(failures, draws));
        }
    }
}
