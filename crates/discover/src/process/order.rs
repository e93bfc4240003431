//! Which activities wait for which: learned over all cases.
//!
//! Two activities are concurrent when they overlap in time, or directly follow each other both
//! ways without being a loop. What is not concurrent is ordered. Source of the second rule: A.
//! Weijters, J. Ribeiro, "Flexible Heuristics Miner", CIDM 2011, as the concurrency oracle of D.
//! Chapela-Campa, M. Dumas, "Enhancing business process simulation models with extraneous activity
//! delays", Information Systems 122 (2024).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use tidegate_base::Timestamp;

use super::found::Concurrent;
use super::timeline::{Timeline, Work};

/// The share of cases with both in which they must overlap.
const OVERLAP_SHARE: f64 = 0.05;
/// How one-sided direct following is when the one causes the other.
const DEPENDENCY: f64 = 0.9;

/// How two activities stand to each other; the smaller index first.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    forth: usize,
    back: usize,
    /// `a b a` and `b a b`.
    loops: usize,
    /// Cases in which they overlap.
    overlaps: usize,
    /// Cases with both.
    both: usize,
}

/// The learned order.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    concurrent: BTreeSet<(usize, usize)>,
    pairs: BTreeMap<(usize, usize), (usize, usize)>,
}

impl Order {
    pub(super) fn learn(timeline: &Timeline) -> Self {
        let mut pairs: BTreeMap<(usize, usize), Pair> = BTreeMap::new();
        for (_, works) in timeline.each() {
            follow(works, &mut pairs);
            for pair in overlapping(works) {
                pairs.entry(pair).or_default().overlaps += 1;
            }
        }
        for (_, works) in timeline.each() {
            let here: BTreeSet<usize> = works.iter().map(|work| work.activity).collect();
            // Only pairs that may be concurrent are counted: the others are many.
            for a in &here {
                for (pair, found) in pairs.range_mut((*a, 0)..=(*a, usize::MAX)) {
                    found.both += usize::from(here.contains(&pair.1));
                }
            }
        }
        let concurrent = pairs.iter().filter(|(_, pair)| pair.is_concurrent());
        Self {
            concurrent: concurrent.map(|(pair, _)| *pair).collect(),
            pairs: pairs
                .iter()
                .map(|(pair, found)| (*pair, (found.overlaps, found.both)))
                .collect(),
        }
    }

    pub(super) fn is_concurrent(&self, a: usize, b: usize) -> bool {
        a != b && self.concurrent.contains(&(a.min(b), a.max(b)))
    }

    /// The concurrent pairs by name.
    pub(super) fn pairs(&self, timeline: &Timeline) -> Vec<Concurrent> {
        let name = |index: &usize| timeline.activities.get(*index).cloned().unwrap_or_default();
        self.concurrent
            .iter()
            .map(|pair| {
                let (overlaps, both) = self.pairs.get(pair).copied().unwrap_or_default();
                Concurrent {
                    first: name(&pair.0),
                    second: name(&pair.1),
                    overlaps: crate::Proportion {
                        hits: overlaps,
                        total: both,
                    },
                }
            })
            .collect()
    }
}

impl Pair {
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of works are far below 2^52"
    )]
    fn is_concurrent(&self) -> bool {
        let share = self.overlaps as f64 / self.both.max(1) as f64;
        if self.overlaps >= 2 && share >= OVERLAP_SHARE {
            return true;
        }
        let (forth, back, loops) = (self.forth as f64, self.back as f64, self.loops as f64);
        let dependency = (forth - back).abs() / (forth + back + 1.0);
        let looped = loops / (loops + 1.0);
        self.forth.min(self.back) >= 2 && dependency < DEPENDENCY && looped < DEPENDENCY
    }
}

/// Counts what directly follows what in one case.
fn follow(works: &[Work], pairs: &mut BTreeMap<(usize, usize), Pair>) {
    for (place, window) in works.windows(2).enumerate() {
        let [one, two] = window else { continue };
        let (a, b) = (one.activity, two.activity);
        if a == b {
            continue;
        }
        let pair = pairs.entry((a.min(b), a.max(b))).or_default();
        if a < b {
            pair.forth += 1;
        } else {
            pair.back += 1;
        }
        let third = works.get(place + 2);
        pair.loops += usize::from(third.is_some_and(|third| third.activity == a));
    }
}

/// Pairs of activities that overlap in one case, each once.
fn overlapping(works: &[Work]) -> BTreeSet<(usize, usize)> {
    let mut found = BTreeSet::new();
    let mut active: Vec<&Work> = Vec::new();
    for work in works {
        active.retain(|earlier| earlier.end > work.begin());
        for earlier in &active {
            let (a, b) = (earlier.activity, work.activity);
            // Both must last: a moment at the edge of another is an order, not an overlap.
            if a != b && work.end > work.begin() {
                found.insert((a.min(b), a.max(b)));
            }
        }
        active.push(work);
    }
    found
}

/// What a work had to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Enabling {
    /// When it could have started.
    pub(super) time: Timestamp,
    /// The work whose end that is; `None` where the log says the time or the case begins with it.
    pub(super) by: Option<usize>,
}

/// For each work what enabled it: the last to end of those before it that it is ordered after;
/// `None` for the first of a case, whose arrival the log does not say. A time in the log goes
/// before what is learned, where it is not before that work's end.
pub(super) fn enablings(timeline: &Timeline, order: &Order) -> Vec<Option<Enabling>> {
    let mut enablings = Vec::with_capacity(timeline.works.len());
    for (first, works) in timeline.each() {
        let mut latest: BTreeMap<usize, (Timestamp, usize)> = BTreeMap::new();
        let mut running: BinaryHeap<Reverse<(Timestamp, usize)>> = BinaryHeap::new();
        let begin = works.first().map(Work::begin);
        for (place, work) in works.iter().enumerate() {
            while let Some(Reverse((end, index))) = running.peek().copied() {
                if end > work.begin() {
                    break;
                }
                running.pop();
                if let Some(done) = works.get(index) {
                    let best = latest.entry(done.activity).or_insert((end, index));
                    *best = (*best).max((end, index));
                }
            }
            let before = latest
                .iter()
                .filter(|(activity, _)| !order.is_concurrent(**activity, work.activity))
                .map(|(_, best)| *best)
                .max();
            let learned = match before {
                Some((time, index)) => Some(Enabling {
                    time,
                    by: Some(first + index),
                }),
                // Concurrent with all before it: it could start with the case.
                None if place > 0 => begin.map(|time| Enabling { time, by: None }),
                None => None,
            };
            enablings.push(match (work.told, learned) {
                (Some(time), Some(learned)) => Some(Enabling {
                    time: time.max(learned.time).min(work.begin()),
                    by: learned.by,
                }),
                (Some(time), None) => Some(Enabling {
                    time: time.min(work.begin()),
                    by: None,
                }),
                (None, learned) => learned,
            });
            running.push(Reverse((work.end, place)));
        }
    }
    enablings
}
