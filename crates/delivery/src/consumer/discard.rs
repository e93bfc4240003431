//! Discarded letters: dead letters that an operator gives up, and may take back.

use thiserror::Error;
use tidegate_base::Timestamp;
use tidegate_base::limit::DISCARDED_LETTERS_MAX;

use super::Consumer;
use super::dead::DeadLetter;
use super::delivery::Phase;
use crate::config::Followers;
use crate::ended::End;
use crate::input::Conclusion;
use crate::mutant::{self, Mutant};
use crate::outbox::Then;
use crate::record::{Death, Discard, StateRecord};
use crate::shared::Shared;

/// Why a discarded letter cannot be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RestoreRefusal {
    /// There is no such discarded letter.
    #[error("there is no such discarded letter")]
    Unknown,
    /// There are as many dead letters as allowed.
    #[error("there is no room for another dead letter")]
    Full,
}

impl Consumer {
    /// Gives a dead letter up.
    pub(crate) fn discard(&mut self, sequence: u64, discard: &Discard, shared: &mut Shared) {
        let Some(delivery) = self.deliveries.get_mut(&sequence) else {
            return;
        };
        let Phase::Dead(death) = delivery.phase.clone() else {
            return;
        };
        delivery.phase = Phase::Deciding(death.clone());
        let mut kept = delivery.kept(Some(death.clone()));
        kept.discard = Some(discard.clone());
        self.keep_letter(kept, shared, |index| {
            Then::Discard(index, sequence, Box::new((death, discard.clone())))
        });
    }

    /// A dead letter is durably given up: what waits behind it goes on.
    pub(crate) fn discarded(
        &mut self,
        sequence: u64,
        (death, discard): (Death, Discard),
        shared: &mut Shared,
    ) {
        let loose = self.followers(sequence).map(|d| d.sequence);
        let loose = loose.filter(|_| mutant::is(Mutant::DiscardForgetsOrder));
        let loose: Vec<u64> = loose.collect();
        let later = self.scheduled_behind(sequence);
        let Some(delivery) = self.deliveries.get_mut(&sequence) else {
            return;
        };
        self.discarded.insert((discard.at, sequence));
        delivery.phase = Phase::Discarded(death, discard);
        self.dead = self.dead.saturating_sub(1);
        self.conclude(sequence, Conclusion::Discarded, shared);
        self.leave_lane(sequence);
        self.keep_scheduled(later, shared);
        loose.into_iter().for_each(|follower| self.expose(follower));
        self.forget_discarded(shared);
        self.bury_condemned(shared);
    }

    /// Beyond what can be taken back, the oldest go for good.
    fn forget_discarded(&mut self, shared: &mut Shared) {
        while self.discarded.len() > DISCARDED_LETTERS_MAX
            && let Some((_, sequence)) = self.discarded.pop_first()
        {
            self.remember(sequence, End::Discarded, shared);
            let letter = self.deliveries.get(&sequence);
            let generation = letter.map_or(0, |letter| letter.generation);
            self.remove_from_memory(sequence);
            let record = StateRecord::Done {
                consumer: self.config.id.clone(),
                sequence,
                identity: None,
                state: None,
                generation,
            };
            shared.out.durable(record, Then::Nothing);
        }
    }

    /// Whether a discarded letter can be taken back.
    ///
    /// # Errors
    ///
    /// [`RestoreRefusal`] when there is none, or no room.
    pub(crate) fn may_restore(&self, sequence: u64) -> Result<(), RestoreRefusal> {
        let delivery = self.deliveries.get(&sequence);
        match delivery.map(|delivery| &delivery.phase) {
            // One that is being taken back is not among those that can be.
            Some(Phase::Discarded(_, discard))
                if self.discarded.contains(&(discard.at, sequence)) =>
            {
                match self.dead + self.burying >= self.config.dead_letters {
                    true => Err(RestoreRefusal::Full),
                    false => Ok(()),
                }
            }
            _ => Err(RestoreRefusal::Unknown),
        }
    }

    /// Takes a discarded letter back. It holds nothing up before that is durable.
    pub(crate) fn restore_letter(&mut self, now: Timestamp, sequence: u64, shared: &mut Shared) {
        if self.may_restore(sequence).is_err() {
            return;
        }
        let Some(delivery) = self.deliveries.get(&sequence) else {
            return;
        };
        let Phase::Discarded(death, discard) = &delivery.phase else {
            return;
        };
        // Whoever takes it back has as long to look after it as there was at first.
        let death = Death {
            at: now,
            ..death.clone()
        };
        let kept = delivery.kept(Some(death.clone()));
        self.discarded.remove(&(discard.at, sequence));
        self.burying += 1;
        self.keep_letter(kept, shared, |index| {
            Then::Restore(index, sequence, Box::new(death))
        });
    }

    /// A discarded letter is durably a dead letter again: later deliveries of its key that have not run
    /// yet wait behind it.
    pub(crate) fn restored_letter(&mut self, sequence: u64, death: Death, shared: &mut Shared) {
        let Some(delivery) = self.deliveries.get_mut(&sequence) else {
            return;
        };
        delivery.phase = Phase::Dead(death);
        self.burying = self.burying.saturating_sub(1);
        self.dead += 1;
        self.conclude(sequence, Conclusion::Restored, shared);
        if self.config.followers == Followers::Wait {
            self.join_lane(sequence);
            self.keep_followers(sequence, shared);
        }
    }

    fn keep_letter(
        &self,
        delivery: Box<crate::record::KeptDelivery>,
        shared: &mut Shared,
        then: impl FnOnce(usize) -> Then,
    ) {
        let consumer = self.config.id.clone();
        let record = StateRecord::Kept { consumer, delivery };
        shared.out.durable(record, then(self.index));
    }

    /// Every discarded letter that can be taken back, oldest event first.
    pub(crate) fn discarded_letters(&self) -> impl Iterator<Item = (DeadLetter<'_>, &Discard)> {
        self.deliveries.values().filter_map(|delivery| {
            let Phase::Discarded(death, discard) = &delivery.phase else {
                return None;
            };
            Some((DeadLetter::of(delivery, death), discard))
        })
    }
}
