//! How far a consumer is: everything below a watermark, and single sequences above it.

use std::collections::BTreeMap;

/// The settled sequences of a channel: those that the channel need not deliver again.
///
/// The watermark is the lowest sequence that is not settled: it never passes one that still runs,
/// and it never goes back. Settled sequences above it are kept as ranges, so a slow delivery costs
/// one range however far the others run ahead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    below: u64,
    /// Start to end (exclusive), not touching each other.
    above: BTreeMap<u64, u64>,
}

impl Cursor {
    /// A cursor that has settled everything below `below` and the ranges, each with its end excluded.
    #[must_use]
    pub fn new(below: u64, above: &[(u64, u64)]) -> Self {
        let mut cursor = Self {
            below,
            above: BTreeMap::new(),
        };
        for (start, end) in above {
            cursor.settle_range(*start, *end);
        }
        cursor
    }

    /// The watermark: everything below it is settled, it itself is not.
    #[must_use]
    pub fn below(&self) -> u64 {
        self.below
    }

    /// The settled ranges above the watermark, each with its end excluded.
    #[must_use]
    pub fn above(&self) -> Vec<(u64, u64)> {
        self.above
            .iter()
            .map(|(start, end)| (*start, *end))
            .collect()
    }

    /// Whether `sequence` is settled.
    #[must_use]
    pub fn is_settled(&self, sequence: u64) -> bool {
        sequence < self.below
            || self
                .above
                .range(..=sequence)
                .next_back()
                .is_some_and(|(_, end)| sequence < *end)
    }

    /// How many are settled.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.below
            + self
                .above
                .iter()
                .map(|(start, end)| end - start)
                .sum::<u64>()
    }

    /// The lowest sequence that is not settled and not below `sequence`.
    #[must_use]
    pub fn next_open(&self, sequence: u64) -> u64 {
        let sequence = sequence.max(self.below);
        match self.above.range(..=sequence).next_back() {
            Some((_, end)) if sequence < *end => *end,
            _ => sequence,
        }
    }

    /// The settled ranges of `start` to `end`, which is excluded.
    pub fn settled_within(&self, start: u64, end: u64) -> impl Iterator<Item = (u64, u64)> {
        let above = self.above.iter().map(|(from, to)| (*from, *to));
        std::iter::once((0, self.below))
            .chain(above)
            .map(move |(from, to)| (from.max(start), to.min(end)))
            .filter(|(from, to)| from < to)
    }

    /// The ranges of `start` to `end`, which is excluded, that are not settled.
    #[must_use]
    pub fn open_within(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let mut open = Vec::new();
        let mut from = start;
        for (settled, to) in self.settled_within(start, end) {
            if from < settled {
                open.push((from, settled));
            }
            from = to;
        }
        if from < end {
            open.push((from, end));
        }
        open
    }

    /// Settles one sequence; nothing happens when it is settled already.
    pub fn settle(&mut self, sequence: u64) {
        self.settle_range(sequence, sequence.saturating_add(1));
    }

    /// Settles `start` up to but not including `end`.
    pub fn settle_range(&mut self, start: u64, end: u64) {
        let mut start = start.max(self.below);
        let mut end = end;
        if start >= end {
            return;
        }
        if let Some((before, before_end)) = self.above.range(..=start).next_back()
            && *before_end >= start
        {
            end = end.max(*before_end);
            start = *before;
        }
        while let Some((next, next_end)) = self.above.range(start..=end).next() {
            end = end.max(*next_end);
            let next = *next;
            self.above.remove(&next);
        }
        if start == self.below {
            self.below = end;
        } else {
            self.above.insert(start, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn a_cursor_is_the_set_of_what_was_settled(ranges in proptest::collection::vec((0_u64..60, 0_u64..6), 0..60)) {
            let mut cursor = Cursor::default();
            let mut model = BTreeSet::new();
            let mut watermark = 0;
            for (start, length) in ranges {
                cursor.settle_range(start, start + length);
                model.extend(start..start + length);
                let lowest = (0..).find(|s| !model.contains(s)).unwrap();
                prop_assert_eq!(cursor.below(), lowest);
                prop_assert!(cursor.below() >= watermark);
                watermark = cursor.below();
                prop_assert_eq!(cursor.settled(), model.len() as u64);
                for sequence in 0..70 {
                    prop_assert_eq!(cursor.is_settled(sequence), model.contains(&sequence));
                }
                prop_assert_eq!(&Cursor::new(cursor.below(), &cursor.above()), &cursor);
                let next = (start..).find(|s| !model.contains(s)).unwrap();
                prop_assert_eq!(cursor.next_open(start), next);
                let of = |ranges: Vec<(u64, u64)>| ranges.into_iter().flat_map(|(a, b)| a..b).collect::<Vec<_>>();
                let (settled, open): (Vec<u64>, Vec<u64>) = (start..50).partition(|s| model.contains(s));
                prop_assert_eq!(of(cursor.settled_within(start, 50).collect()), settled);
                prop_assert_eq!(of(cursor.open_within(start, 50)), open);
            }
        }
    }

    #[test]
    fn one_slow_delivery_costs_one_range() {
        let mut cursor = Cursor::default();
        for sequence in 1..1_000 {
            cursor.settle(sequence);
        }
        assert_eq!((cursor.below(), cursor.above()), (0, vec![(1, 1_000)]));
        cursor.settle(0);
        assert_eq!((cursor.below(), cursor.above()), (1_000, vec![]));
    }
}
