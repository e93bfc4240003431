//! What would have happened to one trace: the lengths of its spans recomputed from below.
//!
//! A child starts as long after the last of those that it waited for as it did; a span ends as long
//! after the last of its children as it did; what happens inside a span of another host moves by
//! durations alone. That is the model, and there is nothing else in it: no queue, no contention.

use std::collections::{BTreeMap, HashMap};

use tidegate_trace::Trace;

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
    pub(crate) trace: &'a Trace,
    pub(crate) layout: &'a Layout,
    pub(crate) learned: &'a Learned,
    pub(crate) view: View,
}

impl Replay<'_> {
    /// The entries of the trace that take another time when the calls are changed.
    pub(crate) fn change(&self, calls: &[(u32, Change)]) -> Vec<Changed> {
        let mut altered: HashMap<u32, Altered> = HashMap::new();
        // Deepest first: a span is recomputed when all below it are.
        let mut waiting: BTreeMap<(std::cmp::Reverse<u32>, u32), ()> = BTreeMap::new();
        for (call, change) in calls {
            let length = self.layout.length(*call as usize);
            let length = match *change {
                Change::Asynchronous { publish } => publish,
                Change::Remove => 0,
                Change::Slow { by } => length.saturating_add(by).max(0),
                Change::Parallelise => length,
            };
            let is_parallel = *change == Change::Parallelise;
            altered.insert(
                *call,
                Altered {
                    length,
                    is_parallel,
                },
            );
            self.wait_for_parent(*call, &mut waiting);
        }
        let mut changed = Vec::new();
        while let Some(((_, span), ())) = waiting.pop_first() {
            if calls.iter().any(|(call, _)| *call == span) {
                // The caller does not wait for it anyhow, whatever happens below.
                continue;
            }
            let length = self.recompute(span as usize, &altered);
            altered.insert(
                span,
                Altered {
                    length,
                    is_parallel: false,
                },
            );
            if !self.wait_for_parent(span, &mut waiting) {
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
    fn wait_for_parent(
        &self,
        span: u32,
        waiting: &mut BTreeMap<(std::cmp::Reverse<u32>, u32), ()>,
    ) -> bool {
        let Some(parent) = self.waiting_parent(span as usize) else {
            return false;
        };
        let depth = self.layout.place(parent).map_or(0, |place| place.depth);
        if let Ok(parent) = u32::try_from(parent) {
            waiting.insert((std::cmp::Reverse(depth), parent), ());
        }
        true
    }

    /// The span that waits for this one.
    pub(crate) fn waiting_parent(&self, span: usize) -> Option<usize> {
        let parent = self.trace.parent(span)?;
        let waits = super::place::is_waited_for(self.trace, parent, span)
            && self.learned.waits(self.layout, parent, span);
        waits.then_some(parent)
    }

    /// The length of the span, with altered children.
    fn recompute(&self, span: usize, altered: &HashMap<u32, Altered>) -> i64 {
        let whole = self.layout.length(span);
        let kids: Vec<(u32, &Place)> = self
            .layout
            .kids(span)
            .iter()
            .filter(|kid| self.learned.waits(self.layout, span, **kid as usize))
            .filter_map(|kid| Some((*kid, self.layout.place(*kid as usize)?)))
            .collect();
        let ends = if kids.len() > KIDS_MAX {
            self.new_ends_of_many(span, &kids, whole, altered)
        } else {
            self.new_ends(span, &kids, whole, altered)
        };
        let last = kids
            .iter()
            .map(|(_, place)| place.end().min(whole))
            .max()
            .unwrap_or(0);
        let new_last = ends.into_iter().max().unwrap_or(0).max(0);
        let replayed = new_last.saturating_add(whole - last);
        let answer = |answer: usize| {
            let known = u32::try_from(answer).ok().and_then(|kid| altered.get(&kid));
            known.map_or(self.layout.length(answer), |kid| kid.length)
        };
        let limits = &self.learned.limits;
        limits.apply(self.layout, span, replayed, answer)
    }

    fn new_ends(
        &self,
        span: usize,
        kids: &[(u32, &Place)],
        whole: i64,
        altered: &HashMap<u32, Altered>,
    ) -> Vec<i64> {
        let mut ends: Vec<i64> = Vec::with_capacity(kids.len());
        let tolerance = order::tolerance(self.layout, span);
        for (index, (kid, place)) in kids.iter().enumerate() {
            let change = altered.get(kid);
            // The last to end of those that were waited for; when it is left out, the next to last.
            let mut before: Vec<(i64, i64)> = kids
                .iter()
                .zip(&ends)
                .take(index)
                .filter(|((earlier, other), _)| {
                    let pair = (*earlier as usize, *kid as usize);
                    other.end() <= place.start.saturating_add(tolerance)
                        && self.learned.may_precede(self.layout, span, pair, self.view)
                })
                .map(|((_, other), new)| (other.end().min(whole), *new))
                .collect();
            let last = before.iter().map(|(end, _)| *end).max().unwrap_or(0).max(0);
            let gap = place.start - last;
            if change.is_some_and(|change| change.is_parallel) {
                before.retain(|(end, _)| *end < last);
            }
            let new_last = before.iter().map(|(_, new)| *new).max().unwrap_or(0).max(0);
            ends.push(new_end(place, change, whole, new_last + gap));
        }
        ends
    }

    /// The same for very many children, each of which waited for all that had ended.
    fn new_ends_of_many(
        &self,
        span: usize,
        kids: &[(u32, &Place)],
        whole: i64,
        altered: &HashMap<u32, Altered>,
    ) -> Vec<i64> {
        let mut by_end: Vec<usize> = (0..kids.len()).collect();
        by_end.sort_by_key(|index| kids.get(*index).map(|(_, place)| place.end()));
        let mut ended = by_end.into_iter().peekable();
        let tolerance = order::tolerance(self.layout, span);
        let (mut last, mut new_last) = (0, 0);
        let mut ends: Vec<i64> = Vec::with_capacity(kids.len());
        for (kid, place) in kids {
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
                altered.get(kid),
                whole,
                new_last + place.start - last,
            ));
        }
        ends
    }
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
