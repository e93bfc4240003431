//! Disjoint ranges of sequences, each with a mark.

use std::collections::BTreeMap;

/// Sequences as ranges that do not overlap; each range carries a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marked {
    /// Start to end (exclusive) and mark.
    ranges: BTreeMap<u64, (u64, u64)>,
}

impl Marked {
    /// The mark of a sequence, if it is in a range.
    pub(crate) fn mark_of(&self, sequence: u64) -> Option<u64> {
        let (_, (end, mark)) = self.ranges.range(..=sequence).next_back()?;
        (sequence < *end).then_some(*mark)
    }

    /// The lowest sequence.
    pub(crate) fn first(&self) -> Option<u64> {
        self.ranges.keys().next().copied()
    }

    /// The lowest sequence that is not below `sequence`.
    pub(crate) fn first_from(&self, sequence: u64) -> Option<u64> {
        match self.mark_of(sequence) {
            Some(_) => Some(sequence),
            None => self
                .ranges
                .range(sequence..)
                .next()
                .map(|(start, _)| *start),
        }
    }

    /// How many sequences there are from `sequence` on.
    pub(crate) fn count_from(&self, sequence: u64) -> u64 {
        let counts = self.ranges.iter();
        counts
            .map(|(start, (end, _))| end.saturating_sub(sequence.max(*start)))
            .sum()
    }

    /// How many ranges there are.
    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Every range, with its end excluded.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.ranges.iter().map(|(start, (end, _))| (*start, *end))
    }

    /// The ranges with a mark.
    pub(crate) fn of(&self, mark: u64) -> impl Iterator<Item = (u64, u64)> {
        let ranges = self.ranges.iter();
        let marked = ranges.filter(move |(_, (_, of))| *of == mark);
        marked.map(|(start, (end, _))| (*start, *end))
    }

    /// Adds a range; what was there of it takes the new mark.
    pub(crate) fn insert(&mut self, start: u64, end: u64, mark: u64) {
        if start < end {
            self.remove(start, end);
            self.ranges.insert(start, (end, mark));
        }
    }

    /// Takes a range out.
    pub(crate) fn remove(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let before = self.ranges.range(..start).next_back();
        if let Some((first, (until, mark))) = before.map(|(first, range)| (*first, *range))
            && until > start
        {
            self.ranges.insert(first, (start, mark));
            self.keep_end(until, end, mark);
        }
        while let Some((first, (until, mark))) = self
            .ranges
            .range(start..end)
            .next()
            .map(|(first, range)| (*first, *range))
        {
            self.ranges.remove(&first);
            self.keep_end(until, end, mark);
        }
    }

    /// Takes out what of a range carries a mark up to `most`.
    pub(crate) fn remove_up_to(&mut self, start: u64, end: u64, most: u64) {
        let within = self.ranges.iter().filter(|(_, (_, mark))| *mark > most);
        let within = within.map(|(from, (to, mark))| (start.max(*from), end.min(*to), *mark));
        let stays: Vec<(u64, u64, u64)> = within.collect();
        self.remove(start, end);
        for (from, to, mark) in stays {
            self.insert(from, to, mark);
        }
    }

    /// Keeps what of a range lies after `end`.
    fn keep_end(&mut self, until: u64, end: u64, mark: u64) {
        if until > end {
            self.ranges.insert(end, (until, mark));
        }
    }

    /// Takes out every range with a mark.
    pub(crate) fn remove_mark(&mut self, mark: u64) {
        self.ranges.retain(|_, (_, of)| *of != mark);
    }
}

/// What of `ranges` is not among `points`, which are in order.
pub(crate) fn without(
    ranges: impl Iterator<Item = (u64, u64)>,
    mut points: impl FnMut(u64, u64) -> Vec<u64>,
) -> Vec<(u64, u64)> {
    let mut left = Vec::new();
    for (start, end) in ranges {
        let mut from = start;
        for point in points(start, end) {
            if from < point {
                left.push((from, point));
            }
            from = point.saturating_add(1);
        }
        if from < end {
            left.push((from, end));
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn marked_ranges_are_a_map_of_sequences(
            changes in proptest::collection::vec((0_u64..60, 0_u64..9, 0_u64..5), 0..60)
        ) {
            let mut ranges = Marked::default();
            let mut model: BTreeMap<u64, u64> = BTreeMap::new();
            for (start, length, mark) in changes {
                let end = start + length;
                if mark == 0 {
                    ranges.remove(start, end);
                    model.retain(|sequence, _| !(start..end).contains(sequence));
                } else if mark == 4 {
                    ranges.remove_up_to(start, end, 2);
                    model.retain(|sequence, of| *of > 2 || !(start..end).contains(sequence));
                } else {
                    ranges.insert(start, end, mark);
                    model.extend((start..end).map(|sequence| (sequence, mark)));
                }
                prop_assert_eq!(ranges.first(), model.keys().next().copied());
                for sequence in 0..70 {
                    prop_assert_eq!(ranges.mark_of(sequence), model.get(&sequence).copied());
                    let from = model.range(sequence..).next().map(|(at, _)| *at);
                    prop_assert_eq!(ranges.first_from(sequence), from);
                    let count = model.range(sequence..).count() as u64;
                    prop_assert_eq!(ranges.count_from(sequence), count);
                }
            }
            ranges.remove_mark(1);
            model.retain(|_, mark| *mark != 1);
            prop_assert_eq!(ranges.count_from(0), model.len() as u64);
            let (starts, first) = (ranges.iter().count(), ranges.of(2).map(|(a, b)| b - a).sum::<u64>());
            prop_assert_eq!(starts, ranges.len());
            prop_assert_eq!(first, model.values().filter(|mark| **mark == 2).count() as u64);
        }
    }

    #[test]
    fn points_are_taken_out_of_ranges() {
        let points = [2_u64, 5, 6, 9, 30];
        let within = |start: u64, end: u64| {
            let points = points.iter().copied();
            points
                .filter(|point| (start..end).contains(point))
                .collect()
        };
        let ranges = [(0, 3), (5, 7), (8, 12)];
        assert_eq!(
            without(ranges.into_iter(), within),
            [(0, 2), (8, 9), (10, 12)]
        );
    }
}
