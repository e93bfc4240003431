//! Ranking by a weighted sum, and what is dominated.
//!
//! Source: E. Triantaphyllou and A. Sánchez, "A Sensitivity Analysis Approach for Some
//! Deterministic Multi-Criteria Decision-Making Methods", Decision Sciences, 1997.

use serde::Serialize;

/// A value from 0 to 1 of which only bounds are sure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The least that it can be.
    pub low: f64,
    /// The value that is ranked by.
    pub value: f64,
    /// The most that it can be.
    pub high: f64,
}

impl Interval {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        low: 0.0,
        value: 0.5,
        high: 1.0,
    };

    /// A value with bounds; each is brought into 0 to 1, and bounds do not exclude the value.
    #[must_use]
    pub fn new(low: f64, value: f64, high: f64) -> Self {
        let value = value.clamp(0.0, 1.0);
        Self {
            low: low.clamp(0.0, value),
            value,
            high: high.clamp(value, 1.0),
        }
    }

    /// A value that is sure.
    #[must_use]
    pub fn exact(value: f64) -> Self {
        Self::new(value, value, value)
    }

    /// 1 for yes, 0 for no.
    #[must_use]
    pub fn of_flag(flag: Option<bool>) -> Self {
        flag.map_or(Self::UNKNOWN, |flag| Self::exact(f64::from(u8::from(flag))))
    }

    /// The mean; unknown when there is nothing.
    #[must_use]
    pub fn mean(intervals: impl Iterator<Item = Self>) -> Self {
        let all: Vec<Self> = intervals.collect();
        if all.is_empty() {
            return Self::UNKNOWN;
        }
        let mean = |part: fn(&Self) -> f64| all.iter().map(part).sum::<f64>() / all.len() as f64;
        Self::new(mean(|i| i.low), mean(|i| i.value), mean(|i| i.high))
    }
}

/// An option as the decision sees it: a value for each criterion.
pub(crate) type Values = Vec<Interval>;

/// The weighted sum; weights sum to 1.
pub(crate) fn score(values: &[Interval], weights: &[f64]) -> f64 {
    values
        .iter()
        .zip(weights)
        .map(|(value, weight)| value.value * weight)
        .sum()
}

/// Weights in the same proportions that sum to 1; equal ones when none is above zero.
pub(crate) fn normalised(weights: &[f64]) -> Vec<f64> {
    let sound = |w: &f64| if w.is_finite() { w.max(0.0) } else { 0.0 };
    let sum: f64 = weights.iter().map(sound).sum();
    if sum > 0.0 && sum.is_finite() {
        weights.iter().map(|w| sound(w) / sum).collect()
    } else {
        weights.iter().map(|_| 1.0 / weights.len() as f64).collect()
    }
}

/// The places of `alternatives`, the best first; equal ones in their order.
pub(crate) fn ranked(alternatives: &[Values], weights: &[f64]) -> Vec<(usize, f64)> {
    let mut places: Vec<(usize, f64)> = alternatives
        .iter()
        .map(|values| score(values, weights))
        .enumerate()
        .collect();
    places.sort_by(|a, b| b.1.total_cmp(&a.1));
    places
}

/// Whether `better` is at least as good as `worse` by every criterion, and better by one, however
/// the unknowns turn out.
pub(crate) fn dominates(better: &[Interval], worse: &[Interval]) -> bool {
    let pairs = || better.iter().zip(worse);
    pairs().all(|(b, w)| b.low >= w.high) && pairs().any(|(b, w)| b.low > w.high)
}

/// Where changing one weight makes another option win.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FlipPoint {
    /// The place of the criterion.
    pub(crate) criterion: usize,
    /// The place of the option that wins beyond.
    pub(crate) rival: usize,
    /// What the criterion weighs now.
    pub(crate) weight: f64,
    /// What it would have to weigh, the others keeping their proportions.
    pub(crate) at: f64,
}

/// For each criterion the nearest weight on either side at which `winner` is overtaken, the nearest
/// of all first.
///
/// With D the lead, d the lead by the criterion alone and w its weight, R = (D − w·d) / (1 − w) is
/// the lead by all others; the lead is zero at w* = −R / (d − R).
pub(crate) fn flips(alternatives: &[Values], weights: &[f64], winner: usize) -> Vec<FlipPoint> {
    let Some(best) = alternatives.get(winner) else {
        return Vec::new();
    };
    let mut flips = Vec::new();
    for (criterion, &weight) in weights.iter().enumerate() {
        let points = || {
            alternatives
                .iter()
                .enumerate()
                .filter(|(rival, _)| *rival != winner)
                .filter_map(move |(rival, values)| {
                    let at = tie(best, values, weights, criterion)?;
                    Some(FlipPoint {
                        criterion,
                        rival,
                        weight,
                        at,
                    })
                })
        };
        let nearest = |points: &mut dyn Iterator<Item = FlipPoint>| {
            points.min_by(|a, b| (a.at - weight).abs().total_cmp(&(b.at - weight).abs()))
        };
        flips.extend(nearest(&mut points().filter(|point| point.at >= weight)));
        flips.extend(nearest(&mut points().filter(|point| point.at < weight)));
    }
    flips.sort_by(|a, b| (a.at - a.weight).abs().total_cmp(&(b.at - b.weight).abs()));
    flips
}

/// The weight of `criterion` at which `a` and `b` score the same; `None` when there is none in 0 to 1
/// other than a tie at every weight.
fn tie(a: &[Interval], b: &[Interval], weights: &[f64], criterion: usize) -> Option<f64> {
    let weight = *weights.get(criterion)?;
    let by_it = a.get(criterion)?.value - b.get(criterion)?.value;
    let lead = score(a, weights) - score(b, weights);
    if weight >= 1.0 {
        // The others weigh nothing: in which proportions they would grow is not known.
        return None;
    }
    let by_others = (lead - weight * by_it) / (1.0 - weight);
    let slope = by_it - by_others;
    let at = -by_others / slope;
    (slope != 0.0 && (0.0..=1.0).contains(&at)).then_some(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(values: &[f64]) -> Values {
        values.iter().map(|value| Interval::exact(*value)).collect()
    }

    fn alternatives() -> impl Strategy<Value = Vec<Values>> {
        let values = proptest::collection::vec(0.0..1.0_f64, 4);
        proptest::collection::vec(values.prop_map(|values| exact(&values)), 2..6)
    }

    fn weights() -> impl Strategy<Value = Vec<f64>> {
        proptest::collection::vec(0.05..1.0_f64, 4).prop_map(|raw| normalised(&raw))
    }

    /// The weights when criterion `place` weighs `weight` and the others keep their proportions.
    fn with(weights: &[f64], place: usize, weight: f64) -> Vec<f64> {
        let rest = 1.0 - weights[place];
        let scaled = weights.iter().map(|w| w / rest * (1.0 - weight));
        scaled
            .enumerate()
            .map(|(k, w)| if k == place { weight } else { w })
            .collect()
    }

    #[test]
    fn a_flip_by_hand() {
        // a is good by the first criterion, b by the second: they tie at one half.
        let both = [exact(&[1.0, 0.0]), exact(&[0.0, 1.0])];
        let flips = flips(&both, &[0.7, 0.3], 0);
        assert_eq!(flips.len(), 2);
        assert!((flips[0].at - 0.5).abs() < 1e-12 && flips[0].rival == 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// Walking each weight over a grid meets the same changes of the winner as the formula.
        #[test]
        fn a_grid_of_weights_agrees_with_the_formula(all in alternatives(), weights in weights()) {
            let winner = ranked(&all, &weights)[0].0;
            let flips = flips(&all, &weights, winner);
            for place in 0..weights.len() {
                let of_this = flips.iter().filter(|flip| flip.criterion == place);
                let (above, below): (Vec<&FlipPoint>, _) =
                    of_this.partition(|flip| flip.at >= weights[place]);
                let first_above = above.first().map_or(f64::INFINITY, |flip| flip.at);
                let first_below = below.first().map_or(f64::NEG_INFINITY, |flip| flip.at);
                for step in 0..=1_000 {
                    let weight = f64::from(step) / 1_000.0;
                    let scores = with(&weights, place, weight);
                    let best = ranked(&all, &scores)[0];
                    let lead = best.1 - score(&all[winner], &scores);
                    if first_below + 1e-9 < weight && weight < first_above - 1e-9 {
                        prop_assert!(lead < 1e-9, "{place} at {weight}: {best:?} beats {winner}");
                    }
                }
                for flip in above.iter().chain(&below) {
                    let tied = with(&weights, place, flip.at);
                    let gap = score(&all[winner], &tied) - score(&all[flip.rival], &tied);
                    prop_assert!(gap.abs() < 1e-9, "no tie at {}", flip.at);
                    let beyond = flip.at + (flip.at - weights[place]).signum() * 1e-6;
                    if (0.0..=1.0).contains(&beyond) && beyond != flip.at {
                        let past = with(&weights, place, beyond);
                        let gap = score(&all[flip.rival], &past) - score(&all[winner], &past);
                        prop_assert!(gap > -1e-12, "no flip beyond {}", flip.at);
                    }
                }
            }
        }

        #[test]
        fn a_dominated_alternative_never_changes_the_order(
            all in alternatives(),
            weights in weights(),
            place in 0_usize..6,
            loss in 0.01..0.5_f64,
        ) {
            let better = all[place % all.len()].clone();
            let worse: Values =
                better.iter().map(|i| Interval::exact((i.value - loss).max(0.0))).collect();
            prop_assume!(dominates(&better, &worse));
            let before = ranked(&all, &weights);
            let mut more = all.clone();
            more.push(worse);
            let after: Vec<_> =
                ranked(&more, &weights).into_iter().filter(|(p, _)| *p < all.len()).collect();
            prop_assert_eq!(before, after);
            // And a dominated one never scores above the one that dominates it.
            prop_assert!(score(&more[all.len()], &weights) <= score(&better, &weights));
        }

        #[test]
        fn weights_are_shares_whatever_is_given(raw in proptest::collection::vec(proptest::num::f64::ANY, 1..8)) {
            let shares = normalised(&raw);
            prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{shares:?}");
            prop_assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
        }
    }

    #[test]
    fn what_is_not_known_dominates_nothing_and_is_not_dominated() {
        let unknown = vec![Interval::UNKNOWN, Interval::exact(1.0)];
        let known = exact(&[0.9, 0.5]);
        assert!(!dominates(&unknown, &known) && !dominates(&known, &unknown));
        assert!(dominates(&exact(&[0.9, 1.0]), &known));
        assert!(!dominates(&known, &known));
    }
}
