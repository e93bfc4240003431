//! How long callers wait at most, learned over all traces: many calls of one path that take the same
//! longest time were given up then.
//!
//! A call that was given up hides how long request and answer travelled, but for this: longer than was left
//! when the callee had answered. What the others of its path show stands for it, and all together by the
//! estimator of what is hidden so: E. L. Kaplan, P. Meier, "Nonparametric Estimation from Incomplete
//! Observations", JASA 53 (1958).

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::layout::Layout;
use crate::interval::{nanos, number};

/// The fewest calls that must end together to show a limit, and the share of the path's calls.
const TOGETHER_MIN: usize = 5;
const TOGETHER_SHARE: usize = 200;
/// How close together, as a part of the time.
const CLOSE: i64 = 10_000;

/// Into so many parts of the same chance travels are put together.
const PARTS: u32 = 64;

/// The limit of one call path.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    /// How long the caller waits at most.
    pub(crate) most: i64,
    /// How long request and answer travel, shortest first, each with its chance.
    travels: Vec<(f64, f64)>,
}

impl Limit {
    /// How long a call that was given up after `length` would take on average when its answer took less long.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the mean of times up to the limit, which is a number of nanoseconds"
    )]
    fn instead(&self, length: i64, before: i64, after: i64) -> i64 {
        if after >= before {
            return length;
        }
        let (most, after) = (nanos(length), nanos(after));
        let left = most - nanos(before);
        let (mut sum, mut chance) = (0.0, 0.0);
        for (travel, own) in self.travels.iter().rev() {
            if *travel < left {
                break;
            }
            sum += own * (after + travel).min(most);
            chance += own;
        }
        if chance > 0.0 {
            (sum / chance) as i64
        } else {
            // None was seen to travel as long: as long as this one must have.
            (after + left).min(most) as i64
        }
    }
}

/// The chances of travels, of which some are seen and of others only that they are at least so long.
fn travels(mut seen: Vec<i64>, mut at_least: Vec<i64>) -> Vec<(f64, f64)> {
    seen.sort_unstable();
    at_least.sort_unstable();
    let (mut left, mut hidden) = (seen.len() + at_least.len(), at_least.iter().peekable());
    let mut survival = 1.0;
    let mut parts: Vec<(f64, f64)> = Vec::new();
    let (mut sum, mut chance) = (0.0, 0.0);
    for (index, travel) in seen.iter().enumerate() {
        while hidden.next_if(|least| *least < travel).is_some() {
            left = left.saturating_sub(1);
        }
        let own = survival / number(left.max(1));
        left = left.saturating_sub(1);
        // What is longer than all that were seen is as long as the longest.
        let own = if index + 1 == seen.len() {
            survival
        } else {
            own
        };
        survival -= own;
        sum += own * nanos(*travel);
        chance += own;
        if chance >= 1.0 / f64::from(PARTS) || index + 1 == seen.len() {
            parts.push((sum / chance, chance));
            (sum, chance) = (0.0, 0.0);
        }
    }
    parts
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
            let (answered, given_up) = waits.split_at(below);
            let seen = answered
                .iter()
                .map(|(length, answer)| (length - answer).max(0));
            let hidden = given_up.iter().map(|(_, answer)| most - answer);
            let hidden = hidden.filter(|least| *least > 0);
            let travels = travels(seen.collect(), hidden.collect());
            Some((path, Limit { most, travels }))
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
            Some(answered) if given_up => {
                let before = layout.length(answered);
                limit.instead(place.length, before, answer(answered))
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_travels_are_put_where_the_seen_ones_are() {
        // Nothing hidden: each is as likely.
        assert_eq!(travels(vec![3, 1], vec![]), [(1.0, 0.5), (3.0, 0.5)]);
        // By the estimator: 1 of 4 ends at 1; one of two that are left at 3, as one was lost from sight at 2.
        let all = travels(vec![1, 3, 5], vec![2]);
        assert_eq!(all, [(1.0, 0.25), (3.0, 0.375), (5.0, 0.375)]);
        // The rest is as long as the longest.
        assert_eq!(travels(vec![1], vec![7]), [(1.0, 1.0)]);
    }

    #[test]
    fn a_call_that_was_given_up_travelled_longer_than_was_left() {
        let travels = vec![(10.0, 0.5), (30.0, 0.5)];
        let limit = Limit { most: 100, travels };
        // 85 were gone: only the longer travel was given up.
        assert_eq!(limit.instead(100, 85, 50), 80);
        assert_eq!(limit.instead(100, 85, 80), 100);
        // Both were, and either may have been.
        assert_eq!(limit.instead(100, 95, 50), 70);
        // It travelled longer than any other.
        assert_eq!(limit.instead(100, 60, 50), 90);
        // Nothing else happens, nothing is saved.
        assert_eq!(limit.instead(100, 95, 95), 100);
    }
}
