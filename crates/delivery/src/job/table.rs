//! All jobs, and whose letter is on its way.

use std::collections::BTreeMap;

use foldhash::HashMap;

use tidegate_base::limit::{JOB_LETTERS_MAX, JOBS_MAX};
use tidegate_base::{ConsumerId, Timestamp};

use super::choose::{Door, Fit, Going};
use super::{Job, JobLetter, JobPlan, JobRefusal, JobState, JobTurn, Skip};
use crate::input::Conclusion;
use crate::mutant::{self, Mutant};
use crate::record::{DeathReason, StateRecord};

/// The jobs of a machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jobs {
    jobs: BTreeMap<u64, Job>,
    /// For each letter on its way, by its consumer as the machine has it: the job, and its place there.
    sent: HashMap<(usize, u64), (u64, u32)>,
}

/// Where a letter is that was on its way when the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It is finished.
    Finished,
    /// An operator has passed over it.
    PassedOver,
    /// It is a dead letter, given up or not, and was redriven so often.
    Dead(u32, DeathReason),
    /// It has not ended.
    Live,
    /// Nothing is known of it.
    Nowhere,
}

impl Jobs {
    /// The number that the next job gets.
    pub(crate) fn next_id(&self) -> u64 {
        self.jobs.last_key_value().map_or(1, |(last, _)| last + 1)
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Job> {
        self.jobs.get(&id)
    }

    /// Oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Job> {
        self.jobs.values()
    }

    /// Whether there is nothing to send and nothing to record.
    pub(crate) fn is_idle(&self) -> bool {
        self.jobs
            .values()
            .all(|job| !job.changed && (job.state != JobState::Running || job.counts.waiting == 0))
    }

    pub(crate) fn may_begin(&self, plan: &JobPlan) -> Result<(), JobRefusal> {
        let letters = plan.letters.values().map(|letters| letters.len()).sum();
        match letters {
            0 => return Err(JobRefusal::Empty),
            1..=JOB_LETTERS_MAX => {}
            _ => return Err(JobRefusal::Large(letters)),
        }
        let is_full = self.jobs.len() >= JOBS_MAX && self.first_ended().is_none();
        (!is_full).then_some(()).ok_or(JobRefusal::Full)
    }

    /// Begins a job. Returns what is to be recorded of it before anything else.
    pub(crate) fn begin(
        &mut self,
        now: Timestamp,
        plan: JobPlan,
        target: impl Fn(&ConsumerId) -> Option<usize>,
    ) -> Vec<StateRecord> {
        let mut records = Vec::new();
        if self.may_begin(&plan).is_err() {
            return records;
        }
        while self.jobs.len() >= JOBS_MAX
            && let Some(ended) = self.first_ended()
        {
            self.forget(ended);
            records.push(StateRecord::JobForgotten(ended));
        }
        let mut job = Job::begin(self.next_id(), now, plan);
        job.line_up(target);
        records.push(StateRecord::Job(Box::new(job.record())));
        self.jobs.insert(job.id, job);
        records
    }

    /// The oldest that has ended and has nothing more to hear.
    fn first_ended(&self) -> Option<u64> {
        let mut jobs = self.jobs.values();
        let ended = jobs.find(|job| job.state.has_ended() && job.counts.sent == 0);
        ended.map(|job| job.id)
    }

    fn forget(&mut self, id: u64) {
        self.jobs.remove(&id);
        self.sent.retain(|_, (job, _)| *job != id);
    }

    pub(crate) fn may_turn(&self, id: u64, turn: JobTurn) -> Result<(), JobRefusal> {
        let job = self.jobs.get(&id).ok_or(JobRefusal::Unknown)?;
        match (&job.state, turn) {
            (JobState::Cancelled, JobTurn::Cancel) => Ok(()),
            (state, _) if state.has_ended() => Err(JobRefusal::Ended(state.word())),
            (state @ JobState::Stopped(_), JobTurn::Pause) => Err(JobRefusal::Ended(state.word())),
            _ => Ok(()),
        }
    }

    /// Turns a job. Returns what is to be recorded of it before the operator is answered.
    pub(crate) fn turn(&mut self, id: u64, turn: JobTurn) -> Option<StateRecord> {
        let job = self.jobs.get_mut(&id)?;
        job.turn(turn);
        let progress = job.progress()?;
        Some(StateRecord::JobProgress(Box::new(progress)))
    }

    /// Something was concluded of a delivery, which may be a letter of a job.
    pub(crate) fn heard(&mut self, target: usize, sequence: u64, conclusion: Conclusion) {
        let letter = match conclusion {
            Conclusion::Succeeded | Conclusion::Duplicate => JobLetter::Verified,
            Conclusion::DeadLettered(reason) => JobLetter::Failed(reason),
            Conclusion::Skipped if !mutant::is(Mutant::JobDeafToSkips) => {
                JobLetter::Skipped(Skip::PassedOver)
            }
            _ => return,
        };
        if let Some((id, place)) = self.sent.remove(&(target, sequence))
            && let Some(job) = self.jobs.get_mut(&id)
        {
            job.heard(place, letter);
        }
    }

    /// Takes what goes now of a job, in the order of the jobs. Returns the records of what changed,
    /// which are to be kept before any letter is sent, and when to ask again.
    pub(crate) fn send(
        &mut self,
        now: Timestamp,
        door: impl Fn(usize) -> Door,
        fit: impl Fn(usize, u64) -> Fit,
    ) -> (Vec<StateRecord>, Vec<Going>, Option<Timestamp>) {
        let (mut records, mut all, mut wake) = (Vec::new(), Vec::new(), None);
        for job in self.jobs.values_mut() {
            if job.state == JobState::Running && job.counts.waiting > 0 {
                // One letter may be in two jobs: the first that sends it has it.
                let sent = &self.sent;
                let fit = |target, sequence| match sent.contains_key(&(target, sequence)) {
                    true => Fit::Later,
                    false => fit(target, sequence),
                };
                let (going, until) = job.choose(now, &door, fit);
                for going in &going {
                    let letter = (going.target, going.sequence);
                    self.sent.insert(letter, (job.id, going.place));
                }
                all.extend(going);
                wake = wake.into_iter().chain(until).min();
            }
            let progress = job.progress();
            records.extend(progress.map(|progress| StateRecord::JobProgress(Box::new(progress))));
        }
        (records, all, wake)
    }

    /// Takes in a record, after all before it.
    pub(crate) fn replay(&mut self, record: StateRecord) {
        match record {
            StateRecord::Job(record) => {
                let job = Job::restore(*record);
                self.jobs.insert(job.id, job);
            }
            StateRecord::JobProgress(progress) => {
                if let Some(job) = self.jobs.get_mut(&progress.id) {
                    job.apply(*progress);
                }
            }
            StateRecord::JobForgotten(id) => self.forget(id),
            _ => {}
        }
    }

    /// Takes up where the records end: letters that were on their way are looked for.
    pub(crate) fn restore(
        &mut self,
        target: impl Fn(&ConsumerId) -> Option<usize>,
        find: impl Fn(usize, u64) -> Found,
    ) {
        for job in self.jobs.values_mut() {
            job.line_up(&target);
            let mut settled = Vec::new();
            for (place, member) in (0_u32..).zip(&job.members) {
                let JobLetter::Sent { round } = member.letter else {
                    continue;
                };
                let target = job.targets.get(member.consumer).copied().flatten();
                let found = target.map_or(Found::Nowhere, |target| find(target, member.sequence));
                match (found, target) {
                    (Found::Live, Some(target)) => {
                        self.sent.insert((target, member.sequence), (job.id, place));
                    }
                    _ => settled.push((place, found, round)),
                }
            }
            for (place, found, round) in settled {
                job.found(place, found, round);
            }
        }
    }

    /// The jobs as records.
    pub(crate) fn checkpoint(&self) -> impl Iterator<Item = StateRecord> {
        let jobs = self.jobs.values();
        let jobs = jobs.filter(|_| !mutant::is(Mutant::JobsNotInCheckpoint));
        jobs.map(|job| StateRecord::Job(Box::new(job.record())))
    }
}

impl Job {
    /// What became of a letter that was on its way when the process ended.
    fn found(&mut self, place: u32, found: Found, round: u32) {
        match found {
            Found::Finished => self.heard(place, JobLetter::Verified),
            // The job had noted that it goes, and it did not go.
            Found::Dead(redrives, _)
                if redrives < round && !mutant::is(Mutant::JobRoundNotAsked) =>
            {
                self.set(place, JobLetter::Waiting);
                self.ramp.unsent();
                self.wait_first(place);
            }
            Found::Dead(_, reason) => self.heard(place, JobLetter::Failed(reason)),
            Found::PassedOver => self.heard(place, JobLetter::Skipped(Skip::PassedOver)),
            Found::Nowhere | Found::Live => self.heard(place, JobLetter::Skipped(Skip::Gone)),
        }
    }

    /// Puts a letter before all that wait of its consumer.
    fn wait_first(&mut self, place: u32) {
        let consumer = self
            .members
            .get(place as usize)
            .map(|member| member.consumer);
        if let Some(queue) = consumer.and_then(|consumer| self.queues.get_mut(consumer)) {
            let position = queue.partition_point(|other| *other < place);
            queue.insert(position, place);
        }
    }
}
