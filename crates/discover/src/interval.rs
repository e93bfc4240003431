//! Differences between what was and what would have been, with intervals that say how sure they are.
//!
//! Sources: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 12 (the
//! bootstrap-t, here over blocks of time); H. A. David, H. N. Nagaraja, "Order Statistics", 3rd
//! edition, section 7.1.

use tidegate_base::Random;

use crate::statistics;

/// The fewest requests that a mean can be estimated from.
const MEAN_MIN: usize = 10;
/// The fewest requests that must differ.
const AFFECTED_MIN: usize = 5;
/// How often a mean is resampled.
const RESAMPLES: usize = 399;
/// How many standard errors an interval extends at most to each side.
const RATIO_MAX: f64 = 6.0;
/// How often a quantile is resampled, and from how many requests on.
const QUANTILE_RESAMPLES: usize = 199;
const QUANTILE_RESAMPLES_MIN: f64 = 3_000.0;
/// Most and fewest blocks of time, and how long they are where there is enough time.
const BLOCKS_MAX: usize = 60;
const BLOCKS_MIN: usize = 20;
const BLOCK_SECONDS: f64 = 60.0;

/// A number with its 95 % interval, or the word that there are too few observations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Estimate {
    /// There are enough observations.
    Estimated {
        /// The number.
        value: f64,
        /// The lower end of the interval.
        low: f64,
        /// The upper end of the interval.
        high: f64,
        /// How many observations.
        n: usize,
    },
    /// An interval would have no end.
    NotEstimable {
        /// How many observations there are.
        n: usize,
        /// How many it takes.
        needed: usize,
    },
}

impl Estimate {
    /// The number, when it can be estimated.
    #[must_use]
    pub fn value(self) -> Option<f64> {
        match self {
            Self::Estimated { value, .. } => Some(value),
            Self::NotEstimable { .. } => None,
        }
    }

    /// The interval, when there is one.
    #[must_use]
    pub fn interval(self) -> Option<(f64, f64)> {
        match self {
            Self::Estimated { low, high, .. } => Some((low, high)),
            Self::NotEstimable { .. } => None,
        }
    }

    /// The same with the interval widened to both sides.
    pub(crate) fn widened(self, below: f64, above: f64) -> Self {
        match self {
            Self::Estimated {
                value,
                low,
                high,
                n,
            } => Self::Estimated {
                value,
                low: low - below.max(0.0),
                high: high + above.max(0.0),
                n,
            },
            few @ Self::NotEstimable { .. } => few,
        }
    }
}

/// One request: how long it took, how long it would have, and how many requests it stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paired {
    pub(crate) before: i64,
    pub(crate) after: i64,
    pub(crate) weight: f64,
}

impl Paired {
    pub(crate) fn saved(&self) -> f64 {
        nanos(self.before) - nanos(self.after)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "durations of requests are far below 2^52 nanoseconds"
)]
pub(crate) fn nanos(value: i64) -> f64 {
    value as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of spans are far below 2^52"
)]
pub(crate) fn number(value: usize) -> f64 {
    value as f64
}

/// How many requests the weighted ones are worth.
pub(crate) fn effective(pairs: &[Paired]) -> f64 {
    let sum: f64 = pairs.iter().map(|pair| pair.weight).sum();
    let squares: f64 = pairs.iter().map(|pair| pair.weight * pair.weight).sum();
    if squares > 0.0 {
        sum * sum / squares
    } else {
        0.0
    }
}

/// The weighted mean of what is saved; 0 of none.
pub(crate) fn mean_saved(pairs: &[Paired]) -> f64 {
    let sum: f64 = pairs.iter().map(|pair| pair.weight).sum();
    let saved: f64 = pairs.iter().map(|pair| pair.saved() * pair.weight).sum();
    if sum > 0.0 { saved / sum } else { 0.0 }
}

/// The requests in order of time, cut into blocks that are resampled whole.
pub(crate) fn blocks(count: usize, seconds: f64) -> usize {
    let by_time = if seconds.is_finite() && seconds > 0.0 {
        (seconds / BLOCK_SECONDS).clamp(number(BLOCKS_MIN), number(BLOCKS_MAX))
    } else {
        number(BLOCKS_MIN)
    };
    // Without a minute for each block, blocks are shorter: fewer would tell nothing.
    floor(by_time).min(count).max(1)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number is small and not negative"
)]
fn floor(value: f64) -> usize {
    value.floor().max(0.0) as usize
}

/// The mean of what is saved, with an interval by the bootstrap-t over blocks.
pub(crate) fn mean(pairs: &[Paired], blocks: usize, name: &str) -> Estimate {
    let n = pairs.len();
    let affected = pairs
        .iter()
        .filter(|pair| pair.before != pair.after)
        .count();
    if n < MEAN_MIN {
        return Estimate::NotEstimable {
            n,
            needed: MEAN_MIN,
        };
    }
    if affected < AFFECTED_MIN {
        return Estimate::NotEstimable {
            n: affected,
            needed: AFFECTED_MIN,
        };
    }
    let sums: Vec<(f64, f64)> = block_ranges(n, blocks)
        .map(|range| {
            let pairs = pairs.get(range).unwrap_or_default().iter();
            pairs.fold((0.0, 0.0), |(saved, weight), pair| {
                (saved + pair.saved() * pair.weight, weight + pair.weight)
            })
        })
        .collect();
    let (value, error) = ratio(sums.iter().copied());
    let random = Random::new(1, "bootstrap", name);
    let mut index = 0;
    let mut ratios: Vec<f64> = Vec::with_capacity(RESAMPLES);
    let mut drawn = Vec::with_capacity(sums.len());
    for _ in 0..RESAMPLES {
        drawn.clear();
        for _ in 0..sums.len() {
            drawn.extend(sums.get(pick(random, index, sums.len())));
            index += 1;
        }
        let (mean, spread) = ratio(drawn.iter().copied());
        if spread > 0.0 {
            ratios.push((mean - value) / spread);
        }
    }
    ratios.sort_by(f64::total_cmp);
    let at = |p: f64| {
        let rank = floor(number(ratios.len()) * p).min(ratios.len().saturating_sub(1));
        ratios.get(rank).copied().unwrap_or(0.0)
    };
    // Few blocks make ratios without bounds; and no mean lies outside of what was seen.
    let bounded = |ratio: f64| ratio.clamp(-RATIO_MAX, RATIO_MAX);
    let saved = || pairs.iter().map(Paired::saved);
    let (least, most) = (
        saved().fold(f64::INFINITY, f64::min),
        saved().fold(f64::NEG_INFINITY, f64::max),
    );
    Estimate::Estimated {
        value,
        low: (value - bounded(at(0.975)) * error).max(least).min(value),
        high: (value - bounded(at(0.025)) * error).min(most).max(value),
        n,
    }
}

fn pick(random: Random, index: u64, count: usize) -> usize {
    let drawn = u128::from(random.bits(index)) * u128::try_from(count).unwrap_or(1);
    usize::try_from(drawn >> 64).unwrap_or(0)
}

fn block_ranges(n: usize, blocks: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let blocks = blocks.max(1);
    (0..blocks).map(move |block| (block * n / blocks)..((block + 1) * n / blocks))
}

/// The mean of a ratio over blocks, and its standard error.
fn ratio(sums: impl Iterator<Item = (f64, f64)> + Clone) -> (f64, f64) {
    let (mut saved, mut weight, mut count) = (0.0, 0.0, 0.0);
    for (a, b) in sums.clone() {
        saved += a;
        weight += b;
        count += 1.0;
    }
    if weight <= 0.0 || count < 2.0 {
        return (0.0, 0.0);
    }
    let mean = saved / weight;
    let squares: f64 = sums.map(|(a, b)| (a - mean * b).powi(2)).sum();
    (mean, (count / (count - 1.0) * squares).sqrt() / weight)
}

/// Requests in order of their length, with the weight up to each.
struct Ranked(Vec<(i64, f64)>);

impl Ranked {
    fn new(values: impl Iterator<Item = (i64, f64)>) -> Self {
        let mut all: Vec<(i64, f64)> = values.collect();
        all.sort_unstable_by_key(|(value, _)| *value);
        let mut sum = 0.0;
        for (_, weight) in &mut all {
            sum += *weight;
            *weight = sum;
        }
        Self(all)
    }

    /// The value below which the share `part` of all weight lies.
    fn at(&self, part: f64) -> f64 {
        let whole = self.0.last().map_or(0.0, |(_, sum)| *sum);
        // A little less, so that sums of fractions do not miss their own rank.
        let aim = part * whole - whole * 1e-12;
        let index = self.0.partition_point(|(_, sum)| *sum < aim);
        let found = self.0.get(index).or(self.0.last());
        found.map_or(0.0, |(value, _)| nanos(*value))
    }
}

/// The `p` quantile of all requests before, less that after; with an interval that holds both, or
/// from 3,000 requests on by resampling blocks.
pub(crate) fn quantile(pairs: &[Paired], blocks: usize, p: f64, name: &str) -> Estimate {
    let worth = effective(pairs);
    let n = floor(worth + 1e-6);
    let Some((low, high)) = statistics::ranks(n, p) else {
        return Estimate::NotEstimable {
            n,
            needed: statistics::needed(p),
        };
    };
    let before = Ranked::new(pairs.iter().map(|pair| (pair.before, pair.weight)));
    let after = Ranked::new(pairs.iter().map(|pair| (pair.after, pair.weight)));
    let part = |rank: usize| number(rank) / number(n);
    let point = part(statistics::rank(n, p));
    let value = before.at(point) - after.at(point);
    let (low, high) = if worth >= QUANTILE_RESAMPLES_MIN {
        resampled(pairs, blocks, point, name)
    } else {
        (
            before.at(part(low)) - after.at(part(high)),
            before.at(part(high)) - after.at(part(low)),
        )
    };
    Estimate::Estimated {
        value,
        low: low.min(value),
        high: high.max(value),
        n: pairs.len(),
    }
}

/// The percentile interval of the difference, over blocks drawn again.
fn resampled(pairs: &[Paired], blocks: usize, p: f64, name: &str) -> (f64, f64) {
    let n = pairs.len();
    let blocks = blocks.max(1);
    let block_of = |index: usize| (index * blocks + blocks - 1) / n.max(1);
    let order = |key: fn(&Paired) -> i64| {
        let mut order: Vec<(i64, f64, usize)> = pairs
            .iter()
            .enumerate()
            .map(|(index, pair)| (key(pair), pair.weight, block_of(index).min(blocks - 1)))
            .collect();
        order.sort_unstable_by_key(|(value, ..)| *value);
        order
    };
    let (before, after) = (order(|pair| pair.before), order(|pair| pair.after));
    let random = Random::new(1, "bootstrap quantile", name);
    let mut index = 0;
    let mut times = vec![0.0; blocks];
    let mut differences = Vec::with_capacity(QUANTILE_RESAMPLES);
    for _ in 0..QUANTILE_RESAMPLES {
        times.fill(0.0);
        for _ in 0..blocks {
            if let Some(count) = times.get_mut(pick(random, index, blocks)) {
                *count += 1.0;
            }
            index += 1;
        }
        differences.push(weighted(&before, &times, p) - weighted(&after, &times, p));
    }
    differences.sort_by(f64::total_cmp);
    let at = |p: f64| {
        let rank = floor(number(differences.len()) * p);
        differences.get(rank).copied().unwrap_or(0.0)
    };
    (at(0.025), at(0.975))
}

fn weighted(order: &[(i64, f64, usize)], times: &[f64], p: f64) -> f64 {
    let weight =
        |(_, weight, block): &(i64, f64, usize)| weight * times.get(*block).copied().unwrap_or(0.0);
    let whole: f64 = order.iter().map(weight).sum();
    let mut sum = 0.0;
    for entry in order {
        sum += weight(entry);
        if sum >= p * whole {
            return nanos(entry.0);
        }
    }
    0.0
}
