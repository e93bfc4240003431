//! Redrive jobs: begun, turned, shown. Answers come once they are durable.

use std::collections::BTreeSet;
use std::time::Duration;

use tidegate_base::ConsumerId;
use tidegate_delivery::{Command, Job, JobLetter, JobPlan, JobState, JobTurn, Machine};
use tokio::sync::oneshot;

use super::Actor;
use super::operate::Answer;
use super::select::{letter_id, sort};
use crate::redrive::{
    JobBegun, JobError, JobRequest, RedriveDetail, RedriveLetterView, RedriveView,
};

/// Who waits for a job to begin.
pub(super) type BegunReply = oneshot::Sender<Result<JobBegun, JobError>>;
/// Who waits for a job to be turned.
pub(super) type TurnedReply = oneshot::Sender<Result<RedriveView, JobError>>;

impl Actor {
    pub(super) fn start_job(&mut self, request: JobRequest, reply: BegunReply) {
        match self.plan_job(request) {
            Ok((plan, refused)) => {
                let job = self.parts.machine.next_job();
                let plan = Box::new(plan);
                let answer = Answer::Begun(job, refused, reply);
                self.command(Command::StartJob { plan }, answer);
            }
            Err(error) => {
                let _left = reply.send(Err(error));
            }
        }
    }

    fn plan_job(&self, request: JobRequest) -> Result<(JobPlan, Vec<(String, String)>), JobError> {
        let machine: &Machine = &self.parts.machine;
        let sorted = sort(self.select(request.selection)?, |consumer, sequence| {
            let may = machine.may_redrive(consumer, sequence);
            may.map_err(|refusal| refusal.to_string())
        });
        let letters = sorted.accepted.into_iter();
        let letters = letters.map(|(consumer, all)| (consumer, BTreeSet::from_iter(all)));
        let plan = JobPlan {
            letters: letters.collect(),
            every: request.every,
            canary: request.canary,
            stop: request.stop,
            note: request.note,
        };
        machine.may_start_job(&plan)?;
        Ok((plan, sorted.report.refused))
    }

    pub(super) fn turn_job(&mut self, job: u64, turn: JobTurn, reply: TurnedReply) {
        let allowed = self.takes_orders().map_err(JobError::from);
        let may = allowed.and_then(|()| Ok(self.parts.machine.may_turn_job(job, turn)?));
        match may {
            Ok(()) => self.command(Command::TurnJob { job, turn }, Answer::Turned(job, reply)),
            Err(error) => {
                let _left = reply.send(Err(error));
            }
        }
    }

    /// The jobs that are known, latest first.
    pub(super) fn jobs(&self) -> Vec<RedriveView> {
        let jobs = self.parts.machine.jobs().rev();
        jobs.map(|job| self.job_view(job)).collect()
    }

    pub(super) fn job(&self, id: u64) -> Option<RedriveView> {
        self.parts.machine.job(id).map(|job| self.job_view(job))
    }

    pub(super) fn job_detail(&self, id: u64) -> Option<RedriveDetail> {
        let job = self.parts.machine.job(id)?;
        let letters = job.letters();
        let members = letters.map(|(consumer, sequence, letter)| {
            let (state, reason) = letter_words(letter);
            let dead = self.parts.machine.dead_letter(consumer, sequence);
            RedriveLetterView {
                id: letter_id(consumer, sequence),
                state,
                reason,
                error: dead.map(|dead| dead.death.error.clone()),
            }
        });
        Some(RedriveDetail {
            job: self.job_view(job),
            members: members.collect(),
        })
    }

    fn job_view(&self, job: &Job) -> RedriveView {
        let counts = job.counts();
        let reason = match job.state() {
            JobState::Stopped(reason) => Some(reason.clone()),
            _ => None,
        };
        let sends = *job.state() == JobState::Running && counts.waiting > 0;
        let mut consumers = job.consumers().iter().filter(|_| sends);
        RedriveView {
            id: job.id(),
            note: job.note().to_owned(),
            created_ms: job.created().millis(),
            state: job.state().word(),
            reason,
            held_by: consumers.find_map(|consumer| self.closed(consumer)),
            rate: rate(job.every()),
            canary: job.canary(),
            stop_at: job.stop().share().value(),
            stop_minimum: job.stop().minimum,
            letters: job.letters().count() as u64,
            waiting: counts.waiting,
            sent: counts.sent,
            verified: counts.verified,
            failed: counts.failed,
            skipped: counts.skipped,
            consumers: job.consumers().to_vec(),
        }
    }

    /// Why a consumer takes no letters now, in a sentence.
    fn closed(&self, consumer: &ConsumerId) -> Option<String> {
        let now = self.now();
        let obstacle = self.parts.machine.closed_to_jobs(consumer, now)?;
        let gate = self.gate(consumer, &obstacle, now);
        Some(format!("{consumer}: {}", gate.detail))
    }
}

fn letter_words(letter: JobLetter) -> (&'static str, Option<String>) {
    match letter {
        JobLetter::Waiting => ("waiting", None),
        JobLetter::Sent { .. } => ("sent", None),
        JobLetter::Verified => ("verified", None),
        JobLetter::Failed(reason) => ("failed", Some(reason.word().to_owned())),
        JobLetter::Skipped(skip) => ("skipped", Some(skip.to_string())),
    }
}

/// Letters a second, to a thousandth: the time between two is kept in whole microseconds.
fn rate(every: Duration) -> f64 {
    let every = every.as_secs_f64().max(1e-6);
    (1_000.0 / every).round() / 1_000.0
}
