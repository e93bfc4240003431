//! What was wrong once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::rig::{Rig, config, fail, id, permanent};
use tidegate_base::Timestamp;
use tidegate_delivery::{
    Arrival, Command, DeliveryStatus, Effect, EventRef, Followers, Input, KeyState, Machine, Order,
    Outcome, RetryClass, StateRecord,
};

fn later(rig: &mut Rig, key: &str, seconds: u64) {
    let sequence = rig.channel.len() as u64;
    rig.channel.push(Arrival {
        sequence,
        event: Arc::new(EventRef {
            key: Some(Arc::from(key)),
            source: "/shop".to_owned(),
            id: sequence.to_string(),
            not_before: Some(rig.now + Duration::from_secs(seconds)),
        }),
        accepted: rig.now,
    });
}

fn grown(rig: &mut Rig) {
    let tail = rig.channel.len() as u64;
    rig.step(Input::Grown {
        channel: "Event".parse().unwrap(),
        tail,
    });
}

/// far events right behind ordinary ones of their key stay in the window.
#[test]
fn a_far_event_behind_one_of_its_key_leaves_the_window() {
    let mut rig = Rig::new(config(), &[]);
    for n in 0..120 {
        let key = format!("k{n}");
        let ordinary = later_or(&rig, &key);
        rig.channel.push(ordinary);
        later(&mut rig, &key, 3_600);
    }
    grown(&mut rig);
    rig.answer_for(100, |_| Outcome::Done);
    rig.append("now");
    rig.answer_for(5, |_| Outcome::Done);
    let now = rig.channel.len() as u64 - 1;
    eprintln!("{:?}", rig.machine.status(&id(), rig.now));
    assert!(
        rig.is(now, DeliveryStatus::Finished),
        "{:?}",
        rig.machine.status(&id(), rig.now)
    );
}

#[test]
fn total_order_and_far_events() {
    let mut config = config();
    config.consumers[0].order = Order::Total;
    let mut rig = Rig::new(config, &[]);
    for _ in 0..120 {
        rig.append("a");
        later(&mut rig, "b", 3_600);
        grown(&mut rig);
        rig.answer_for(1, |_| Outcome::Done);
    }
    rig.append("now");
    rig.answer_for(5, |_| Outcome::Done);
    let now = rig.channel.len() as u64 - 1;
    assert!(
        rig.is(now, DeliveryStatus::Finished),
        "{:?}",
        rig.machine.status(&id(), rig.now)
    );
}

/// followers of a dead letter that has a scheduled one of its key before it.
#[test]
fn followers_of_a_letter_behind_a_scheduled_one_leave_the_window() {
    let mut rig = Rig::new(config(), &[]);
    later(&mut rig, "a", 3_600);
    grown(&mut rig);
    rig.append("a");
    rig.end(1, permanent());
    assert!(rig.is(1, DeliveryStatus::Dead));
    for _ in 0..120 {
        rig.append("a");
    }
    rig.append("b");
    let last = rig.channel.len() as u64 - 1;
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert_eq!(
        rig.running(),
        [last],
        "followers {} backlog {}",
        status.followers,
        status.backlog
    );
}

#[test]
fn followers_of_a_letter_behind_a_scheduled_one_are_counted_as_such() {
    let mut rig = Rig::new(config(), &[]);
    later(&mut rig, "a", 3_600);
    grown(&mut rig);
    rig.append("a");
    rig.append("a");
    rig.end(1, permanent());
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert_eq!((status.followers, status.backlog), (1, 1));
}

/// small states under way
#[test]
fn small_states_under_way_are_not_the_limit() {
    let mut config = config();
    config.consumers[0].concurrency = 100;
    config.consumers[0].window = 200;
    config.dependencies.clear();
    config.consumers[0].needs.clear();
    let keys: Vec<String> = (0..100).map(|n| format!("k{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut rig = Rig::new(config, &keys);
    assert_eq!(rig.running().len(), 100);
    rig.hold_commits = true;
    for sequence in 0..100 {
        rig.end(sequence, Outcome::DoneWith(KeyState::Is("1".into())));
    }
    rig.hold_commits = false;
    rig.release_commits();
    let done = (0..100)
        .filter(|s| rig.is(*s, DeliveryStatus::Finished))
        .count();
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert_eq!(done, 100, "{:?} {}", status.obstacle, status.hold_reason);
}

/// a checkpoint between the order to discard and its record.
#[test]
fn a_letter_that_is_being_discarded_stays_a_letter_in_a_checkpoint_before_it() {
    let mut rig = Rig::new(config(), &["a"]);
    rig.end(0, permanent());
    assert!(rig.is(0, DeliveryStatus::Dead));
    let mut effects = Vec::new();
    rig.machine.step(
        rig.now,
        Input::Command {
            token: 1,
            command: Command::Discard {
                consumer: id(),
                sequences: vec![0],
                reason: "no".to_owned(),
            },
        },
        &mut effects,
    );
    let tokens: BTreeSet<u64> = effects
        .iter()
        .filter_map(|e| match e {
            Effect::Persist { token, .. } => Some(*token),
            _ => None,
        })
        .collect();
    // The records wait behind the checkpoint; the process ends after it and before them.
    let records = rig.machine.checkpoint_before(&tokens);
    let machine = Machine::restore(rig.config.clone(), rig.now, records);
    assert_eq!(machine.delivery(&id(), 0), Some(DeliveryStatus::Dead));
}

/// total order's states after a change of the order.
#[test]
fn states_of_another_order_do_not_fill_the_limit() {
    let mut rig = Rig::new(config(), &[]);
    for n in 0..64 {
        rig.append(&format!("k{n}"));
        let outcome = Outcome::DoneWith(KeyState::Is("x".repeat(16_300).into()));
        rig.end(n, outcome);
    }
    rig.config.consumers[0].order = Order::Total;
    rig.crash();
    rig.append("z");
    rig.end(
        64,
        Outcome::DoneWith(KeyState::Is("x".repeat(16_000).into())),
    );
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert!(
        rig.is(64, DeliveryStatus::Finished),
        "{}",
        status.hold_reason
    );
}

#[test]
fn a_key_without_a_name_has_no_state_of_the_total_order() {
    let mut config = config();
    config.consumers[0].order = Order::Total;
    let mut rig = Rig::new(config, &["a"]);
    rig.end(0, Outcome::DoneWith(KeyState::Is("total".into())));
    rig.config.consumers[0].order = Order::Key;
    rig.crash();
    rig.append("");
    let records = rig.machine.checkpoint();
    let of_the_key = records
        .iter()
        .any(|record| matches!(record, StateRecord::State { key, .. } if key.is_empty()));
    assert!(!of_the_key, "the key \"\" has the state of the total order");
}

/// order per key across restart: scheduled kept, older unfinished in channel.
#[test]
fn a_scheduled_one_that_became_due_while_the_process_was_down_does_not_overtake() {
    let mut rig = Rig::new(config(), &[]);
    // 0 ordinary far scheduled; 1 ordinary that fails; 2 scheduled far of the same key.
    later(&mut rig, "a", 30);
    grown(&mut rig);
    rig.append("a");
    later(&mut rig, "a", 20);
    grown(&mut rig);
    rig.end(1, fail(RetryClass::Retryable));
    rig.now = rig.now + Duration::from_secs(25);
    rig.crash();
    rig.pass(Duration::from_secs(1));
    let first = rig
        .starts
        .iter()
        .skip(1)
        .map(|(s, _)| *s)
        .find(|s| *s == 1 || *s == 2);
    assert_eq!(first, Some(1), "{:?}", rig.starts);
}

fn later_or(rig: &Rig, key: &str) -> Arrival {
    let sequence = rig.channel.len() as u64;
    Arrival {
        sequence,
        event: Arc::new(EventRef {
            key: Some(Arc::from(key)),
            source: "/shop".to_owned(),
            id: sequence.to_string(),
            not_before: None,
        }),
        accepted: rig.now,
    }
}

/// One event ends the process once in company and three times alone. Returns a new process that has not
/// read the channel yet.
fn ended_by(mut rig: Rig, sequence: u64) -> Rig {
    for _ in 0..4 {
        assert!(rig.running().contains(&sequence), "{:?}", rig.running());
        rig.running.clear();
        rig.machine = Machine::restore(rig.config.clone(), rig.now, rig.disk.clone());
        rig.step(Input::TakeOver);
        if rig.starts.iter().filter(|(s, _)| *s == sequence).count() < 4 {
            grown(&mut rig);
        }
    }
    rig
}

fn redrive(rig: &mut Rig, sequence: u64) {
    let (consumer, sequences) = (id(), vec![sequence]);
    rig.step(Input::Redrive {
        consumer,
        sequences,
    });
}

/// what ended the process comes from the channel while another one of its lane runs.
#[test]
fn what_is_given_up_for_crashes_leaves_its_lane_to_the_one_that_runs() {
    let mut config = config();
    config.consumers[0].order = Order::Total;
    config.consumers[0].followers = Followers::Continue;
    let mut rig = Rig::new(config, &["a", "b", "c"]);
    rig.end(0, permanent());
    rig.end(1, permanent());
    let mut rig = ended_by(rig, 2);
    redrive(&mut rig, 1);
    assert_eq!(rig.running(), [1]);
    grown(&mut rig);
    assert!(rig.is(2, DeliveryStatus::Dead));
    redrive(&mut rig, 0);
    assert_eq!(rig.running(), [1], "0 waits until 1 has ended");
    rig.end(1, Outcome::Done);
    assert_eq!(rig.running(), [0]);
}

/// the same while its twin runs.
#[test]
fn what_is_given_up_for_crashes_lets_no_twin_run_beside_another() {
    let mut config = config();
    config.consumers[0].order = Order::None;
    let mut rig = Rig::new(config, &["a"]);
    rig.end(0, permanent());
    let mut twin = rig.channel[0].clone();
    twin.sequence = 1;
    rig.channel.push(twin.clone());
    grown(&mut rig);
    let mut rig = ended_by(rig, 1);
    redrive(&mut rig, 0);
    assert_eq!(rig.running(), [0]);
    twin.sequence = 2;
    rig.channel.push(twin);
    grown(&mut rig);
    assert!(rig.is(1, DeliveryStatus::Dead));
    assert_eq!(rig.running(), [0], "2 is the same event");
    rig.end(0, Outcome::Done);
    assert!(rig.is(2, DeliveryStatus::Finished));
}

/// what ended the process waits behind another one of its lane when the next process begins.
#[test]
fn what_is_given_up_for_crashes_does_not_run_once_more_in_its_turn() {
    let mut rig = Rig::new(config(), &["a", "a"]);
    rig.end(0, permanent());
    let (consumer, sequences) = (id(), vec![0]);
    rig.command(Command::Discard {
        consumer: consumer.clone(),
        sequences: sequences.clone(),
        reason: "no".to_owned(),
    });
    for _ in 0..3 {
        assert_eq!(rig.running(), [1]);
        rig.crash();
    }
    assert_eq!(rig.running(), [1]);
    rig.command(Command::Restore {
        consumer,
        sequences,
    });
    rig.crash();
    assert!(rig.is(1, DeliveryStatus::Dead));
    redrive(&mut rig, 0);
    rig.end(0, Outcome::Done);
    assert!(rig.running().is_empty(), "{:?}", rig.running());
}

/// a start after a retry's time has come, and a clock that goes back.
#[test]
fn a_suspect_does_not_wait_for_the_retry_that_it_ended() {
    let mut rig = Rig::new(config(), &["a"]);
    rig.end(0, fail(RetryClass::Retryable));
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.running(), [0]);
    rig.now = Timestamp::from_nanos(rig.now.nanos() - 100_000_000_000);
    rig.crash();
    assert_eq!(
        rig.running(),
        [0],
        "its last attempt started after the retry was due"
    );
}

/// the clock is set back after something for later has started.
#[test]
fn what_has_run_does_not_wait_for_its_time_again() {
    for is_kept in [false, true] {
        let mut rig = Rig::new(config(), &[]);
        later(&mut rig, "a", if is_kept { 60 } else { 5 });
        grown(&mut rig);
        rig.append("a");
        rig.end(1, Outcome::Done);
        rig.pass(Duration::from_secs(60));
        assert_eq!(rig.running(), [0]);
        rig.now = Timestamp::from_nanos(rig.now.nanos() - 600_000_000_000);
        rig.crash();
        rig.append("a");
        assert_eq!(rig.running(), [0], "kept in the state: {is_kept}");
    }
}

/// what was for later is in the channel when the next process begins; one that it let pass is in the state.
#[test]
fn what_was_let_pass_does_not_go_first_again_after_a_restart() {
    let mut rig = Rig::new(config(), &[]);
    later(&mut rig, "a", 5);
    grown(&mut rig);
    rig.append("a");
    rig.append("a");
    rig.end(1, permanent());
    rig.pass(Duration::from_secs(60));
    rig.running.clear();
    rig.machine = Machine::restore(rig.config.clone(), rig.now, rig.disk.clone());
    rig.step(Input::TakeOver);
    // Nothing has been read yet.
    redrive(&mut rig, 1);
    assert_eq!(rig.running(), [0]);
    rig.end(0, Outcome::Done);
    assert_eq!(rig.running(), [1]);
    rig.end(1, Outcome::Done);
    assert_eq!(rig.running(), [2]);
}

/// a skip, another one over it, and a replay of what the first has passed over, while the second is recorded.
#[test]
fn a_replay_that_is_ordered_while_a_skip_is_recorded_stands() {
    let mut rig = Rig::new(config(), &[]);
    let skip = |until| Command::Skip {
        consumer: id(),
        until,
        reason: "test orders".to_owned(),
    };
    let pause = Command::Pause {
        consumer: id(),
        reason: "slowly".to_owned(),
    };
    rig.command(pause);
    for _ in 0..300 {
        rig.append("a");
    }
    rig.hold_commits = true;
    rig.command(skip(200));
    rig.command(skip(300));
    rig.release_commit();
    assert!(rig.is(150, DeliveryStatus::Finished));
    rig.command(Command::Replay {
        consumer: id(),
        from: 150,
        until: Some(160),
        reason: "a fix".to_owned(),
    });
    rig.hold_commits = false;
    rig.release_commits();
    let replaying = rig.machine.status(&id(), rig.now).unwrap().replaying;
    assert_eq!(replaying.unwrap().deliveries, 10);
    rig.command(Command::Resume { consumer: id() });
    rig.answer_for(10, |_| Outcome::Done);
    let replayed: Vec<(u64, u64)> = (150..160).map(|sequence| (sequence, 1)).collect();
    assert_eq!(rig.replayed, replayed);
    let skipped = |sequence| {
        let why = rig.machine.explain(&id(), sequence, rig.now).unwrap();
        why.skip.is_some()
    };
    assert!(!skipped(155) && skipped(149) && skipped(250));
}

#[test]
fn a_start_is_not_forgotten_by_the_record_that_moves_it_into_the_state() {
    let mut rig = Rig::new(config(), &[]);
    later(&mut rig, "a", 8);
    grown(&mut rig);
    rig.append("a");
    assert_eq!(rig.running(), [1]);
    for _ in 0..3 {
        rig.crash();
        assert_eq!(rig.running(), [1]);
    }
    // 0 is due now; 1 has ended the process three times while it ran alone.
    rig.now = rig.now + Duration::from_secs(9);
    rig.crash();
    assert!(rig.is(1, DeliveryStatus::Dead));
    assert_eq!(rig.running(), [0]);
    // It ends the process: a suspect runs alone.
    rig.crash();
    assert_eq!(rig.running(), [0]);
    let last = rig.disk.iter().rev().find_map(|r| match r {
        StateRecord::Started {
            sequence: 0,
            company,
            ..
        } => Some(*company),
        _ => None,
    });
    assert_eq!(last, Some(tidegate_delivery::Company::Alone));
}

#[test]
fn a_command_that_finds_its_work_under_way_is_answered_when_that_is_durable() {
    let mut rig = Rig::new(config(), &["a"]);
    rig.end(0, permanent());
    rig.hold_commits = true;
    let discard = Command::Discard {
        consumer: id(),
        sequences: vec![0],
        reason: "a test order".to_owned(),
    };
    rig.command(discard.clone());
    rig.command(discard);
    assert_eq!(rig.obeyed, 0, "neither is durable");
    rig.hold_commits = false;
    rig.release_commits();
    assert_eq!(rig.obeyed, 2);
}
