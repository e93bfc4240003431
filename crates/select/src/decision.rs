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
