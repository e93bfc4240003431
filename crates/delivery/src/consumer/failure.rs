//! What a failure that may count does: retry, give up, or hold when it is a dependency's.

use std::time::Duration;

use tidegate_base::Timestamp;
use tidegate_base::limit::RETRY_AFTER_SECONDS_MAX;

use super::Consumer;
use super::delivery::{Delivery, Phase, Run};
use super::settlement::{bounded, push_attempt};
use crate::classes::{AppliedRule, FailureClass, Fate, Tally};
use crate::input::{Conclusion, Release};
use crate::mutant::{self, Mutant};
use crate::random::Draws;
use crate::record::{AttemptOutcome, AttemptRecord, Death, DeathReason, Standing, StateRecord};
use crate::retry::Decision;
use crate::shared::Shared;

/// Whose failure an attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// The delivery's: it counts.
    Delivery,
    /// A dependency's, whose breaker is open: it does not count.
    Dependency,
}

/// A failure that may count.
pub(super) struct Failure {
    pub(super) class: FailureClass,
    pub(super) error: String,
    pub(super) after: Option<Duration>,
}

impl Consumer {
    pub(super) fn fate(&self, class: FailureClass) -> Fate {
        self.config.retry.fate(class)
    }

    /// It can never succeed.
    pub(super) fn refused(
        &mut self,
        now: Timestamp,
        run: &Run,
        error: String,
        rule: Option<AppliedRule>,
        shared: &mut Shared,
    ) {
        self.earn(now, run.sequence);
        self.note(now, run, AttemptOutcome::Permanent, error.clone(), rule);
        let death = Death {
            reason: DeathReason::Permanent,
            error: bounded(error),
            at: now,
        };
        self.condemn(run.sequence, death, shared);
    }

    /// A failure counts, unless it is that of a dependency whose breaker is open: then no rule makes a dead letter
    /// of it either.
    pub(super) fn failed(
        &mut self,
        now: Timestamp,
        run: &Run,
        failure: Failure,
        blame: Blame,
        shared: &mut Shared,
    ) {
        let counts = match self.fate(failure.class) {
            Fate::Parked => mutant::is(Mutant::ParkedInOutage),
            Fate::Retried | Fate::Held => mutant::is(Mutant::OpenBreakerBurnsAttempts),
        };
        if blame == Blame::Delivery || !failure.class.is_of_dependency() || counts {
            self.fail(now, run, failure, shared);
            return;
        }
        let sequence = run.sequence;
        if let Some(delivery) = self.deliveries.get_mut(&sequence) {
            delivery.progress.standing = Standing::Tainted;
        }
        self.put_off.insert(sequence);
        self.release(run, Release::BreakerOpen, shared);
    }

    fn fail(&mut self, now: Timestamp, run: &Run, failure: Failure, shared: &mut Shared) {
        let sequence = run.sequence;
        let Failure {
            class,
            error,
            after,
        } = failure;
        self.earn(now, sequence);
        let before = self.deliveries.get(&sequence);
        let tally = before.map_or(Tally::default(), |delivery| delivery.progress.tally());
        let tally = tally.and(class);
        let rule = self.config.retry.applied(class, tally);
        let attempt = self.note(now, run, class.into(), error.clone(), rule);
        let Some(delivery) = self.deliveries.get_mut(&sequence) else {
            return;
        };
        let progress = &mut delivery.progress;
        (progress.failures, progress.classes) = (tally.failures, tally.classes);
        progress.standing = Standing::Tainted;
        let redrives = progress.redrives;
        let age = now.since(delivery.since);
        let name = match rule {
            // One that counts by itself is drawn by itself.
            Some(AppliedRule::Own { .. }) => {
                format!("{}/{sequence}/{redrives}/{}", self.config.id, class.word())
            }
            _ => format!("{}/{sequence}/{redrives}", self.config.id),
        };
        let draws = Draws::of(shared.seed, &name);
        let floor = after
            .filter(|_| !mutant::is(Mutant::RetryAfterIgnored))
            .unwrap_or_default()
            .min(Duration::from_secs(RETRY_AFTER_SECONDS_MAX));
        let reason = match self.config.retry.decide(class, tally, age, floor, draws) {
            Decision::After(delay) => {
                let until = now + delay;
                self.wait_for_retry(sequence, until, attempt, shared);
                self.conclude(sequence, Conclusion::Failed { class, until }, shared);
                self.stop_running(sequence, shared);
                self.vacate_lane(sequence);
                return;
            }
            Decision::Parked => DeathReason::Rule,
            Decision::Exhausted => DeathReason::Exhausted,
            Decision::Expired => DeathReason::Expired,
        };
        let death = Death {
            reason,
            error: bounded(error),
            at: now,
        };
        self.condemn(sequence, death, shared);
    }

    fn wait_for_retry(
        &mut self,
        sequence: u64,
        until: Timestamp,
        attempt: AttemptRecord,
        shared: &mut Shared,
    ) {
        let Some(delivery) = self.deliveries.get_mut(&sequence) else {
            return;
        };
        delivery.phase = Phase::Waiting { until };
        self.waiting.insert((until, sequence));
        let record = StateRecord::Failed {
            consumer: self.config.id.clone(),
            sequence,
            failures: delivery.progress.failures,
            classes: delivery.progress.classes,
            until,
            attempt,
        };
        shared.out.advise(record);
    }

    /// Writes an attempt into the delivery's history.
    fn note(
        &mut self,
        now: Timestamp,
        run: &Run,
        outcome: AttemptOutcome,
        error: String,
        rule: Option<AppliedRule>,
    ) -> AttemptRecord {
        let sequence = run.sequence;
        let number = self.deliveries.get(&sequence).map_or(1, Delivery::attempt);
        let record = AttemptRecord {
            attempt: number,
            started: run.started,
            ended: Some(now),
            outcome,
            error: bounded(error),
            rule,
        };
        if let Some(delivery) = self.deliveries.get_mut(&sequence) {
            delivery.progress.started = None;
            push_attempt(&mut delivery.progress.history, record.clone());
        }
        record
    }
}
