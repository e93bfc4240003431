//! Rates: no more than the rate, no less either, and nothing else changes.

use std::time::Duration;

use proptest::prelude::*;
use tidegate_base::{Rate, Timestamp};
use tidegate_delivery::{
    Command, ConsumerConfig, DeliveryStatus, FlowConfig, Input, Obstacle, Outcome, RateLimit,
    RetryClass,
};

use crate::rig::{Rig, START, consumer, done, id, rate, system};

fn limited(per_second: f64, burst: u32) -> ConsumerConfig {
    ConsumerConfig {
        flow: FlowConfig {
            rate: rate(per_second, burst),
            adaptive: false,
        },
        ..consumer(0, 64)
    }
}

fn rig(per_second: f64, burst: u32) -> Rig {
    let config = system(vec![limited(per_second, burst)], Vec::new());
    Rig::new(config, done(Duration::from_millis(7)))
}

/// In no time more starts than the rate and the burst allow.
fn assert_within(starts: &[Timestamp], per_second: f64, burst: u32) {
    // As many ahead of the line as the bucket holds: one number for all windows at once.
    let mut least = f64::MAX;
    for (count, at) in starts.iter().enumerate() {
        let ahead = count as f64 - at.since(START).as_secs_f64() * per_second;
        least = least.min(ahead);
        let in_window = ahead - least + 1.0;
        assert!(
            in_window <= f64::from(burst) + 1e-3,
            "{in_window} starts by {at}"
        );
    }
}

fn times(rig: &Rig) -> Vec<Timestamp> {
    rig.starts.iter().map(|(at, ..)| *at).collect()
}

#[test]
fn starts_come_at_the_rate_for_hours_without_drift() {
    for per_second in [3.0, 7.0, 1.0 / 7.0] {
        let mut rig = rig(per_second, 1);
        rig.publish(0, 1_000_000);
        rig.pass(Duration::from_mins(40));
        let due = 2_400.0 * per_second;
        let count = rig.starts.len() as f64;
        assert!((count - due).abs() <= 1.0, "{count} starts, {due} are due");
        assert_within(&times(&rig), per_second, 1);
    }
}

#[test]
fn a_burst_goes_at_once_after_quiet_and_not_before() {
    let mut rig = rig(10.0, 5);
    rig.publish(0, 100);
    assert_eq!(rig.starts.len(), 0, "a process begins with an empty bucket");
    let until = START + Duration::from_millis(100);
    assert_eq!(rig.status(0).obstacle, Some(Obstacle::Rate { until }));
    rig.pass(Duration::from_millis(99));
    assert_eq!(rig.starts.len(), 0);
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.starts.len(), 1);
    rig.pass(Duration::from_secs(30));
    assert_eq!(rig.starts.len(), 100);
    let before = rig.now;
    rig.publish(0, 8);
    assert_eq!(rig.starts.len(), 105, "the burst");
    rig.pass(Duration::from_millis(300));
    assert_eq!(rig.starts.len(), 108);
    assert!(rig.starts[105].0 >= before + Duration::from_millis(100));
}

#[test]
fn it_is_woken_once_for_each_start() {
    let mut rig = rig(1.0, 1);
    rig.publish(0, 1_000);
    let before = rig.steps;
    rig.pass(Duration::from_secs(500));
    // A tick, a commit, an end, a commit; now and then a read.
    assert!(rig.steps - before < 500 * 5, "{} steps", rig.steps - before);
    assert_eq!(rig.starts.len(), 500);
}

#[test]
fn a_retry_costs_a_token_and_being_held_costs_nothing() {
    let mut config = limited(2.0, 1);
    config.retry.attempts = 4;
    let fails = Box::new(|_: &_, _| {
        let outcome = Outcome::Retry {
            class: RetryClass::Retryable,
            error: "no".to_owned(),
            after: None,
        };
        (Duration::ZERO, outcome)
    });
    let mut rig = Rig::new(system(vec![config], Vec::new()), fails);
    rig.publish(0, 1);
    for attempt in 1..=4_u32 {
        rig.pass(Duration::from_millis(490));
        assert_eq!(rig.starts.len() as u32, attempt - 1, "held");
        rig.pass(Duration::from_millis(10));
        assert_eq!(
            rig.starts.last().map(|(.., attempt)| *attempt),
            Some(attempt)
        );
    }
    assert_within(&times(&rig), 2.0, 1);
    assert_eq!(
        rig.machine.delivery(&id(0), 0),
        Some(DeliveryStatus::Dead),
        "after its attempts, not sooner"
    );
}

#[test]
fn a_start_that_is_withdrawn_gives_its_token_back() {
    let mut rig = rig(1.0 / 60.0, 1);
    rig.publish(0, 10);
    rig.hold_commits = true;
    rig.pass(Duration::from_mins(1));
    assert_eq!(rig.status(0).in_flight, 1, "its start is being recorded");
    rig.step(Input::Command {
        token: 1,
        command: Command::Pause {
            consumer: id(0),
            reason: "a test".to_owned(),
        },
    });
    rig.release_commits();
    assert_eq!(
        (rig.status(0).in_flight, rig.starts.len()),
        (0, 0),
        "withdrawn"
    );
    rig.step(Input::Command {
        token: 2,
        command: Command::Resume { consumer: id(0) },
    });
    assert_eq!(rig.starts.len(), 1, "it does not wait for another minute");
    rig.pass(Duration::from_secs(59));
    assert_eq!(rig.starts.len(), 1);
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.starts.len(), 2, "and only one was given back");
}

#[test]
fn processes_that_begin_again_and_again_do_not_exceed_the_rate() {
    for lives in [300, 1_050, 2_500] {
        let mut rig = rig(1.0, 20);
        rig.publish(0, 1_000);
        for _ in 0..100 {
            rig.pass(Duration::from_millis(lives));
            rig.crash();
        }
        let seconds = rig.now.since(START).as_secs_f64();
        assert!(rig.starts.len() as f64 <= seconds, "{}", rig.starts.len());
        assert_within(&times(&rig), 1.0, 1);
    }
}

#[test]
fn a_clock_that_goes_back_does_not_hold_it_for_longer_than_an_empty_bucket() {
    let rate = Rate::per_second(1.0).unwrap();
    let mut limit = RateLimit::new(rate, 3).unwrap();
    let late = START + Duration::from_hours(1);
    for _ in 0..3 {
        assert_eq!(limit.next(late), late);
        limit.take(late);
    }
    assert_eq!(limit.next(late), late + Duration::from_secs(1));
    assert_eq!(limit.next(START), START + Duration::from_secs(1));
}

#[test]
fn a_rate_of_nothing_is_no_limit() {
    assert!(RateLimit::new(Rate::default(), 5).is_none());
}

/// The bucket as one would write it down: tokens in thousandths, filled by whole intervals.
struct Bucket {
    interval_nanos: u64,
    burst: u64,
    /// Tokens times the interval.
    level: u64,
    at: u64,
}

impl Bucket {
    fn take(&mut self, now: u64) -> bool {
        let full = self.burst * self.interval_nanos;
        self.level = (self.level + now.saturating_sub(self.at)).min(full);
        self.at = self.at.max(now);
        let may = self.level >= self.interval_nanos;
        if may {
            self.level -= self.interval_nanos;
        }
        may
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn it_decides_as_a_token_bucket_does(
        interval_micros in 1_u64..5_000_000,
        burst in 1_u32..50,
        gaps in prop::collection::vec(0_u64..20_000_000, 1..200),
    ) {
        let interval_nanos = interval_micros * 1_000;
        let rate = Rate::per_second(1e6 / interval_micros as f64).unwrap();
        let mut limit = RateLimit::new(rate, burst).unwrap();
        let full = u64::from(burst) * interval_nanos;
        let mut bucket = Bucket { interval_nanos, burst: u64::from(burst), level: full, at: START.nanos() };
        let mut now = START;
        for gap in gaps {
            now = now + Duration::from_nanos(gap);
            let next = limit.next(now);
            // The rate is a float: within a millionth of the interval both may be right.
            let close = interval_nanos / 1_000_000 + 2;
            let edge = bucket.level.abs_diff(interval_nanos.saturating_sub(now.nanos() - bucket.at)) <= close;
            if edge {
                break;
            }
            let may = bucket.take(now.nanos());
            prop_assert_eq!(next == now, may, "next {} at {}", next, now);
            if may {
                limit.take(now);
            }
        }
    }

    #[test]
    fn whatever_handlers_do_the_rate_holds_and_is_used(
        tenths in 5_u32..2_000,
        burst in 1_u32..40,
        concurrency in 1_u32..64,
        fails in 0_u64..5,
        millis in 0_u64..30,
    ) {
        let per_second = f64::from(tenths) / 10.0;
        let config = ConsumerConfig { concurrency, ..limited(per_second, burst) };
        let handler = Box::new(move |ticket: &tidegate_delivery::Ticket, _| {
            let outcome = if ticket.run % 5 < fails {
                Outcome::Retry { class: RetryClass::Retryable, error: "no".to_owned(), after: None }
            } else {
                Outcome::Done
            };
            (Duration::from_millis(millis), outcome)
        });
        let mut rig = Rig::new(system(vec![config], Vec::new()), handler);
        rig.publish(0, 10_000);
        rig.pass(Duration::from_secs(20));
        assert_within(&times(&rig), per_second, burst);
        // Where places are not what is short, no token is lost.
        if f64::from(concurrency) > 2.0 * per_second * millis as f64 / 1_000.0 + 1.0 {
            let due = 20.0 * per_second;
            prop_assert!(rig.starts.len() as f64 >= due - 2.0, "{} of {due}", rig.starts.len());
        }
    }
}
