//! How much work a delivery is: its service time, and the attempts and delays of its retries.

use std::time::Duration;

use tidegate_model::design::{Backoff, Jitter, Retry, RetryMode};

use crate::nanos::{from_duration, whole};
use crate::scenario::ServiceTime;
use tidegate_base::Random;

/// Most attempts that are simulated for one delivery.
const ATTEMPTS_MAX: u64 = 64;

/// How long one attempt takes.
#[derive(Clone, Debug)]
pub(crate) enum Duty {
    /// Drawn around a mean.
    Drawn {
        /// The mean, in nanoseconds.
        mean_ns: f64,
        /// Parameters of the underlying normal distribution, or how it varies otherwise.
        shape: Shape,
    },
    /// Drawn from recorded times, in nanoseconds; not empty.
    Recorded(Vec<u64>),
}

/// How a drawn service time varies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Constant,
    Exponential,
    LogNormal { mu: f64, sigma: f64 },
}

impl Duty {
    /// Attempts of `mean` that vary as `service` says.
    pub(crate) fn drawn(mean: Duration, service: ServiceTime) -> Self {
        let mean_ns = from_duration(mean) as f64;
        let shape = match service {
            ServiceTime::Exponential => Shape::Exponential,
            ServiceTime::LogNormal { scv } if scv > 0.0 && mean_ns > 0.0 => {
                let variance = scv.ln_1p();
                Shape::LogNormal {
                    mu: mean_ns.ln() - variance / 2.0,
                    sigma: variance.sqrt(),
                }
            }
            ServiceTime::Constant | ServiceTime::LogNormal { .. } => Shape::Constant,
        };
        Self::Drawn { mean_ns, shape }
    }

    /// Attempts as long as recorded ones; `None` when there are none.
    pub(crate) fn recorded(times: &[Duration]) -> Option<Self> {
        (!times.is_empty())
            .then(|| Self::Recorded(times.iter().copied().map(from_duration).collect()))
    }

    /// Attempts of `mean` that are as far from it as recorded ones are from theirs; `None` when there
    /// are none, or all took no time.
    pub(crate) fn spread(mean: Duration, times: &[Duration]) -> Option<Self> {
        let recorded = Self::recorded(times)?;
        let scale = from_duration(mean) as f64 / recorded.mean_ns();
        match recorded {
            Self::Recorded(times) if scale.is_finite() => Some(Self::Recorded(
                times
                    .iter()
                    .map(|time| whole(*time as f64 * scale))
                    .collect(),
            )),
            _ => None,
        }
    }

    /// The mean, in nanoseconds.
    pub(crate) fn mean_ns(&self) -> f64 {
        match self {
            Self::Drawn { mean_ns, .. } => *mean_ns,
            Self::Recorded(times) => {
                times.iter().map(|t| *t as f64).sum::<f64>() / times.len() as f64
            }
        }
    }

    /// The time of attempt number `index`, in nanoseconds.
    pub(crate) fn sample_ns(&self, stream: Random, index: u64) -> u64 {
        match self {
            Self::Drawn {
                mean_ns,
                shape: Shape::Constant,
            } => whole(*mean_ns),
            Self::Drawn {
                mean_ns,
                shape: Shape::Exponential,
            } => whole(mean_ns * stream.exponential(index)),
            Self::Drawn {
                shape: Shape::LogNormal { mu, sigma },
                ..
            } => whole((mu + sigma * stream.normal(index)).exp()),
            Self::Recorded(times) => {
                let place = stream.bits(index) % times.len().max(1) as u64;
                usize::try_from(place)
                    .ok()
                    .and_then(|place| times.get(place))
                    .copied()
                    .unwrap_or(0)
            }
        }
    }
}

/// What one delivery costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    /// How long it keeps a handler busy, over all its attempts.
    pub(crate) busy_ns: u64,
    /// From the start of the first attempt to the end of the last one, delays included.
    pub(crate) elapsed_ns: u64,
    /// How long deliveries with the same key wait for it.
    pub(crate) lane_ns: u64,
    /// How many attempts it took.
    pub(crate) attempts: u64,
    /// Whether the last attempt failed as well.
    pub(crate) dead: bool,
}

/// Draws the work of deliveries.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    duty: Duty,
    failure: f64,
    retry: RetryPlan,
    times: Random,
    failures: Random,
    jitters: Random,
}

/// The part of a retry policy that takes time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryPlan {
    backoff: Backoff,
    immediate: u64,
    initial_ns: u64,
    max_ns: u64,
    jitter: Jitter,
    attempts: u64,
    age_ns: u64,
    mode: RetryMode,
}

impl RetryPlan {
    /// The plan of a policy. Failures have no class here: they are taken to be of the one with the most attempts, so
    /// that there is no less work than there may be.
    pub(crate) fn new(retry: &Retry) -> Self {
        Self::of(&retry.heaviest())
    }

    fn of(retry: &Retry) -> Self {
        Self {
            backoff: retry.backoff,
            immediate: u64::from(retry.immediate.value),
            initial_ns: from_duration(retry.initial.value),
            max_ns: from_duration(retry.max.value),
            jitter: retry.jitter,
            attempts: u64::from(retry.attempts.value).clamp(1, ATTEMPTS_MAX),
            age_ns: retry
                .age
                .as_ref()
                .map_or(u64::MAX, |age| from_duration(age.value)),
            mode: retry.mode.value,
        }
    }

    /// One attempt.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self::constant(1)
    }

    /// So many attempts, at once after each other.
    #[cfg(test)]
    pub(crate) fn constant(attempts: u64) -> Self {
        Self {
            backoff: Backoff::Constant,
            immediate: 0,
            initial_ns: 0,
            max_ns: 0,
            jitter: Jitter::None,
            attempts,
            age_ns: u64::MAX,
            mode: RetryMode::Blocking,
        }
    }

    /// The delay after failed attempt number `failed` (from 1), given the one before it.
    fn delay_ns(&self, failed: u64, previous_ns: u64, chance: f64) -> u64 {
        let failed = match failed.checked_sub(self.immediate) {
            None | Some(0) => return 0,
            Some(delayed) => delayed,
        };
        let initial = self.initial_ns as f64;
        let grown = match self.backoff {
            Backoff::Constant => initial,
            Backoff::Linear => initial * failed as f64,
            Backoff::Exponential => initial * 2_f64.powf(failed as f64 - 1.0),
        };
        let max = self.max_ns as f64;
        let grown = grown.min(max);
        whole(match self.jitter {
            Jitter::None => grown,
            Jitter::Full => grown * chance,
            Jitter::Equal => grown * (0.5 + chance / 2.0),
            Jitter::Decorrelated => {
                let top = (previous_ns.max(self.initial_ns) as f64) * 3.0;
                (initial + (top - initial) * chance).min(max)
            }
        })
    }

    /// The mean number of attempts when each one fails with `probability`: (1 − pⁿ) / (1 − p).
    pub(crate) fn amplification(&self, probability: f64) -> f64 {
        (0..self.attempts).map(|k| probability.powf(k as f64)).sum()
    }
}

impl Worker {
    /// Deliveries of the consumer `name` under `seed`.
    pub(crate) fn new(duty: Duty, failure: f64, retry: RetryPlan, seed: u64, name: &str) -> Self {
        Self {
            duty,
            failure,
            retry,
            times: Random::new(seed, "service", name),
            failures: Random::new(seed, "failure", name),
            jitters: Random::new(seed, "jitter", name),
        }
    }

    /// The mean time of one attempt, in nanoseconds.
    pub(crate) fn mean_attempt_ns(&self) -> f64 {
        self.duty.mean_ns()
    }

    /// The mean number of attempts of a delivery.
    pub(crate) fn amplification(&self) -> f64 {
        self.retry.amplification(self.failure)
    }

    /// The mean time for which a delivery keeps its key, in nanoseconds; sampled, not derived,
    /// because jitter and limits of age have no simple form.
    pub(crate) fn mean_lane_ns(&self) -> f64 {
        const SAMPLES: u64 = 2_000;
        if self.failure == 0.0 {
            return self.duty.mean_ns();
        }
        (0..SAMPLES)
            .map(|index| self.work(index).lane_ns as f64)
            .sum::<f64>()
            / SAMPLES as f64
    }

    /// The work of delivery number `index`.
    pub(crate) fn work(&self, index: u64) -> Work {
        if self.failure == 0.0 {
            let time_ns = self
                .duty
                .sample_ns(self.times, index.saturating_mul(ATTEMPTS_MAX));
            return Work {
                busy_ns: time_ns,
                elapsed_ns: time_ns,
                lane_ns: time_ns,
                attempts: 1,
                dead: false,
            };
        }
        self.retried(index)
    }

    fn retried(&self, index: u64) -> Work {
        let first = index.saturating_mul(ATTEMPTS_MAX);
        let (mut busy_ns, mut elapsed_ns, mut delay_ns) = (0_u64, 0_u64, 0_u64);
        let mut attempts = 0;
        loop {
            let draw = first.saturating_add(attempts);
            let time_ns = self.duty.sample_ns(self.times, draw);
            busy_ns = busy_ns.saturating_add(time_ns);
            elapsed_ns = elapsed_ns.saturating_add(time_ns);
            attempts += 1;
            let failed = self.failures.uniform(draw) < self.failure;
            let over = attempts >= self.retry.attempts || elapsed_ns > self.retry.age_ns;
            if !failed || over {
                let lane_ns = match self.retry.mode {
                    RetryMode::Blocking => elapsed_ns,
                    RetryMode::NonBlocking => busy_ns,
                };
                return Work {
                    busy_ns,
                    elapsed_ns,
                    lane_ns,
                    attempts,
                    dead: failed,
                };
            }
            delay_ns = self
                .retry
                .delay_ns(attempts, delay_ns, self.jitters.uniform(draw));
            elapsed_ns = elapsed_ns.saturating_add(delay_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The attempts of a delivery whose every attempt fails, and how long they are apart in all.
    fn failing(retry: &str) -> (u64, u64) {
        let text = format!(
            "tidegate: 1\nsystem: s\nservices: {{a: {{consumes: {{E: {{retry: {retry}}}}}}}}}"
        );
        let source = tidegate_model::Source {
            name: "design.yaml".into(),
            text,
        };
        let reading = tidegate_model::read(&[source], &|_| Ok(String::new()));
        let design = reading.design.unwrap();
        let consumer = design.consumers().next().unwrap();
        let plan = RetryPlan::new(&consumer.consume.retry);
        let duty = Duty::drawn(Duration::ZERO, ServiceTime::Constant);
        let work = Worker::new(duty, 1.0, plan, 1, "queue").work(0);
        assert_eq!(plan.amplification(1.0), work.attempts as f64);
        (work.attempts, work.elapsed_ns / 1_000_000)
    }

    /// What a failure is of nobody knows here: it is the one that makes the most work.
    #[test]
    fn the_class_with_the_most_attempts_is_simulated() {
        let plain = "{attempts: 4, initial: 100ms, jitter: none, backoff: constant";
        let of = |classes: &str| failing(&format!("{plain}, classes: {classes}}}"));
        assert_eq!(of("{}"), (4, 300));
        assert_eq!(of("{timeout: {attempts: 2}, permanent: retry}"), (4, 300));
        assert_eq!(
            of("{overload: {attempts: 6, initial: 200ms}, timeout: park}"),
            (6, 1_000)
        );
        let parked = "retryable: park, unavailable: park, timeout: park";
        assert_eq!(of(&format!("{{{parked}}}")), (1, 0));
        assert_eq!(
            of(&format!("{{{parked}, permanent: {{attempts: 2}}}}")),
            (2, 100)
        );
    }
}
