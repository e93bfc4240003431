//! What an outcome does: finish, retry, hold, halt or give up.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use tidegate_base::Timestamp;
use tidegate_base::limit::{ATTEMPT_HISTORY_MAX, ERROR_TEXT_BYTES_MAX};

use super::Consumer;
use super::delivery::{Phase, Run};
use super::failure::{Blame, Failure};
use crate::breaker::Verdict;
use crate::classes::{FailureClass, Fate, Tally};
use crate::ended::End;
use crate::identity::Identity;
use crate::input::{Conclusion, Effect, Release, Ticket};
use crate::mutant::{self, Mutant};
use crate::outbox::Then;
use crate::outcome::{KeyState, Outcome, RetryClass};
use crate::random::Draws;
use crate::record::{AttemptOutcome, AttemptRecord, Company, Halt, HaltCause, StateRecord};
use crate::shared::Shared;

/// Endpoint faults in a row that halt a consumer.
const ENDPOINT_FAULTS_MAX: u32 = 3;
/// How long a consumer is left alone after an endpoint fault that does not halt it.
const ENDPOINT_HOLD: Duration = Duration::from_secs(1);
/// How often a halted consumer's endpoint is tried.
const ENDPOINT_PROBE: Duration = Duration::from_secs(30);

/// Who ended an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndedBy {
    /// The handler, or the way to it.
    Handler,
    /// The end of a lease: it says that a puller went away, and nothing of a dependency.
    Lease,
}

impl Consumer {
    /// Takes in how an attempt ended; rejects one that is not running.
    pub(crate) fn ended(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        outcome: Outcome,
        by: EndedBy,
        shared: &mut Shared,
    ) {
        let sequence = ticket.sequence;
        let running = self
            .deliveries
            .get(&sequence)
            .and_then(|delivery| match &delivery.phase {
                Phase::Running(run)
                    if run.run == ticket.run || mutant::is(Mutant::RunNotChecked) =>
                {
                    Some(run.clone())
                }
                _ => None,
            });
        let current = ticket.epoch == shared.epoch || mutant::is(Mutant::EpochNotChecked);
        let Some(run) = running.filter(|_| current) else {
            shared.out.effects.push(Effect::Rejected(ticket));
            return;
        };
        self.leases.remove(&(run.deadline, sequence));
        self.running = self.running.saturating_sub(1);
        self.flow
            .ended(run.started, now, &outcome, &mut shared.shares);
        let verdict = if by == EndedBy::Lease {
            Verdict::Neutral
        } else {
            verdict(&outcome)
        };
        let excused = self.leave_breakers(now, &run, verdict, shared) && by == EndedBy::Handler;
        self.hear_endpoint(&outcome, shared);
        let blame = if excused {
            Blame::Dependency
        } else {
            Blame::Delivery
        };
        self.settle(now, &run, outcome, blame, shared);
    }

    fn settle(
        &mut self,
        now: Timestamp,
        run: &Run,
        outcome: Outcome,
        blame: Blame,
        shared: &mut Shared,
    ) {
        let sequence = run.sequence;
        match mutant::mistaken(outcome) {
            Outcome::Done => self.finish(now, run, None, shared),
            Outcome::DoneWith(state) => match self.change_state(sequence, state) {
                Ok(change) => self.finish(now, run, change, shared),
                // Its states find no room: no rule for what a handler says is about that.
                Err(Outcome::Overload { error, after }) => {
                    self.held(now, run, (error, after), shared);
                }
                Err(instead) => self.settle(now, run, instead, blame, shared),
            },
            Outcome::Retry {
                class,
                error,
                after,
            } => {
                let failure = Failure {
                    class: class.into(),
                    error,
                    after,
                };
                self.failed(now, run, failure, blame, shared);
            }
            Outcome::Overload { error, after }
                if self.fate(FailureClass::Overload) != Fate::Held =>
            {
                let failure = Failure {
                    class: FailureClass::Overload,
                    error,
                    after,
                };
                self.failed(now, run, failure, blame, shared);
            }
            Outcome::Overload { error, after } => {
                self.held(now, run, (error, after), shared);
            }
            Outcome::Permanent { error } if self.fate(FailureClass::Permanent) == Fate::Retried => {
                let failure = Failure {
                    class: FailureClass::Permanent,
                    error,
                    after: None,
                };
                self.failed(now, run, failure, blame, shared);
            }
            Outcome::Permanent { error } => {
                let retry = &self.config.retry;
                let rule = retry.applied(FailureClass::Permanent, Tally::default());
                self.refused(now, run, error, rule, shared);
            }
            Outcome::Refused { error } => self.refused(now, run, error, None, shared),
            Outcome::EndpointFault { error } => {
                self.endpoint_fault(now, error, shared);
                self.release(run, Release::EndpointFault, shared);
            }
            Outcome::Cancelled => self.release(run, Release::Cancelled, shared),
        }
    }

    /// An overload that does not count: the consumer is left alone.
    fn held(
        &mut self,
        now: Timestamp,
        run: &Run,
        (error, after): (String, Option<Duration>),
        shared: &mut Shared,
    ) {
        self.overloaded(now, error, after, shared);
        self.put_off.insert(run.sequence);
        self.release(run, Release::Overload, shared);
    }

    /// Tells the breakers how a call ended. Returns whether a failure is theirs and not the
    /// delivery's: one of them is open now, be it that the call was its probe.
    pub(super) fn leave_breakers(
        &mut self,
        now: Timestamp,
        run: &Run,
        verdict: Verdict,
        shared: &mut Shared,
    ) -> bool {
        let mut excused = false;
        for (need, period) in self.needs.iter().zip(&run.periods) {
            let Some(named) = shared.breakers.get_mut(*need) else {
                continue;
            };
            let changed = named.breaker.end(*period, verdict, now);
            excused |= !named.breaker.is_closed();
            shared.breaker_touched(*need, changed);
        }
        excused
    }

    fn finish(
        &mut self,
        now: Timestamp,
        run: &Run,
        state: Option<(Arc<str>, KeyState)>,
        shared: &mut Shared,
    ) {
        let sequence = run.sequence;
        self.overloads = 0;
        self.earn(now, sequence);
        let Some(delivery) = self.deliveries.get_mut(&sequence) else {
            return;
        };
        if let Some(budget) = &mut self.letters {
            budget.earn(now);
        }
        let attempt = delivery.attempt();
        let progress = &mut delivery.progress;
        // Of one that has a history this is the end; of all others, that they are done says it.
        if !progress.history.is_empty() || progress.redrives > 0 {
            let succeeded = AttemptRecord {
                attempt,
                started: run.started,
                ended: Some(now),
                outcome: AttemptOutcome::Succeeded,
                error: String::new(),
                rule: None,
            };
            push_attempt(&mut progress.history, succeeded);
        }
        delivery.phase = Phase::Settling;
        let (identity, generation) = (delivery.identity, delivery.generation);
        let replaced: Vec<Identity> = delivery.replaced().collect();
        self.stop_alone(sequence, shared);
        if let Some(change) = state.clone() {
            self.announce_state(sequence, change);
        }
        let consumer = self.config.id.clone();
        if !replaced.is_empty() {
            let sequences = vec![sequence; replaced.len()];
            let record = StateRecord::Identities {
                consumer: consumer.clone(),
                done: replaced,
                sequences,
            };
            shared.out.durable(record, Then::Nothing);
        }
        let state = match mutant::is(Mutant::StateBesideEnd) {
            true => self.keep_state_beside(state, shared),
            false => state,
        };
        let record = StateRecord::Done {
            consumer,
            sequence,
            identity,
            state,
            generation,
        };
        let then = Then::Finish(self.index, sequence, Conclusion::Succeeded);
        shared.out.keep(Mutant::DoneNotDurable, record, then);
        if mutant::is(Mutant::AckBeforeCommit) {
            self.finished(sequence, Conclusion::Succeeded, shared);
        }
    }

    /// The end of a delivery is recorded: its lane is free.
    pub(crate) fn finished(&mut self, sequence: u64, conclusion: Conclusion, shared: &mut Shared) {
        self.settle_one(sequence);
        self.settle_state(sequence);
        if mutant::is(Mutant::CursorPassesLive) {
            self.cursor.settle_range(0, sequence);
        }
        self.conclude(sequence, conclusion, shared);
        let end = match conclusion {
            Conclusion::Skipped => End::Skipped,
            Conclusion::Duplicate => End::Duplicate,
            _ => End::Succeeded,
        };
        self.remember(sequence, end, shared);
        let Some(delivery) = self.deliveries.get(&sequence) else {
            return;
        };
        let custody = delivery.custody;
        let identities: SmallVec<[Identity; 1]> = delivery.identities().collect();
        let later = self.scheduled_behind(sequence);
        self.leave_lane(sequence);
        self.remove_from_memory(sequence);
        self.keep_scheduled(later, shared);
        self.put_off.remove(sequence);
        self.give_back(custody);
        if conclusion == Conclusion::Succeeded {
            for identity in identities {
                self.done.insert(sequence, identity);
                self.bring_forward(identity);
            }
        }
    }

    /// Counts a first attempt for the retry budget.
    pub(super) fn earn(&mut self, now: Timestamp, sequence: u64) {
        let first = self
            .deliveries
            .get(&sequence)
            .is_some_and(|d| d.progress.failures == 0);
        if let Some(budget) = self.budget.as_mut().filter(|_| first) {
            budget.earn(now);
        }
    }

    /// Any answer but a fault shows that the endpoint is right.
    fn hear_endpoint(&mut self, outcome: &Outcome, shared: &mut Shared) {
        if matches!(outcome, Outcome::EndpointFault { .. } | Outcome::Cancelled) {
            return;
        }
        self.faults = 0;
        if self
            .halt
            .as_ref()
            .is_some_and(|halt| halt.cause == HaltCause::Endpoint)
        {
            self.resume(shared);
        }
    }

    fn endpoint_fault(&mut self, now: Timestamp, error: String, shared: &mut Shared) {
        self.faults = self.faults.saturating_add(1);
        self.hold_reason = bounded(error.clone());
        if self.faults < ENDPOINT_FAULTS_MAX && self.halt.is_none() {
            self.hold_for(now, ENDPOINT_HOLD);
            return;
        }
        self.probe_at = now + ENDPOINT_PROBE;
        let since = self.halt.as_ref().map_or(now, |halt| halt.since);
        self.stop(
            Halt {
                cause: HaltCause::Endpoint,
                reason: bounded(error),
                since,
            },
            shared,
        );
    }

    /// Halts the consumer. An earlier halt stays unless the new one is harder to end: an endpoint is
    /// tried again by itself, dead letters wait for a redrive, a channel for a new start.
    pub(crate) fn stop(&mut self, halt: Halt, shared: &mut Shared) {
        let stays = match self.halt.as_ref().map(|now| now.cause) {
            None | Some(HaltCause::Endpoint) => false,
            Some(HaltCause::DeadLetterBudget) => halt.cause == HaltCause::Endpoint,
            Some(HaltCause::DeadLetters) => halt.cause != HaltCause::Channel,
            Some(HaltCause::Channel) => true,
        };
        if stays || self.halt.as_ref() == Some(&halt) {
            return;
        }
        self.halt = Some(halt);
        self.record_halt(shared);
    }

    /// An operator lets the consumer go on, at once: what its dead letters have used up is forgotten, and for how long its
    /// handler asked to be left alone.
    pub(crate) fn go_on(&mut self, shared: &mut Shared) {
        self.lift_hold(shared);
        if let Some(budget) = &mut self.letters {
            budget.refill();
        }
        self.resume(shared);
        self.bury_condemned(shared);
    }

    /// Lets the consumer go on.
    pub(crate) fn resume(&mut self, shared: &mut Shared) {
        if self.halt.take().is_some() {
            self.faults = 0;
            self.record_halt(shared);
        }
    }

    fn record_halt(&mut self, shared: &mut Shared) {
        let consumer = self.config.id.clone();
        shared.out.durable(
            StateRecord::Halt {
                consumer,
                halt: self.halt.clone(),
            },
            Then::Nothing,
        );
        shared.dirty.insert(self.index);
    }

    /// A delivery no longer runs: what waited for that may go on.
    pub(super) fn stop_running(&mut self, sequence: u64, shared: &mut Shared) {
        self.stop_alone(sequence, shared);
        for identity in self.identities_of(sequence) {
            self.bring_forward(identity);
        }
    }

    fn stop_alone(&mut self, sequence: u64, shared: &mut Shared) {
        self.alone = self.alone.filter(|alone| *alone != sequence);
        if shared.exclusive == Some((self.index, sequence)) {
            shared.exclusive = None;
            shared.all_dirty();
        }
    }

    pub(super) fn conclude(&self, sequence: u64, conclusion: Conclusion, shared: &mut Shared) {
        shared.jobs.heard(self.index, sequence, conclusion);
        if let Some(delivery) = self.deliveries.get(&sequence) {
            shared.out.effects.push(Effect::Concluded {
                consumer: self.config.id.clone(),
                sequence,
                accepted: delivery.since,
                conclusion,
            });
        }
    }

    pub(super) fn draws_of_consumer(&self, shared: &Shared) -> Draws {
        Draws::of(shared.seed, &self.config.id.to_string())
    }
}

fn verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::Done | Outcome::DoneWith(_) => Verdict::Success,
        Outcome::Retry {
            class: RetryClass::Unavailable | RetryClass::Timeout,
            ..
        }
        | Outcome::Overload { .. } => Verdict::Failure,
        Outcome::Retry {
            class: RetryClass::Retryable,
            ..
        }
        | Outcome::Permanent { .. }
        | Outcome::Refused { .. }
        | Outcome::EndpointFault { .. }
        | Outcome::Cancelled => Verdict::Neutral,
    }
}

/// A text of at most [`ERROR_TEXT_BYTES_MAX`] bytes.
pub(crate) fn bounded(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(ERROR_TEXT_BYTES_MAX));
    text
}

/// Adds an attempt; of a long history the first and the latest stay. One that is there already, because its record was
/// read twice, is not added.
pub(crate) fn push_attempt(history: &mut Vec<AttemptRecord>, record: AttemptRecord) {
    if history.last() == Some(&record) {
        return;
    }
    if history.len() >= ATTEMPT_HISTORY_MAX {
        history.remove(1);
    }
    history.push(record);
}

/// The record of an attempt that the end of the process cut off.
pub(crate) fn crashed(attempt: u32, now: Timestamp) -> AttemptRecord {
    let error = "the process ended while it ran alone".to_owned();
    AttemptRecord {
        attempt,
        started: now,
        ended: None,
        outcome: AttemptOutcome::Crash,
        error,
        rule: None,
    }
}

/// What a start that nobody saw end counts as.
pub(crate) fn is_solo(started: Option<Company>) -> bool {
    started == Some(Company::Alone)
}
