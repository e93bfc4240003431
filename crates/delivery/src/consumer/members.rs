//! Who is in a lane: most lanes have one member at a time, and cost no memory of their own for it.

use std::collections::VecDeque;
use std::ops::RangeBounds;

/// Sequences in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    first: Option<u64>,
    /// Those after the first one.
    rest: VecDeque<u64>,
}

impl Members {
    pub(super) fn insert(&mut self, sequence: u64) {
        match self.first {
            None => self.first = Some(sequence),
            Some(first) if sequence < first => {
                self.rest.push_front(first);
                self.first = Some(sequence);
            }
            Some(first) if sequence > first => {
                if let Err(place) = self.rest.binary_search(&sequence) {
                    self.rest.insert(place, sequence);
                }
            }
            Some(_) => {}
        }
    }

    pub(super) fn remove(&mut self, sequence: u64) {
        if self.first == Some(sequence) {
            self.first = self.rest.pop_front();
        } else if let Ok(place) = self.rest.binary_search(&sequence) {
            self.rest.remove(place);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn first(&self) -> Option<u64> {
        self.first
    }

    pub(super) fn contains(&self, sequence: u64) -> bool {
        self.first == Some(sequence) || self.rest.binary_search(&sequence).is_ok()
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.first.into_iter().chain(self.rest.iter().copied())
    }

    /// Those before `sequence`, the first one first.
    pub(super) fn before(&self, sequence: u64) -> impl DoubleEndedIterator<Item = u64> {
        let end = self.rest.partition_point(|member| *member < sequence);
        self.part(self.first.filter(|first| *first < sequence), ..end)
    }

    /// Those after `sequence`, the first one first.
    pub(super) fn after(&self, sequence: u64) -> impl DoubleEndedIterator<Item = u64> {
        let start = self.rest.partition_point(|member| *member <= sequence);
        self.part(self.first.filter(|first| *first > sequence), start..)
    }

    fn part(
        &self,
        first: Option<u64>,
        rest: impl RangeBounds<usize>,
    ) -> impl DoubleEndedIterator<Item = u64> {
        first.into_iter().chain(self.rest.range(rest).copied())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn members_are_an_ordered_set(changes in proptest::collection::vec((0..20_u64, any::<bool>()), 0..80)) {
            let (mut members, mut model) = (Members::default(), BTreeSet::new());
            for (sequence, joins) in changes {
                match joins {
                    true => {
                        members.insert(sequence);
                        model.insert(sequence);
                    }
                    false => {
                        members.remove(sequence);
                        model.remove(&sequence);
                    }
                }
                prop_assert!(members.iter().eq(model.iter().copied()));
                prop_assert_eq!(members.first(), model.first().copied());
                prop_assert_eq!(members.is_empty(), model.is_empty());
                for at in 0..20 {
                    prop_assert_eq!(members.contains(at), model.contains(&at));
                    prop_assert!(members.before(at).eq(model.range(..at).copied()));
                    prop_assert!(members.after(at).eq(model.range(at + 1..).copied()));
                }
            }
        }
    }
}
