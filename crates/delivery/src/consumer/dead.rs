//! Dead letters: parked with their reason, bounded in number, and sent back to their old place.

use thiserror::Error;
use tidegate_base::Timestamp;
use tidegate_base::limit::REDRIVES_MAX;

use super::Consumer;
use super::delivery::{Custody, Delivery, Phase};
use crate::classes::ClassCounts;
use crate::config::Followers;
use crate::input::Conclusion;
use crate::mutant::{self, Mutant};
use crate::outbox::Then;
use crate::record::{Death, Edit, EventRef, Halt, HaltCause, Progress, Standing, StateRecord};
use crate::shared::Shared;

/// A dead letter as it stands.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    /// The delivery.
    pub sequence: u64,
    /// The event.
    pub event: &'a EventRef,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// Why it is one.
    pub death: &'a Death,
    /// What it has gone through.
    pub progress: &'a Progress,
    /// What is delivered in the place of the event of its channel.
    pub edit: Option<&'a Edit>,
    /// Grows with every redrive and every edit.
    pub version: u64,
}

impl<'a> DeadLetter<'a> {
    pub(super) fn of(delivery: &'a Delivery, death: &'a Death) -> Self {
        Self {
            sequence: delivery.sequence,
            event: &delivery.event,
            accepted: delivery.accepted,
            death,
            progress: &delivery.progress,
            edit: delivery.edit.as_deref(),
            version: delivery.version(),
        }
    }
}

/// Why a dead letter cannot be redriven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RedriveRefusal {
    /// There is no such dead letter.
    #[error("there is no such dead letter")]
    Unknown,
    /// It was redriven too often.
    #[error("it was redriven {REDRIVES_MAX} times, which is the most")]
    Often,
}

impl Consumer {
    /// Gives a delivery up that ran.
    pub(crate) fn condemn(&mut self, sequence: u64, death: Death, shared: &mut Shared) {
        self.stop_running(sequence, shared);
        self.give_up(sequence, death, shared);
    }

    /// Gives a delivery up that does not run. Without room or budget for another dead letter it keeps its
    /// place and the consumer halts: in a flood the cause is not in the events.
    ///
    /// Another one of its lane, or its twin, may run meanwhile: the lane and the event stay theirs.
    pub(super) fn give_up(&mut self, sequence: u64, death: Death, shared: &mut Shared) {
        if let Some(halt) = self.flood(&death) {
            if let Some(delivery) = self.deliveries.get_mut(&sequence) {
                delivery.phase = Phase::Condemned(death);
                self.condemned.push_back(sequence);
            }
            self.stop(halt, shared);
        } else {
            self.bury(sequence, death, shared);
        }
        self.conceal(sequence);
        self.refresh(sequence);
    }

    /// Why there may not be another dead letter.
    fn flood(&self, death: &Death) -> Option<Halt> {
        let (cause, reason) = if !self.has_room() {
            let reason = format!("{} dead letters, which is the most", self.dead);
            (HaltCause::DeadLetters, reason)
        } else if !self.affords_letter(death.at) {
            (HaltCause::DeadLetterBudget, death.error.clone())
        } else {
            return None;
        };
        Some(Halt {
            cause,
            reason,
            since: death.at,
        })
    }

    fn has_room(&self) -> bool {
        self.dead + self.burying < self.config.dead_letters
            || mutant::is(Mutant::LetterRoomNotAsked)
    }

    fn affords_letter(&self, now: Timestamp) -> bool {
        self.letters
            .as_ref()
            .is_none_or(|budget| budget.next(now) <= now)
            || mutant::is(Mutant::LetterBudgetNotAsked)
    }

    fn bury(&mut self, sequence: u64, death: Death, shared: &mut Shared) {
        if let Some(budget) = &mut self.letters {
            budget.spend(death.at);
        }
        self.keep_overtaken(sequence, shared);
        let Some(delivery) = self.deliveries.get_mut(&sequence) else {
            return;
        };
        delivery.phase = Phase::Settling;
        delivery.progress.started = None;
        self.burying += 1;
        let consumer = self.config.id.clone();
        let record = StateRecord::Kept {
            consumer,
            delivery: delivery.kept(Some(death.clone())),
        };
        let then = Then::Bury(self.index, sequence, Box::new(death));
        shared.out.keep(Mutant::LetterNotDurable, record, then);
    }

    /// A dead letter is durably one: its followers wait behind it or go on.
    pub(crate) fn buried(&mut self, sequence: u64, death: Death, shared: &mut Shared) {
        let Some(delivery) = self.deliveries.get_mut(&sequence) else {
            return;
        };
        let reason = death.reason;
        let custody = delivery.custody;
        delivery.custody = Custody::State;
        delivery.phase = Phase::Dead(death);
        self.settle_one(sequence);
        self.give_back(custody);
        self.burying = self.burying.saturating_sub(1);
        self.dead += 1;
        self.conclude(sequence, Conclusion::DeadLettered(reason), shared);
        match self.config.followers {
            Followers::Wait if mutant::is(Mutant::LetterReleasesLane) => {
                self.leave_lane(sequence);
            }
            Followers::Continue => {
                let later = self.scheduled_behind(sequence);
                self.leave_lane(sequence);
                self.keep_scheduled(later, shared);
            }
            Followers::Wait => {
                self.vacate_lane(sequence);
                self.keep_followers(sequence, shared);
            }
        }
    }

    /// Moves what waits behind a dead letter into the state.
    pub(super) fn keep_followers(&mut self, sequence: u64, shared: &mut Shared) {
        let followers: Vec<u64> = self.followers(sequence).map(|d| d.sequence).collect();
        for follower in followers {
            self.keep_follower(follower, shared);
        }
    }

    /// Whether a dead letter can be redriven.
    ///
    /// # Errors
    ///
    /// [`RedriveRefusal`] when it does not exist or was redriven too often.
    pub(crate) fn may_redrive(&self, sequence: u64) -> Result<(), RedriveRefusal> {
        match self.deliveries.get(&sequence) {
            Some(delivery) if !delivery.is_dead() => Err(RedriveRefusal::Unknown),
            Some(delivery) if delivery.progress.redrives >= REDRIVES_MAX => {
                Err(RedriveRefusal::Often)
            }
            Some(_) => Ok(()),
            None => Err(RedriveRefusal::Unknown),
        }
    }

    /// Sends a dead letter back: its failures are forgotten, its history is not.
    pub(crate) fn redrive(&mut self, sequence: u64, shared: &mut Shared) {
        if self.may_redrive(sequence).is_err() {
            return;
        }
        // What a replay has brought again since it died could not be kept then, as long as others were before it.
        self.keep_overtaken(sequence, shared);
        let Some(delivery) = self.deliveries.get_mut(&sequence) else {
            return;
        };
        let progress = &mut delivery.progress;
        progress.failures = 0;
        progress.classes = ClassCounts::default();
        progress.crashes = 0;
        progress.redrives += 1;
        progress.standing = Standing::Clean;
        progress.started = None;
        delivery.phase = Phase::Settling;
        self.dead = self.dead.saturating_sub(1);
        self.kept += 1;
        let consumer = self.config.id.clone();
        let record = StateRecord::Kept {
            consumer,
            delivery: delivery.kept(None),
        };
        shared
            .out
            .durable(record, Then::Return(self.index, sequence));
    }

    /// A dead letter is durably back: it is the next of its lane.
    pub(crate) fn returned(&mut self, sequence: u64, shared: &mut Shared) {
        let Some(delivery) = self.deliveries.get_mut(&sequence) else {
            return;
        };
        delivery.phase = Phase::Ready;
        self.conclude(sequence, Conclusion::Redriven, shared);
        self.join_lane(sequence);
        self.bury_condemned(shared);
    }

    /// Buries those that waited for room or budget. One that was halted for want of room goes on with the last of them;
    /// before that it stays halted, be it for the budget where it was for room.
    pub(crate) fn bury_condemned(&mut self, shared: &mut Shared) {
        let mut flood = None;
        while let Some(sequence) = self.condemned.front().copied() {
            let death = self.deliveries.get(&sequence).and_then(|d| match &d.phase {
                Phase::Condemned(death) => Some(death.clone()),
                _ => None,
            });
            flood = death.as_ref().and_then(|death| self.flood(death));
            if flood.is_some() {
                break;
            }
            self.condemned.pop_front();
            if let Some(death) = death {
                self.bury(sequence, death, shared);
            }
        }
        if self.has_room() && self.is_halted_by(HaltCause::DeadLetters) {
            self.resume(shared);
        }
        if let Some(flood) = flood.filter(|_| !mutant::is(Mutant::CondemnedNotHalted))
            && !self.is_halted_by(flood.cause)
        {
            self.stop(flood, shared);
        }
    }

    fn is_halted_by(&self, cause: HaltCause) -> bool {
        let halt = self.halt.as_ref();
        halt.is_some_and(|halt| halt.cause == cause)
    }

    /// Every dead letter, oldest event first.
    pub(crate) fn dead_letters(&self) -> impl Iterator<Item = DeadLetter<'_>> {
        self.deliveries
            .range(..)
            .filter_map(|(sequence, _)| self.dead_letter(sequence))
    }

    /// One dead letter.
    pub(crate) fn dead_letter(&self, sequence: u64) -> Option<DeadLetter<'_>> {
        let delivery = self.deliveries.get(&sequence)?;
        let Phase::Dead(death) = &delivery.phase else {
            return None;
        };
        Some(DeadLetter::of(delivery, death))
    }

    /// How many later deliveries of the same key wait behind a dead letter.
    pub(crate) fn followers_of(&self, sequence: u64) -> usize {
        match self.config.followers {
            Followers::Wait => self.followers(sequence).filter(|d| !d.is_dead()).count(),
            Followers::Continue => 0,
        }
    }
}
