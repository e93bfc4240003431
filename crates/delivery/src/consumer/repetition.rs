//! Deduplication: what a consumer has finished, and events that are in the channel twice.

use std::collections::{HashSet, VecDeque};

use tidegate_base::limit::DONE_IDENTITIES_MAX;

use super::Consumer;
use super::admission::Repeat;
use super::delivery::Phase;
use crate::identity::Identity;
use crate::input::Conclusion;
use crate::outbox::Then;
use crate::record::StateRecord;
use crate::shared::Shared;

/// The latest finished events; the oldest is forgotten at the limit.
#[derive(Clone, Debug, Default)]
pub(crate) struct DoneSet {
    known: HashSet<Identity>,
    order: VecDeque<Identity>,
}

impl DoneSet {
    pub(crate) fn contains(&self, identity: Identity) -> bool {
        self.known.contains(&identity)
    }

    pub(crate) fn insert(&mut self, identity: Identity) {
        if !self.known.insert(identity) {
            return;
        }
        self.order.push_back(identity);
        if self.order.len() > DONE_IDENTITIES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Identity> {
        self.order.iter().copied()
    }
}

impl Consumer {
    /// Why a delivery does not run now, if its event ran before or runs.
    pub(super) fn repeated(&self, sequence: u64) -> Option<Repeat> {
        let delivery = self.deliveries.get(&sequence)?;
        if delivery.identities().any(|one| self.done.contains(one)) {
            return Some(Repeat::Done);
        }
        delivery
            .identities()
            .any(|one| self.running_identities.contains(&one))
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
        };
        shared.out.written(
            record,
            Then::Finish(self.index, sequence, Conclusion::Duplicate),
        );
    }

    /// Keeps a delivery out of the way while its event runs under another sequence.
    pub(super) fn set_aside(&mut self, sequence: u64) {
        self.fresh.remove(&sequence);
        self.again.remove(&sequence);
        self.suspects.remove(&sequence);
        for identity in self.identities_of(sequence) {
            self.twins.entry(identity).or_default().insert(sequence);
        }
    }

    pub(super) fn identities_of(&self, sequence: u64) -> Vec<Identity> {
        let delivery = self.deliveries.get(&sequence);
        delivery.map_or_else(Vec::new, |delivery| delivery.identities().collect())
    }

    /// Lets those come forward that were set aside for an event that no longer runs.
    pub(super) fn bring_forward(&mut self, identity: Identity) {
        self.running_identities.remove(&identity);
        for sequence in self.twins.remove(&identity).unwrap_or_default() {
            self.expose(sequence);
        }
    }
}
