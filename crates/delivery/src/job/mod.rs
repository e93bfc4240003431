//! Redrive jobs: many dead letters go back, few at first, and no more when they fail again.
//!
//! A job has a fixed set of letters. Each is sent once, at a rate; what counts is not that it was sent
//! but what became of it. While its consumer takes nothing the job waits, and no letter is spent.

mod choose;
mod ramp;
mod record;
mod table;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tidegate_base::limit::{JOB_LETTERS_MAX, JOBS_MAX, REDRIVES_MAX};
use tidegate_base::{ConsumerId, Timestamp};

use crate::record::DeathReason;
pub(crate) use choose::{Door, Fit};
pub use ramp::StopRule;
pub use record::{JobProgress, JobRecord};
pub(crate) use table::{Found, Jobs};

use ramp::Ramp;

/// What a job is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobPlan {
    /// The letters.
    pub letters: BTreeMap<ConsumerId, BTreeSet<u64>>,
    /// The time between two letters.
    pub every: Duration,
    /// Whether it goes in steps of 1, 2, 5, 10, … letters, each after the verdicts on the one before.
    pub canary: bool,
    /// When it stops by itself.
    pub stop: StopRule,
    /// What it is for, in the operator's words.
    pub note: String,
}

/// What an operator does to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobTurn {
    /// It sends nothing more until it is resumed.
    Pause,
    /// It goes on, also when it has stopped: then as at its beginning.
    Resume,
    /// It sends nothing more for good. What was sent runs on.
    Cancel,
}

/// How a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// It sends letters, or waits for what becomes of them.
    Running,
    /// An operator has paused it.
    Paused,
    /// It has stopped by itself, for this reason.
    Stopped(String),
    /// An operator has cancelled it.
    Cancelled,
    /// Every letter was sent or skipped, and there is a verdict on each that was sent.
    Done,
}

impl JobState {
    /// Its word in views.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped(_) => "stopped",
            Self::Cancelled => "cancelled",
            Self::Done => "done",
        }
    }

    const fn has_ended(&self) -> bool {
        matches!(self, Self::Cancelled | Self::Done)
    }
}

/// What became of one letter of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobLetter {
    /// It was not sent yet.
    Waiting,
    /// It was sent back, and has not ended.
    Sent {
        /// How often it was redriven then, this time included.
        round: u32,
    },
    /// It ended well: its handler has acknowledged it, or had done so before.
    Verified,
    /// It is a dead letter again.
    Failed(DeathReason),
    /// It was not sent, and will not be.
    Skipped(Skip),
}

/// Why a job passes over a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skip {
    /// It is no dead letter any more.
    #[error("it is no dead letter any more")]
    Gone,
    /// It was given up.
    #[error("it was discarded")]
    Discarded,
    /// It was redriven too often.
    #[error("it was redriven {REDRIVES_MAX} times, which is the most")]
    Often,
    /// It was sent, and an operator has passed over it before it ended.
    #[error("an operator has passed over it")]
    PassedOver,
    /// Another dead letter of its key is before it.
    #[error("another dead letter of its key is before it")]
    Behind,
    /// The design has no such consumer.
    #[error("the design has no such consumer")]
    NoConsumer,
}

/// Why a job is not begun, or not turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JobRefusal {
    /// It has no letters.
    #[error("no dead letter is selected")]
    Empty,
    /// It has too many letters.
    #[error("{0} dead letters are selected; a job takes {JOB_LETTERS_MAX}")]
    Large(usize),
    /// As many as may be are kept, and none of them has ended.
    #[error("{JOBS_MAX} redrive jobs have not ended, which is the most")]
    Full,
    /// There is no such job.
    #[error("there is no such redrive job")]
    Unknown,
    /// It has ended.
    #[error("it is {0}")]
    Ended(&'static str),
}

/// How many letters of a job are how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Not sent yet.
    pub waiting: u64,
    /// Sent, and not ended.
    pub sent: u64,
    /// Ended well.
    pub verified: u64,
    /// Dead letters again.
    pub failed: u64,
    /// Passed over.
    pub skipped: u64,
}

/// One letter of a job: its consumer by its place among those of the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Member {
    consumer: usize,
    sequence: u64,
    letter: JobLetter,
}

/// A redrive job.
#[derive(Clone, Debug)]
pub struct Job {
    id: u64,
    created: Timestamp,
    note: String,
    every: Duration,
    canary: bool,
    stop: StopRule,
    state: JobState,
    ramp: Ramp,
    consumers: Vec<ConsumerId>,
    /// Where the machine has each of the consumers; `None`: the design does not have it.
    targets: Vec<Option<usize>>,
    /// By consumer, then by sequence.
    members: Vec<Member>,
    /// For each consumer: places of members that wait, oldest first.
    queues: Vec<VecDeque<u32>>,
    counts: JobCounts,
    /// When the next letter may go; not kept: after a restart one may go at once.
    next_at: Timestamp,
    /// Whether something is to be recorded, and the places of members that changed.
    changed: bool,
    changed_members: BTreeSet<u32>,
}

impl Job {
    fn begin(id: u64, now: Timestamp, plan: JobPlan) -> Self {
        let letters = plan.letters.into_iter();
        let letters = letters.map(|(consumer, sequences)| (consumer, Vec::from_iter(sequences)));
        let record = JobRecord {
            id,
            created: now,
            note: plan.note,
            every_micros: u64::try_from(plan.every.as_micros()).unwrap_or(u64::MAX),
            canary: plan.canary,
            stop: plan.stop,
            state: JobState::Running,
            ramp: Ramp::default(),
            letters: letters.collect(),
            runs: Vec::new(),
        };
        Self::restore(record)
    }

    /// The job of a record. Letters that it says nothing of wait.
    fn restore(record: JobRecord) -> Self {
        let mut consumers = Vec::new();
        let mut members = Vec::new();
        let runs = record.runs.iter();
        let mut states = runs.flat_map(|(count, letter)| (0..*count).map(|_| *letter));
        for (consumer, sequences) in record.letters {
            let place = consumers.len();
            consumers.push(consumer);
            members.extend(sequences.into_iter().map(|sequence| Member {
                consumer: place,
                sequence,
                letter: states.next().unwrap_or(JobLetter::Waiting),
            }));
        }
        Self {
            id: record.id,
            created: record.created,
            note: record.note,
            every: Duration::from_micros(record.every_micros),
            canary: record.canary,
            stop: record.stop,
            state: record.state,
            ramp: record.ramp,
            queues: vec![VecDeque::new(); consumers.len()],
            targets: vec![None; consumers.len()],
            consumers,
            members,
            counts: JobCounts::default(),
            next_at: Timestamp::EPOCH,
            changed: false,
            changed_members: BTreeSet::new(),
        }
    }

    fn apply(&mut self, progress: JobProgress) {
        self.state = progress.state;
        self.ramp = progress.ramp;
        for (place, letter) in progress.letters {
            if let Some(member) = self.members.get_mut(place as usize) {
                member.letter = letter;
            }
        }
    }

    /// Counts and lines up the letters, once all records are read.
    fn line_up(&mut self, target: impl Fn(&ConsumerId) -> Option<usize>) {
        self.targets = self.consumers.iter().map(target).collect();
        self.counts = JobCounts::default();
        self.queues.iter_mut().for_each(VecDeque::clear);
        for (place, member) in (0_u32..).zip(&self.members) {
            *count_of(&mut self.counts, member.letter) += 1;
            if member.letter == JobLetter::Waiting
                && let Some(queue) = self.queues.get_mut(member.consumer)
            {
                queue.push_back(place);
            }
        }
    }

    fn record(&self) -> JobRecord {
        let mut letters: Vec<(ConsumerId, Vec<u64>)> = Vec::new();
        for consumer in &self.consumers {
            letters.push((consumer.clone(), Vec::new()));
        }
        for member in &self.members {
            if let Some((_, sequences)) = letters.get_mut(member.consumer) {
                sequences.push(member.sequence);
            }
        }
        JobRecord {
            id: self.id,
            created: self.created,
            note: self.note.clone(),
            every_micros: u64::try_from(self.every.as_micros()).unwrap_or(u64::MAX),
            canary: self.canary,
            stop: self.stop,
            state: self.state.clone(),
            ramp: self.ramp,
            letters,
            runs: record::runs(self.members.iter().map(|member| member.letter)),
        }
    }

    /// What has changed since it was last asked.
    fn progress(&mut self) -> Option<JobProgress> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let places = std::mem::take(&mut self.changed_members).into_iter();
        let letters = places.filter_map(|place| {
            let member = self.members.get(place as usize)?;
            Some((place, member.letter))
        });
        Some(JobProgress {
            id: self.id,
            letters: letters.collect(),
            state: self.state.clone(),
            ramp: self.ramp,
        })
    }

    fn set(&mut self, place: u32, letter: JobLetter) {
        let Some(member) = self.members.get_mut(place as usize) else {
            return;
        };
        let before = count_of(&mut self.counts, member.letter);
        *before = before.saturating_sub(1);
        member.letter = letter;
        *count_of(&mut self.counts, letter) += 1;
        self.changed = true;
        self.changed_members.insert(place);
    }

    fn turn_into(&mut self, state: JobState) {
        self.state = state;
        self.changed = true;
    }

    fn outstanding(&self) -> usize {
        usize::try_from(self.counts.sent).unwrap_or(usize::MAX)
    }

    /// A letter that it has sent ended.
    fn heard(&mut self, place: u32, letter: JobLetter) {
        self.set(place, letter);
        match letter {
            JobLetter::Verified => self.ramp.heard(true),
            JobLetter::Failed(_) => self.ramp.heard(false),
            // One that was passed over says nothing of the others: another one goes in its place.
            _ => self.ramp.unsent(),
        }
        let goes_on = matches!(self.state, JobState::Running | JobState::Paused);
        if goes_on && let Some(reason) = self.ramp.stops(self.stop, self.canary) {
            self.turn_into(JobState::Stopped(reason));
        }
        self.ramp.go_on(self.outstanding());
        self.end();
    }

    /// It is done when nothing is left to send or to hear.
    fn end(&mut self) {
        let left = self.counts.waiting + self.counts.sent;
        if left == 0 && matches!(self.state, JobState::Running | JobState::Paused) {
            self.turn_into(JobState::Done);
        }
    }

    fn turn(&mut self, turn: JobTurn) {
        match (turn, &self.state) {
            (JobTurn::Pause, JobState::Running) => self.turn_into(JobState::Paused),
            (JobTurn::Resume, JobState::Paused) => self.turn_into(JobState::Running),
            (JobTurn::Resume, JobState::Stopped(_)) => {
                self.ramp = Ramp::default();
                self.turn_into(JobState::Running);
            }
            (JobTurn::Cancel, state) if !state.has_ended() => self.turn_into(JobState::Cancelled),
            _ => {}
        }
        self.end();
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// When it began.
    #[must_use]
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// What it is for, in the operator's words.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }

    /// The time between two letters.
    #[must_use]
    pub fn every(&self) -> Duration {
        self.every
    }

    /// Whether it goes in steps.
    #[must_use]
    pub fn canary(&self) -> bool {
        self.canary
    }

    /// When it stops by itself.
    #[must_use]
    pub fn stop(&self) -> StopRule {
        self.stop
    }

    /// How it is.
    #[must_use]
    pub fn state(&self) -> &JobState {
        &self.state
    }

    /// How many letters are how.
    #[must_use]
    pub fn counts(&self) -> JobCounts {
        self.counts
    }

    /// Its letters, by consumer, oldest event first.
    pub fn letters(&self) -> impl Iterator<Item = (&ConsumerId, u64, JobLetter)> {
        self.members.iter().filter_map(|member| {
            let consumer = self.consumers.get(member.consumer)?;
            Some((consumer, member.sequence, member.letter))
        })
    }

    /// The consumers of its letters.
    #[must_use]
    pub fn consumers(&self) -> &[ConsumerId] {
        &self.consumers
    }
}

fn count_of(counts: &mut JobCounts, letter: JobLetter) -> &mut u64 {
    match letter {
        JobLetter::Waiting => &mut counts.waiting,
        JobLetter::Sent { .. } => &mut counts.sent,
        JobLetter::Verified => &mut counts.verified,
        JobLetter::Failed(_) => &mut counts.failed,
        JobLetter::Skipped(_) => &mut counts.skipped,
    }
}
