//! Retention removes records under the machine: gaps are harmless, and what is needed is named.

use std::time::Duration;

use tidegate_delivery::{DeliveryStatus, Input, Needed, Outcome, RetryClass, StateRecord};

use crate::rig::{Rig, config, fail, id, permanent};

fn watermark(rig: &Rig) -> u64 {
    rig.machine.status(&id(), rig.now).unwrap().watermark
}

fn needed(rig: &Rig) -> (Option<u64>, Vec<u64>) {
    let Needed { from, pinned } = rig.machine.needed(&"Event".parse().unwrap());
    (from, pinned.into_iter().collect())
}

/// A consumer that the state knows, at 1, while the rest of its channel was removed.
fn left_behind(removed: impl IntoIterator<Item = u64>) -> Rig {
    let mut rig = Rig::new(config(), &["a", "b", "c", "d", "e"]);
    rig.end(0, Outcome::Done);
    rig.removed.extend(removed);
    rig.crash();
    rig
}

#[test]
fn what_was_removed_between_others_is_passed_over() {
    let mut rig = left_behind([1, 3]);
    // As one that may have ended the process, 2 runs alone.
    assert_eq!((rig.running(), watermark(&rig)), (vec![2], 2));
    rig.end(2, Outcome::Done);
    assert_eq!((rig.running(), watermark(&rig)), (vec![4], 4));
    rig.end(4, Outcome::Done);
    assert_eq!(watermark(&rig), 5);
    assert!(rig.is(1, DeliveryStatus::Finished));
}

#[test]
fn where_everything_was_removed_the_tail_is_reached() {
    let mut rig = left_behind(1..5);
    assert_eq!(watermark(&rig), 5);
    assert_eq!(rig.machine.status(&id(), rig.now).unwrap().backlog, 0);
    rig.append("a");
    assert_eq!(rig.running(), [5]);
}

#[test]
fn what_is_known_of_a_removed_record_goes_with_it() {
    let mut rig = Rig::new(config(), &["a", "b"]);
    rig.end(0, fail(RetryClass::Retryable));
    rig.removed.insert(0);
    rig.crash();
    rig.end(1, Outcome::Done);
    assert_eq!(watermark(&rig), 2);
    let progress = |record: &StateRecord| matches!(record, StateRecord::Progress { .. });
    let records = rig.machine.checkpoint();
    assert!(!records.iter().any(progress), "{records:#?}");
}

#[test]
fn a_new_consumer_starts_at_the_head() {
    let mut rig = Rig::new(config(), &["a", "b", "c", "d"]);
    rig.disk.clear();
    rig.removed.extend([0, 1]);
    rig.crash();
    assert_eq!((rig.running(), watermark(&rig)), (vec![2, 3], 2));
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert_eq!((status.backlog, status.settled), (2, 2));
    rig.end(3, Outcome::Done);
    // It has begun, wherever the channel begins later: 2 is not done.
    rig.crash();
    assert_eq!((rig.running(), watermark(&rig)), (vec![2], 2));
}

#[test]
fn a_new_consumer_of_an_emptied_channel_starts_at_the_tail() {
    let mut rig = Rig::new(config(), &["a", "b"]);
    rig.disk.clear();
    rig.removed.extend([0, 1]);
    rig.crash();
    assert_eq!(watermark(&rig), 2);
    rig.append("a");
    assert_eq!(rig.running(), [2]);
}

#[test]
fn a_consumer_that_is_under_way_does_not_jump_to_the_head() {
    let mut rig = Rig::new(config(), &["a", "b"]);
    rig.step(Input::Trimmed {
        channel: "Event".parse().unwrap(),
        head: 2,
    });
    assert_eq!((rig.running(), watermark(&rig)), (vec![0, 1], 0));
}

#[test]
fn the_slowest_consumer_says_from_where_all_is_needed() {
    let mut config = config();
    let mut other = config.consumers[0].clone();
    other.id = "audit/Event".parse().unwrap();
    config.consumers.push(other);
    let mut rig = Rig::new(config, &["a", "b", "c"]);
    assert_eq!(needed(&rig), (Some(0), vec![]));
    for (ticket, _) in std::mem::take(&mut rig.running) {
        if ticket.consumer == id() || ticket.sequence == 0 {
            rig.step(Input::Ended {
                ticket,
                outcome: Outcome::Done,
            });
        }
    }
    assert_eq!(watermark(&rig), 3);
    assert_eq!(needed(&rig), (Some(1), vec![]));
    let nobody = rig.machine.needed(&"Other".parse().unwrap());
    assert_eq!(nobody.from, None);
}

#[test]
fn letters_their_followers_and_what_was_sent_back_are_pinned_until_done() {
    let mut rig = Rig::new(config(), &["a", "b", "a", "c"]);
    rig.end(0, permanent());
    rig.end(1, Outcome::Done);
    rig.end(3, Outcome::Done);
    assert_eq!(needed(&rig), (Some(4), vec![0, 2]));
    rig.crash();
    assert_eq!(needed(&rig), (Some(4), vec![0, 2]));
    let consumer = id();
    rig.step(Input::Redrive {
        consumer,
        sequences: vec![0],
    });
    assert_eq!((rig.running(), needed(&rig).1), (vec![0], vec![0, 2]));
    rig.end(0, fail(RetryClass::Retryable));
    assert_eq!(needed(&rig).1, [0, 2]);
    rig.pass(Duration::from_secs(1));
    rig.end(0, Outcome::Done);
    assert_eq!(needed(&rig).1, [2]);
    rig.end(2, Outcome::Done);
    assert_eq!(needed(&rig), (Some(4), vec![]));
}
