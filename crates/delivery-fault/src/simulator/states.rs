//! States of keys, watched from outside: every handler counts in the state of its key.
//!
//! I4 a count is the number of deliveries of its key that were finished, each once in each generation,
//! whatever ends the process.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_base::{ConsumerId, Timestamp};
use tidegate_delivery::{
    Arrival, ConsumerConfig, DeliveryStatus, KeyState, Machine, Order, Outcome, StateRecord,
};

use super::promises::{Place, Watch};

type Key = (ConsumerId, Arc<str>);

/// What the counts must be.
#[derive(Default)]
pub(super) struct Counts {
    of: BTreeMap<Key, u64>,
    /// Deliveries whose handler has counted, and of which nobody has heard yet that this is kept; with the
    /// replay that they are of.
    unheard: BTreeMap<Place, (Arc<str>, u64)>,
    /// Those that a process has found kept: a power failure takes them back before it has synced anything.
    found: BTreeMap<Place, (Arc<str>, u64)>,
}

/// The key whose state a handler of a delivery has; `None`: it has none.
fn key(config: &ConsumerConfig, arrival: &Arrival) -> Option<Arc<str>> {
    match config.order {
        Order::None => None,
        Order::Total => Some(Arc::from("\u{0}total")),
        Order::Key => arrival.event.key.clone(),
    }
}

/// What a handler that did its work says: it counts, if there is a state for that.
pub(super) fn counted(config: &ConsumerConfig, arrival: &Arrival, state: Option<&str>) -> Outcome {
    if key(config, arrival).is_none() {
        return Outcome::Done;
    }
    let count: u64 = state.and_then(|state| state.parse().ok()).unwrap_or(0);
    Outcome::DoneWith(KeyState::Is((count + 1).to_string().into()))
}

impl Watch {
    /// I4: what an attempt is given.
    pub(super) fn is_given(&mut self, place: &Place, arrival: &Arrival, state: Option<&str>) {
        // What starts is of a process that has taken over, which is durable.
        self.counts.found.clear();
        let expected = match key(self.consumer(&place.0), arrival) {
            Some(key) => self.counts.of.get(&(place.0.clone(), key)).copied(),
            None => None,
        };
        let given = state.and_then(|state| state.parse().ok());
        self.broken.unless(given == expected, || {
            format!("I4: {place:?} is given the count {given:?}, not {expected:?}")
        });
    }

    /// A handler has counted, and its answer was taken in.
    pub(super) fn has_counted(&mut self, place: &Place, arrival: &Arrival, outcome: &Outcome) {
        let key = key(self.consumer(&place.0), arrival);
        if let (Outcome::DoneWith(_), Some(key)) = (outcome, key) {
            let generation = self.seeks.generation_of(place);
            self.counts.unheard.insert(place.clone(), (key, generation));
        }
    }

    /// A delivery is finished, and its count is kept.
    pub(super) fn count_is_kept(&mut self, place: &Place) {
        if let Some((key, _)) = self.counts.unheard.remove(place) {
            *self.counts.of.entry((place.0.clone(), key)).or_default() += 1;
        }
    }

    /// What nobody heard of before the process ended is kept, or it is not.
    pub(super) fn counts_are_found(&mut self, machine: &Machine) {
        let counts = &mut self.counts;
        // A replay takes up only what was finished: one that has taken it up shows that it was kept.
        let is_kept = |place: &Place, of: u64| {
            let explained = machine.explain(&place.0, place.1, Timestamp::EPOCH);
            explained
                .is_some_and(|now| now.status == DeliveryStatus::Finished || now.generation > of)
        };
        for (place, (key, of)) in &counts.found {
            if !is_kept(place, *of)
                && let Some(count) = counts.of.get_mut(&(place.0.clone(), Arc::clone(key)))
            {
                *count -= 1;
            }
        }
        counts.found.retain(|place, (_, of)| is_kept(place, *of));
        for (place, (key, of)) in std::mem::take(&mut counts.unheard) {
            if is_kept(&place, of) {
                let count = counts.of.entry((place.0.clone(), Arc::clone(&key)));
                *count.or_default() += 1;
                counts.found.insert(place, (key, of));
            }
        }
        counts.of.retain(|_, count| *count > 0);
    }

    /// I4: at the end, all counts.
    pub(super) fn counts_are_right(&self, machine: &Machine) {
        let records = machine.checkpoint().into_iter();
        let found: BTreeMap<Key, u64> = records
            .filter_map(|record| match record {
                StateRecord::State {
                    consumer,
                    key,
                    state,
                } => Some(((consumer, key), state.parse().unwrap_or(0))),
                _ => None,
            })
            .collect();
        let expected = &self.counts.of;
        self.broken.unless(found == *expected, || {
            format!("I4: the counts are {found:?}, not {expected:?}")
        });
    }
}
