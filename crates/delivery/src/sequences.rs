//! Sets and maps of sequences in order, for sequences most of which lie close together: 64 of them share
//! one entry of an ordered map, so that looking up, adding and removing touch next to nothing and seldom
//! allocate. Far apart they cost what an ordered map costs.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::{Bound, RangeBounds};

/// How many sequences share an entry, as a power of two.
const SHIFT: u32 = 6;
const MASK: u64 = (1 << SHIFT) - 1;

fn bit(sequence: u64) -> u64 {
    1 << (sequence & MASK)
}

/// The sequences of a page, lowest first.
fn each(page: u64, mut bits: u64) -> impl Iterator<Item = u64> + Clone {
    std::iter::from_fn(move || {
        let low = (bits != 0).then(|| u64::from(bits.trailing_zeros()))?;
        bits &= bits - 1;
        Some((page << SHIFT) | low)
    })
}

/// The bits of a page that lie in a range, whose end is included.
fn within(page: u64, first: u64, last: u64) -> u64 {
    let from = match first >> SHIFT == page {
        true => u64::MAX << (first & MASK),
        false => u64::MAX,
    };
    let to = match last >> SHIFT == page {
        true => u64::MAX >> (MASK - (last & MASK)),
        false => u64::MAX,
    };
    from & to
}

/// A range with both ends included; `None` when it is empty.
fn bounds(range: &impl RangeBounds<u64>) -> Option<(u64, u64)> {
    let first = match range.start_bound() {
        Bound::Included(first) => *first,
        Bound::Excluded(before) => before.checked_add(1)?,
        Bound::Unbounded => 0,
    };
    let last = match range.end_bound() {
        Bound::Included(last) => *last,
        Bound::Excluded(end) => end.checked_sub(1)?,
        Bound::Unbounded => u64::MAX,
    };
    (first <= last).then_some((first, last))
}

/// A set of sequences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SequenceSet {
    pages: BTreeMap<u64, u64>,
    len: usize,
}

impl SequenceSet {
    /// Adds a sequence. Returns whether it is new.
    pub(crate) fn insert(&mut self, sequence: u64) -> bool {
        let bits = self.pages.entry(sequence >> SHIFT).or_default();
        let is_new = *bits & bit(sequence) == 0;
        *bits |= bit(sequence);
        self.len += usize::from(is_new);
        is_new
    }

    /// Takes a sequence out. Returns whether it was there.
    pub(crate) fn remove(&mut self, sequence: u64) -> bool {
        if self.len == 0 {
            return false;
        }
        let Entry::Occupied(mut page) = self.pages.entry(sequence >> SHIFT) else {
            return false;
        };
        let bits = page.get_mut();
        let was_there = *bits & bit(sequence) != 0;
        *bits &= !bit(sequence);
        if *bits == 0 {
            page.remove();
        }
        self.len -= usize::from(was_there);
        was_there
    }

    pub(crate) fn contains(&self, sequence: u64) -> bool {
        let bits = self.pages.get(&(sequence >> SHIFT));
        self.len > 0 && bits.is_some_and(|bits| bits & bit(sequence) != 0)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn clear(&mut self) {
        self.pages.clear();
        self.len = 0;
    }

    pub(crate) fn first(&self) -> Option<u64> {
        self.range(..).next()
    }

    /// Those within a range, lowest first.
    pub(crate) fn range(&self, range: impl RangeBounds<u64>) -> impl Iterator<Item = u64> {
        let found = bounds(&range).map(|(first, last)| {
            let pages = self.pages.range(first >> SHIFT..=last >> SHIFT);
            pages.flat_map(move |(page, bits)| each(*page, bits & within(*page, first, last)))
        });
        found.into_iter().flatten()
    }
}

/// A map by sequence.
#[derive(Clone, Debug)]
pub(crate) struct SequenceMap<T> {
    pages: BTreeMap<u64, Page<T>>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Page<T> {
    /// Which of the slots are full.
    bits: u64,
    slots: Box<[Option<Box<T>>; 1 << SHIFT]>,
}

impl<T> Default for SequenceMap<T> {
    fn default() -> Self {
        let pages = BTreeMap::new();
        Self { pages, len: 0 }
    }
}

impl<T> Page<T> {
    fn new() -> Self {
        Self {
            bits: 0,
            slots: Box::new([const { None }; 1 << SHIFT]),
        }
    }

    fn slot(&self, sequence: u64) -> Option<&T> {
        self.slots.get((sequence & MASK) as usize)?.as_deref()
    }

    fn slot_mut(&mut self, sequence: u64) -> Option<&mut Option<Box<T>>> {
        self.slots.get_mut((sequence & MASK) as usize)
    }
}

impl<T> SequenceMap<T> {
    pub(crate) fn get(&self, sequence: &u64) -> Option<&T> {
        self.pages.get(&(sequence >> SHIFT))?.slot(*sequence)
    }

    pub(crate) fn get_mut(&mut self, sequence: &u64) -> Option<&mut T> {
        let page = self.pages.get_mut(&(sequence >> SHIFT))?;
        page.slot_mut(*sequence)?.as_deref_mut()
    }

    pub(crate) fn contains_key(&self, sequence: &u64) -> bool {
        self.get(sequence).is_some()
    }

    /// Puts a value in. Returns the one that was there.
    pub(crate) fn insert(&mut self, sequence: u64, value: T) -> Option<T> {
        let page = self.pages.entry(sequence >> SHIFT);
        let page = page.or_insert_with(Page::new);
        page.bits |= bit(sequence);
        let before = page.slot_mut(sequence)?.replace(Box::new(value));
        self.len += usize::from(before.is_none());
        before.map(|before| *before)
    }

    pub(crate) fn remove(&mut self, sequence: &u64) -> Option<T> {
        let Entry::Occupied(mut entry) = self.pages.entry(sequence >> SHIFT) else {
            return None;
        };
        let page = entry.get_mut();
        let removed = page.slot_mut(*sequence)?.take()?;
        page.bits &= !bit(*sequence);
        if page.bits == 0 {
            entry.remove();
        }
        self.len -= 1;
        Some(*removed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn first(&self) -> Option<u64> {
        self.range(..).next().map(|(sequence, _)| sequence)
    }

    /// In the order of their sequences.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.range(..).map(|(_, value)| value)
    }

    /// Those within a range, lowest first.
    pub(crate) fn range(&self, range: impl RangeBounds<u64>) -> impl Iterator<Item = (u64, &T)> {
        let found = bounds(&range).map(|(first, last)| {
            let pages = self.pages.range(first >> SHIFT..=last >> SHIFT);
            pages.flat_map(move |(number, page)| {
                let sequences = each(*number, page.bits & within(*number, first, last));
                sequences.filter_map(move |at| Some((at, page.slot(at)?)))
            })
        });
        found.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn sequence() -> impl Strategy<Value = u64> {
        prop_oneof![
            0..200_u64,
            u64::MAX - 70..=u64::MAX,
            1_000_000..1_000_200_u64
        ]
    }

    proptest! {
        #[test]
        fn a_set_is_an_ordered_set(
            changes in proptest::collection::vec((sequence(), any::<bool>()), 0..300),
            ranges in proptest::collection::vec((sequence(), sequence()), 1..20),
        ) {
            let (mut set, mut model) = (SequenceSet::default(), BTreeSet::new());
            for (sequence, adds) in changes {
                match adds {
                    true => prop_assert_eq!(set.insert(sequence), model.insert(sequence)),
                    false => prop_assert_eq!(set.remove(sequence), model.remove(&sequence)),
                }
                prop_assert_eq!(set.contains(sequence), model.contains(&sequence));
                prop_assert_eq!((set.len(), set.is_empty()), (model.len(), model.is_empty()));
                prop_assert_eq!(set.first(), model.first().copied());
            }
            for (one, other) in ranges {
                let (first, last) = (one.min(other), one.max(other));
                prop_assert!(set.range(first..=last).eq(model.range(first..=last).copied()));
                prop_assert!(set.range(first..last).eq(model.range(first..last).copied()));
                prop_assert!(set.range(first..).eq(model.range(first..).copied()));
                prop_assert!(set.range(..last).eq(model.range(..last).copied()));
            }
            set.clear();
            prop_assert_eq!(set, SequenceSet::default());
        }

        #[test]
        fn a_map_is_an_ordered_map(
            changes in proptest::collection::vec((sequence(), any::<Option<u8>>()), 0..300),
            ranges in proptest::collection::vec((sequence(), sequence()), 1..20),
        ) {
            let (mut map, mut model) = (SequenceMap::default(), BTreeMap::new());
            for (sequence, value) in changes {
                match value {
                    Some(value) => prop_assert_eq!(map.insert(sequence, value), model.insert(sequence, value)),
                    None => prop_assert_eq!(map.remove(&sequence), model.remove(&sequence)),
                }
                if let Some(value) = map.get_mut(&sequence) {
                    *value = value.wrapping_add(1);
                    model.entry(sequence).and_modify(|value| *value = value.wrapping_add(1));
                }
                prop_assert_eq!(map.get(&sequence), model.get(&sequence));
                prop_assert_eq!(map.contains_key(&sequence), model.contains_key(&sequence));
                prop_assert_eq!((map.len, map.is_empty()), (model.len(), model.is_empty()));
                prop_assert_eq!(map.first(), model.keys().next().copied());
            }
            prop_assert!(map.values().eq(model.values()));
            for (one, other) in ranges {
                let (first, last) = (one.min(other), one.max(other));
                let of_model = |(sequence, value): (&u64, &u8)| (*sequence, *value);
                let of_map = |(sequence, value): (u64, &u8)| (sequence, *value);
                prop_assert!(map.range(first..last).map(of_map).eq(model.range(first..last).map(of_model)));
                prop_assert!(map.range(..=last).map(of_map).eq(model.range(..=last).map(of_model)));
            }
        }
    }
}
