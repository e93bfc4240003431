//! The events that a channel has taken lately, to recognise one that is published again.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;

use foldhash::{HashMap, HashMapExt};
use tidegate_delivery::Identity;
use tokio::sync::watch;

/// What is known of an event.
#[derive(Clone, Copy, Debug)]
enum Known {
    /// It is in the channel.
    Stored(u64),
    /// A batch is about to store it.
    UnderWay {
        batch: u64,
        /// Its place in there.
        index: usize,
    },
}

/// A batch that is about to store events.
#[derive(Debug)]
struct UnderWay {
    /// Closes when they are stored or that has failed.
    settled: watch::Receiver<()>,
    /// How many of them are announced and neither stored nor given up.
    left: usize,
}

/// A batch that announces its events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announcer<'a> {
    /// No other one has this number.
    pub(crate) number: u64,
    /// Closes when its events are stored or that has failed.
    pub(crate) settled: &'a watch::Receiver<()>,
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
    /// Batches by their numbers.
    under_way: HashMap<u64, UnderWay>,
}

impl Recent {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
            known: HashMap::new(),
            order: VecDeque::new(),
            under_way: HashMap::new(),
        }
    }

    /// Announces that a batch is about to store the event at its `index`, unless it is known. One whose
    /// storing was given up is not known.
    pub(crate) fn announce(
        &mut self,
        identity: Identity,
        batch: Announcer<'_>,
        index: usize,
    ) -> Found {
        let announced = Known::UnderWay {
            batch: batch.number,
            index,
        };
        let given_up = match self.known.entry(identity) {
            Entry::Vacant(place) => {
                place.insert(announced);
                None
            }
            Entry::Occupied(mut place) => match *place.get() {
                Known::Stored(sequence) => return Found::Stored(sequence),
                Known::UnderWay { batch: same, index } if same == batch.number => {
                    return Found::SameAs(index);
                }
                Known::UnderWay { batch: other, .. } => {
                    let settled = self.under_way.get(&other).map(|other| &other.settled);
                    if let Some(settled) = settled.filter(|settled| settled.has_changed().is_ok()) {
                        return Found::UnderWay(settled.clone());
                    }
                    place.insert(announced);
                    Some(other)
                }
            },
        };
        let under_way = self.under_way.entry(batch.number);
        let settled = || UnderWay {
            settled: batch.settled.clone(),
            left: 0,
        };
        under_way.or_insert_with(settled).left += 1;
        given_up.into_iter().for_each(|other| self.settle(other));
        Found::New
    }

    /// One that a batch has announced is not under way any more.
    fn settle(&mut self, batch: u64) {
        if let Entry::Occupied(mut under_way) = self.under_way.entry(batch) {
            under_way.get_mut().left -= 1;
            if under_way.get().left == 0 {
                under_way.remove();
            }
        }
    }

    /// Notes where an event is stored.
    pub(crate) fn store(&mut self, identity: Identity, sequence: u64) {
        match self.known.insert(identity, Known::Stored(sequence)) {
            Some(Known::Stored(first)) => {
                // Twice in the order, it would be forgotten before its time.
                self.known.insert(identity, Known::Stored(first));
                return;
            }
            Some(Known::UnderWay { batch, .. }) => self.settle(batch),
            None => {}
        }
        self.order.push_back(identity);
        if self.order.len() > self.max
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Forgets an event that a batch has announced and not stored. Another one may have announced it since.
    pub(crate) fn give_up(&mut self, number: u64, identity: Identity) {
        if let Some(Known::UnderWay { batch, .. }) = self.known.get(&identity)
            && *batch == number
        {
            self.known.remove(&identity);
            self.settle(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(id: &str) -> Identity {
        Identity::of("/shop", id)
    }

    fn announcer(number: u64, settled: &watch::Receiver<()>) -> Announcer<'_> {
        Announcer { number, settled }
    }

    fn found(recent: &mut Recent, id: &str) -> Found {
        let (_told, heard) = watch::channel(());
        let found = recent.announce(of(id), announcer(99, &heard), 0);
        if matches!(found, Found::New) {
            recent.give_up(99, of(id));
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
        let first = announcer(1, &heard);
        assert!(matches!(recent.announce(of("a"), first, 3), Found::New));
        assert!(matches!(
            recent.announce(of("a"), first, 4),
            Found::SameAs(3)
        ));
        assert!(matches!(found(&mut recent, "a"), Found::UnderWay(_)));
        drop(told);
        assert!(matches!(found(&mut recent, "a"), Found::New));
        assert!(recent.under_way.is_empty(), "nobody is waited for");
    }

    #[test]
    fn a_batch_is_known_until_the_last_of_it_is_stored_or_given_up() {
        let mut recent = Recent::new(8);
        let (_told, heard) = watch::channel(());
        for (index, id) in ["a", "b"].into_iter().enumerate() {
            let announced = recent.announce(of(id), announcer(1, &heard), index);
            assert!(matches!(announced, Found::New));
        }
        recent.store(of("a"), 7);
        assert!(matches!(found(&mut recent, "a"), Found::Stored(7)));
        assert!(matches!(found(&mut recent, "b"), Found::UnderWay(_)));
        // An event that stood in it twice is given up twice, and is another's after the first time.
        recent.give_up(1, of("b"));
        let (_told, other) = watch::channel(());
        let announced = recent.announce(of("b"), announcer(2, &other), 0);
        assert!(matches!(announced, Found::New));
        recent.give_up(1, of("b"));
        assert!(matches!(found(&mut recent, "b"), Found::UnderWay(_)));
        recent.give_up(2, of("b"));
        assert!(matches!(found(&mut recent, "b"), Found::New));
        assert!(recent.under_way.is_empty(), "nobody is waited for");
    }
}
