//! Replay, skip and what is remembered of what is over.

use std::sync::Arc;
use std::time::Duration;

use tidegate_base::limit::{SEEK_RANGES_MAX, SEEKS_MAX};
use tidegate_delivery::{
    AttemptOutcome, Command, DeliveryStatus, End, Input, Machine, Obstacle, Order, Outcome,
    Repetition, RetryClass, SeekRefusal, StateRecord,
};

use crate::rig::{Rig, config, fail, id, permanent};

fn replay(from: u64, until: Option<u64>) -> Command {
    Command::Replay {
        consumer: id(),
        from,
        until,
        reason: "a fix".to_owned(),
    }
}

fn skip(until: u64) -> Command {
    Command::Skip {
        consumer: id(),
        until,
        reason: "test orders".to_owned(),
    }
}

/// A system whose events are all done.
fn done(keys: &[&str]) -> Rig {
    let mut rig = Rig::new(config(), keys);
    rig.answer_for(keys.len() as u64 + 1, |_| Outcome::Done);
    assert!((0..keys.len() as u64).all(|sequence| rig.is(sequence, DeliveryStatus::Finished)));
    rig.starts.clear();
    rig
}

fn restart_from_checkpoint(rig: &mut Rig) {
    rig.disk = rig.machine.checkpoint();
    let records = rig.disk.iter();
    rig.disk = records
        .map(|record| StateRecord::decode(&record.encode()).unwrap())
        .collect();
    rig.crash();
}

/// What a consumer has finished runs again, although it is deduplicated, and never by a redrive's key.
#[test]
fn a_replay_runs_what_is_finished_in_a_generation_of_its_own() {
    let mut rig = done(&["a", "b", "a", "c"]);
    rig.command(replay(1, Some(3)));
    assert_eq!(rig.obeyed, 1);
    rig.answer_for(3, |_| Outcome::Done);
    assert_eq!(rig.replayed, [(1, 1), (2, 1)]);
    rig.command(replay(2, None));
    rig.answer_for(3, |_| Outcome::Done);
    assert_eq!(rig.replayed[2..], [(2, 2), (3, 2)]);
    assert_eq!(rig.starts.len(), 4, "nothing else ran");
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert_eq!((status.replaying, status.backlog), (None, 0));
}

/// A suspect's effect may be committed: in a new generation it would be committed again.
#[test]
fn what_is_not_finished_when_a_replay_is_ordered_is_not_of_it() {
    let mut rig = Rig::new(config(), &["a", "b", "b", "c", "d", "e"]);
    rig.end(1, permanent());
    rig.end(3, fail(RetryClass::Retryable));
    rig.end(4, permanent());
    rig.end(5, Outcome::Done);
    rig.command(Command::Discard {
        consumer: id(),
        sequences: vec![4],
        reason: "a test".to_owned(),
    });
    rig.crash();
    // 0 ran: as a suspect it runs alone, and first.
    assert_eq!(rig.running(), [0]);
    rig.command(replay(0, None));
    rig.answer_for(10, |_| Outcome::Done);
    assert_eq!(rig.replayed, [(5, 1)]);
    let mut of_0 = rig.starts.iter().filter(|(sequence, _)| *sequence == 0);
    assert_eq!(
        of_0.by_ref().count(),
        2,
        "once before the crash, once after"
    );
    assert!(rig.is(1, DeliveryStatus::Dead) && rig.is(2, DeliveryStatus::Ready));
    assert!(rig.is(4, DeliveryStatus::Discarded));
    assert!(rig.is(3, DeliveryStatus::Finished));
    let redriven = Input::Redrive {
        consumer: id(),
        sequences: vec![1],
    };
    rig.step(redriven);
    rig.answer_for(3, |_| Outcome::Done);
    assert_eq!(rig.replayed.len(), 1, "a redrive keeps its key");
}

#[test]
fn nothing_of_a_replay_starts_before_it_is_durable() {
    let mut rig = done(&["a", "b"]);
    rig.hold_commits = true;
    let fetches = rig.fetches;
    rig.command(replay(0, None));
    rig.append("c");
    rig.pass(Duration::from_secs(5));
    assert_eq!((rig.starts.len(), rig.obeyed), (0, 0));
    assert_eq!(rig.fetches, fetches, "not even read");
    rig.hold_commits = false;
    rig.release_commits();
    assert_eq!(rig.obeyed, 1);
    rig.answer_for(3, |_| Outcome::Done);
    assert_eq!(rig.replayed, [(0, 1), (1, 1)]);
    assert!(rig.is(2, DeliveryStatus::Finished));
}

/// What was read of the channel for another place must not settle what is to run.
#[test]
fn a_read_that_is_under_way_when_a_replay_comes_passes_over_nothing() {
    let mut rig = done(&["a", "b", "c"]);
    let mut effects = Vec::new();
    let grown = Input::Grown {
        channel: "Event".parse().unwrap(),
        tail: 4,
    };
    rig.machine.step(rig.now, grown, &mut effects);
    let fetches = |effects: &[tidegate_delivery::Effect]| {
        let fetch = |effect: &_| matches!(effect, tidegate_delivery::Effect::Fetch { .. });
        effects.iter().any(fetch)
    };
    assert!(fetches(&effects));
    rig.command(replay(0, None));
    let mut late = rig.channel[0].clone();
    late.sequence = 3;
    late.event = Arc::new(tidegate_delivery::EventRef {
        id: "3".to_owned(),
        ..(*late.event).clone()
    });
    rig.channel.push(late.clone());
    rig.step(Input::Arrived {
        consumer: id(),
        records: vec![late],
        next: 4,
    });
    rig.answer_for(5, |_| Outcome::Done);
    assert_eq!(rig.replayed, [(0, 1), (1, 1), (2, 1)]);
    assert!(rig.is(3, DeliveryStatus::Finished));
}

/// At every point another process goes on with exactly what is left, from the log or a checkpoint.
#[test]
fn a_replay_goes_on_after_a_restart() {
    let mut rig = done(&["a", "b", "c", "d", "e", "f"]);
    rig.hold_commits = true;
    rig.command(replay(1, Some(5)));
    restart_from_checkpoint(&mut rig);
    rig.hold_commits = false;
    rig.release_commits();
    assert_eq!(rig.running(), [1, 2, 3, 4]);
    rig.end(2, Outcome::Done);
    rig.end(3, fail(RetryClass::Retryable));
    rig.end(4, permanent());
    rig.replayed.clear();
    restart_from_checkpoint(&mut rig);
    assert!(rig.is(4, DeliveryStatus::Dead));
    rig.answer_for(5, |_| Outcome::Done);
    assert_eq!(rig.replayed, [(1, 1), (3, 1)]);
    assert_eq!(rig.starts.last(), Some(&(3, 2)), "its failure still counts");
    rig.crash();
    restart_from_checkpoint(&mut rig);
    rig.step(Input::Redrive {
        consumer: id(),
        sequences: vec![4],
    });
    rig.answer_for(5, |_| Outcome::Done);
    assert_eq!(rig.replayed[2..], [(4, 1)], "a letter keeps its generation");
    rig.command(replay(1, Some(2)));
    assert_eq!(rig.replayed[3..], [(1, 2)], "no generation is used twice");
}

/// A record that is read twice, from before the replay, ends nothing of it.
#[test]
fn an_end_of_before_the_replay_does_not_end_it() {
    let mut rig = done(&["a", "b"]);
    let ends: Vec<StateRecord> = rig.disk.clone();
    rig.command(Command::Pause {
        consumer: id(),
        reason: "slowly".to_owned(),
    });
    rig.command(replay(0, None));
    rig.disk = rig.machine.checkpoint();
    let done = |record: &StateRecord| matches!(record, StateRecord::Done { .. });
    rig.disk.extend(ends.into_iter().filter(done));
    rig.crash();
    rig.command(Command::Resume { consumer: id() });
    rig.answer_for(3, |_| Outcome::Done);
    assert_eq!(rig.replayed, [(0, 1), (1, 1)]);
}

/// A replayed event takes its old place; one of its key that has not started, or failed, waits.
#[test]
fn a_replayed_event_goes_before_newer_ones_of_its_key() {
    for window in [1, 2, 100] {
        let mut config = config();
        config.consumers[0].window = window;
        config.consumers[0].concurrency = 1;
        let mut rig = Rig::new(config, &["a", "a", "a", "a"]);
        rig.end(0, Outcome::Done);
        rig.end(1, Outcome::Done);
        assert_eq!(rig.running(), [2]);
        rig.command(replay(0, None));
        rig.starts.clear();
        rig.end(2, fail(RetryClass::Retryable));
        let status = rig.machine.status(&id(), rig.now).unwrap();
        assert_eq!(status.backlog, 4);
        rig.answer_for(10, |_| Outcome::Done);
        let order: Vec<u64> = rig.starts.iter().map(|(sequence, _)| *sequence).collect();
        assert_eq!(order, [0, 1, 2, 3], "window {window}");
        assert_eq!(rig.starts[2], (2, 2), "its failure still counts");
    }
}

/// Without order there is nothing to wait for.
#[test]
fn a_replay_without_order_holds_nothing_up() {
    let mut config = config();
    config.consumers[0].order = Order::None;
    config.consumers[0].window = 3;
    let mut rig = Rig::new(config, &["a", "a", "a", "a"]);
    rig.end(0, Outcome::Done);
    rig.end(1, Outcome::Done);
    assert_eq!(rig.running(), [2, 3]);
    rig.end(2, fail(RetryClass::Retryable));
    rig.command(replay(0, None));
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.running(), [0, 2, 3]);
    rig.answer_for(5, |_| Outcome::Done);
    assert!((0..4).all(|sequence| rig.is(sequence, DeliveryStatus::Finished)));
    assert_eq!(rig.replayed, [(0, 1), (1, 1)]);
}

#[test]
fn what_is_replayed_is_needed_until_it_is_done() {
    let mut rig = done(&["a", "b", "c", "d"]);
    let needed = |rig: &Rig| rig.machine.needed(&"Event".parse().unwrap()).from;
    assert_eq!(needed(&rig), Some(4));
    rig.hold_commits = true;
    rig.command(replay(1, Some(3)));
    assert_eq!(needed(&rig), Some(1));
    assert_eq!(rig.machine.replay_watermark(&id()), 1);
    rig.hold_commits = false;
    rig.release_commits();
    rig.end(1, Outcome::Done);
    assert_eq!(needed(&rig), Some(2));
    rig.end(2, permanent());
    assert_eq!(needed(&rig), Some(4));
    let pinned = rig.machine.needed(&"Event".parse().unwrap()).pinned;
    assert!(pinned.contains(&2));
    assert_eq!(rig.machine.replay_watermark(&id()), 2);
}

/// What retention took away before it was read does not run, and stops nothing.
#[test]
fn what_is_gone_from_the_channel_is_passed_over() {
    let mut rig = done(&["a", "b", "c", "d"]);
    rig.removed.extend([0, 2]);
    rig.command(replay(0, None));
    rig.answer_for(3, |_| Outcome::Done);
    assert_eq!(rig.replayed, [(1, 1), (3, 1)]);
    assert_eq!(rig.machine.status(&id(), rig.now).unwrap().replaying, None);
}

/// The same event twice in the channel runs once in each generation.
#[test]
fn a_twin_runs_once_in_a_replay() {
    let mut rig = done(&["a", "b"]);
    let mut twin = rig.channel[0].clone();
    twin.sequence = 2;
    rig.channel.push(twin);
    let grown = |tail| Input::Grown {
        channel: "Event".parse().unwrap(),
        tail,
    };
    rig.step(grown(3));
    assert!(rig.is(2, DeliveryStatus::Finished), "it is a duplicate");
    assert_eq!(rig.starts, []);
    rig.command(replay(0, None));
    rig.answer_for(3, |_| Outcome::Done);
    assert_eq!(rig.replayed, [(0, 1), (1, 1)]);
}

/// Each replay is kept until it is done, and there is a most of them.
#[test]
fn there_is_a_most_of_ranges_and_of_replays() {
    let most = SEEK_RANGES_MAX as u64;
    let cursor = |count: u64| StateRecord::Cursor {
        consumer: id(),
        below: 0,
        above: (1..=count).map(|n| (2 * n, 2 * n + 1)).collect(),
    };
    let tail = 3 * most;
    let mut rig = Rig::new(config(), &[]);
    for (count, refusal) in [(most, None), (most + 1, Some(SeekRefusal::Ranges(10_001)))] {
        rig.machine = Machine::restore(rig.config.clone(), rig.now, [cursor(count)]);
        let grown = Input::Grown {
            channel: "Event".parse().unwrap(),
            tail,
        };
        rig.machine.step(rig.now, grown, &mut Vec::new());
        let plan = rig.machine.replay_plan(&id(), 0, None);
        assert_eq!(plan.as_ref().err(), refusal.as_ref());
        let skip = rig.machine.skip_plan(&id(), 2 * count);
        assert_eq!(skip.err(), refusal);
        rig.command(replay(0, None));
        let status = rig.machine.status(&id(), rig.now).unwrap();
        assert_eq!(status.replaying.is_some(), refusal.is_none());
    }
    let keys = vec!["a"; SEEKS_MAX + 1];
    let mut rig = done(&keys);
    rig.command(Command::Pause {
        consumer: id(),
        reason: "slowly".to_owned(),
    });
    for sequence in 0..SEEKS_MAX as u64 {
        rig.command(replay(sequence, Some(sequence + 1)));
    }
    let refused = rig.machine.replay_plan(&id(), 0, None);
    assert_eq!(refused, Err(SeekRefusal::Replays));
    rig.command(Command::Resume { consumer: id() });
    rig.answer_for(40, |_| Outcome::Done);
    assert_eq!(rig.replayed.len(), SEEKS_MAX);
    assert_eq!(
        rig.machine.replay_plan(&id(), 0, None).unwrap().deliveries,
        33
    );
}

/// What an operator passes over ends without a run; what runs ends as it ends, and a letter stays.
#[test]
fn a_skip_settles_what_is_not_finished() {
    for from_checkpoint in [false, true] {
        let mut config = config();
        config.consumers[0].window = 5;
        let mut rig = Rig::new(config, &["a", "a", "b", "b", "c", "d", "e", "f", "g"]);
        rig.end(2, permanent());
        rig.end(4, fail(RetryClass::Retryable));
        // 0 runs, 1 waits behind it, 2 is a letter and 3 its follower, 4 waits for a retry.
        let runs = rig.running();
        rig.hold_commits = true;
        rig.command(skip(8));
        rig.pass(Duration::from_secs(5));
        assert_eq!(rig.running(), runs, "nothing starts meanwhile");
        assert_eq!(rig.obeyed, 0);
        rig.hold_commits = false;
        rig.release_commits();
        assert_eq!(rig.obeyed, 1);
        for sequence in [1, 3, 4, 7] {
            assert!(rig.is(sequence, DeliveryStatus::Finished), "{sequence}");
        }
        assert!(rig.is(0, DeliveryStatus::Running) && rig.is(2, DeliveryStatus::Dead));
        let why = rig.machine.explain(&id(), 4, rig.now).unwrap();
        assert_eq!((why.end, why.history.len()), (Some(End::Skipped), 1));
        assert_eq!(why.skip.unwrap().reason, "test orders");
        rig.starts.clear();
        match from_checkpoint {
            true => restart_from_checkpoint(&mut rig),
            false => rig.crash(),
        }
        rig.answer_for(5, |_| Outcome::Done);
        let mut ran: Vec<u64> = rig.starts.iter().map(|(sequence, _)| *sequence).collect();
        ran.sort_unstable();
        let rest = runs.into_iter().chain([8]).collect::<Vec<_>>();
        assert_eq!(
            ran, rest,
            "what ran before runs again, and what was not skipped"
        );
        let why = rig.machine.explain(&id(), 7, rig.now).unwrap();
        assert_eq!(why.end, Some(End::Skipped));
        rig.step(Input::Redrive {
            consumer: id(),
            sequences: vec![2],
        });
        rig.answer_for(2, |_| Outcome::Done);
        assert!((0..9).all(|sequence| rig.is(sequence, DeliveryStatus::Finished)));
    }
}

/// What could start is not started once it is skipped, durably or not.
#[test]
fn what_is_being_skipped_does_not_start() {
    let mut config = config();
    config.consumers[0].concurrency = 1;
    let mut rig = Rig::new(config, &["a", "b", "c", "d"]);
    assert_eq!(rig.running(), [0]);
    rig.hold_commits = true;
    rig.command(skip(3));
    rig.end(0, Outcome::Done);
    rig.hold_commits = false;
    rig.release_commits();
    rig.answer_for(3, |_| Outcome::Done);
    assert_eq!(rig.starts, [(0, 1), (3, 1)]);
}

/// While the head of a lane runs its followers are skipped: the next one still waits for it.
#[test]
fn a_skip_opens_no_lane_that_is_busy() {
    let mut rig = Rig::new(config(), &["a", "a", "a"]);
    rig.command(skip(2));
    rig.pass(Duration::from_secs(5));
    assert_eq!(rig.running(), [0]);
    rig.end(0, Outcome::Done);
    assert_eq!(rig.running(), [2]);
}

/// A skip ends a replay, and what was skipped can be replayed.
#[test]
fn a_skip_and_a_replay_undo_each_other() {
    let mut rig = done(&["a", "b", "c"]);
    rig.command(Command::Pause {
        consumer: id(),
        reason: "slowly".to_owned(),
    });
    rig.command(replay(0, None));
    rig.command(skip(2));
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert_eq!(status.replaying.unwrap().deliveries, 1);
    rig.command(replay(0, Some(1)));
    restart_from_checkpoint(&mut rig);
    rig.command(Command::Resume { consumer: id() });
    rig.answer_for(3, |_| Outcome::Done);
    assert_eq!(rig.replayed, [(0, 2), (2, 1)]);
    let end = |sequence| rig.machine.explain(&id(), sequence, rig.now).unwrap().end;
    assert_eq!(end(0), Some(End::Succeeded));
    assert_eq!(end(1), Some(End::Skipped));
}

/// What must be remembered is not forgotten; when it is too much, only what lets it be forgotten starts.
#[test]
fn a_full_inbox_pushes_back_and_forgets_nothing() {
    let mut config = config();
    config.consumers[0].inbox = 4;
    config.consumers[0].concurrency = 1;
    let keys = ["a", "b", "c", "d", "e", "f", "g"];
    let mut rig = Rig::new(config, &keys);
    rig.end(0, fail(RetryClass::Retryable));
    for sequence in 1..6 {
        rig.end(sequence, Outcome::Done);
    }
    // The fifth started before the end of the fourth was recorded.
    assert!(rig.running().is_empty(), "{:?}", rig.running());
    let why = rig.machine.explain(&id(), 6, rig.now).unwrap();
    assert_eq!(why.obstacle, Some(Obstacle::Inbox));
    rig.crash();
    assert!(rig.running().is_empty(), "so it is after a restart");
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.running(), [0], "the head may go");
    rig.end(0, Outcome::Done);
    rig.answer_for(3, |_| Outcome::Done);
    assert!((0..7).all(|sequence| rig.is(sequence, DeliveryStatus::Finished)));
    for key in keys {
        rig.append(key);
    }
    rig.end(7, fail(RetryClass::Retryable));
    for sequence in 8..13 {
        rig.end(sequence, Outcome::Done);
    }
    assert!(rig.running().is_empty());
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.running(), [7], "the head may go, wherever it is");
    // A letter holds nothing up, however long it lies there.
    let mut rig = Rig::new(rig.config.clone(), &keys);
    rig.end(0, permanent());
    rig.answer_for(7, |_| Outcome::Done);
    assert_eq!(rig.starts.len(), 7);
    assert_eq!(rig.machine.replay_watermark(&id()), 0);
}

/// While a replay is under way what came after its first delivery is remembered.
#[test]
fn a_replay_holds_the_inbox() {
    let mut config = config();
    config.consumers[0].inbox = 4;
    config.consumers[0].order = Order::None;
    config.consumers[0].concurrency = 2;
    let mut rig = Rig::new(config, &["a", "b", "c", "d"]);
    rig.answer_for(4, |_| Outcome::Done);
    rig.command(replay(0, None));
    assert_eq!(rig.running(), [0], "four are above the mark again");
    rig.answer_for(5, |_| Outcome::Done);
    assert_eq!(rig.replayed.len(), 4);
}

/// Whoever asks why a delivery is over learns what it went through, after a restart too; a success at
/// the first attempt is not kept.
#[test]
fn histories_of_what_is_over_are_remembered() {
    let mut rig = Rig::new(config(), &["a", "b", "c"]);
    rig.end(0, fail(RetryClass::Retryable));
    rig.end(1, Outcome::Done);
    rig.end(2, permanent());
    rig.step(Input::Redrive {
        consumer: id(),
        sequences: vec![2],
    });
    rig.answer_for(3, |_| Outcome::Done);
    for round in 0..3 {
        let why = |sequence| rig.machine.explain(&id(), sequence, rig.now).unwrap();
        let outcomes = |sequence| {
            why(sequence)
                .history
                .iter()
                .map(|one| one.outcome)
                .collect::<Vec<_>>()
        };
        let of_0 = [AttemptOutcome::Retryable, AttemptOutcome::Succeeded];
        assert_eq!(outcomes(0), of_0, "round {round}");
        assert_eq!(why(0).end, Some(End::Succeeded));
        assert_eq!((why(1).history.len(), why(1).end), (0, None));
        let of_2 = [AttemptOutcome::Permanent, AttemptOutcome::Succeeded];
        assert_eq!(outcomes(2), of_2, "round {round}");
        match round {
            0 => rig.crash(),
            _ => restart_from_checkpoint(&mut rig),
        }
    }
    rig.command(replay(1, Some(2)));
    let why = rig.machine.explain(&id(), 1, rig.now).unwrap();
    assert_eq!(why.generation, 1);
    assert_eq!(why.replay.unwrap().reason, "a fix");
    rig.end(1, Outcome::Done);
    rig.crash();
    let why = rig.machine.explain(&id(), 1, rig.now).unwrap();
    assert_eq!((why.generation, why.end), (1, Some(End::Succeeded)));
    assert_eq!(why.replay.unwrap().reason, "a fix");
}

/// A replay is wanted since it was ordered: an age limit and the lag count from there.
#[test]
fn a_replay_of_old_events_is_not_too_old() {
    let mut config = config();
    config.consumers[0].retry.age = Some(Duration::from_secs(10));
    let mut rig = Rig::new(config, &["a"]);
    rig.end(0, Outcome::Done);
    rig.pass(Duration::from_secs(1_000));
    rig.command(replay(0, None));
    let ordered = rig.now;
    rig.end(0, fail(RetryClass::Retryable));
    assert!(rig.is(0, DeliveryStatus::Waiting));
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert_eq!(status.oldest, Some(ordered));
}

/// State that was written before there were replays is read as it was.
#[test]
fn older_state_is_read() {
    let event = r#"{"key":"z","source":"/shop","id":"1"}"#;
    let progress =
        r#"{"failures":0,"crashes":0,"redrives":0,"standing":"clean","started":null,"history":[]}"#;
    let of_0 = tidegate_delivery::Identity::of("/shop", "0");
    let lines = [
        r#"{"cursor":{"consumer":"billing/Event","below":1,"above":[]}}"#.to_owned(),
        format!(r#"{{"identities":{{"consumer":"billing/Event","done":["{of_0}"]}}}}"#),
        format!(
            r#"{{"kept":{{"consumer":"billing/Event","delivery":{{"sequence":1,"event":{event},"accepted":1000000,"progress":{progress},"death":{{"reason":"permanent","error":"no","at":1000000}}}}}}}}"#
        ),
        r#"{"done":{"consumer":"billing/Event","sequence":2,"identity":null}}"#.to_owned(),
    ];
    let mut rig = Rig::new(config(), &["a", "a", "b", "c"]);
    assert_eq!(rig.config.consumers[0].repetition, Repetition::Deduplicated);
    rig.channel[3].event = Arc::clone(&rig.channel[0].event);
    let records = lines.iter();
    rig.disk = records
        .map(|line| StateRecord::decode(line.as_bytes()).unwrap())
        .collect();
    rig.starts.clear();
    rig.crash();
    assert!(rig.is(1, DeliveryStatus::Dead) && rig.is(3, DeliveryStatus::Finished));
    assert_eq!(rig.starts, [], "3 is a duplicate of 0");
}
