//! How much the means of two captures differ, and how sure that is for all of them together.
//!
//! Sources: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 12 and 16 (two samples, here of
//! blocks of time); P. H. Westfall, S. S. Young, "Resampling-Based Multiple Testing", 1993, chapter 2 (the largest of all
//! studentised differences).

use std::time::Duration;

use crate::interval::{self, Estimate, Moments, RATIO_MAX, RESAMPLES, number};

/// The fewest times on each side that a mean is told from.
const TIMES_MIN: usize = 10;
/// The fewest blocks of each side in which it happened: of fewer, chance cannot be told.
const BLOCKS_SEEN_MIN: usize = 8;
/// The confidence with which all intervals hold together.
const CONFIDENCE: f64 = 0.95;
/// The resolution of clocks: means that differ by less are the same.
const RESOLUTION: f64 = 1e-9;

/// How long something took and how often it happened, in each block of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocks(Vec<(Duration, usize)>);

impl Blocks {
    /// Of so many blocks, with nothing in them.
    pub(crate) fn new(count: usize) -> Self {
        Self(vec![(Duration::ZERO, 0); count])
    }

    /// Counts what took so long in one block.
    pub(crate) fn add(&mut self, block: usize, time: Duration) {
        if let Some((total, count)) = self.0.get_mut(block) {
            *total += time;
            *count += 1;
        }
    }

    fn count(&self) -> usize {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// How long it took on average, in seconds; zero when it did not happen.
    pub(crate) fn mean(&self) -> f64 {
        let time: Duration = self.0.iter().map(|(time, _)| time).sum();
        time.as_secs_f64() / number(self.count().max(1))
    }

    /// In how many blocks it happened.
    fn seen(&self) -> usize {
        self.0.iter().filter(|(_, count)| *count > 0).count()
    }
}

/// A mean over blocks, and what is off it in each.
struct Side {
    mean: f64,
    error: f64,
    rest: Vec<Moments>,
}

impl Side {
    fn of(blocks: &Blocks) -> Self {
        let each = blocks.0.iter();
        let sums: Vec<(f64, f64)> = each
            .map(|(time, count)| (time.as_secs_f64(), number(*count)))
            .collect();
        let (mean, error) = interval::ratio(&sums);
        let rest = sums
            .iter()
            .map(|(time, count)| Moments::of(time - mean * count, *count));
        Self {
            mean,
            error,
            rest: rest.collect(),
        }
    }
}

/// One mean on both sides.
struct Pair {
    before: Side,
    after: Side,
}

impl Pair {
    fn value(&self) -> f64 {
        let value = self.after.mean - self.before.mean;
        if value.abs() < RESOLUTION { 0.0 } else { value }
    }

    fn error(&self) -> f64 {
        self.before.error.hypot(self.after.error)
    }

    /// The difference of a draw in its own errors; the sides are drawn apart.
    fn studentised(&self, draw: usize) -> f64 {
        let times = |side: &Side, draw: usize| -> (f64, f64) {
            let blocks = side.rest.len();
            let drawn = interval::draws(blocks)
                .chunks_exact(blocks.max(1))
                .nth(draw);
            let drawn = drawn.and_then(|times| interval::drawn(&side.rest, times));
            drawn.unwrap_or_default()
        };
        let (before, error_before) = times(&self.before, draw);
        let (after, error_after) = times(&self.after, (draw + RESAMPLES / 2) % RESAMPLES);
        let error = error_before.hypot(error_after);
        if error > 0.0 {
            ((after - before) / error).abs()
        } else {
            0.0
        }
    }
}

/// By how many seconds the mean of each is larger after than before. The intervals hold together: that any of them misses
/// has a chance of 5 %, however many there are.
pub(crate) fn contrasts(all: &[(&Blocks, &Blocks)]) -> Vec<Estimate> {
    let pairs: Vec<Option<Pair>> = all
        .iter()
        .map(|(before, after)| {
            missing(before, after).is_none().then(|| Pair {
                before: Side::of(before),
                after: Side::of(after),
            })
        })
        .collect();
    let mut largest: Vec<f64> = (0..RESAMPLES)
        .map(|draw| {
            let each = pairs.iter().flatten().map(|pair| pair.studentised(draw));
            each.fold(0.0, f64::max)
        })
        .collect();
    largest.sort_unstable_by(f64::total_cmp);
    let rank = interval::floor(number(largest.len()) * CONFIDENCE);
    let reach = largest.get(rank).copied().unwrap_or(RATIO_MAX);
    let reach = reach.min(RATIO_MAX);
    all.iter()
        .zip(&pairs)
        .map(|((before, after), pair)| match pair {
            Some(pair) => {
                let (value, error) = (pair.value(), pair.error());
                Estimate::Estimated {
                    value,
                    low: value - reach * error,
                    high: value + reach * error,
                    n: before.count().min(after.count()),
                }
            }
            None => missing(before, after).unwrap_or(Estimate::NotEstimable {
                n: 0,
                needed: TIMES_MIN,
            }),
        })
        .collect()
}

/// What there is too little of to tell.
fn missing(before: &Blocks, after: &Blocks) -> Option<Estimate> {
    let few =
        |n: usize, needed: usize| (n < needed).then_some(Estimate::NotEstimable { n, needed });
    few(before.count().min(after.count()), TIMES_MIN)
        .or_else(|| few(before.seen().min(after.seen()), BLOCKS_SEEN_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_base::Random;

    /// Twenty blocks of a capture in which an operation takes a time of that mean.
    fn capture(random: Random, first: u64, mean: f64) -> Blocks {
        let mut blocks = Blocks::new(20);
        for run in 0..200_u64 {
            // What happens in one block is not independent.
            let load = 0.5 + random.uniform(first + run / 10);
            let time = mean * load * random.exponential(first + 1_000 + run);
            blocks.add(
                usize::try_from(run / 10).unwrap(),
                Duration::from_secs_f64(time),
            );
        }
        blocks
    }

    fn interval(estimate: &Estimate) -> (f64, f64) {
        estimate.interval().unwrap()
    }

    /// Of forty operations that are the same on both sides hardly ever one is said to differ; one that takes twice as long
    /// is found.
    #[test]
    fn all_intervals_hold_together() {
        let (mut held, mut found) = (0, 0);
        for trial in 0..100 {
            let random = Random::new(trial, "contrast", "hold");
            let sides: Vec<(Blocks, Blocks)> = (0..40)
                .map(|row| {
                    let mean = if row == 0 { 0.020 } else { 0.010 };
                    let before = capture(random, row * 10_000, 0.010);
                    (before, capture(random, row * 10_000 + 5_000, mean))
                })
                .collect();
            let sides: Vec<(&Blocks, &Blocks)> = sides.iter().map(|(a, b)| (a, b)).collect();
            let estimates = contrasts(&sides);
            let (first, rest) = estimates.split_first().unwrap();
            found += usize::from(interval(first).0 > 0.0);
            let holds = |estimate: &Estimate| {
                let (low, high) = interval(estimate);
                low <= 0.0 && 0.0 <= high
            };
            held += usize::from(rest.iter().all(holds));
        }
        assert!(held >= 90, "held {held}");
        assert!(found >= 60, "found {found}");
    }

    #[test]
    fn the_same_capture_does_not_differ_and_few_runs_tell_nothing() {
        let one = capture(Random::new(1, "contrast", "same"), 0, 0.01);
        let same = contrasts(&[(&one, &one)]);
        let (low, high) = interval(&same[0]);
        assert!(same[0].value() == Some(0.0) && low < 0.0 && high > 0.0);
        let mut few = Blocks::new(20);
        for block in 0..9 {
            few.add(block, Duration::from_millis(1));
        }
        let expected = Estimate::NotEstimable { n: 9, needed: 10 };
        assert_eq!(contrasts(&[(&few, &one)]), [expected]);
        // Many in few blocks are no better.
        few = Blocks::new(20);
        (0..99).for_each(|run| few.add(run % 7, Duration::from_millis(1)));
        let expected = Estimate::NotEstimable { n: 7, needed: 8 };
        assert_eq!(contrasts(&[(&few, &one)]), [expected]);
    }
}
