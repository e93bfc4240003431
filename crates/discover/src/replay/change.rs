//! What would have happened to one trace: the lengths of its spans recomputed from below.
//!
//! A child starts as long after the last of those that it waited for as it did; a span ends as long
//! after the last of its children as it did; what happens inside a span of another host moves by
//! durations alone. That is the model, and there is nothing else in it: no queue, no contention.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::gaps::Doubt;
use super::layout::{Layout, Parent, Place};
use super::order::{self, KIDS_MAX, Learned, View};
use super::waits::{Earlier, Lists};

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
    /// It starts together with the call that it came right after; what came after it waits for both.
    Parallelise,
}

/// The new length of a child, and whether it no longer waits for the one right before it.
#[derive(Clone, Copy, Debug, Default)]
struct Altered {
    length: i64,
    is_parallel: bool,
    /// It is what was changed: the caller does not wait for it anyhow, whatever happens below.
    is_call: bool,
}

/// Room that is used again for every trace.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// By span: what was altered, and in which trace's turn.
    altered: Vec<(u32, Altered)>,
    turn: u32,
    /// Spans to recompute, by their depth: a span is recomputed when all below it are.
    waiting: BinaryHeap<(u32, Reverse<u32>)>,
    starts: Vec<i64>,
    /// When what comes after each child may begin: its end, and of one that starts together with others theirs too.
    ends: Vec<i64>,
    pub(crate) changed: Vec<Changed>,
    /// The lists of a view that is seldom asked for.
    lists: Lists,
    before: Vec<Earlier>,
    /// Whether another view of what waits for what may come to another result.
    pub(crate) is_unsure: bool,
}

impl Scratch {
    fn begin(&mut self, spans: usize) {
        if self.altered.len() < spans {
            self.altered.resize(spans, (0, Altered::default()));
        }
        self.turn = self.turn.wrapping_add(1);
        if self.turn == 0 {
            self.altered.fill((0, Altered::default()));
            self.turn = 1;
        }
        self.waiting.clear();
        self.changed.clear();
        self.is_unsure = false;
    }

    fn alter(&mut self, span: u32, altered: Altered) {
        if let Some(place) = self.altered.get_mut(span as usize) {
            *place = (self.turn, altered);
        }
    }

    /// When a child that starts together with the last of those that it came after may begin, as it waits for the others as
    /// before; and when what comes after it may, as that waits for all of them. `ends` are those of `direct`, as they were
    /// and as they would be.
    fn together(
        &self,
        direct: &[u16],
        ends: impl Iterator<Item = (i64, i64)>,
        last: i64,
    ) -> (i64, i64) {
        let (mut begin, mut after) = (0, 0);
        for (at, (end, new)) in direct.iter().zip(ends) {
            let at = usize::from(*at);
            if end < last {
                begin = begin.max(new);
                continue;
            }
            begin = begin.max(self.starts.get(at).copied().unwrap_or(0));
            after = after.max(self.ends.get(at).copied().unwrap_or(0));
        }
        (begin, after)
    }

    fn altered(&self, span: u32) -> Option<&Altered> {
        let (turn, altered) = self.altered.get(span as usize)?;
        (*turn == self.turn).then_some(altered)
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
    /// Finds the entries of the trace that take another time when the calls are changed.
    pub(crate) fn change(&self, calls: &[(u32, Change)], scratch: &mut Scratch) {
        scratch.begin(self.layout.places.len());
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
            scratch.alter(*call, altered);
            self.wait_for_parent(*call, scratch);
        }
        let mut last = None;
        while let Some((_, Reverse(span))) = scratch.waiting.pop() {
            let known = scratch.altered(span);
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
            scratch.alter(span, altered);
            if !self.wait_for_parent(span, scratch) {
                let before = self.layout.length(span as usize);
                scratch.changed.push(Changed {
                    entry: span as usize,
                    before,
                    after: length,
                });
            }
        }
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
        let (parent, kids) = self.layout.parent(span);
        scratch.ends.clear();
        scratch.starts.clear();
        scratch.is_unsure |= parent.is_unsure;
        let (last, new_last) = if kids.len() > KIDS_MAX {
            self.new_ends_of_many((span, kids), whole, scratch);
            let last = kids.iter().filter_map(|kid| Some(self.place(*kid)?.end()));
            let new_last = scratch.ends.iter().copied().max();
            (
                last.max().unwrap_or(0).min(whole),
                new_last.unwrap_or(0).max(0),
            )
        } else {
            self.new_ends((span, kids), parent, whole, scratch)
        };
        let replayed = new_last.saturating_add(whole - last).max(0);
        let answer = |answer: usize| {
            let kid = u32::try_from(answer).ok();
            let known = kid.and_then(|kid| scratch.altered(kid));
            known.map_or(self.layout.length(answer), |kid| kid.length)
        };
        let limits = &self.learned.limits;
        limits.apply(self.layout, span, replayed, answer)
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

    /// When each child would start, and when what follows it could; when the last of them ended and would, each with the
    /// work that follows it.
    fn new_ends(
        &self,
        (span, kids): (usize, &[u32]),
        parent: Parent,
        whole: i64,
        scratch: &mut Scratch,
    ) -> (i64, i64) {
        // What all traces say is known beforehand; what else may be is found where it is asked for.
        let mut lists = std::mem::take(&mut scratch.lists);
        if self.view == View::Optimistic {
            lists.clear();
            let kids = (span, kids);
            lists.add(
                self.layout,
                kids,
                self.learned,
                self.view,
                &mut scratch.before,
            );
        }
        let direct = |step: usize| match self.view {
            View::Pessimistic => self.layout.waited_before(parent, step),
            View::Optimistic => lists.get(step),
        };
        for (index, kid) in kids.iter().enumerate() {
            let Some(place) = self.place(*kid) else {
                scratch.ends.push(0);
                scratch.starts.push(0);
                continue;
            };
            let change = scratch.altered(*kid);
            let direct = direct(index);
            // The last to end of those, each with the work that usually follows.
            let ends = direct.iter().filter_map(|at| {
                let other = *kids.get(usize::from(*at))?;
                let gap = match direct {
                    [_] => 0,
                    _ => self.gap(span, (other, Some(*kid))),
                };
                let end = self.place(other)?.end().min(whole);
                Some((end + gap, *scratch.ends.get(usize::from(*at))? + gap))
            });
            let (last, mut new_last) = last_of(ends.clone());
            let mut beside = 0;
            if change.is_some_and(|change| change.is_parallel) {
                (new_last, beside) = scratch.together(direct, ends, last);
            }
            let start = new_last + (place.start - last);
            let end = new_end(place, change, whole, start);
            scratch.starts.push(start);
            scratch.ends.push(end.max(beside));
        }
        let direct = direct(kids.len());
        let last = last_of(direct.iter().filter_map(|at| {
            let kid = *kids.get(usize::from(*at))?;
            let gap = match direct {
                [_] => 0,
                _ => self.gap(span, (kid, None)),
            };
            let new = *scratch.ends.get(usize::from(*at))?;
            Some((self.place(kid)?.end().min(whole) + gap, new.max(0) + gap))
        }));
        scratch.lists = lists;
        last
    }

    /// The same for very many children, each of which waited for all that had ended.
    fn new_ends_of_many(&self, (span, kids): (usize, &[u32]), whole: i64, scratch: &mut Scratch) {
        let kids: Vec<(u32, &Place)> = kids
            .iter()
            .filter_map(|kid| Some((*kid, self.place(*kid)?)))
            .collect();
        let mut by_end: Vec<usize> = (0..kids.len()).collect();
        by_end.sort_by_key(|index| kids.get(*index).map(|(_, place)| place.end()));
        let mut ended = by_end.into_iter().peekable();
        let tolerance = order::tolerance(self.layout, span);
        let (mut last, mut new_last) = (0, 0);
        let mut ends = std::mem::take(&mut scratch.ends);
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
                scratch.altered(*kid),
                whole,
                new_last + place.start - last,
            ));
        }
        scratch.ends = ends;
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
