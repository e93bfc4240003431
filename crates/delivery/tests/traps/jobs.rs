//! Redrive jobs: the ramp, the rate, the stop, the waiting, and restarts at every point.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidegate_base::Ratio;
use tidegate_base::limit::{JOBS_MAX, REDRIVES_MAX};
use tidegate_delivery::{
    Command, DeliveryStatus, Followers, Input, Job, JobCounts, JobLetter, JobPlan, JobRefusal,
    JobState, JobTurn, Outcome, Skip, StateRecord, StopRule, SystemConfig,
};

use crate::rig::{Rig, config, id, permanent};

fn roomy() -> SystemConfig {
    let mut config = config();
    config.consumers[0].dead_letters = 1_000;
    config.consumers[0].concurrency = 100;
    config
}

/// A consumer with so many dead letters, each of a key of its own.
fn buried(config: SystemConfig, letters: usize) -> Rig {
    let keys: Vec<String> = (0..letters).map(|key| key.to_string()).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut rig = Rig::new(config, &keys);
    rig.answer_for(2, |_| permanent());
    assert_eq!(rig.machine.dead_letters(&id()).count(), letters);
    rig.starts.clear();
    rig
}

fn plan(letters: impl IntoIterator<Item = u64>) -> JobPlan {
    JobPlan {
        letters: BTreeMap::from([(id(), letters.into_iter().collect())]),
        every: Duration::from_millis(1),
        canary: true,
        stop: StopRule::new(Ratio::new(0.1).unwrap(), 10),
        note: "a test".to_owned(),
    }
}

fn start(rig: &mut Rig, plan: JobPlan) -> u64 {
    let job = rig.machine.next_job();
    let plan = Box::new(plan);
    rig.command(Command::StartJob { plan });
    job
}

fn turn(rig: &mut Rig, job: u64, turn: JobTurn) {
    rig.command(Command::TurnJob { job, turn });
}

fn job(rig: &Rig, job: u64) -> &Job {
    rig.machine.job(job).expect("it is known")
}

fn counts(rig: &Rig, number: u64) -> [u64; 5] {
    let JobCounts {
        waiting,
        sent,
        verified,
        failed,
        skipped,
    } = job(rig, number).counts();
    [waiting, sent, verified, failed, skipped]
}

fn letter(rig: &Rig, number: u64, sequence: u64) -> JobLetter {
    let mut letters = job(rig, number).letters();
    letters.find(|(_, s, _)| *s == sequence).unwrap().2
}

/// Ends what runs, as it is then, with this outcome.
fn answer(rig: &mut Rig, mut outcome: impl FnMut(u64) -> Outcome) -> usize {
    let running = rig.running();
    for sequence in &running {
        rig.end(*sequence, outcome(*sequence));
    }
    running.len()
}

/// Lets time pass in which the rate is no limit.
fn settle(rig: &mut Rig) {
    for _ in 0..30 {
        rig.pass(Duration::from_millis(10));
    }
}

#[test]
fn steps_grow_and_each_waits_for_the_verdicts_on_the_one_before() {
    let mut rig = buried(roomy(), 30);
    let number = start(&mut rig, plan(0..30));
    let mut steps = Vec::new();
    for _ in 0..5 {
        settle(&mut rig);
        let running = rig.running();
        steps.push(running.len());
        // All but one: the next step waits for that one.
        for sequence in running.iter().skip(1) {
            rig.end(*sequence, Outcome::Done);
        }
        settle(&mut rig);
        assert_eq!(rig.running().len(), 1, "step {steps:?}");
        rig.end(running[0], Outcome::Done);
    }
    assert_eq!(steps, [1, 2, 5, 10, 12]);
    assert_eq!(*job(&rig, number).state(), JobState::Done);
    assert_eq!(counts(&rig, number), [0, 0, 30, 0, 0]);
    let sent: Vec<u64> = rig.starts.iter().map(|(sequence, _)| *sequence).collect();
    assert!(sent.is_sorted(), "oldest first");
}

/// What was not mended is found with one letter, not with all.
#[test]
fn a_first_step_that_fails_stops_the_job_and_resuming_begins_anew() {
    let mut rig = buried(roomy(), 20);
    let number = start(&mut rig, plan(0..20));
    settle(&mut rig);
    answer(&mut rig, |_| permanent());
    settle(&mut rig);
    assert!(rig.running().is_empty());
    let JobState::Stopped(reason) = job(&rig, number).state() else {
        panic!("{:?}", job(&rig, number));
    };
    assert_eq!(reason, "every letter of the first step failed again");
    assert_eq!(counts(&rig, number), [19, 0, 0, 1, 0]);
    rig.crash();
    settle(&mut rig);
    assert!(rig.running().is_empty(), "it stays stopped");
    let pause = rig.machine.may_turn_job(number, JobTurn::Pause);
    assert_eq!(pause, Err(JobRefusal::Ended("stopped")));
    turn(&mut rig, number, JobTurn::Resume);
    settle(&mut rig);
    assert_eq!(rig.running(), [1], "one letter again");
    rig.answer_for(10, |_| Outcome::Done);
    assert_eq!(*job(&rig, number).state(), JobState::Done);
    assert_eq!(counts(&rig, number), [0, 0, 19, 1, 0]);
    assert!(rig.is(0, DeliveryStatus::Dead));
}

#[test]
fn a_share_of_failures_stops_the_job_once_there_are_enough_verdicts() {
    let mut rig = buried(roomy(), 100);
    let number = start(&mut rig, plan(0..100));
    // 1, 2, 5 succeed but for one: 7 of 8. Then of ten every other one fails.
    for _ in 0..20 {
        settle(&mut rig);
        answer(&mut rig, |sequence| match sequence {
            2 => permanent(),
            sequence if sequence >= 8 && sequence % 2 == 0 => permanent(),
            _ => Outcome::Done,
        });
    }
    let job = job(&rig, number);
    let JobState::Stopped(reason) = job.state() else {
        panic!("{job:?}");
    };
    assert_eq!(reason, "2 of 10 letters failed again");
    let [waiting, sent, _, failed, skipped] = counts(&rig, number);
    assert_eq!((sent, skipped), (0, 0));
    assert!(failed <= 3 && waiting > 85, "{:?}", counts(&rig, number));
    assert_eq!(
        letter(&rig, number, 2),
        JobLetter::Failed(tidegate_delivery::DeathReason::Permanent)
    );
}

/// The rate holds whatever the step allows, and nobody has to tick but at the times asked for.
#[test]
fn letters_go_at_the_rate() {
    let mut rig = buried(roomy(), 12);
    let slow = JobPlan {
        every: Duration::from_secs(2),
        canary: false,
        ..plan(0..12)
    };
    let began = rig.now;
    let number = start(&mut rig, slow);
    let mut sent = vec![rig.now];
    answer(&mut rig, |_| Outcome::Done);
    while *job(&rig, number).state() != JobState::Done {
        rig.wake();
        for _ in 0..answer(&mut rig, |_| Outcome::Done) {
            sent.push(rig.now);
        }
    }
    assert_eq!(sent.len(), 12);
    for pair in sent.windows(2) {
        assert!(pair[1].since(pair[0]) >= Duration::from_millis(1_990));
    }
    assert!(rig.now.since(began) <= Duration::from_millis(22_000));
}

/// A job that had to wait does not make up for it in a rush.
#[test]
fn time_that_was_lost_is_not_made_up_for() {
    let mut rig = buried(roomy(), 12);
    let slow = JobPlan {
        every: Duration::from_secs(1),
        canary: false,
        ..plan(0..12)
    };
    let number = start(&mut rig, slow);
    turn(&mut rig, number, JobTurn::Pause);
    rig.pass(Duration::from_secs(100));
    assert_eq!(rig.starts.len(), 1);
    turn(&mut rig, number, JobTurn::Resume);
    rig.pass(Duration::from_millis(20));
    assert_eq!(rig.starts.len(), 2);
}

/// While its consumer takes nothing a job waits: no letter uses up one of its redrives.
#[test]
fn a_job_waits_while_its_consumer_is_closed() {
    let pause = Command::Pause {
        consumer: id(),
        reason: "a migration".to_owned(),
    };
    let open = Command::OpenBreaker {
        breaker: "api".parse().unwrap(),
        reason: "they move".to_owned(),
    };
    let reset = Command::ResetBreaker {
        breaker: "api".parse().unwrap(),
    };
    let resume = Command::Resume { consumer: id() };
    for (close, reopen) in [(pause, resume.clone()), (open, reset)] {
        let mut rig = buried(roomy(), 20);
        rig.command(close);
        let number = start(&mut rig, plan(0..20));
        rig.pass(Duration::from_secs(1_000));
        rig.crash();
        rig.pass(Duration::from_secs(1_000));
        assert_eq!(counts(&rig, number), [20, 0, 0, 0, 0]);
        let letters = rig.machine.dead_letters(&id());
        assert!(letters.map(|l| l.progress.redrives).all(|n| n == 0));
        assert!(rig.machine.closed_to_jobs(&id(), rig.now).is_some());
        rig.command(reopen);
        rig.answer_for(20, |_| Outcome::Done);
        assert_eq!(*job(&rig, number).state(), JobState::Done);
        assert_eq!(counts(&rig, number), [0, 0, 20, 0, 0]);
    }
}

/// A consumer that halts in the middle of a job stops it from sending, and the letters that were sent
/// keep their attempts.
#[test]
fn a_job_waits_while_its_consumer_is_halted() {
    let mut rig = buried(roomy(), 20);
    let number = start(&mut rig, plan(0..20));
    settle(&mut rig);
    answer(&mut rig, |_| Outcome::Done);
    let fault = || Outcome::EndpointFault {
        error: "HTTP 404".to_owned(),
    };
    for _ in 0..10 {
        rig.pass(Duration::from_secs(1));
        answer(&mut rig, |_| fault());
    }
    assert!(rig.machine.status(&id(), rig.now).unwrap().halt.is_some());
    let before = counts(&rig, number);
    assert_eq!(before[..3], [17, 2, 1]);
    rig.pass(Duration::from_secs(10));
    answer(&mut rig, |_| fault());
    assert_eq!(counts(&rig, number), before);
    rig.command(Command::Resume { consumer: id() });
    rig.starts.clear();
    rig.answer_for(60, |_| Outcome::Done);
    assert_eq!(counts(&rig, number), [0, 0, 20, 0, 0]);
    assert!(rig.starts.iter().all(|(_, attempt)| *attempt == 1));
}

/// An overload holds the job until the time that the handler has named, without another input.
#[test]
fn a_job_goes_on_by_itself_after_an_overload() {
    let mut rig = buried(roomy(), 3);
    let number = start(&mut rig, plan(0..2));
    let overload = Outcome::Overload {
        error: "busy".to_owned(),
        after: Some(Duration::from_secs(30)),
    };
    rig.end(0, overload);
    let began = rig.now;
    while *job(&rig, number).state() != JobState::Done {
        rig.wake();
        while answer(&mut rig, |_| Outcome::Done) > 0 {}
    }
    assert!(rig.now.since(began) >= Duration::from_secs(30));
    assert_eq!(counts(&rig, number), [0, 0, 2, 0, 0]);
}

/// A consumer that is full of dead letters goes on only when some go back: a job must not wait for that.
#[test]
fn a_job_empties_a_consumer_that_is_full() {
    let mut full = config();
    full.consumers[0].dead_letters = 20;
    let keys: Vec<String> = (0..30).map(|key| key.to_string()).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut rig = Rig::new(full, &keys);
    rig.answer_for(20, |_| permanent());
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert!(status.halt.is_some());
    assert_eq!(status.dead_letters, 20);
    let letters: BTreeSet<u64> = rig
        .machine
        .dead_letters(&id())
        .map(|l| l.sequence)
        .collect();
    let number = start(&mut rig, plan(letters));
    rig.answer_for(40, |_| Outcome::Done);
    assert_eq!(counts(&rig, number), [0, 0, 20, 0, 0]);
    let status = rig.machine.status(&id(), rig.now).unwrap();
    assert!(status.halt.is_none() && status.dead_letters <= 4);
}

/// What happens to a letter before the job comes to it, and what cannot go at all.
#[test]
fn letters_that_cannot_go_are_passed_over_with_the_reason() {
    let mut rig = buried(roomy(), 6);
    for _ in 0..REDRIVES_MAX {
        let (consumer, sequences) = (id(), vec![3]);
        rig.step(Input::Redrive {
            consumer,
            sequences,
        });
        rig.end(3, permanent());
    }
    let number = start(&mut rig, plan([0, 1, 2, 3, 4, 77]));
    assert_eq!(rig.running(), [0]);
    rig.command(Command::Discard {
        consumer: id(),
        sequences: vec![1],
        reason: "a test order".to_owned(),
    });
    let (consumer, sequences) = (id(), vec![2]);
    rig.step(Input::Redrive {
        consumer,
        sequences,
    });
    rig.end(2, Outcome::Done);
    rig.end(0, Outcome::Done);
    rig.answer_for(3, |_| Outcome::Done);
    let skipped = |skip| JobLetter::Skipped(skip);
    assert_eq!(letter(&rig, number, 0), JobLetter::Verified);
    assert_eq!(letter(&rig, number, 1), skipped(Skip::Discarded));
    assert_eq!(letter(&rig, number, 2), skipped(Skip::Gone));
    assert_eq!(letter(&rig, number, 3), skipped(Skip::Often));
    assert_eq!(letter(&rig, number, 4), JobLetter::Verified);
    assert_eq!(letter(&rig, number, 77), skipped(Skip::Gone));
    assert_eq!(*job(&rig, number).state(), JobState::Done);
    assert!(rig.is(5, DeliveryStatus::Dead), "it was not selected");
}

/// What was sent runs on; what was not stays where it is.
#[test]
fn a_cancelled_job_sends_nothing_more_and_still_hears() {
    let mut rig = buried(roomy(), 5);
    let number = start(&mut rig, plan(0..5));
    rig.end(0, Outcome::Done);
    settle(&mut rig);
    assert_eq!(rig.running(), [1, 2]);
    turn(&mut rig, number, JobTurn::Cancel);
    rig.crash();
    rig.answer_for(10, |_| Outcome::Done);
    assert_eq!(*job(&rig, number).state(), JobState::Cancelled);
    assert_eq!(counts(&rig, number), [2, 0, 3, 0, 0]);
    assert!(rig.is(3, DeliveryStatus::Dead) && rig.is(4, DeliveryStatus::Dead));
    let resume = rig.machine.may_turn_job(number, JobTurn::Resume);
    assert_eq!(resume, Err(JobRefusal::Ended("cancelled")));
    turn(&mut rig, number, JobTurn::Resume);
    settle(&mut rig);
    assert!(rig.running().is_empty());
}

/// Two dead letters of one key: the second waits for the first, and is passed over when that fails.
#[test]
fn a_letter_does_not_go_behind_a_dead_one_of_its_key() {
    for succeeds in [true, false] {
        let mut config = roomy();
        config.consumers[0].followers = Followers::Wait;
        let mut rig = Rig::new(config, &["a", "a"]);
        rig.end(0, permanent());
        let discard = Command::Discard {
            consumer: id(),
            sequences: vec![0],
            reason: "for now".to_owned(),
        };
        rig.command(discard);
        rig.end(1, permanent());
        rig.command(Command::Restore {
            consumer: id(),
            sequences: vec![0],
        });
        let number = start(
            &mut rig,
            JobPlan {
                canary: false,
                ..plan([0, 1])
            },
        );
        settle(&mut rig);
        assert_eq!(rig.running(), [0]);
        assert_eq!(counts(&rig, number)[..2], [1, 1]);
        rig.end(0, if succeeds { Outcome::Done } else { permanent() });
        rig.answer_for(2, |_| Outcome::Done);
        let expected = match succeeds {
            true => JobLetter::Verified,
            false => JobLetter::Skipped(Skip::Behind),
        };
        assert_eq!(letter(&rig, number, 1), expected);
        assert_eq!(*job(&rig, number).state(), JobState::Done);
    }
}

/// Whichever records a crash leaves, the job goes on where it was: no letter is lost, and none is sent
/// twice.
#[test]
fn a_job_survives_a_crash_after_any_record() {
    let mut whole = buried(roomy(), 12);
    let base = whole.disk.len();
    let patient = JobPlan {
        stop: StopRule::new(Ratio::new(0.5).unwrap(), 10),
        ..plan(0..12)
    };
    let number = start(&mut whole, patient);
    let outcome = |sequence: u64| match sequence {
        5 => permanent(),
        _ => Outcome::Done,
    };
    whole.answer_for(20, outcome);
    assert_eq!(counts(&whole, number), [0, 0, 11, 1, 0]);
    let records = whole.disk.clone();
    assert!(records.len() > base + 40, "{}", records.len() - base);
    for kept in base + 1..=records.len() {
        let mut rig = buried(roomy(), 12);
        rig.disk = records[..kept].to_vec();
        rig.disk = rig.disk.iter().map(reread).collect();
        rig.crash();
        let had_failed = rig.machine.dead_letter(&id(), 5);
        let had_failed = had_failed.is_some_and(|letter| letter.progress.redrives == 1);
        rig.answer_for(20, outcome);
        assert_eq!(*job(&rig, number).state(), JobState::Done, "{kept}");
        assert_eq!(counts(&rig, number), [0, 0, 11, 1, 0], "{kept}");
        let letter = rig.machine.dead_letter(&id(), 5).unwrap();
        assert_eq!(letter.progress.redrives, 1, "{kept}");
        let again = rig.starts.iter().any(|(sequence, _)| *sequence == 5);
        assert!(!(had_failed && again), "{kept}: it was sent twice");
        // A checkpoint says the same as all the records.
        rig.disk = rig.machine.checkpoint().iter().map(reread).collect();
        rig.crash();
        assert_eq!(counts(&rig, number), [0, 0, 11, 1, 0], "{kept}");
    }
}

fn reread(record: &StateRecord) -> StateRecord {
    StateRecord::decode(&record.encode()).unwrap()
}

/// A checkpoint in the middle carries what is under way.
#[test]
fn a_checkpoint_carries_a_job() {
    let mut rig = buried(roomy(), 8);
    let number = start(&mut rig, plan(0..8));
    rig.end(0, Outcome::Done);
    rig.hold_commits = true;
    settle(&mut rig);
    rig.disk = rig.machine.checkpoint().iter().map(reread).collect();
    rig.hold_commits = false;
    rig.crash();
    assert_eq!(job(&rig, number).note(), "a test");
    assert_eq!(counts(&rig, number)[1..3], [2, 1]);
    rig.answer_for(10, |_| Outcome::Done);
    assert_eq!(counts(&rig, number), [0, 0, 8, 0, 0]);
}

/// Nothing goes before what the job says of it is kept together with it.
#[test]
fn nothing_starts_before_it_is_durable() {
    let mut rig = buried(roomy(), 3);
    rig.hold_commits = true;
    let number = start(&mut rig, plan(0..3));
    settle(&mut rig);
    assert!(rig.running().is_empty());
    assert_eq!(counts(&rig, number)[..2], [2, 1]);
    rig.hold_commits = false;
    rig.release_commits();
    rig.answer_for(2, |_| Outcome::Done);
    assert_eq!(*job(&rig, number).state(), JobState::Done);
}

/// Jobs are kept after their end, the oldest is forgotten, and none that has not ended is.
#[test]
fn jobs_are_bounded() {
    let mut rig = buried(roomy(), 2);
    rig.command(Command::Pause {
        consumer: id(),
        reason: "to hold them".to_owned(),
    });
    let empty = rig.machine.may_start_job(&plan([]));
    assert_eq!(empty, Err(JobRefusal::Empty));
    let large = rig.machine.may_start_job(&plan(0..10_001));
    assert_eq!(large, Err(JobRefusal::Large(10_001)));
    for _ in 0..JOBS_MAX {
        start(&mut rig, plan([0]));
    }
    assert_eq!(rig.machine.may_start_job(&plan([1])), Err(JobRefusal::Full));
    start(&mut rig, plan([1]));
    assert_eq!(rig.machine.jobs().count(), JOBS_MAX);
    for cancelled in [2, 5] {
        turn(&mut rig, cancelled, JobTurn::Cancel);
    }
    assert_eq!(start(&mut rig, plan([1])), JOBS_MAX as u64 + 1);
    rig.disk = rig.disk.iter().map(reread).collect();
    rig.crash();
    let known: Vec<u64> = rig.machine.jobs().map(Job::id).collect();
    assert_eq!(known.len(), JOBS_MAX);
    assert!(!known.contains(&2) && known.contains(&5));
    assert_eq!(rig.machine.next_job(), JOBS_MAX as u64 + 2);
}

/// One letter in two jobs goes once at a time.
#[test]
fn two_jobs_share_a_letter() {
    let mut rig = buried(roomy(), 1);
    let first = start(&mut rig, plan([0]));
    let second = start(&mut rig, plan([0]));
    settle(&mut rig);
    assert_eq!(counts(&rig, first)[..2], [0, 1]);
    assert_eq!(counts(&rig, second)[..2], [1, 0]);
    rig.end(0, Outcome::Done);
    settle(&mut rig);
    assert_eq!(letter(&rig, first, 0), JobLetter::Verified);
    assert_eq!(letter(&rig, second, 0), JobLetter::Skipped(Skip::Gone));
}

/// A consumer that the design no longer has takes nothing, and the job does not wait for it.
#[test]
fn letters_of_a_consumer_that_is_gone_are_passed_over() {
    let mut rig = buried(roomy(), 3);
    let number = start(&mut rig, plan(0..3));
    rig.config.consumers.clear();
    rig.crash();
    assert_eq!(counts(&rig, number), [0, 0, 0, 0, 3]);
    assert_eq!(*job(&rig, number).state(), JobState::Done);
    rig.config = roomy();
    rig.crash();
    assert_eq!(
        rig.machine.dead_letters(&id()).count(),
        2,
        "the rest is there"
    );
}
