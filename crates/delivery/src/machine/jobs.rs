//! Redrive jobs of the machine: begun, turned, and moved on with every step.

use tidegate_base::{ConsumerId, Timestamp};

use super::{Machine, Who};
use crate::consumer::Obstacle;
use crate::input::Command;
use crate::job::{Door, Fit, Found, Job, JobPlan, JobRefusal, JobTurn, Jobs};
use crate::outbox::Then;

impl Machine {
    /// Lets jobs send what may go, once no consumer has anything more to do.
    pub(super) fn run_jobs(&mut self, now: Timestamp) {
        if self.shared.jobs.is_idle() {
            return self.set_wake(Who::Jobs, None);
        }
        let mut jobs = std::mem::take(&mut self.shared.jobs);
        let consumer = |target: usize| self.consumers.get(target);
        let (records, going, wake) = jobs.send(
            now,
            |target| consumer(target).map_or(Door::Closed(None), |c| c.door(now, &self.shared)),
            |target, sequence| consumer(target).map_or(Fit::Later, |c| c.fit(sequence)),
        );
        self.shared.jobs = jobs;
        // First what the job says: a crash between the two is found by the letter's redrives.
        for record in records {
            self.shared.out.durable(record, Then::Nothing);
        }
        for going in going {
            self.at(going.target, |consumer, shared| {
                consumer.redrive(going.sequence, shared);
            });
        }
        self.set_wake(Who::Jobs, wake);
    }

    /// Carries out what an operator wants of jobs and edits.
    pub(super) fn obey_job(&mut self, now: Timestamp, command: Command) {
        match command {
            Command::StartJob { plan } => {
                let by_id = &self.by_id;
                let target = |consumer: &ConsumerId| by_id.get(consumer).copied();
                for record in self.shared.jobs.begin(now, *plan, target) {
                    self.shared.out.durable(record, Then::Nothing);
                }
            }
            Command::TurnJob { job, turn } => {
                if let Some(record) = self.shared.jobs.turn(job, turn) {
                    self.shared.out.durable(record, Then::Nothing);
                }
            }
            _ => {}
        }
    }

    /// Takes jobs up where the records end.
    pub(super) fn restore_jobs(&mut self, mut jobs: Jobs) {
        let (by_id, consumers) = (&self.by_id, &self.consumers);
        jobs.restore(
            |consumer| by_id.get(consumer).copied(),
            |target, sequence| {
                let consumer = consumers.get(target);
                consumer.map_or(Found::Nowhere, |c| c.find_letter(sequence))
            },
        );
        self.shared.jobs = jobs;
    }

    /// The number that the next redrive job gets.
    #[must_use]
    pub fn next_job(&self) -> u64 {
        self.shared.jobs.next_id()
    }

    /// The redrive jobs that are known, oldest first.
    pub fn jobs(&self) -> impl DoubleEndedIterator<Item = &Job> {
        self.shared.jobs.iter()
    }

    /// One redrive job.
    #[must_use]
    pub fn job(&self, id: u64) -> Option<&Job> {
        self.shared.jobs.get(id)
    }

    /// What keeps a consumer from taking letters of jobs.
    #[must_use]
    pub fn closed_to_jobs(&self, id: &ConsumerId, now: Timestamp) -> Option<Obstacle> {
        self.consumer(id)?.closed_by(now, &self.shared)
    }

    /// Whether a redrive job can begin.
    ///
    /// # Errors
    ///
    /// [`JobRefusal`]: it has no letters or too many, or too many jobs have not ended.
    pub fn may_start_job(&self, plan: &JobPlan) -> Result<(), JobRefusal> {
        self.shared.jobs.may_begin(plan)
    }

    /// Whether a redrive job can be paused, resumed or cancelled.
    ///
    /// # Errors
    ///
    /// [`JobRefusal`] when there is no such job, or it has ended.
    pub fn may_turn_job(&self, job: u64, turn: JobTurn) -> Result<(), JobRefusal> {
        self.shared.jobs.may_turn(job, turn)
    }
}
