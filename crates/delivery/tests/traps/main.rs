//! The mistakes that other systems made, each as a test: the comment says whose trap it was.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test: what is wrong here should stop it, with its place"
)]

mod edits;
mod followers;
mod jobs;
mod operator;
mod regressions;
mod replay;
mod retention;
mod rig;
mod together;
mod waking;

use std::time::Duration;

use rig::{Rig, config, fail, id, permanent};
use tidegate_delivery::{
    Arrival, DeathReason, DeliveryStatus, HaltCause, Input, Obstacle, Outcome, RetryClass,
};

/// Trap 1, retry topics: the second event of a key runs while the first waits for its retry.
#[test]
fn a_retry_blocks_its_key_and_no_other() {
    let mut rig = Rig::new(config(), &["a", "a", "b"]);
    assert_eq!(rig.running(), [0, 2]);
    rig.end(0, fail(RetryClass::Retryable));
    rig.end(2, Outcome::Done);
    rig.pass(Duration::from_millis(900));
    assert!(rig.running().is_empty(), "1 waits behind 0");
    rig.pass(Duration::from_millis(100));
    assert_eq!(rig.running(), [0]);
    rig.end(0, Outcome::Done);
    assert_eq!(rig.running(), [1]);
}

/// Trap 4, seeking back to the first failure: two failing records make the rest run again.
#[test]
fn two_failures_at_once_repeat_nobody_else() {
    let mut rig = Rig::new(config(), &["a", "b", "c", "d"]);
    for (sequence, outcome) in [
        (1, fail(RetryClass::Retryable)),
        (3, fail(RetryClass::Retryable)),
        (0, Outcome::Done),
        (2, Outcome::Done),
    ] {
        rig.end(sequence, outcome);
    }
    rig.answer_for(5, |_| Outcome::Done);
    assert_eq!(rig.starts, [(0, 1), (1, 1), (2, 1), (3, 1), (1, 2), (3, 2)]);
}

/// Trap 5, commit gaps: committing 1 while 0 runs loses 0.
#[test]
fn what_runs_is_not_passed_over_by_what_is_done() {
    let mut rig = Rig::new(config(), &["a", "b", "c"]);
    rig.end(1, Outcome::Done);
    rig.end(2, Outcome::Done);
    assert_eq!(rig.machine.status(&id(), rig.now).unwrap().watermark, 0);
    rig.crash();
    assert_eq!(rig.running(), [0], "0 again, 1 and 2 not");
    rig.end(0, Outcome::Done);
    assert_eq!(rig.machine.status(&id(), rig.now).unwrap().watermark, 3);
}

/// Trap 6, zombies: an outcome of the process before decides about the attempt of the one after.
#[test]
fn an_outcome_of_an_earlier_epoch_is_rejected() {
    let mut rig = Rig::new(config(), &["a"]);
    let (zombie, _) = rig.running[0].clone();
    rig.crash();
    rig.step(Input::Ended {
        ticket: zombie,
        outcome: permanent(),
    });
    assert_eq!(rig.rejected, 1);
    assert!(rig.is(0, DeliveryStatus::Running));
    let (ticket, _) = rig.running[0].clone();
    rig.end(0, Outcome::Done);
    rig.step(Input::Ended {
        ticket,
        outcome: permanent(),
    });
    assert_eq!(rig.rejected, 2, "and one that was answered");
}

/// Trap 7, the breaker that empties the channel into the dead letters.
#[test]
fn an_open_breaker_holds_and_burns_nothing() {
    let keys: Vec<String> = (0..20).map(|key| key.to_string()).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut rig = Rig::new(config(), &keys);
    for sequence in 0..3 {
        rig.end(sequence, fail(RetryClass::Unavailable));
    }
    assert_eq!(rig.breaker(), "open");
    let started = rig.starts.len();
    rig.end(3, fail(RetryClass::Unavailable));
    rig.pass(Duration::from_secs(9));
    assert_eq!(rig.starts.len(), started, "nothing starts while it is open");
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert_eq!(
        status.obstacle,
        Some(Obstacle::Breaker("api".parse().unwrap()))
    );
    rig.answer_for(30, |_| Outcome::Done);
    assert_eq!(rig.machine.status(&id(), rig.now).unwrap().backlog, 0);
    // 2 opened it and 3 came in when it was open: neither attempt counted.
    let of = |sequence| -> Vec<u32> {
        let mine = rig.starts.iter().filter(|(other, _)| *other == sequence);
        mine.map(|(_, attempt)| *attempt).collect()
    };
    assert_eq!((of(0), of(2), of(3)), (vec![1, 2], vec![1, 1], vec![1, 1]));
}

/// Trap 8, a poison message trips the breaker, or holds it open as its only probe.
#[test]
fn poison_neither_opens_a_breaker_nor_holds_it() {
    let mut rig = Rig::new(config(), &["a", "b", "c", "d", "e", "f", "g", "h"]);
    for sequence in 0..4 {
        rig.end(sequence, permanent());
    }
    assert_eq!(rig.breaker(), "closed", "permanent errors never count");
    for sequence in 4..7 {
        rig.end(sequence, fail(RetryClass::Timeout));
    }
    assert_eq!(rig.breaker(), "open");
    rig.end(7, Outcome::Cancelled);
    rig.pass(Duration::from_secs(10));
    assert_eq!(
        rig.running(),
        [7],
        "the probe is the one that never failed, not the oldest"
    );
}

/// Trap 7 again: an outage longer than all attempts together, when every key's head has failed.
#[test]
fn a_long_outage_makes_no_dead_letters() {
    let mut rig = Rig::new(config(), &["a", "b", "c", "d", "a", "b", "c", "d"]);
    rig.answer_for(600, |_| fail(RetryClass::Unavailable));
    assert_eq!(rig.breaker(), "open");
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert_eq!((status.dead_letters, status.backlog), (0, 8));
    let probed: std::collections::BTreeSet<u64> = rig
        .starts
        .iter()
        .rev()
        .take(12)
        .map(|(sequence, _)| *sequence)
        .collect();
    assert_eq!(
        probed.len(),
        4,
        "each head probes in its turn: {:?}",
        rig.starts
    );
    rig.answer_for(60, |_| Outcome::Done);
    assert_eq!(rig.machine.status(&id(), rig.now).unwrap().backlog, 0);
}

/// A few that always meet an overload come back to the end of the queue, not to its head.
#[test]
fn the_overloaded_starve_nobody() {
    let keys: Vec<String> = (0..12).map(|key| key.to_string()).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut rig = Rig::new(config(), &keys);
    rig.answer_for(30, |sequence| {
        if sequence < 4 {
            let after = Some(Duration::from_secs(1));
            Outcome::Overload {
                error: "busy".to_owned(),
                after,
            }
        } else {
            Outcome::Done
        }
    });
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert_eq!(
        (status.dead_letters, status.backlog),
        (0, 4),
        "{:?}",
        rig.starts
    );
}

/// Trap 9, attempts multiplied by restarts: the count belongs to the delivery, not the process.
#[test]
fn attempts_are_counted_over_restarts() {
    let mut config = config();
    config.consumers[0].needs.clear();
    let mut rig = Rig::new(config, &["a"]);
    for _ in 0..4 {
        rig.end(0, fail(RetryClass::Retryable));
        rig.crash();
        rig.pass(Duration::from_secs(2));
    }
    assert!(rig.is(0, DeliveryStatus::Dead));
    assert_eq!(rig.starts, [(0, 1), (0, 2), (0, 3), (0, 4)]);
    let letter = rig.machine.dead_letter(&id(), 0).unwrap();
    assert_eq!(letter.death.reason, DeathReason::Exhausted);
    assert_eq!(letter.progress.history.len(), 4);
}

/// Trap 25, a message that ends the process is never counted and ends it for ever.
#[test]
fn what_ends_the_process_is_found_alone_and_becomes_a_dead_letter() {
    let mut rig = Rig::new(config(), &["a", "b", "c"]);
    // 1 ends the process whenever it runs; the others are innocent.
    let mut crashes = 0;
    while !rig.is(1, DeliveryStatus::Dead) {
        for _ in 0..5 {
            if rig.running().contains(&1) {
                crashes += 1;
                rig.crash();
            } else if let Some(sequence) = rig.running().first().copied() {
                assert_eq!(rig.running().len(), 1, "suspects run alone");
                rig.end(sequence, Outcome::Done);
            }
        }
        assert!(crashes < 20);
    }
    assert_eq!(crashes, 4, "once in company, three times alone");
    let letter = rig.machine.dead_letter(&id(), 1).unwrap();
    assert_eq!(letter.death.reason, DeathReason::Crash);
    rig.answer_for(2, |_| Outcome::Done);
    assert!(rig.is(0, DeliveryStatus::Finished) && rig.is(2, DeliveryStatus::Finished));
}

/// Trap 29, a wrong endpoint: 404 drops, retries or dead-letters events that are fine.
#[test]
fn a_wrong_endpoint_halts_and_is_tried_now_and_then() {
    let mut rig = Rig::new(config(), &["a", "b", "c", "d", "e"]);
    let wrong = |_| Outcome::EndpointFault {
        error: "HTTP 404".to_owned(),
    };
    rig.answer_for(10, wrong);
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert_eq!(
        status.halt.map(|halt| halt.cause),
        Some(HaltCause::Endpoint)
    );
    assert_eq!(status.dead_letters, 0);
    let before = rig.starts.len();
    rig.answer_for(120, wrong);
    let probes = rig.starts.len() - before;
    assert!((3..=4).contains(&probes), "{probes} probes in two minutes");
    rig.crash();
    assert_eq!(
        rig.running().len(),
        1,
        "a halt outlives the process; its endpoint is probed"
    );
    rig.answer_for(40, |_| Outcome::Done);
    assert_eq!(rig.machine.status(&id(), rig.now).unwrap().backlog, 0);
    assert!(
        rig.starts.iter().all(|(_, attempt)| *attempt == 1),
        "no attempt counted"
    );
}

/// Trap 31, shutdown: what was called off went to the error queue.
#[test]
fn a_shutdown_is_no_failure() {
    let mut rig = Rig::new(config(), &["a", "b", "c", "d", "e"]);
    rig.step(Input::Drain);
    rig.end(0, Outcome::Done);
    assert_eq!(rig.running(), [1, 2, 3], "nothing new starts");
    for sequence in 1..4 {
        rig.end(sequence, Outcome::Cancelled);
    }
    assert!(rig.machine.is_quiet());
    rig.crash();
    assert_eq!(rig.running().len(), 4, "no suspects: nothing was running");
    rig.answer_for(2, |_| Outcome::Done);
    assert!(rig.starts.iter().all(|(_, attempt)| *attempt == 1));
}

/// Dead letters without end: the cause is not in the events, so the consumer stops.
#[test]
fn a_flood_of_dead_letters_halts_and_redriving_makes_room() {
    let keys: Vec<String> = (0..30).map(|key| key.to_string()).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut rig = Rig::new(config(), &keys);
    rig.answer_for(10, |_| permanent());
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert_eq!(
        status.halt.map(|halt| halt.cause),
        Some(HaltCause::DeadLetters)
    );
    assert_eq!(status.dead_letters, 10);
    for _ in 0..3 {
        let letters = rig.machine.dead_letters(&id());
        let sequences = letters.map(|letter| letter.sequence).collect();
        rig.step(Input::Redrive {
            consumer: id(),
            sequences,
        });
        rig.answer_for(5, |_| Outcome::Done);
    }
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert_eq!(
        (status.backlog, status.dead_letters, status.halt),
        (0, 0, None)
    );
}

/// A hot key behind a dead letter must not fill the window for everyone.
#[test]
fn followers_of_a_dead_letter_do_not_use_up_the_window() {
    let mut config = config();
    config.consumers[0].window = 8;
    let mut keys = vec!["hot"; 50];
    keys.extend(["cold", "cold"]);
    let mut rig = Rig::new(config, &keys);
    rig.end(0, permanent());
    rig.answer_for(20, |_| Outcome::Done);
    assert!(rig.is(51, DeliveryStatus::Finished));
    assert_eq!(rig.machine.followers(&id(), 0), 49);
    rig.crash();
    assert_eq!(rig.machine.followers(&id(), 0), 49);
    let checkpoint = rig.machine.checkpoint();
    rig.disk = checkpoint;
    rig.crash();
    rig.starts.clear();
    rig.step(Input::Redrive {
        consumer: id(),
        sequences: vec![0],
    });
    rig.answer_for(60, |_| Outcome::Done);
    let order: Vec<u64> = rig.starts.iter().map(|(sequence, _)| *sequence).collect();
    assert_eq!(order, (0..50).collect::<Vec<u64>>());
}

/// An event that is in the channel twice runs once, even when both copies could run at once.
#[test]
fn a_finished_event_does_not_run_again() {
    let mut rig = Rig::new(config(), &["a", "b"]);
    let twin = Arrival {
        sequence: 2,
        ..rig.channel[0].clone()
    };
    rig.channel.push(twin);
    rig.step(Input::Grown {
        channel: "Event".parse().unwrap(),
        tail: 3,
    });
    rig.answer_for(2, |_| Outcome::Done);
    assert!(rig.is(2, DeliveryStatus::Finished));
    let later = Arrival {
        sequence: 3,
        ..rig.channel[1].clone()
    };
    rig.channel.push(later);
    rig.crash();
    rig.answer_for(2, |_| Outcome::Done);
    assert!(rig.is(3, DeliveryStatus::Finished));
    assert_eq!(rig.starts, [(0, 1), (1, 1)]);
}
