//! How long callers wait at most, learned over all traces: many calls of one path that take the same
//! longest time were given up then.
//!
//! A call that was given up hides how long request and answer travelled; what the others of its path
//! show stands for it.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::layout::Layout;

/// The fewest calls that must end together to show a limit, and the share of the path's calls.
const TOGETHER_MIN: usize = 5;
const TOGETHER_SHARE: usize = 200;
/// How close together, as a part of the time.
const CLOSE: i64 = 10_000;

/// The limit of one call path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// How long the caller waits at most.
    pub(crate) most: i64,
    /// How long request and answer usually travel.
    travel: i64,
}

/// The limits of all call paths that show one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits(HashMap<u32, Limit, RandomState>);

impl Limits {
    pub(crate) fn from(layouts: &[Layout]) -> Self {
        let mut waits: HashMap<u32, Vec<(i64, i64)>, RandomState> = HashMap::default();
        let mut step = 1_000;
        for layout in layouts {
            for index in 0..layout.places.len() {
                if let (Some(answer), Some(place)) = (answer(layout, index), layout.place(index)) {
                    step = step.max(place.step());
                    let pair = (place.length, layout.length(answer));
                    waits.entry(place.path).or_default().push(pair);
                }
            }
        }
        let limits = waits.into_iter().filter_map(|(path, mut waits)| {
            waits.sort_unstable();
            let most = waits.last()?.0;
            let close = close(most, step);
            let below = waits.partition_point(|(length, _)| *length < most - close);
            let together = waits.len() - below;
            if together < TOGETHER_MIN.max(waits.len() / TOGETHER_SHARE) || below == 0 {
                return None;
            }
            let mut travels: Vec<i64> = waits
                .iter()
                .take(below)
                .map(|(length, answer)| length - answer)
                .collect();
            travels.sort_unstable();
            let travel = travels.get(travels.len() / 2).copied()?.max(0);
            Some((path, Limit { most, travel }))
        });
        Self(limits.collect())
    }

    /// How long the call takes when its answer takes so long, where it was given up or would be.
    pub(crate) fn apply(
        &self,
        layout: &Layout,
        call: usize,
        replayed: i64,
        answer: impl Fn(usize) -> i64,
    ) -> i64 {
        let Some((place, limit)) = layout
            .place(call)
            .and_then(|place| Some((place, self.0.get(&place.path)?)))
        else {
            return replayed;
        };
        let given_up = place.length >= limit.most - close(limit.most, place.step().max(1_000));
        match self::answer(layout, call) {
            Some(answered) if given_up => (answer(answered) + limit.travel).min(limit.most),
            _ => replayed.min(limit.most.max(place.length)),
        }
    }
}

fn close(most: i64, tolerance: i64) -> i64 {
    // Timers are late by a little; a tenth of a thousandth is far less than times vary.
    tolerance.max(most / CLOSE)
}

/// The one child that another host answers with.
fn answer(layout: &Layout, call: usize) -> Option<usize> {
    let [kid] = layout.kids(call) else {
        return None;
    };
    let kid = *kid as usize;
    layout
        .place(kid)
        .filter(|place| !place.same_clock)
        .map(|_| kid)
}
