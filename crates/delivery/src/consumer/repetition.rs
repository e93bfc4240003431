//! Deduplication: events that are in the channel twice, and when what is finished is forgotten.

use std::collections::hash_map::Entry;
use std::time::Duration;

use smallvec::SmallVec;
use tidegate_base::Timestamp;

use super::Consumer;
use super::admission::Repeat;
use super::delivery::{Delivery, Phase};
use crate::config::Repetition;
use crate::identity::Identity;
use crate::input::Conclusion;
use crate::mutant::{self, Mutant};
use crate::outbox::Then;
use crate::record::{EventRef, StateRecord};
use crate::shared::Shared;

/// For how long a finished event is known when a fault makes it a matter of time.
const MEMORY: Duration = Duration::from_millis(500);

/// What is known of an identity while deliveries with it are in memory.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Live {
    /// How many there are.
    deliveries: usize,
    /// Whether one of them starts, runs or is being recorded.
    pub(super) runs: bool,
}

impl Consumer {
    /// Why a delivery does not run now, if its event ran before or runs.
    pub(super) fn repeated(&self, now: Timestamp, sequence: u64) -> Option<Repeat> {
        let delivery = self.deliveries.get(&sequence)?;
        let forgotten = mutant::is(Mutant::DedupByClock) && now.since(delivery.accepted) > MEMORY;
        if delivery.identities().any(|one| self.done.contains(one)) && !forgotten {
            return Some(Repeat::Done);
        }
        if mutant::is(Mutant::TwinsBeside) {
            return None;
        }
        delivery
            .identities()
            .any(|one| self.live.get(&one).is_some_and(|live| live.runs))
            .then_some(Repeat::Running)
    }

    /// Finishes a delivery whose event was finished before. Its end may be lost: it is found again.
    pub(super) fn skip_duplicate(&mut self, sequence: u64, shared: &mut Shared) {
        self.occupy_lane(sequence);
        let Some(delivery) = self.deliveries.get_mut(&sequence) else {
            return;
        };
        delivery.phase = Phase::Settling;
        let consumer = self.config.id.clone();
        let record = StateRecord::Done {
            consumer,
            sequence,
            identity: None,
            state: None,
            generation: delivery.generation,
        };
        shared.out.written(
            record,
            Then::Finish(self.index, sequence, Conclusion::Duplicate),
        );
    }

    /// Keeps a delivery out of the way while its event runs under another sequence.
    pub(super) fn set_aside(&mut self, sequence: u64) {
        self.fresh.remove(sequence);
        self.again.remove(sequence);
        self.suspects.remove(sequence);
        for identity in self.identities_of(sequence) {
            self.twins.entry(identity).or_default().insert(sequence);
        }
    }

    /// What an event is recognised by in a generation. Nothing for a consumer that does not
    /// deduplicate.
    pub(super) fn identity_in(&self, event: &EventRef, generation: u64) -> Option<Identity> {
        let deduplicated = self.config.repetition == Repetition::Deduplicated;
        deduplicated.then(|| Identity::of(&event.source, &event.id).in_generation(generation))
    }

    /// A delivery is in memory: what it is recognised by is not forgotten.
    pub(super) fn count_live(&mut self, delivery: &Delivery) {
        for identity in delivery.identities() {
            self.live.entry(identity).or_default().deliveries += 1;
        }
    }

    /// A delivery is no longer in memory, or is recognised by something else.
    pub(super) fn discount_live(&mut self, delivery: &Delivery) {
        for identity in delivery.identities() {
            if let Entry::Occupied(mut live) = self.live.entry(identity) {
                live.get_mut().deliveries -= 1;
                if live.get().deliveries == 0 {
                    live.remove();
                }
            }
        }
    }

    pub(super) fn identities_of(&self, sequence: u64) -> SmallVec<[Identity; 1]> {
        let delivery = self.deliveries.get(&sequence);
        delivery.map_or_else(SmallVec::new, |delivery| delivery.identities().collect())
    }

    /// Lets those come forward that were set aside for an event that no longer runs.
    pub(super) fn bring_forward(&mut self, identity: Identity) {
        if let Some(live) = self.live.get_mut(&identity) {
            live.runs = false;
        }
        if self.twins.is_empty() {
            return;
        }
        for sequence in self.twins.remove(&identity).unwrap_or_default() {
            self.expose(sequence);
        }
    }

    /// From here on nothing finished is forgotten: the lowest sequence that the channel, or a replay
    /// of it, may still bring.
    pub(super) fn inbox_mark(&self) -> u64 {
        let first = self.replays.left.first();
        first.map_or(self.cursor.below(), |first| first.min(self.cursor.below()))
    }

    /// Forgets finished events that nothing can bring again. Those of deliveries in memory stay: a dead
    /// letter may come back however late, and its twin may be what was finished.
    pub(crate) fn forget_done(&mut self) {
        let mark = self.inbox_mark();
        let live = &self.live;
        self.done
            .forget(mark, |identity| live.contains_key(&identity));
    }

    /// Whether so much is remembered that only what lets some be forgotten may start.
    pub(super) fn is_inbox_full(&self) -> bool {
        self.done.protected() >= self.config.inbox
    }

    /// The lowest sequence that the channel, a replay, a dead letter, one that was given up and can be
    /// taken back, or one that waits behind such a one, may still bring.
    pub(crate) fn replay_watermark(&self) -> u64 {
        let mark = self.inbox_mark();
        let first = self.deliveries.first();
        first.map_or(mark, |first| first.min(mark))
    }

    /// The number of the last replay; 0: there was none.
    pub(crate) fn last_generation(&self) -> u64 {
        self.replays.generation
    }
}
