//! When calls to a dependency stop, and how they begin again.
//!
//! A breaker gates *admission*: while it is open, deliveries wait and nothing counts against them.
//! ```text
//! closed ──failure share──▶ open ──time──▶ half-open ──probes succeed──▶ closed, ramping up
//!                            ▲                 │
//!                            └──a probe fails──┘
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidegate_base::Timestamp;

use crate::config::DependencyConfig;
use crate::mutant::{self, Mutant};

/// The window is counted in this many parts.
const BUCKETS: u64 = 10;

/// What an outcome says about a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Success,
    /// It is unavailable, too slow or overloaded.
    Failure,
    /// Nothing: the event or the handler is to blame.
    Neutral,
}

/// Whether a call may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Free,
    /// It may, as a probe.
    Probe,
    /// It may not.
    Hold,
}

/// The period of a breaker in which a call was admitted; an outcome of an earlier one says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period(u64);

/// What is kept of a breaker, so that a restart does not stampede.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerRecord {
    /// Everything flows.
    Closed,
    /// It flows again, slowly at first.
    Ramping,
    /// Nothing flows before `until`.
    Open {
        /// Since when.
        since: Timestamp,
        /// When it probes.
        until: Timestamp,
    },
    /// Nothing flows before an operator resets it.
    Forced {
        /// Since when.
        since: Timestamp,
    },
}

/// What a breaker shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerStatus {
    /// `closed`, `open` or `half-open`.
    pub state: &'static str,
    /// Since when.
    pub since: Timestamp,
    /// When it probes, while it is open by itself.
    pub probes_at: Option<Timestamp>,
    /// An operator holds it open.
    pub forced: bool,
    /// Most calls at the same time while it ramps up.
    pub ramp_limit: Option<u32>,
    /// Counted calls in the window.
    pub calls: u64,
    /// Failures among them.
    pub failures: u64,
    /// How often it has opened since start.
    pub opened_total: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Ramping { limit: u32, successes: u32 },
    Open { until: Timestamp },
    HalfOpen { successes: u32 },
    Forced,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    slot: u64,
    calls: u64,
    failures: u64,
}

/// The breaker of one dependency, shared by every consumer that needs it.
#[derive(Clone, Debug)]
pub struct Breaker {
    failure_rate: f64,
    minimum: u64,
    bucket: Duration,
    open: Duration,
    probes: u32,
    /// The concurrency of all its consumers: where ramping up ends.
    capacity: u32,
    state: State,
    since: Timestamp,
    period: u64,
    /// Calls of this period that run.
    running: u32,
    buckets: VecDeque<Bucket>,
    opened_total: u64,
}

impl Breaker {
    /// A closed breaker for consumers with `capacity` attempts at the same time, together.
    #[must_use]
    pub fn new(config: &DependencyConfig, capacity: u32) -> Self {
        let bucket = config.window / u32::try_from(BUCKETS).unwrap_or(1);
        Self {
            failure_rate: config.failure_rate.value(),
            minimum: u64::from(config.minimum.max(1)),
            bucket: bucket.max(Duration::from_millis(1)),
            open: config.open,
            probes: config.probes.max(1),
            capacity,
            state: State::Closed,
            since: Timestamp::EPOCH,
            period: 0,
            running: 0,
            buckets: VecDeque::new(),
            opened_total: 0,
        }
    }

    /// Takes up what was kept.
    pub fn restore(&mut self, record: BreakerRecord, now: Timestamp) {
        let (state, since) = match record {
            BreakerRecord::Closed => (State::Closed, now),
            BreakerRecord::Ramping => (self.first_ramp(), now),
            // A clock that went back must not keep it open for longer than designed.
            BreakerRecord::Open { since, until } => (
                State::Open {
                    until: match mutant::is(Mutant::OpenTimeUnbounded) {
                        true => until,
                        false => until.min(now + self.open),
                    },
                },
                since,
            ),
            BreakerRecord::Forced { since } if mutant::is(Mutant::ForcedBreakerForgotten) => {
                (State::Open { until: now }, since)
            }
            BreakerRecord::Forced { since } => (State::Forced, since),
        };
        self.enter(state, since);
    }

    /// What to keep of it.
    #[must_use]
    pub fn record(&self) -> BreakerRecord {
        match self.state {
            State::Closed => BreakerRecord::Closed,
            State::Ramping { .. } => BreakerRecord::Ramping,
            State::Open { until } => BreakerRecord::Open {
                since: self.since,
                until,
            },
            State::HalfOpen { .. } => BreakerRecord::Open {
                since: self.since,
                until: self.since,
            },
            State::Forced => BreakerRecord::Forced { since: self.since },
        }
    }

    /// Opens it until it is reset.
    pub fn force_open(&mut self, now: Timestamp) {
        if self.state != State::Forced {
            self.opened_total += 1;
            self.enter(State::Forced, now);
        }
    }

    /// Closes it, whatever opened it; calls start slowly.
    pub fn reset(&mut self, now: Timestamp) {
        if !self.is_closed() {
            self.enter(self.first_ramp(), now);
        }
    }

    /// Moves on when its time has come. Returns whether it changed.
    pub fn tick(&mut self, now: Timestamp) -> bool {
        let due = matches!(self.state, State::Open { until } if until <= now);
        if due {
            self.enter(State::HalfOpen { successes: 0 }, now);
        }
        due
    }

    /// When it moves on by itself.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        match self.state {
            State::Open { until } => Some(until),
            State::Closed | State::Ramping { .. } | State::HalfOpen { .. } | State::Forced => None,
        }
    }

    /// Whether a call may start now.
    #[must_use]
    pub fn gate(&self) -> Gate {
        match self.state {
            State::Closed => Gate::Free,
            State::Ramping { limit, .. } if self.running < limit => Gate::Free,
            State::Open { .. } if mutant::is(Mutant::OpenBreakerAdmits) => Gate::Free,
            State::HalfOpen { .. }
                if self.running < self.probes || mutant::is(Mutant::ProbesUnlimited) =>
            {
                Gate::Probe
            }
            State::Ramping { .. } | State::HalfOpen { .. } | State::Open { .. } | State::Forced => {
                Gate::Hold
            }
        }
    }

    /// Whether every call may start: neither open nor half-open.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed | State::Ramping { .. })
    }

    /// Whether the end of one call may let another one start.
    #[must_use]
    pub fn is_limiting(&self) -> bool {
        matches!(self.state, State::Ramping { .. } | State::HalfOpen { .. })
    }

    /// Whether a call admitted in `period` is still admitted.
    #[must_use]
    pub fn still_admits(&self, period: Period) -> bool {
        self.period == period.0 || self.is_closed()
    }

    /// Whether it is still in `period`.
    #[must_use]
    pub fn is_in(&self, period: Period) -> bool {
        self.period == period.0
    }

    /// Counts a call that [`gate`](Self::gate) let through.
    pub fn start(&mut self) -> Period {
        self.running += 1;
        Period(self.period)
    }

    /// Counts the end of a call admitted in `period`. Returns whether the state changed.
    pub fn end(&mut self, period: Period, verdict: Verdict, now: Timestamp) -> bool {
        if period.0 != self.period {
            return false;
        }
        self.running = self.running.saturating_sub(1);
        match (self.state, verdict) {
            (_, Verdict::Neutral) | (State::Open { .. } | State::Forced, _) => false,
            (State::HalfOpen { successes }, Verdict::Success) => {
                let successes = successes + 1;
                if successes < self.probes {
                    self.state = State::HalfOpen { successes };
                    return false;
                }
                self.enter(self.first_ramp(), now);
                true
            }
            (State::HalfOpen { .. }, Verdict::Failure) => {
                self.trip(now);
                true
            }
            (State::Closed | State::Ramping { .. }, _) => self.count(verdict, now),
        }
    }

    fn count(&mut self, verdict: Verdict, now: Timestamp) -> bool {
        let slot = self.slot(now);
        self.buckets.retain(|bucket| bucket.slot + BUCKETS > slot);
        if self.buckets.back().is_none_or(|bucket| bucket.slot != slot) {
            self.buckets.push_back(Bucket {
                slot,
                calls: 0,
                failures: 0,
            });
        }
        if let Some(bucket) = self.buckets.back_mut() {
            bucket.calls += 1;
            bucket.failures += u64::from(verdict == Verdict::Failure);
        }
        let (calls, failures) = self.counts(now);
        let share = failures as f64 / calls.max(1) as f64;
        if failures > 0 && calls >= self.minimum && share >= self.failure_rate {
            self.trip(now);
            return true;
        }
        self.ramp(verdict, now)
    }

    /// Doubles the limit after as many successes as it allows, halves it at a failure.
    fn ramp(&mut self, verdict: Verdict, now: Timestamp) -> bool {
        let State::Ramping { limit, successes } = self.state else {
            return false;
        };
        self.state = match verdict {
            Verdict::Success if successes + 1 >= limit => State::Ramping {
                limit: limit.saturating_mul(2),
                successes: 0,
            },
            Verdict::Success => State::Ramping {
                limit,
                successes: successes + 1,
            },
            Verdict::Failure => State::Ramping {
                limit: (limit / 2).max(1),
                successes: 0,
            },
            Verdict::Neutral => self.state,
        };
        let done = matches!(self.state, State::Ramping { limit, .. } if limit >= self.capacity);
        if done {
            // Not a new period: what runs was admitted and counts.
            self.state = State::Closed;
            self.since = now;
        }
        done
    }

    fn first_ramp(&self) -> State {
        State::Ramping {
            limit: self.probes,
            successes: 0,
        }
    }

    fn trip(&mut self, now: Timestamp) {
        self.opened_total += 1;
        self.enter(
            State::Open {
                until: now + self.open,
            },
            now,
        );
    }

    fn enter(&mut self, state: State, now: Timestamp) {
        self.state = state;
        self.since = now;
        self.period += 1;
        self.running = 0;
        self.buckets.clear();
    }

    fn slot(&self, now: Timestamp) -> u64 {
        now.nanos()
            / u64::try_from(self.bucket.as_nanos())
                .unwrap_or(u64::MAX)
                .max(1)
    }

    /// Counted calls in the window, and failures among them.
    fn counts(&self, now: Timestamp) -> (u64, u64) {
        let slot = self.slot(now);
        let live = self
            .buckets
            .iter()
            .filter(|bucket| bucket.slot + BUCKETS > slot);
        live.fold((0, 0), |(calls, failures), bucket| {
            (calls + bucket.calls, failures + bucket.failures)
        })
    }

    /// What it shows.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> BreakerStatus {
        let (calls, failures) = self.counts(now);
        let (state, probes_at, ramp_limit) = match self.state {
            State::Closed => ("closed", None, None),
            State::Ramping { limit, .. } => ("closed", None, Some(limit)),
            State::Open { until } => ("open", Some(until), None),
            State::HalfOpen { .. } => ("half-open", None, None),
            State::Forced => ("open", None, None),
        };
        let (since, opened_total) = (self.since, self.opened_total);
        BreakerStatus {
            state,
            since,
            probes_at,
            forced: self.state == State::Forced,
            ramp_limit,
            calls,
            failures,
            opened_total,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_base::Ratio;

    const START: Timestamp = Timestamp::from_millis(1_000_000);

    fn at(seconds: u64) -> Timestamp {
        START + Duration::from_secs(seconds)
    }

    fn breaker() -> Breaker {
        let config = DependencyConfig {
            name: "payments-api".parse().unwrap(),
            failure_rate: Ratio::new(0.5).unwrap(),
            minimum: 4,
            window: Duration::from_secs(10),
            open: Duration::from_secs(5),
            probes: 2,
            concurrency: None,
        };
        Breaker::new(&config, 16)
    }

    fn call(breaker: &mut Breaker, verdict: Verdict, now: Timestamp) -> bool {
        let period = breaker.start();
        breaker.end(period, verdict, now)
    }

    fn tripped() -> Breaker {
        let mut breaker = breaker();
        let opened: Vec<bool> = (0..4)
            .map(|_| call(&mut breaker, Verdict::Failure, START))
            .collect();
        assert_eq!(opened, [false, false, false, true]);
        breaker
    }

    #[test]
    fn it_opens_at_the_share_but_not_before_the_minimum() {
        let breaker = tripped();
        assert_eq!(breaker.gate(), Gate::Hold);
        assert_eq!(breaker.wake_at(), Some(at(5)));
    }

    #[test]
    fn neutral_outcomes_neither_open_it_nor_thin_out_failures() {
        let mut breaker = breaker();
        for _ in 0..100 {
            assert!(!call(&mut breaker, Verdict::Neutral, START));
        }
        for _ in 0..3 {
            assert!(!call(&mut breaker, Verdict::Failure, START));
        }
        assert!(call(&mut breaker, Verdict::Failure, START));
    }

    #[test]
    fn failures_outside_the_window_are_forgotten() {
        let mut breaker = breaker();
        for seconds in [0, 12, 24, 36, 48] {
            assert!(!call(&mut breaker, Verdict::Failure, at(seconds)));
        }
        assert_eq!(breaker.status(at(60)).calls, 0);
    }

    #[test]
    fn half_open_lets_probes_through_and_closes_into_a_ramp() {
        let mut breaker = tripped();
        assert!(!breaker.tick(at(4)));
        assert!(breaker.tick(at(5)));
        let probes = [breaker.start(), breaker.start()];
        assert_eq!(breaker.gate(), Gate::Hold, "two probes at most");
        assert!(!breaker.end(probes[0], Verdict::Success, at(5)));
        assert!(breaker.end(probes[1], Verdict::Success, at(5)));
        let mut limits = Vec::new();
        while let Some(limit) = breaker.status(at(6)).ramp_limit {
            limits.push(limit);
            let running: Vec<Period> = (0..limit).map(|_| breaker.start()).collect();
            assert_eq!(breaker.gate(), Gate::Hold, "not more than the ramp");
            for period in running {
                breaker.end(period, Verdict::Success, at(6));
            }
        }
        assert_eq!(limits, [2, 4, 8]);
        assert_eq!(breaker.gate(), Gate::Free);
    }

    #[test]
    fn a_failed_probe_opens_it_again_and_late_outcomes_say_nothing() {
        let mut breaker = breaker();
        let late = breaker.start();
        for _ in 0..4 {
            call(&mut breaker, Verdict::Failure, START);
        }
        breaker.tick(at(5));
        assert!(
            !breaker.end(late, Verdict::Success, at(5)),
            "it was admitted before the opening"
        );
        assert!(call(&mut breaker, Verdict::Failure, at(6)));
        assert_eq!(breaker.wake_at(), Some(at(11)));
    }

    #[test]
    fn one_that_is_forced_open_stays_open_until_it_is_reset() {
        let mut breaker = breaker();
        let before = breaker.start();
        breaker.force_open(START);
        assert!(!breaker.end(before, Verdict::Success, START));
        assert!(!breaker.tick(at(1_000)));
        assert_eq!((breaker.gate(), breaker.wake_at()), (Gate::Hold, None));
        let mut restored = self::breaker();
        restored.restore(breaker.record(), at(2_000));
        assert!(restored.status(at(2_000)).forced);
        restored.reset(at(2_000));
        assert_eq!(restored.status(at(2_000)).ramp_limit, Some(2));
    }

    #[test]
    fn a_restart_keeps_it_open_for_what_remains() {
        let mut restored = breaker();
        restored.restore(tripped().record(), at(2));
        assert_eq!(restored.wake_at(), Some(at(5)));
        restored.restore(tripped().record(), Timestamp::EPOCH);
        assert_eq!(
            restored.wake_at(),
            Some(Timestamp::EPOCH + Duration::from_secs(5))
        );
    }
}
