//! Differences between what was and what would have been, with intervals that say how sure they are.
//!
//! Sources: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 12 (the
//! bootstrap-t, here over blocks of time); H. A. David, H. N. Nagaraja, "Order Statistics", 3rd
//! edition, section 7.1.

use std::sync::OnceLock;

use tidegate_base::Random;

use crate::statistics;

/// The fewest requests that a mean can be estimated from.
const MEAN_MIN: usize = 10;
/// The fewest requests that must differ.
const AFFECTED_MIN: usize = 5;
/// How often a mean is resampled.
pub(crate) const RESAMPLES: usize = 399;
/// How many standard errors an interval extends at most to each side.
pub(crate) const RATIO_MAX: f64 = 6.0;
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
pub(crate) fn floor(value: f64) -> usize {
    value.floor().max(0.0) as usize
}

/// How often each block is drawn, in each of [`RESAMPLES`] draws of as many blocks. All estimates over
/// so many blocks use the same draws: made once, and what is compared is drawn alike.
pub(crate) fn draws(blocks: usize) -> &'static [f64] {
    static DRAWN: [OnceLock<Vec<f64>>; BLOCKS_MAX + 1] =
        [const { OnceLock::new() }; BLOCKS_MAX + 1];
    let drawn = DRAWN.get(blocks).map(|drawn| {
        drawn.get_or_init(|| {
            let random = Random::new(1, "bootstrap", "");
            let mut times = vec![0.0; RESAMPLES * blocks];
            let mut index = 0;
            for draw in times.chunks_exact_mut(blocks.max(1)) {
                for _ in 0..blocks {
                    if let Some(times) = draw.get_mut(pick(random, index, blocks)) {
                        *times += 1.0;
                    }
                    index += 1;
                }
            }
            times
        })
    });
    drawn.map(Vec::as_slice).unwrap_or_default()
}

/// The mean of what is saved, with an interval by the bootstrap-t over blocks.
pub(crate) fn mean(pairs: &[Paired], blocks: usize) -> Estimate {
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
    let blocks = blocks.clamp(1, BLOCKS_MAX);
    let sums: Vec<(f64, f64)> = block_ranges(n, blocks)
        .map(|range| {
            let pairs = pairs.get(range).unwrap_or_default().iter();
            pairs.fold((0.0, 0.0), |(saved, weight), pair| {
                (saved + pair.saved() * pair.weight, weight + pair.weight)
            })
        })
        .collect();
    let (value, error) = ratio(&sums);
    // From the mean: what is squared stays small.
    let rest: Vec<Moments> = sums
        .iter()
        .map(|(saved, weight)| Moments::of(saved - value * weight, *weight))
        .collect();
    let draws = draws(blocks).chunks_exact(blocks);
    let mut ratios: Vec<f64> = Vec::with_capacity(RESAMPLES);
    for times in draws {
        ratios.extend(studentised(&rest, times));
    }
    let mut at = |p: f64| {
        let rank = floor(number(ratios.len()) * p).min(ratios.len().saturating_sub(1));
        if ratios.is_empty() {
            return 0.0;
        }
        *ratios.select_nth_unstable_by(rank, f64::total_cmp).1
    };
    let (from, to) = (at(0.025), at(0.975));
    // Few blocks make ratios without bounds; and no mean lies outside of what was seen.
    let bounded = |ratio: f64| ratio.clamp(-RATIO_MAX, RATIO_MAX);
    let saved = || pairs.iter().map(Paired::saved);
    let (least, most) = (
        saved().fold(f64::INFINITY, f64::min),
        saved().fold(f64::NEG_INFINITY, f64::max),
    );
    Estimate::Estimated {
        value,
        low: (value - bounded(to) * error).max(least).min(value),
        high: (value - bounded(from) * error).min(most).max(value),
        n,
    }
}

/// What a block adds to the sums of a draw: what is there off the mean, its weight, and their products.
pub(crate) struct Moments([f64; 5]);

impl Moments {
    pub(crate) fn of(off: f64, weight: f64) -> Self {
        Self([off, weight, off * off, off * weight, weight * weight])
    }
}

/// The mean of a draw in its own standard errors.
fn studentised(rest: &[Moments], times: &[f64]) -> Option<f64> {
    let (mean, error) = drawn(rest, times)?;
    (error > 0.0).then_some(mean / error)
}

/// The mean of a draw and its standard error, in one pass over its blocks: the sum of `(a - mean b)²` from those of the
/// products. `None` when nothing was drawn.
#[inline]
pub(crate) fn drawn(rest: &[Moments], times: &[f64]) -> Option<(f64, f64)> {
    let mut sums = [0.0; 5];
    for (Moments(each), times) in rest.iter().zip(times) {
        for (sum, each) in sums.iter_mut().zip(each) {
            *sum += each * times;
        }
    }
    let [off, weight, aa, ab, bb] = sums;
    let (count, mean) = (number(rest.len()), off / weight);
    let squares = (aa - 2.0 * mean * ab + mean * mean * bb).max(0.0);
    let spread = (count / (count - 1.0) * squares).sqrt() / weight;
    (weight > 0.0).then_some((mean, spread))
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
pub(crate) fn ratio(sums: &[(f64, f64)]) -> (f64, f64) {
    let saved: f64 = sums.iter().map(|(saved, _)| saved).sum();
    let weight: f64 = sums.iter().map(|(_, weight)| weight).sum();
    let count = number(sums.len());
    if weight <= 0.0 || count < 2.0 {
        return (0.0, 0.0);
    }
    let mean = saved / weight;
    let squares: f64 = sums.iter().map(|(a, b)| (a - mean * b).powi(2)).sum();
    (mean, (count / (count - 1.0) * squares).sqrt() / weight)
}

/// Requests in order of their length.
#[derive(Debug)]
pub(crate) struct Ranked {
    /// Length, weight, and block of time.
    all: Vec<(i64, f64, u32)>,
    /// The weight up to each.
    sums: Vec<f64>,
}

impl Ranked {
    pub(crate) fn new(pairs: &[Paired], blocks: usize, value: impl Fn(&Paired) -> i64) -> Self {
        let n = pairs.len().max(1);
        let block = |index: usize| ((index * blocks + blocks - 1) / n).min(blocks - 1);
        let mut all: Vec<(i64, f64, u32)> = pairs
            .iter()
            .enumerate()
            .map(|(index, pair)| {
                let block = u32::try_from(block(index)).unwrap_or(0);
                (value(pair), pair.weight, block)
            })
            .collect();
        all.sort_unstable_by_key(|(value, _, block)| (*value, *block));
        let mut sum = 0.0;
        let sums = all.iter().map(|(_, weight, _)| {
            sum += weight;
            sum
        });
        let sums = sums.collect();
        Self { all, sums }
    }

    fn rank(&self, part: f64) -> usize {
        let whole = self.sums.last().copied().unwrap_or(0.0);
        // A little less, so that sums of fractions do not miss their own rank.
        let aim = part * whole - whole * 1e-12;
        let rank = self.sums.partition_point(|sum| *sum < aim);
        rank.min(self.all.len().saturating_sub(1))
    }

    /// The value below which the share `part` of all weight lies.
    fn at(&self, part: f64) -> f64 {
        self.all
            .get(self.rank(part))
            .map_or(0.0, |(value, ..)| nanos(*value))
    }

    /// Around the share `part` of all: only there a quantile falls when blocks are drawn again.
    fn around(&self, part: f64, blocks: usize) -> Around<'_> {
        let rank = self.rank(part);
        let n = number(self.all.len());
        // Blocks differ more than single requests do: many times the spread of these.
        let reach = floor(30.0 * (n * part * (1.0 - part)).sqrt()) + 20;
        let from = rank.saturating_sub(reach);
        let to = (rank + reach).min(self.all.len());
        let mut below = vec![0.0; blocks];
        let mut whole = vec![0.0; blocks];
        for (index, (_, weight, block)) in self.all.iter().enumerate() {
            if let Some(whole) = whole.get_mut(*block as usize) {
                *whole += weight;
            }
            if index < from
                && let Some(below) = below.get_mut(*block as usize)
            {
                *below += weight;
            }
        }
        Around {
            all: self.all.get(from..to).unwrap_or_default(),
            below,
            whole,
            part,
        }
    }
}

/// The requests around one quantile, and the weight of those below, in each block.
struct Around<'a> {
    all: &'a [(i64, f64, u32)],
    below: Vec<f64>,
    whole: Vec<f64>,
    part: f64,
}

impl Around<'_> {
    /// The quantile when the blocks are drawn so many times.
    fn at(&self, times: &[f64]) -> f64 {
        let sum = |weights: &[f64]| -> f64 {
            let each = weights.iter().zip(times);
            each.map(|(weight, times)| weight * times).sum()
        };
        let aim = self.part * sum(&self.whole);
        let mut reached = sum(&self.below);
        for (value, weight, block) in self.all {
            reached += weight * times.get(*block as usize).copied().unwrap_or(0.0);
            if reached >= aim {
                return nanos(*value);
            }
        }
        self.all.last().map_or(0.0, |(value, ..)| nanos(*value))
    }
}

/// The quantiles of all requests before, which are given ranked, less those after; with an interval that holds both, or from
/// 3,000 requests on by resampling blocks.
pub(crate) fn quantiles<const N: usize>(
    pairs: &[Paired],
    before: &Ranked,
    blocks: usize,
    parts: [f64; N],
) -> [Estimate; N] {
    let blocks = blocks.clamp(1, BLOCKS_MAX);
    let worth = effective(pairs);
    let n = floor(worth + 1e-6);
    let after = Ranked::new(pairs, blocks, |pair| pair.after);
    parts.map(|p| {
        let Some((low, high)) = statistics::ranks(n, p) else {
            return Estimate::NotEstimable {
                n,
                needed: statistics::needed(p),
            };
        };
        let part = |rank: usize| number(rank) / number(n);
        let point = part(statistics::rank(n, p));
        let value = before.at(point) - after.at(point);
        let (low, high) = if worth >= QUANTILE_RESAMPLES_MIN {
            resampled(before, &after, blocks, point)
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
    })
}

/// The percentile interval of the difference, over blocks drawn again.
fn resampled(before: &Ranked, after: &Ranked, blocks: usize, p: f64) -> (f64, f64) {
    let (before, after) = (before.around(p, blocks), after.around(p, blocks));
    let mut differences: Vec<f64> = draws(blocks)
        .chunks_exact(blocks)
        .take(QUANTILE_RESAMPLES)
        .map(|times| before.at(times) - after.at(times))
        .collect();
    differences.sort_unstable_by(f64::total_cmp);
    let at = |p: f64| {
        let rank = floor(number(differences.len()) * p);
        differences.get(rank).copied().unwrap_or(0.0)
    };
    (at(0.025), at(0.975))
}
