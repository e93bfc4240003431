//! What a deduplicated consumer has finished.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};

use foldhash::HashSet;
use tidegate_base::limit::DONE_IDENTITIES_MAX;

use crate::identity::Identity;
use crate::mutant::{self, Mutant};

/// How many sequences share a bucket, as a power of two.
const SHIFT: u32 = 6;

/// Finished events. What lies at or above the mark is never forgotten; below it are the latest
/// [`DONE_IDENTITIES_MAX`].
#[derive(Clone, Debug, Default)]
pub(crate) struct DoneSet {
    known: HashSet<Identity>,
    order: Order,
    mark: u64,
    /// How many lie below the mark.
    below: usize,
}

/// Identities by the delivery that finished them, those of one delivery as they came: in buckets of
/// neighbours, as ends come nearly in order.
#[derive(Clone, Debug, Default)]
struct Order {
    buckets: BTreeMap<u64, VecDeque<(u64, Identity)>>,
}

impl Order {
    fn insert(&mut self, sequence: u64, identity: Identity) {
        let bucket = self.buckets.entry(sequence >> SHIFT).or_default();
        match bucket.back() {
            Some((last, _)) if *last > sequence => {
                let place = bucket.partition_point(|(before, _)| *before <= sequence);
                bucket.insert(place, (sequence, identity));
            }
            _ => bucket.push_back((sequence, identity)),
        }
    }

    /// How many there are from `start` up to but not including `end`.
    fn count(&self, start: u64, end: u64) -> usize {
        if start >= end {
            return 0;
        }
        let buckets = self.buckets.range(start >> SHIFT..=end >> SHIFT);
        let within = |bucket: &VecDeque<(u64, Identity)>| {
            let before = |at: u64| bucket.partition_point(|(sequence, _)| *sequence < at);
            before(end) - before(start)
        };
        buckets.map(|(_, bucket)| within(bucket)).sum()
    }

    /// Takes out the first below `mark` that is not `live`.
    fn take_first(&mut self, mark: u64, live: impl Fn(Identity) -> bool) -> Option<Identity> {
        let mut buckets = self.buckets.range_mut(..=mark >> SHIFT);
        let (number, place) = buckets.find_map(|(number, bucket)| {
            let mut below = bucket.iter().take_while(|(sequence, _)| *sequence < mark);
            let place = below.position(|(_, identity)| !live(*identity))?;
            Some((*number, place))
        })?;
        let bucket = self.buckets.get_mut(&number)?;
        let (_, identity) = bucket.remove(place)?;
        if bucket.is_empty() {
            self.buckets.remove(&number);
        }
        Some(identity)
    }
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
        self.order.insert(sequence, identity);
        self.below += usize::from(sequence < self.mark);
    }

    /// Forgets the oldest below `mark` beyond the most of them, except those that are `live`.
    pub(crate) fn forget(&mut self, mark: u64, live: impl Fn(Identity) -> bool) {
        match mark.cmp(&self.mark) {
            Ordering::Equal => {}
            Ordering::Greater => self.below += self.order.count(self.mark, mark),
            Ordering::Less => self.below = self.order.count(0, mark),
        }
        self.mark = mark;
        if mutant::is(Mutant::InboxForgetsWanted) {
            self.known.retain(|identity| live(*identity));
        }
        while self.below > DONE_IDENTITIES_MAX {
            let Some(identity) = self.order.take_first(mark, &live) else {
                return;
            };
            self.known.remove(&identity);
            self.below -= 1;
        }
    }

    /// In the order of deliveries.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, Identity)> {
        self.order.buckets.values().flatten().copied()
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

    /// An identity costs about 70 bytes: one place in a hash set and one in a bucket. A consumer at its
    /// limit of a million holds about 70 MB.
    #[test]
    fn an_identity_is_small() {
        let place = size_of::<Identity>();
        let ordered = size_of::<(u64, Identity)>();
        assert!((place, ordered) <= (16, 32), "{place} {ordered}");
    }

    #[test]
    fn what_is_finished_comes_back_in_the_order_of_deliveries() {
        let mut done = DoneSet::default();
        let ends = [70, 3, 200, 3, 64, 63, 0, 199];
        for (number, sequence) in ends.into_iter().enumerate() {
            done.insert(sequence, identity(number as u64));
        }
        let mut expected: Vec<(u64, usize)> = ends.into_iter().zip(0..).collect();
        expected.sort_unstable();
        let expected = expected
            .into_iter()
            .map(|(sequence, number)| (sequence, identity(number as u64)));
        assert!(done.iter().eq(expected));
    }
}
