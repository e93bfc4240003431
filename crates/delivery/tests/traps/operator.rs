//! What operators do, and what must not come of it.

use std::time::Duration;

use tidegate_base::Ratio;
use tidegate_delivery::{
    Command, DeliveryStatus, HaltCause, Input, Obstacle, Outcome, RestoreRefusal, RetryClass,
};

use crate::rig::{Rig, config, fail, id, permanent};

fn pause() -> Command {
    Command::Pause {
        consumer: id(),
        reason: "a migration".to_owned(),
    }
}

fn discard(sequences: &[u64]) -> Command {
    Command::Discard {
        consumer: id(),
        sequences: sequences.to_vec(),
        reason: "a test order".to_owned(),
    }
}

fn restore(sequences: &[u64]) -> Command {
    Command::Restore {
        consumer: id(),
        sequences: sequences.to_vec(),
    }
}

/// A pause ends nothing that runs, burns no attempt, and outlives the process.
#[test]
fn a_paused_consumer_starts_nothing_until_it_is_told_to() {
    let mut rig = Rig::new(config(), &["a", "a", "b"]);
    rig.command(pause());
    rig.end(0, Outcome::Done);
    rig.end(2, fail(RetryClass::Retryable));
    rig.pass(Duration::from_secs(10));
    assert!(rig.running().is_empty());
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert_eq!(status.obstacle, Some(Obstacle::Paused));
    assert_eq!(status.paused.unwrap().reason, "a migration");
    rig.crash();
    rig.pass(Duration::from_secs(10));
    assert!(rig.running().is_empty(), "a restart does not end it");
    rig.disk = rig.machine.checkpoint();
    rig.crash();
    assert!(rig.running().is_empty(), "nor does a checkpoint");
    rig.command(Command::Resume { consumer: id() });
    assert_eq!(rig.running(), [1, 2]);
    assert_eq!(rig.starts.last(), Some(&(2, 2)), "no attempt was burnt");
}

/// A start that is being recorded when the pause comes is not sent.
#[test]
fn a_pause_withdraws_what_was_not_sent_yet() {
    let mut rig = Rig::new(config(), &["a"]);
    rig.end(0, fail(RetryClass::Retryable));
    rig.hold_commits = true;
    rig.pass(Duration::from_secs(1));
    rig.command(pause());
    rig.release_commits();
    assert!(rig.running().is_empty());
    rig.command(Command::Resume { consumer: id() });
    rig.release_commits();
    assert_eq!(rig.starts, [(0, 1), (0, 2)]);
}

/// Nothing is answered before it is durable.
#[test]
fn a_command_is_obeyed_once_it_is_durable() {
    let mut rig = Rig::new(config(), &["a"]);
    rig.hold_commits = true;
    rig.command(pause());
    assert_eq!(rig.obeyed, 0);
    rig.release_commits();
    assert_eq!(rig.obeyed, 1);
    rig.command(discard(&[99]));
    assert_eq!(rig.obeyed, 2, "nothing is to be done");
}

/// A breaker that an operator holds open neither probes nor closes by itself, nor after a restart.
#[test]
fn a_breaker_that_is_held_open_stays_open() {
    let mut rig = Rig::new(config(), &["a", "b", "c", "d", "e"]);
    let dependency = || "api".parse().unwrap();
    rig.command(Command::OpenBreaker {
        breaker: dependency(),
        reason: "they asked".to_owned(),
    });
    rig.end(0, Outcome::Done);
    rig.end(1, fail(RetryClass::Timeout));
    rig.pass(Duration::from_secs(1_000));
    assert_eq!(rig.running(), [2, 3], "what ran may finish");
    let status = rig.machine.breaker(&dependency(), rig.now).unwrap();
    assert_eq!((status.state, status.forced), ("open", true));
    assert_eq!(rig.machine.forced_open(&dependency()), Some("they asked"));
    rig.crash();
    rig.pass(Duration::from_secs(1_000));
    assert!(rig.running().is_empty());
    rig.command(Command::ResetBreaker {
        breaker: dependency(),
    });
    assert_eq!(rig.machine.forced_open(&dependency()), None);
    rig.answer_for(30, |_| Outcome::Done);
    assert!((0..5).all(|sequence| rig.is(sequence, DeliveryStatus::Finished)));
    let mut attempts = rig.starts.iter().filter(|(sequence, _)| *sequence == 1);
    assert_eq!(
        attempts.next_back(),
        Some(&(1, 1)),
        "its failure did not count"
    );
}

/// What waits behind a letter goes on once that is given up, in its order, and not before.
#[test]
fn discarding_a_letter_lets_its_followers_go() {
    let mut rig = Rig::new(config(), &["a", "a", "a"]);
    rig.end(0, permanent());
    rig.pass(Duration::from_secs(5));
    assert!(rig.running().is_empty());
    rig.hold_commits = true;
    rig.command(discard(&[0]));
    assert!(rig.running().is_empty(), "it is not durable yet");
    rig.hold_commits = false;
    rig.release_commits();
    rig.answer_for(5, |_| Outcome::Done);
    assert_eq!(rig.starts, [(0, 1), (1, 1), (2, 1)]);
    assert!(rig.is(0, DeliveryStatus::Discarded));
    let needed = rig.machine.needed(&"Event".parse().unwrap());
    assert_eq!(needed.pinned.into_iter().collect::<Vec<_>>(), [0]);
}

/// A discard can be taken back after a restart; then the letter is what it was.
#[test]
fn a_discarded_letter_can_be_taken_back() {
    let mut rig = Rig::new(config(), &["a", "b"]);
    rig.end(0, permanent());
    rig.end(1, Outcome::Done);
    rig.command(discard(&[0, 1]));
    rig.disk = rig.machine.checkpoint();
    rig.crash();
    rig.pass(Duration::from_secs(5));
    assert!(rig.is(0, DeliveryStatus::Discarded));
    assert!(rig.is(1, DeliveryStatus::Finished), "it was no letter");
    let letters: Vec<_> = rig.machine.discarded_letters(&id()).collect();
    assert_eq!(letters[0].1.reason, "a test order");
    let unknown = Err(RestoreRefusal::Unknown);
    assert_eq!(rig.machine.may_restore(&id(), 1), unknown);
    rig.command(restore(&[0, 1]));
    assert!(rig.is(0, DeliveryStatus::Dead));
    rig.crash();
    assert!(rig.is(0, DeliveryStatus::Dead));
    let letter = rig.machine.dead_letter(&id(), 0).unwrap();
    assert_eq!(letter.progress.history.len(), 1);
    rig.step(Input::Redrive {
        consumer: id(),
        sequences: vec![0],
    });
    rig.answer_for(2, |_| Outcome::Done);
    assert!(rig.is(0, DeliveryStatus::Finished));
}

/// A consumer that has halted for its dead letters goes on once some are given up; none is taken back
/// into a full house.
#[test]
fn discarding_makes_room_for_dead_letters() {
    let mut config = config();
    config.consumers[0].dead_letters = 2;
    let mut rig = Rig::new(config, &["a", "b", "c", "d"]);
    for sequence in 0..3 {
        rig.end(sequence, permanent());
    }
    assert!(rig.machine.status(&id(), rig.now).unwrap().halt.is_some());
    rig.command(discard(&[0, 1]));
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert_eq!(
        (status.halt, status.dead_letters, status.discarded),
        (None, 1, 2)
    );
    assert!(rig.is(2, DeliveryStatus::Dead));
    rig.command(restore(&[0]));
    assert!(rig.is(0, DeliveryStatus::Dead));
    let full = Err(RestoreRefusal::Full);
    assert_eq!(rig.machine.may_restore(&id(), 1), full);
    rig.command(restore(&[1]));
    assert!(rig.is(1, DeliveryStatus::Discarded));
}

/// A flood of dead letters is nobody's single event: beyond the budget the consumer halts, and loses
/// nothing.
#[test]
fn dead_letters_beyond_their_budget_halt_the_consumer() {
    let mut config = config();
    config.consumers[0].dead_letters = 1_000;
    config.consumers[0].dead_letter_budget = Some(Ratio::new(0.5).unwrap());
    let keys: Vec<String> = (0..40).map(|key| key.to_string()).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut rig = Rig::new(config, &keys);
    rig.answer_for(10, |_| permanent());
    let status = rig.machine.status(&id(), rig.now).unwrap();
    let cause = status.halt.map(|halt| halt.cause);
    assert_eq!(cause, Some(HaltCause::DeadLetterBudget));
    assert_eq!(status.dead_letters, 10, "what there is at the start");
    rig.pass(Duration::from_secs(1_000));
    assert!(rig.running().is_empty(), "it goes on when told to");
    rig.command(Command::Resume { consumer: id() });
    let buried = rig.machine.status(&id(), rig.now).unwrap().dead_letters;
    assert!(buried > 10, "what waited is a letter now: {buried}");
    rig.answer_for(20, |_| Outcome::Done);
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert_eq!((status.halt, status.backlog), (None, 0));
}
