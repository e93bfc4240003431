//! Places that consumers share: those of a dependency, and those of the whole process.
//!
//! A free place goes to the consumer with the fewest attempts in flight of those that can use it; among
//! equals to the one whose last start is longest ago. Given out one by one like this, the places are
//! shared max-min fairly: a consumer that needs less than its share gets what it needs, the others
//! share the rest evenly, and no place stays empty that somebody could use.
//!
//! One that needs several kinds of places takes them in a fixed order, and keeps what it has while it waits
//! for the next. Otherwise those that need one kind only would always be there first when a place comes
//! free; and as the order is the same for all, nobody waits in a circle.
//!
//! Source: D. Bertsekas, R. Gallager, "Data Networks", 2nd edition, 1992, section 6.5.2.

use std::collections::BTreeSet;

use foldhash::HashMap;

use tidegate_base::BreakerName;

use crate::consumer::Obstacle;

/// Attempts in flight, and when the last one started: the least is the next.
pub(crate) type Turn = (u32, u64);

/// Consumers by whose turn it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns {
    order: BTreeSet<(Turn, usize)>,
    of: HashMap<usize, Turn>,
}

impl Turns {
    /// Adds a consumer, or moves it.
    pub(crate) fn insert(&mut self, consumer: usize, turn: Turn) {
        self.remove(consumer);
        self.of.insert(consumer, turn);
        self.order.insert((turn, consumer));
    }

    pub(crate) fn remove(&mut self, consumer: usize) {
        if let Some(turn) = self.of.remove(&consumer) {
            self.order.remove(&(turn, consumer));
        }
    }

    pub(crate) fn pop_first(&mut self) -> Option<(usize, Turn)> {
        let (turn, consumer) = self.order.pop_first()?;
        self.of.remove(&consumer);
        Some((consumer, turn))
    }

    fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

/// A number of places.
#[derive(Clone, Debug)]
struct Places {
    /// `None`: the whole process.
    dependency: Option<BreakerName>,
    most: u32,
    taken: u32,
    /// Of those taken, kept by consumers that wait for another one.
    kept: u32,
    /// Consumers that would start something if there were a place.
    waiting: Turns,
}

/// All that is shared. After every step of the machine, what has waiting consumers has no place left.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shares {
    places: Vec<Places>,
    /// Where each waiting consumer waits.
    waits_at: HashMap<usize, usize>,
    /// The place up to which each waiting consumer keeps what it needs, itself excluded.
    keeps_below: HashMap<usize, usize>,
    /// Those that had a place come free and have waiting consumers.
    freed: BTreeSet<usize>,
    turn: u64,
}

impl Shares {
    /// Adds `most` places, at least one, of a dependency or of the whole process. Returns their number.
    pub(crate) fn add(&mut self, dependency: Option<BreakerName>, most: u32) -> usize {
        self.places.push(Places {
            dependency,
            most: most.max(1),
            taken: 0,
            kept: 0,
            waiting: Turns::default(),
        });
        self.places.len() - 1
    }

    /// The first of `needed`, which are in order, that a consumer neither keeps nor finds free.
    pub(crate) fn full(&self, consumer: usize, needed: &[usize]) -> Option<usize> {
        let kept = self.kept_below(consumer);
        let is_full = |place: &usize| {
            let places = self.places.get(*place);
            places.is_some_and(|places| places.taken >= places.most)
        };
        let missing = needed.iter().copied().filter(|place| *place >= kept);
        missing.into_iter().find(is_full)
    }

    fn kept_below(&self, consumer: usize) -> usize {
        self.keeps_below.get(&consumer).copied().unwrap_or(0)
    }

    /// What it means to wait for a place.
    pub(crate) fn obstacle(&self, place: usize) -> Obstacle {
        let places = self.places.get(place);
        match places.and_then(|places| places.dependency.clone()) {
            Some(name) => Obstacle::Dependency(name),
            None => Obstacle::Share,
        }
    }

    /// Takes a place of each, other than those that the consumer keeps. Returns when: the number of the
    /// start.
    pub(crate) fn take(&mut self, consumer: usize, needed: &[usize]) -> u64 {
        let kept = self.keeps_below.remove(&consumer).unwrap_or(0);
        for place in needed {
            let Some(places) = self.places.get_mut(*place) else {
                continue;
            };
            if *place < kept {
                places.kept = places.kept.saturating_sub(1);
            } else {
                places.taken += 1;
            }
        }
        self.turn += 1;
        self.turn
    }

    /// Gives a place of each back.
    pub(crate) fn give_back(&mut self, needed: &[usize]) {
        for place in needed {
            if let Some(places) = self.places.get_mut(*place) {
                places.taken = places.taken.saturating_sub(1);
                if !places.waiting.is_empty() {
                    self.freed.insert(*place);
                }
            }
        }
    }

    /// A consumer waits for a place, and keeps those of `needed` before it.
    pub(crate) fn wait(&mut self, consumer: usize, place: usize, needed: &[usize], turn: Turn) {
        self.leave(consumer);
        let kept = self.kept_below(consumer);
        for before in needed
            .iter()
            .filter(|before| (kept..place).contains(before))
        {
            if let Some(places) = self.places.get_mut(*before) {
                places.taken += 1;
                places.kept += 1;
            }
        }
        self.keeps_below.insert(consumer, place.max(kept));
        if let Some(places) = self.places.get_mut(place) {
            places.waiting.insert(consumer, turn);
            self.waits_at.insert(consumer, place);
        }
    }

    /// A consumer has nothing to start: what it kept goes to others.
    pub(crate) fn give_up(&mut self, consumer: usize, needed: &[usize]) {
        let Some(kept) = self.keeps_below.remove(&consumer) else {
            return;
        };
        for place in needed.iter().filter(|place| **place < kept) {
            if let Some(places) = self.places.get_mut(*place) {
                places.kept = places.kept.saturating_sub(1);
            }
            self.give_back(&[*place]);
        }
    }

    /// A consumer waits no longer.
    pub(crate) fn leave(&mut self, consumer: usize) {
        let place = self.waits_at.remove(&consumer);
        if let Some(places) = place.and_then(|place| self.places.get_mut(place)) {
            places.waiting.remove(consumer);
        }
    }

    /// Moves to `ready`, from each that has a free place again, the consumer whose turn it is: it may use
    /// the place, or else the next one may.
    pub(crate) fn call_up(&mut self, ready: &mut Turns) {
        self.freed.retain(|place| {
            let Some(places) = self.places.get_mut(*place) else {
                return false;
            };
            if places.taken >= places.most {
                return false;
            }
            let Some((consumer, turn)) = places.waiting.pop_first() else {
                return false;
            };
            self.waits_at.remove(&consumer);
            ready.insert(consumer, turn);
            true
        });
    }

    /// Places of a dependency: those in use, and all; `None` when it has no limit.
    pub(crate) fn of_dependency(&self, name: &BreakerName) -> Option<(u32, u32)> {
        let is_of = |places: &&Places| places.dependency.as_ref() == Some(name);
        let places = self.places.iter().find(is_of)?;
        Some((places.taken - places.kept.min(places.taken), places.most))
    }
}
