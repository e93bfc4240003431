//! What waits goes on by itself: at the time that the machine asked for, and no sooner.

use std::time::Duration;

use tidegate_base::{Ratio, Timestamp};
use tidegate_delivery::{
    Command, DeliveryStatus, HaltCause, Mode, Obstacle, Order, Outcome, RetryClass,
};

use crate::rig::{Rig, config, fail, id, permanent};

/// A record that cannot be read is asked for once, not as fast as the machine runs; once the store
/// is repaired, the next start goes on.
#[test]
fn a_damaged_channel_is_read_once_and_again_after_the_next_start() {
    let mut rig = Rig::new(config(), &["a", "b", "c"]);
    rig.answer_for(1, |_| Outcome::Done);
    rig.damaged_from = Some(3);
    rig.append("d");
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert_eq!(status.halt.map(|halt| halt.cause), Some(HaltCause::Channel));
    let fetches = rig.fetches;
    rig.answer_for(60, |_| Outcome::Done);
    assert_eq!(rig.fetches, fetches, "it is not read again");
    rig.crash();
    let halt = rig.machine.status(&id(), rig.now).unwrap().halt;
    assert_eq!(
        halt.map(|halt| halt.cause),
        Some(HaltCause::Channel),
        "still damaged"
    );
    rig.damaged_from = None;
    rig.crash();
    rig.answer_for(1, |_| Outcome::Done);
    assert!(rig.is(3, DeliveryStatus::Finished), "repaired");
}

/// As before, while the consumer stands still for another reason.
#[test]
fn a_damaged_channel_is_read_once_behind_a_flood_of_dead_letters() {
    let mut config = config();
    config.consumers[0].dead_letters = 1;
    let mut rig = Rig::new(config, &["a", "b"]);
    rig.end(0, permanent());
    rig.end(1, permanent());
    rig.damaged_from = Some(2);
    rig.append("c");
    assert!(rig.fetches < 5, "{} reads", rig.fetches);
}

/// An overloaded handler that says `Retry-After: 0` is not called without end.
#[test]
fn an_overload_backs_off_even_when_the_handler_asks_for_no_time() {
    let mut rig = Rig::new(config(), &["a"]);
    for _ in 0..3 {
        let after = Some(Duration::ZERO);
        let error = "busy".to_owned();
        rig.end(0, Outcome::Overload { error, after });
        assert!(rig.running().is_empty(), "left alone for a while");
        rig.wake();
    }
}

fn busy(seconds: u64) -> Outcome {
    let after = Some(Duration::from_secs(seconds));
    let error = "busy".to_owned();
    Outcome::Overload { error, after }
}

fn held_until(rig: &Rig) -> Option<Timestamp> {
    match rig.machine.status(&id(), rig.now).unwrap().obstacle {
        Some(Obstacle::Overload { until }) => Some(until),
        _ => None,
    }
}

/// A handler that asked for time is not called before by the process that follows, nor for longer than it asked when
/// the clock was set back.
#[test]
fn a_restart_does_not_forget_for_how_long_a_handler_asked_to_be_left_alone() {
    let mut rig = Rig::new(config(), &["a", "b"]);
    rig.end(0, busy(600));
    rig.end(1, Outcome::Done);
    let until = rig.now + Duration::from_secs(600);
    assert_eq!(held_until(&rig), Some(until));
    rig.crash();
    assert!(rig.running().is_empty());
    assert_eq!(held_until(&rig), Some(until));
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert_eq!(status.hold_reason, "busy");
    rig.now = Timestamp::from_nanos(rig.now.nanos() - 500_000_000_000);
    rig.crash();
    let until = rig.now + Duration::from_secs(600);
    assert_eq!(held_until(&rig), Some(until));
    rig.pass(Duration::from_secs(600));
    assert_eq!(rig.running(), [0]);
}

/// An operator who resumes a consumer does not wait for what its handler asked for, in the next process either.
#[test]
fn an_operator_ends_what_an_overload_holds() {
    let mut rig = Rig::new(config(), &["a"]);
    rig.end(0, busy(3_600));
    assert!(rig.running().is_empty());
    rig.command(Command::Resume { consumer: id() });
    assert_eq!(rig.running(), [0]);
    rig.crash();
    assert_eq!(rig.running(), [0]);
}

/// Suspects that are retries wait for the budget, and are woken when it has a token.
#[test]
fn suspects_that_are_retries_are_woken_when_the_budget_allows() {
    let mut config = config();
    let consumer = &mut config.consumers[0];
    consumer.concurrency = 12;
    consumer.order = Order::None;
    consumer.retry.budget = Some(Ratio::default());
    let keys = ["a"; 12];
    let mut rig = Rig::new(config, &keys);
    for sequence in 0..12 {
        rig.end(sequence, fail(RetryClass::Retryable));
    }
    // Ten tokens at the start, one more each second: all twelve are retried and run at the crash.
    for _ in 0..4 {
        rig.pass(Duration::from_secs(1));
    }
    assert_eq!(rig.running().len(), 12);
    rig.crash();
    for _ in 0..10 {
        rig.end(rig.running()[0], Outcome::Done);
    }
    assert!(rig.running().is_empty(), "the budget is used up");
    rig.wake();
    assert_eq!(rig.running().len(), 1);
}

/// A suspect whose start was taken back before it ran is not to blame for what ends the process next.
#[test]
fn a_suspect_that_never_ran_is_not_counted_as_a_crash() {
    let mut config = config();
    config.consumers[0].mode = Mode::Pull;
    let mut rig = Rig::new(config, &["a"]);
    rig.want(1);
    assert_eq!(rig.running(), [0]);
    rig.crash();
    for _ in 0..3 {
        // The puller leaves between the start and its record.
        rig.hold_commits = true;
        rig.want(1);
        rig.want(0);
        rig.hold_commits = false;
        rig.release_commits();
        assert!(rig.running().is_empty(), "nobody pulls any more");
        rig.crash();
    }
    rig.want(1);
    assert_eq!(rig.running(), [0], "it runs, and is no dead letter");
}

/// A clock that went back must not delay a retry for longer than was ever asked for.
#[test]
fn a_clock_that_went_back_does_not_keep_a_retry_waiting() {
    let mut rig = Rig::new(config(), &["a"]);
    rig.pass(Duration::from_secs(100_000));
    rig.end(0, fail(RetryClass::Retryable));
    rig.now = rig.now - Duration::from_secs(90_000);
    rig.crash();
    rig.pass(Duration::from_secs(3_601));
    assert_eq!(rig.running(), [0]);
}
