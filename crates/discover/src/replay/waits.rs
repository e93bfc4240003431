//! Which of its siblings each child may have waited for: found once for every span, asked for at every replay.

use super::layout::Layout;
use super::order::{self, KIDS_MAX, Learned, View};

/// For the children of a span, and then for its end: the earlier children that were waited for, by their
/// places. Those that another one of them waited for are left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lists {
    /// Where each list ends in `places`.
    ends: Vec<u32>,
    places: Vec<u16>,
}

impl Lists {
    /// The list of this number; of none, nothing.
    pub(crate) fn get(&self, number: usize) -> &[u16] {
        let end = |number: usize| self.ends.get(number).map(|end| *end as usize);
        let from = number.checked_sub(1).map_or(Some(0), end);
        let range = from.zip(end(number));
        range
            .and_then(|(from, to)| self.places.get(from..to))
            .unwrap_or_default()
    }

    pub(crate) fn clear(&mut self) {
        self.ends.clear();
        self.places.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    fn finish(&mut self) {
        self.ends
            .push(u32::try_from(self.places.len()).unwrap_or(u32::MAX));
    }

    /// Adds the lists of one span. Whether another view or other work between calls may come to another
    /// result.
    pub(crate) fn add(
        &mut self,
        layout: &Layout,
        (span, kids): (usize, &[u32]),
        learned: &Learned,
        view: View,
        before: &mut Vec<Earlier>,
    ) -> bool {
        before.clear();
        let tolerance = order::tolerance(layout, span);
        let mut is_unsure = false;
        for (index, kid) in kids.iter().enumerate() {
            let start = layout
                .place(*kid as usize)
                .map_or(i64::MIN, |place| place.start);
            let may = |at: usize, view: View| {
                let other = kids.get(at).map_or(0, |other| *other as usize);
                learned.may_precede(layout, span, (other, *kid as usize), view)
            };
            let mut waited = Earlier::default();
            for (at, other) in kids.iter().take(index).enumerate() {
                let ended = layout
                    .place(*other as usize)
                    .is_some_and(|other| other.end() <= start.saturating_add(tolerance));
                if ended && may(at, view) {
                    waited.add(at);
                }
            }
            let covered = before.iter().enumerate();
            let covered = covered
                .filter(|(at, _)| waited.has(*at))
                .fold(Earlier::default(), |all, (_, before)| all.or(before));
            before.push(waited);
            let from = self.places.len();
            for at in (0..index).filter(|at| waited.has(*at) && !covered.has(*at)) {
                is_unsure |= !may(at, View::Optimistic);
                self.places.extend(u16::try_from(at));
            }
            is_unsure |= self.places.len() > from + 1;
            self.finish();
        }
        let covered = before.iter().fold(Earlier::default(), Earlier::or);
        let from = self.places.len();
        let direct = (0..kids.len()).filter(|index| !covered.has(*index));
        let is_seen = |at: &usize| {
            let kid = kids.get(*at).map_or(0, |kid| *kid as usize);
            learned.is_end_seen(layout, span, kid)
        };
        let any_seen = view == View::Optimistic && direct.clone().any(|at| is_seen(&at));
        let believed = direct.filter(|at| !any_seen || is_seen(at));
        self.places
            .extend(believed.filter_map(|at| u16::try_from(at).ok()));
        is_unsure |= self.places.len() > from + 1;
        self.finish();
        is_unsure
    }
}

/// Some of the children of one span, by their places among them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Earlier([u64; KIDS_MAX / 64]);

impl Earlier {
    fn add(&mut self, place: usize) {
        if let Some(part) = self.0.get_mut(place / 64) {
            *part |= 1 << (place % 64);
        }
    }

    fn has(&self, place: usize) -> bool {
        let part = self.0.get(place / 64);
        part.is_some_and(|part| part & (1 << (place % 64)) != 0)
    }

    fn or(mut self, other: &Self) -> Self {
        for (part, other) in self.0.iter_mut().zip(other.0) {
            *part |= other;
        }
        self
    }
}
