//! What waits behind a dead letter or for later: bounded, in order, over a restart at any moment.

use std::sync::Arc;
use std::time::Duration;

use tidegate_base::limit::REDRIVES_MAX;
use tidegate_delivery::{
    Arrival, Command, ConsumerConfig, DeliveryStatus, EventRef, Input, Machine, Outcome, RetryClass,
};

use crate::rig::{Rig, config, fail, id, permanent};

fn redrive(rig: &mut Rig, sequence: u64) {
    rig.step(Input::Redrive {
        consumer: id(),
        sequences: vec![sequence],
    });
}

/// The deliveries that started, in order.
fn started(rig: &Rig) -> Vec<u64> {
    rig.starts.iter().map(|(sequence, _)| *sequence).collect()
}

/// One more event, not to be delivered before so many seconds.
fn append_for_later(rig: &mut Rig, key: &str, seconds: u64) {
    let sequence = rig.channel.len() as u64;
    let event = EventRef {
        key: Some(Arc::from(key)),
        source: "/shop".to_owned(),
        id: sequence.to_string(),
        not_before: Some(rig.now + Duration::from_secs(seconds)),
    };
    rig.channel.push(Arrival {
        sequence,
        event: Arc::new(event),
        accepted: rig.now,
    });
    rig.step(Input::Grown {
        channel: "Event".parse().unwrap(),
        tail: sequence + 1,
    });
}

/// Trap 2, the lock that outlives its letter, or the letter without a lock: two writes for one fact.
#[test]
fn a_letter_and_its_closed_lane_are_one_record_at_any_crash() {
    let mut rig = Rig::new(config(), &["a", "a", "b"]);
    rig.end(2, Outcome::Done);
    rig.end(0, permanent());
    let whole = rig.disk.clone();
    for kept in 0..=whole.len() {
        let mut rig = Rig::new(config(), &["a", "a", "b"]);
        rig.disk = whole[..kept].to_vec();
        rig.crash();
        let dead = rig.is(0, DeliveryStatus::Dead);
        rig.answer_for(30, |sequence| match sequence {
            0 => permanent(),
            _ => Outcome::Done,
        });
        assert!(rig.is(0, DeliveryStatus::Dead), "{kept} records");
        assert!(!started(&rig).contains(&1), "{kept} records");
        assert!(rig.is(2, DeliveryStatus::Finished), "{kept} records");
        // A letter that is kept does not run again; one that is not does.
        rig.starts.clear();
        rig.crash();
        assert!(started(&rig).is_empty(), "{kept} records, dead: {dead}");
        redrive(&mut rig, 0);
        rig.answer_for(10, |_| Outcome::Done);
        assert_eq!(started(&rig), [0, 1], "{kept} records");
    }
}

/// Trap 3, retries that sleep where reads are made: what waits for an hour stops neither reads nor others.
#[test]
fn a_retry_that_waits_for_long_stops_no_reads() {
    let mut config = config();
    config.consumers[0].window = 4;
    let mut rig = Rig::new(config, &["slow"]);
    rig.end(
        0,
        Outcome::Retry {
            class: RetryClass::Retryable,
            error: "later".to_owned(),
            after: Some(Duration::from_hours(1)),
        },
    );
    for n in 0..200 {
        rig.append(&format!("key-{n}"));
    }
    rig.answer_for(60, |_| Outcome::Done);
    assert!((1..=200).all(|sequence| rig.is(sequence, DeliveryStatus::Finished)));
    assert!(rig.is(0, DeliveryStatus::Waiting));
    rig.pass(Duration::from_hours(1));
    assert_eq!(rig.running(), [0]);
}

/// Trap 11, deduplication by the event alone: the second consumer of the same event never runs.
#[test]
fn one_event_is_finished_for_each_consumer_by_itself() {
    let mut config = config();
    let audit = ConsumerConfig {
        id: "audit/Event".parse().unwrap(),
        ..config.consumers[0].clone()
    };
    config.consumers.push(audit);
    let mut rig = Rig::new(config, &["a"]);
    assert_eq!(rig.running(), [0, 0]);
    rig.end(0, Outcome::Done);
    let twin = Arrival {
        sequence: 1,
        ..rig.channel[0].clone()
    };
    rig.channel.push(twin);
    rig.crash();
    // Finished at one of them, a suspect at the other, which runs again and only there.
    assert_eq!(rig.running(), [0]);
    rig.answer_for(5, |_| Outcome::Done);
    assert_eq!(started(&rig), [0, 0, 0]);
}

/// Trap 24, redriven letters among newer events, and round and round.
#[test]
fn a_redriven_letter_goes_before_newer_ones_and_not_for_ever() {
    let mut rig = Rig::new(config(), &["a", "a"]);
    rig.end(0, permanent());
    rig.append("a");
    for round in 1..=REDRIVES_MAX {
        redrive(&mut rig, 0);
        assert_eq!(rig.running(), [0], "round {round}");
        rig.append("a");
        rig.end(0, permanent());
        assert!(rig.running().is_empty(), "round {round}");
    }
    redrive(&mut rig, 0);
    assert!(
        rig.is(0, DeliveryStatus::Dead),
        "no more than {REDRIVES_MAX}"
    );
    assert!(rig.running().is_empty());
}

/// At the limit of what the state keeps the rest stays in the window, which pushes back; nothing is lost, and nothing
/// goes before its place, wherever a restart finds them.
#[test]
fn followers_beyond_the_limit_push_back_and_keep_their_order_over_a_restart() {
    let mut config = config();
    (config.consumers[0].window, config.consumers[0].kept) = (8, 3);
    let mut keys = vec!["hot"; 40];
    keys.push("cold");
    let mut rig = Rig::new(config, &keys);
    rig.end(0, permanent());
    rig.answer_for(20, |_| Outcome::Done);
    // Three are kept, eight fill the window: the other key is not reached, and nothing was given up for that.
    assert_eq!(rig.machine.followers(&id(), 0), 11);
    assert!(rig.is(40, DeliveryStatus::InChannel));
    for _ in 0..2 {
        rig.crash();
        assert_eq!(rig.machine.followers(&id(), 0), 11);
    }
    rig.disk = rig.machine.checkpoint();
    rig.crash();
    rig.starts.clear();
    redrive(&mut rig, 0);
    rig.answer_for(10, |_| Outcome::Done);
    rig.crash();
    rig.answer_for(60, |_| Outcome::Done);
    let hot: Vec<u64> = started(&rig).into_iter().filter(|one| *one < 40).collect();
    let mut once = hot.clone();
    once.dedup();
    assert_eq!(once, (0..40).collect::<Vec<u64>>(), "{hot:?}");
    assert!(rig.is(40, DeliveryStatus::Finished));
}

/// A dead letter that went before one for later takes it into the state, whatever the limit: after a restart the
/// letter's followers would otherwise be there before it.
#[test]
fn what_a_letter_has_overtaken_is_kept_beyond_the_limit() {
    let mut config = config();
    config.consumers[0].kept = 0;
    let mut rig = Rig::new(config, &[]);
    // Near enough to wait in the window.
    append_for_later(&mut rig, "a", 5);
    rig.append("a");
    rig.append("a");
    rig.end(1, permanent());
    rig.now = rig.now + Duration::from_secs(6);
    // Nothing of the channel is read yet: only what the state has.
    rig.machine = Machine::restore(rig.config.clone(), rig.now, rig.disk.clone());
    assert!(rig.is(0, DeliveryStatus::Ready), "the state has it");
    rig.running.clear();
    rig.starts.clear();
    rig.boot();
    rig.answer_for(10, |_| Outcome::Done);
    redrive(&mut rig, 1);
    rig.answer_for(10, |_| Outcome::Done);
    assert_eq!(started(&rig), [0, 1, 2]);
}

/// A replay makes room for itself and puts back what is newer, but not what a running one went before: that may be a
/// dead letter next, and would be sent back before the other has been read again.
#[test]
fn a_replay_does_not_part_a_letter_from_what_it_has_overtaken() {
    let mut config = config();
    config.consumers[0].window = 8;
    let finished: Vec<String> = (0..20).map(|n| format!("k{n}")).collect();
    let keys: Vec<&str> = finished.iter().map(String::as_str).collect();
    let mut rig = Rig::new(config, &keys);
    rig.answer_for(30, |_| Outcome::Done);
    append_for_later(&mut rig, "a", 5);
    rig.append("a");
    assert!(rig.is(21, DeliveryStatus::Running));
    rig.command(Command::Replay {
        consumer: id(),
        from: 0,
        until: Some(20),
        reason: "a fix".to_owned(),
    });
    rig.end(21, permanent());
    rig.starts.clear();
    rig.running.clear();
    rig.now = rig.now + Duration::from_secs(6);
    // Nothing of the channel is read yet: only what the state has.
    rig.machine = Machine::restore(rig.config.clone(), rig.now, rig.disk.clone());
    assert!(rig.is(20, DeliveryStatus::Ready), "the state has it");
    rig.boot();
    redrive(&mut rig, 21);
    rig.answer_for(30, |_| Outcome::Done);
    let last: Vec<u64> = started(&rig).into_iter().filter(|s| *s >= 20).collect();
    assert_eq!(last, [20, 21]);
}

/// A retry of its head keeps the rest of a lane in its place over any number of restarts.
#[test]
fn a_lane_whose_head_fails_goes_on_in_order_over_restarts() {
    let mut config = config();
    config.consumers[0].retry.attempts = 50;
    let mut rig = Rig::new(config, &["a", "a", "a"]);
    for _ in 0..5 {
        rig.end(0, fail(RetryClass::Retryable));
        rig.crash();
        rig.pass(Duration::from_secs(1));
        assert_eq!(rig.running(), [0]);
    }
    rig.answer_for(5, |_| Outcome::Done);
    assert_eq!(started(&rig)[5..], [0, 1, 2]);
}
