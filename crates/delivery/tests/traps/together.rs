//! Jobs, edits, replays, skips and states of keys, where they meet.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidegate_base::Ratio;
use tidegate_delivery::{
    Command, DeliveryStatus, Edit, EditNote, EditRefusal, Input, JobLetter, JobPlan, JobState,
    JobTurn, KeyState, Outcome, Repetition, Skip, StopRule,
};

use crate::rig::{Rig, config, id, permanent};

fn replay(rig: &mut Rig) {
    rig.command(Command::Replay {
        consumer: id(),
        from: 0,
        until: None,
        reason: "a test".to_owned(),
    });
}

fn redrive(rig: &mut Rig, sequence: u64) {
    rig.step(Input::Redrive {
        consumer: id(),
        sequences: vec![sequence],
    });
}

fn edit(rig: &mut Rig, sequence: u64, new: &str) -> Result<(), EditRefusal> {
    let letter = rig.machine.dead_letter(&id(), sequence).unwrap();
    let version = letter.version;
    let mut notes = letter.edit.map_or_else(Vec::new, |edit| edit.notes.clone());
    notes.push(EditNote {
        id: letter.event.id.clone(),
        reason: "a test".to_owned(),
        by: None,
        at: rig.now,
    });
    let edit = Edit {
        id: new.to_owned(),
        event: Arc::from("{}"),
        notes,
    };
    let may = rig.machine.may_edit(&id(), sequence, version, &edit);
    rig.command(Command::Edit {
        consumer: id(),
        sequence,
        version,
        edit: Arc::new(edit),
    });
    may
}

fn start_job(rig: &mut Rig, letters: &[u64]) -> u64 {
    let job = rig.machine.next_job();
    let plan = JobPlan {
        letters: BTreeMap::from([(id(), letters.iter().copied().collect())]),
        every: Duration::from_millis(1),
        canary: true,
        stop: StopRule::new(Ratio::new(0.5).unwrap(), 10),
        note: "a test".to_owned(),
    };
    rig.command(Command::StartJob {
        plan: Box::new(plan),
    });
    job
}

fn letters(rig: &Rig, job: u64) -> Vec<JobLetter> {
    let job = rig.machine.job(job).unwrap();
    job.letters().map(|(_, _, letter)| letter).collect()
}

/// A replay reads the channel: the edit was for the delivery that is over.
#[test]
fn a_replay_of_an_edited_event_runs_the_event_of_the_channel_in_its_generation() {
    let mut config = config();
    config.consumers[0].repetition = Repetition::Deduplicated;
    let mut rig = Rig::new(config, &["a"]);
    rig.end(0, permanent());
    edit(&mut rig, 0, "new").unwrap();
    redrive(&mut rig, 0);
    rig.end(0, Outcome::Done);
    assert!(rig.is(0, DeliveryStatus::Finished));
    replay(&mut rig);
    assert_eq!(
        rig.running(),
        [0],
        "its former event is done in generation 0 only"
    );
    assert_eq!(rig.machine.edit_of(&id(), 0), None);
    // Now it dies in the replay, is edited there, and both survive a restart.
    rig.end(0, permanent());
    assert_eq!(
        edit(&mut rig, 0, "new"),
        Err(EditRefusal::Taken("new".to_owned())),
        "the handler has seen that id"
    );
    edit(&mut rig, 0, "newer").unwrap();
    rig.crash();
    redrive(&mut rig, 0);
    assert_eq!(rig.machine.edit_of(&id(), 0).unwrap().id, "newer");
    let (_, generation) = *rig.replayed.last().unwrap();
    assert_eq!(generation, 1);
    rig.end(0, Outcome::Done);
    rig.crash();
    assert!(rig.is(0, DeliveryStatus::Finished) && rig.running().is_empty());
}

/// What a skip passes over has no verdict; the job goes on with another letter of the same step.
#[test]
fn a_letter_of_a_job_that_is_skipped_ends_for_the_job() {
    let mut rig = Rig::new(config(), &["a", "b"]);
    rig.end(0, permanent());
    rig.end(1, permanent());
    rig.command(Command::Pause {
        consumer: id(),
        reason: "a test".to_owned(),
    });
    let job = start_job(&mut rig, &[0, 1]);
    rig.command(Command::Resume { consumer: id() });
    assert_eq!(rig.running(), [0]);
    // It fails in a way that may pass, and waits.
    rig.end(
        0,
        Outcome::Retry {
            class: tidegate_delivery::RetryClass::Retryable,
            error: "later".to_owned(),
            after: Some(Duration::from_secs(600)),
        },
    );
    rig.command(Command::Skip {
        consumer: id(),
        until: 1,
        reason: "a test".to_owned(),
    });
    rig.pass(Duration::from_millis(20));
    let [first, second] = letters(&rig, job)[..] else {
        panic!("two letters");
    };
    assert_eq!(first, JobLetter::Skipped(Skip::PassedOver));
    assert!(matches!(second, JobLetter::Sent { .. }), "{second:?}");
    rig.crash();
    rig.answer_for(2, |_| Outcome::Done);
    assert_eq!(rig.machine.job(job).unwrap().state(), &JobState::Done);
    assert_eq!(letters(&rig, job)[0], JobLetter::Skipped(Skip::PassedOver));
}

/// Who has cancelled a job was told so: no end of the process takes that back.
#[test]
fn a_turn_of_a_job_is_answered_once_it_is_kept() {
    let mut rig = Rig::new(config(), &["a"]);
    rig.end(0, permanent());
    rig.command(Command::Pause {
        consumer: id(),
        reason: "a test".to_owned(),
    });
    let job = start_job(&mut rig, &[0]);
    let before = rig.obeyed;
    rig.hold_commits = true;
    rig.command(Command::TurnJob {
        job,
        turn: JobTurn::Cancel,
    });
    assert_eq!(rig.obeyed, before, "it is not kept yet");
    rig.release_commits();
    assert_eq!(rig.obeyed, before + 1);
}

/// The state of a key goes on through an edit, a redrive and a replay, each counted once.
#[test]
fn the_state_of_a_key_counts_an_edited_delivery_once_in_each_generation() {
    let mut rig = Rig::new(config(), &["a"]);
    let kept = |count: &str| Outcome::DoneWith(KeyState::Is(count.into()));
    rig.end(0, permanent());
    edit(&mut rig, 0, "new").unwrap();
    redrive(&mut rig, 0);
    rig.end(0, kept("1"));
    rig.crash();
    replay(&mut rig);
    rig.end(0, kept("2"));
    rig.crash();
    let states: Vec<_> = rig
        .machine
        .checkpoint()
        .into_iter()
        .filter_map(|record| match record {
            tidegate_delivery::StateRecord::State { state, .. } => Some(state.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(states, ["2"]);
}
