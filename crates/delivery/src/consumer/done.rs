//! What a deduplicated consumer has finished.

use std::collections::BTreeMap;

use foldhash::HashSet;
use tidegate_base::limit::DONE_IDENTITIES_MAX;

use crate::identity::Identity;
use crate::mutant::{self, Mutant};

/// Finished events. What lies at or above the mark is never forgotten; below it are the latest
/// [`DONE_IDENTITIES_MAX`].
#[derive(Clone, Debug, Default)]
pub(crate) struct DoneSet {
    known: HashSet<Identity>,
    /// By the delivery that finished them; the second number tells those of one delivery apart.
    order: BTreeMap<(u64, u64), Identity>,
    inserted: u64,
    mark: u64,
    /// How many lie below the mark.
    below: usize,
}

impl DoneSet {
    pub(crate) fn contains(&self, identity: Identity) -> bool {
        self.known.contains(&identity)
    }

    /// How many may not be forgotten.
    pub(crate) fn protected(&self) -> usize {
        self.known.len() - self.below
    }

    /// Takes in that `sequence` has finished an event.
    pub(crate) fn insert(&mut self, sequence: u64, identity: Identity) {
        if !self.known.insert(identity) {
            return;
        }
        self.inserted += 1;
        self.order.insert((sequence, self.inserted), identity);
        self.below += usize::from(sequence < self.mark);
    }

    /// Forgets the oldest below `mark` beyond the most of them, except those that are `live`.
    pub(crate) fn forget(&mut self, mark: u64, live: impl Fn(Identity) -> bool) {
        if mark >= self.mark {
            self.below += self.order.range((self.mark, 0)..(mark, 0)).count();
        } else {
            self.below = self.order.range(..(mark, 0)).count();
        }
        self.mark = mark;
        if mutant::is(Mutant::InboxForgetsWanted) {
            self.known.retain(|identity| live(*identity));
        }
        while self.below > DONE_IDENTITIES_MAX {
            let mut below = self.order.range(..(mark, 0));
            let oldest = below.find(|(_, identity)| !live(**identity));
            let Some((place, identity)) = oldest.map(|(place, identity)| (*place, *identity))
            else {
                return;
            };
            self.order.remove(&place);
            self.known.remove(&identity);
            self.below -= 1;
        }
    }

    /// In the order of deliveries.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, Identity)> {
        self.order
            .iter()
            .map(|((sequence, _), identity)| (*sequence, *identity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: u64 = DONE_IDENTITIES_MAX as u64;

    fn identity(sequence: u64) -> Identity {
        Identity::of("/shop", &sequence.to_string())
    }

    fn filled(count: u64) -> DoneSet {
        let mut done = DoneSet::default();
        for sequence in 0..count {
            done.insert(sequence, identity(sequence));
        }
        done
    }

    #[test]
    fn nothing_at_or_above_the_mark_is_forgotten() {
        let mut done = filled(3 * MOST);
        done.forget(5, |_| false);
        assert_eq!(done.known.len() as u64, 3 * MOST);
        done.forget(2 * MOST, |_| false);
        assert_eq!(done.known.len() as u64, 2 * MOST);
        assert!(!done.contains(identity(MOST - 1)));
        assert!((MOST..3 * MOST).all(|sequence| done.contains(identity(sequence))));
    }

    #[test]
    fn a_mark_that_goes_back_protects_what_is_left() {
        let mut done = filled(MOST);
        done.forget(MOST, |_| false);
        done.forget(10, |_| false);
        for sequence in MOST..MOST + 50 {
            done.insert(sequence, identity(sequence));
        }
        done.forget(10, |_| false);
        assert_eq!(done.known.len() as u64, MOST + 50);
        done.forget(MOST + 20, |_| false);
        assert_eq!(done.known.len() as u64, MOST + 30);
        assert!(!done.contains(identity(19)) && done.contains(identity(20)));
    }

    #[test]
    fn what_is_live_is_passed_over() {
        let mut done = filled(MOST + 2);
        done.forget(MOST + 2, |one| one == identity(0));
        assert!(done.contains(identity(0)) && !done.contains(identity(1)));
        assert!(!done.contains(identity(2)) && done.contains(identity(3)));
    }

    /// An identity costs about 90 bytes: one place in a hash set and one in an ordered map. A consumer
    /// at its limit of a million holds about 90 MB.
    #[test]
    fn an_identity_is_small() {
        let place = size_of::<Identity>();
        let ordered = size_of::<((u64, u64), Identity)>();
        assert!((place, ordered) <= (16, 32), "{place} {ordered}");
    }
}
