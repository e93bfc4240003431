//! The events that a channel has taken lately, to recognise one that is published again.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;

use foldhash::{HashMap, HashMapExt};
use tidegate_delivery::Identity;
use tokio::sync::watch;

/// What is known of an event.
#[derive(Clone, Debug)]
enum Known {
    /// It is in the channel.
    Stored(u64),
    /// Somebody is about to store it.
    UnderWay(UnderWay),
}

#[derive(Clone, Debug)]
struct UnderWay {
    /// Closes when it is stored or that has failed.
    settled: watch::Receiver<()>,
    /// Its place in the batch that stores it.
    index: usize,
}

/// What an announcement found.
#[derive(Debug)]
pub(crate) enum Found {
    /// It is new, and announced.
    New,
    /// It is in the channel.
    Stored(u64),
    /// The same event stands earlier in the batch.
    SameAs(usize),
    /// Another batch is about to store it; the receiver closes when that is done or has failed.
    UnderWay(watch::Receiver<()>),
}

/// The latest events of one channel by what they are recognised by; the oldest is forgotten at the limit.
#[derive(Debug)]
pub(crate) struct Recent {
    max: usize,
    known: HashMap<Identity, Known>,
    order: VecDeque<Identity>,
}

impl Recent {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
            known: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Announces that a batch is about to store the event at its `index`, unless it is known. One whose
    /// storing was given up is not known.
    pub(crate) fn announce(
        &mut self,
        identity: Identity,
        settled: &watch::Receiver<()>,
        index: usize,
    ) -> Found {
        let announced = || {
            Known::UnderWay(UnderWay {
                settled: settled.clone(),
                index,
            })
        };
        match self.known.entry(identity) {
            Entry::Vacant(place) => {
                place.insert(announced());
            }
            Entry::Occupied(mut place) => match place.get() {
                Known::Stored(sequence) => return Found::Stored(*sequence),
                Known::UnderWay(other) if other.settled.same_channel(settled) => {
                    return Found::SameAs(other.index);
                }
                Known::UnderWay(other) if other.settled.has_changed().is_ok() => {
                    return Found::UnderWay(other.settled.clone());
                }
                Known::UnderWay(_given_up) => {
                    place.insert(announced());
                }
            },
        }
        Found::New
    }

    /// Notes where an event is stored.
    pub(crate) fn store(&mut self, identity: Identity, sequence: u64) {
        let before = self.known.insert(identity, Known::Stored(sequence));
        if let Some(Known::Stored(first)) = before {
            // Twice in the order, it would be forgotten before its time.
            self.known.insert(identity, Known::Stored(first));
            return;
        }
        self.order.push_back(identity);
        if self.order.len() > self.max
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Forgets an event that was announced and is not stored.
    pub(crate) fn give_up(&mut self, identity: Identity) {
        if matches!(self.known.get(&identity), Some(Known::UnderWay(_))) {
            self.known.remove(&identity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(id: &str) -> Identity {
        Identity::of("/shop", id)
    }

    fn found(recent: &mut Recent, id: &str) -> Found {
        let (_told, heard) = watch::channel(());
        let found = recent.announce(of(id), &heard, 0);
        if matches!(found, Found::New) {
            recent.give_up(of(id));
        }
        found
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let mut recent = Recent::new(2);
        for (sequence, id) in ["a", "b", "c"].into_iter().enumerate() {
            recent.store(of(id), sequence as u64);
        }
        assert!(matches!(found(&mut recent, "a"), Found::New));
        assert!(matches!(found(&mut recent, "c"), Found::Stored(2)));
    }

    #[test]
    fn what_is_read_twice_is_remembered_as_long_as_the_rest() {
        let mut recent = Recent::new(2);
        for id in ["a", "b", "a", "b"] {
            recent.store(of(id), 0);
        }
        recent.store(of("c"), 2);
        assert!(matches!(found(&mut recent, "a"), Found::New));
        assert!(matches!(found(&mut recent, "b"), Found::Stored(0)));
    }

    #[test]
    fn an_announced_event_is_known_to_its_batch_and_waited_for_by_others() {
        let mut recent = Recent::new(2);
        let (told, heard) = watch::channel(());
        assert!(matches!(recent.announce(of("a"), &heard, 3), Found::New));
        assert!(matches!(
            recent.announce(of("a"), &heard, 4),
            Found::SameAs(3)
        ));
        assert!(matches!(found(&mut recent, "a"), Found::UnderWay(_)));
        drop(told);
        assert!(matches!(found(&mut recent, "a"), Found::New));
    }
}
