//! What would have happened to one trace: the lengths of its spans recomputed from below.
//!
//! A child starts as long after the last of those that it waited for as it did; a span ends as long
//! after the last of its children as it did; what happens inside a span of another host moves by
//! durations alone. That is the model, and there is nothing else in it: no queue, no contention.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use foldhash::fast::RandomState;

use super::gaps::Doubt;
use super::layout::{Layout, Place};
use super::order::{self, KIDS_MAX, Learned, View};

/// What is changed about calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The caller publishes an event, which takes so many nanoseconds, and does not wait.
    Asynchronous {
        /// How long the caller is busy publishing.
        publish: i64,
    },
    /// The call does not happen.
    Remove,
    /// It takes so many nanoseconds longer.
    Slow {
        /// How much longer.
        by: i64,
    },
    /// It starts together with the call that it came right after.
    Parallelise,
}

/// The new length of a child, and whether it no longer waits for the one right before it.
#[derive(Clone, Copy, Debug)]
struct Altered {
    length: i64,
    is_parallel: bool,
    /// It is what was changed: the caller does not wait for it anyhow, whatever happens below.
    is_call: bool,
}

/// What was altered, by span.
type Alterations = HashMap<u32, Altered, RandomState>;

/// Room that is used again for every trace.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    altered: Alterations,
    /// Spans to recompute, by their depth: a span is recomputed when all below it are.
    waiting: BinaryHeap<(u32, Reverse<u32>)>,
    kids: Vec<u32>,
    ends: Vec<i64>,
    /// For each of the children: those that it waited for.
    before: Vec<Earlier>,
    /// Whether another view of what waits for what may come to another result.
    pub(crate) is_unsure: bool,
}

/// Some of the children of one span, by their places among them.
#[derive(Clone, Copy, Debug, Default)]
struct Earlier([u64; KIDS_MAX / 64]);

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

/// The entry whose length changes: a root, or what nobody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) entry: usize,
    pub(crate) before: i64,
    pub(crate) after: i64,
}

/// What is needed to replay one trace.
pub(crate) struct Replay<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) learned: &'a Learned,
    pub(crate) view: View,
    pub(crate) doubt: Doubt,
}

impl Replay<'_> {
    /// The entries of the trace that take another time when the calls are changed.
    pub(crate) fn change(&self, calls: &[(u32, Change)], scratch: &mut Scratch) -> Vec<Changed> {
        scratch.altered.clear();
        scratch.waiting.clear();
        scratch.is_unsure = false;
        for (call, change) in calls {
            let length = self.layout.length(*call as usize);
            let length = match *change {
                Change::Asynchronous { publish } => publish,
                Change::Remove => 0,
                Change::Slow { by } => length.saturating_add(by).max(0),
                Change::Parallelise => length,
            };
            let altered = Altered {
                length,
                is_parallel: *change == Change::Parallelise,
                is_call: true,
            };
            scratch.altered.insert(*call, altered);
            self.wait_for_parent(*call, scratch);
        }
        let mut changed = Vec::new();
        let mut last = None;
        while let Some((_, Reverse(span))) = scratch.waiting.pop() {
            let known = scratch.altered.get(&span);
            if last == Some(span) || known.is_some_and(|known| known.is_call) {
                continue;
            }
            last = Some(span);
            let length = self.recompute(span as usize, scratch);
            let altered = Altered {
                length,
                is_parallel: false,
                is_call: false,
            };
            scratch.altered.insert(span, altered);
            if !self.wait_for_parent(span, scratch) {
                let before = self.layout.length(span as usize);
                changed.push(Changed {
                    entry: span as usize,
                    before,
                    after: length,
                });
            }
        }
        changed
    }

    /// Has the span's parent recomputed; false when nobody waits for the span.
    fn wait_for_parent(&self, span: u32, scratch: &mut Scratch) -> bool {
        let Some(parent) = self.layout.waiting(span as usize) else {
            return false;
        };
        let depth = self.layout.place(parent).map_or(0, |place| place.depth);
        if let Ok(parent) = u32::try_from(parent) {
            scratch.waiting.push((depth, Reverse(parent)));
        }
        true
    }

    /// The length of the span, with altered children.
    fn recompute(&self, span: usize, scratch: &mut Scratch) -> i64 {
        let whole = self.layout.length(span);
        scratch.kids.clear();
        let all = self.layout.kids(span).iter().copied();
        let waited = all.filter(|kid| self.layout.waiting(*kid as usize) == Some(span));
        scratch.kids.extend(waited);
        scratch.ends.clear();
        scratch.before.clear();
        if scratch.kids.len() > KIDS_MAX {
            self.new_ends_of_many(span, whole, scratch);
        } else {
            self.new_ends(span, whole, scratch);
        }
        let (last, new_last) = self.last_to_end(span, whole, scratch);
        let replayed = new_last.saturating_add(whole - last).max(0);
        let altered = &scratch.altered;
        let answer = |answer: usize| {
            let known = u32::try_from(answer).ok().and_then(|kid| altered.get(&kid));
            known.map_or(self.layout.length(answer), |kid| kid.length)
        };
        let limits = &self.learned.limits;
        limits.apply(self.layout, span, replayed, answer)
    }

    /// When the last child ended and would end, each with the work that follows it.
    fn last_to_end(&self, span: usize, whole: i64, scratch: &mut Scratch) -> (i64, i64) {
        let covered = scratch.before.iter().fold(Earlier::default(), Earlier::or);
        let direct = (0..scratch.kids.len()).filter(|index| !covered.has(*index));
        let is_one = direct.clone().nth(1).is_none();
        let is_many = scratch.kids.len() > KIDS_MAX;
        let last = direct.filter_map(|index| {
            let kid = *scratch.kids.get(index)?;
            let new = *scratch.ends.get(index)?;
            let gap = if is_one || is_many {
                0
            } else {
                self.gap(span, (kid, None))
            };
            Some((self.place(kid)?.end().min(whole) + gap, new.max(0) + gap))
        });
        let last = last_of(last);
        scratch.is_unsure |= !is_one;
        last
    }

    /// The work that follows a child before a step of its parent.
    fn gap(&self, span: usize, (kid, step): (u32, Option<u32>)) -> i64 {
        let step = step.map(|step| step as usize);
        self.learned
            .gap(self.layout, span, (kid as usize, step), self.doubt)
    }

    fn place(&self, kid: u32) -> Option<&Place> {
        self.layout.place(kid as usize)
    }

    fn new_ends(&self, span: usize, whole: i64, scratch: &mut Scratch) {
        let tolerance = order::tolerance(self.layout, span);
        let mut is_unsure = false;
        scratch.before.clear();
        for (index, kid) in scratch.kids.iter().enumerate() {
            let Some(place) = self.place(*kid) else {
                continue;
            };
            let change = scratch.altered.get(kid);
            let earlier = scratch.kids.iter().take(index).enumerate();
            let mut waited = Earlier::default();
            for (at, other) in earlier {
                let pair = (*other as usize, *kid as usize);
                let ended = self
                    .place(*other)
                    .is_some_and(|other| other.end() <= place.start.saturating_add(tolerance));
                if ended && self.learned.may_precede(self.layout, span, pair, self.view) {
                    waited.add(at);
                }
            }
            // Those that another one of them waited for are not waited for again.
            let covered = scratch.before.iter().enumerate();
            let covered = covered
                .filter(|(at, _)| waited.has(*at))
                .fold(Earlier::default(), |all, (_, before)| all.or(before));
            scratch.before.push(waited);
            // The last to end of the others, each with the work that usually follows.
            let direct = (0..index).filter(|at| waited.has(*at) && !covered.has(*at));
            let is_one = direct.clone().nth(1).is_none();
            is_unsure |= !is_one;
            let ends = direct.clone().filter_map(|at| {
                let other = *scratch.kids.get(at)?;
                let gap = if is_one {
                    0
                } else {
                    self.gap(span, (other, Some(*kid)))
                };
                let end = self.place(other)?.end().min(whole);
                Some((end + gap, *scratch.ends.get(at)? + gap))
            });
            is_unsure |= direct.into_iter().any(|at| {
                let other = scratch.kids.get(at).map_or(0, |other| *other as usize);
                let pair = (other, *kid as usize);
                !self
                    .learned
                    .may_precede(self.layout, span, pair, View::Optimistic)
            });
            let (last, mut new_last) = last_of(ends.clone());
            if change.is_some_and(|change| change.is_parallel) {
                // It is left out; then the next to last counts.
                let others = ends.filter(|(end, _)| *end < last);
                new_last = others.map(|(_, new)| new).max().unwrap_or(0).max(0);
            }
            let start = new_last + (place.start - last);
            let end = new_end(place, change, whole, start);
            scratch.ends.push(end);
        }
        scratch.is_unsure |= is_unsure;
    }

    /// The same for very many children, each of which waited for all that had ended.
    fn new_ends_of_many(&self, span: usize, whole: i64, scratch: &mut Scratch) {
        let kids: Vec<(u32, &Place)> = scratch
            .kids
            .iter()
            .filter_map(|kid| Some((*kid, self.place(*kid)?)))
            .collect();
        let mut by_end: Vec<usize> = (0..kids.len()).collect();
        by_end.sort_by_key(|index| kids.get(*index).map(|(_, place)| place.end()));
        let mut ended = by_end.into_iter().peekable();
        let tolerance = order::tolerance(self.layout, span);
        let (mut last, mut new_last) = (0, 0);
        let ends = &mut scratch.ends;
        for (kid, place) in &kids {
            while let Some(index) = ended.next_if(|index| {
                *index < ends.len()
                    && kids.get(*index).is_some_and(|(_, other)| {
                        other.end() <= place.start.saturating_add(tolerance)
                    })
            }) {
                last = kids
                    .get(index)
                    .map_or(last, |(_, other)| other.end().max(last));
                new_last = ends.get(index).copied().unwrap_or(0).max(new_last);
            }
            ends.push(new_end(
                place,
                scratch.altered.get(kid),
                whole,
                new_last + place.start - last,
            ));
        }
    }
}

/// The latest of ends as they were and as they would be; zero of none.
fn last_of(ends: impl Iterator<Item = (i64, i64)>) -> (i64, i64) {
    ends.reduce(|(last, new_last), (end, new)| (last.max(end), new_last.max(new)))
        .unwrap_or((0, 0))
}

/// When the child ends for its parent. A child that outlasts its parent was given up when the
/// parent ended: it is waited for as long as that at most.
fn new_end(place: &Place, change: Option<&Altered>, whole: i64, start: i64) -> i64 {
    let patience = (whole - place.start).max(0);
    let length = change.map_or(place.length, |change| change.length);
    let length = if place.end() > whole {
        length.min(patience)
    } else {
        length
    };
    start.saturating_add(length)
}
