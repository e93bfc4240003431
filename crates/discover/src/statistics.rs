//! Quantiles and shares that say how sure they are.

use std::time::Duration;

use crate::interval::number;

/// The two-sided confidence of every interval.
const CONFIDENCE: f64 = 0.95;
/// The normal quantile that belongs to it.
pub(crate) const Z: f64 = 1.959_963_984_540_054;

/// `hits` of `total`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proportion {
    /// How many.
    pub hits: usize,
    /// Of how many.
    pub total: usize,
}

impl Proportion {
    /// Counts one more observation.
    pub(crate) fn count(&mut self, hit: Hit) {
        self.total += 1;
        self.hits += usize::from(hit == Hit::Yes);
    }

    /// Counts what others counted.
    pub(crate) fn add(&mut self, other: Self) {
        self.hits += other.hits;
        self.total += other.total;
    }

    /// The share; 0.0 of none.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of spans are far below 2^52"
    )]
    pub fn share(self) -> f64 {
        if self.total == 0 {
            0.0
        } else {
            self.hits as f64 / self.total as f64
        }
    }

    /// Wilson's 95 % score interval; `None` of none.
    ///
    /// Source: E. B. Wilson, "Probable inference, the law of succession, and statistical
    /// inference", JASA 22 (1927).
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of spans are far below 2^52"
    )]
    pub fn interval(self) -> Option<(f64, f64)> {
        if self.total == 0 {
            return None;
        }
        let n = self.total as f64;
        let share = self.share();
        let centre = share + Z * Z / (2.0 * n);
        let spread = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        // The ends of none and of all are exact.
        let low = if self.hits == 0 {
            0.0
        } else {
            (centre - spread) / scale
        };
        let high = if self.hits == self.total {
            1.0
        } else {
            (centre + spread) / scale
        };
        Some((low.max(0.0), high.min(1.0)))
    }
}

/// One observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hit {
    Yes,
    No,
}

impl From<bool> for Hit {
    fn from(flag: bool) -> Self {
        if flag { Self::Yes } else { Self::No }
    }
}

/// A quantile of `n` observations with its interval, or the word that there are too few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantile {
    /// There are enough observations.
    Estimated {
        /// The order statistic.
        value: Duration,
        /// The lower end of the 95 % interval.
        low: Duration,
        /// The upper end of the 95 % interval.
        high: Duration,
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

impl Quantile {
    /// The value, when it can be estimated.
    #[must_use]
    pub fn value(self) -> Option<Duration> {
        match self {
            Self::Estimated { value, .. } => Some(value),
            Self::NotEstimable { .. } => None,
        }
    }

    /// The value and the ends of its interval, when it can be estimated.
    pub(crate) fn ends(self) -> Option<(Duration, Duration, Duration)> {
        match self {
            Self::Estimated {
                value, low, high, ..
            } => Some((value, low, high)),
            Self::NotEstimable { .. } => None,
        }
    }

    /// The `p` quantile of `sorted`, with the exact binomial interval of order statistics.
    ///
    /// Source: H. A. David, H. N. Nagaraja, "Order Statistics", 3rd edition, section 7.1.
    pub(crate) fn of(sorted: &[Duration], p: f64) -> Self {
        let n = sorted.len();
        let Some((low, high)) = ranks(n, p) else {
            return Self::NotEstimable {
                n,
                needed: needed(p),
            };
        };
        let at = |rank: usize| {
            sorted
                .get(rank.saturating_sub(1))
                .copied()
                .unwrap_or_default()
        };
        Self::Estimated {
            value: at(rank(n, p)),
            low: at(low),
            high: at(high),
            n,
        }
    }
}

/// The rank, from 1, of the `p` quantile of `n` observations.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "n is far below 2^52 and the product is not negative"
)]
pub(crate) fn rank(n: usize, p: f64) -> usize {
    ((n as f64 * p).ceil() as usize).clamp(1, n.max(1))
}

/// The ranks, from 1, between which the `p` quantile lies with 95 % confidence; `None` when one of
/// them does not exist: P(X(low) <= q) and P(q <= X(high)) are each at least 97.5 %.
pub(crate) fn ranks(n: usize, p: f64) -> Option<(usize, usize)> {
    let tail = (1.0 - CONFIDENCE) / 2.0;
    // Too few are told without walking them, which most operations of a small capture have. A little more,
    // so that no rounding decides here.
    if i32::try_from(n).is_ok_and(|n| p.max(1.0 - p).powi(n) > tail * 1.000_001) {
        return None;
    }
    let mut below = 0.0;
    let (mut low, mut high) = (None, None);
    let first = first_likely(n, p);
    let mut logarithm = Logarithm::new(n, p, first);
    for successes in first..n {
        // `below` is P(Binomial(n, p) < successes): that fewer than `successes` lie below q.
        if below <= tail {
            low = (successes > 0).then_some(successes);
        }
        below += logarithm.next_probability();
        // Now P(Binomial <= successes): that q lies below X(successes + 1).
        if below >= 1.0 - tail {
            high = Some(successes + 1);
            break;
        }
    }
    Some((low?, high?))
}

/// How many successes are likely at least: fewer have a chance below 1e-20 in all.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "n is far below 2^52, and the number is not negative"
)]
fn first_likely(n: usize, p: f64) -> usize {
    let mean = n as f64 * p;
    let least = mean - 10.0 * (mean * (1.0 - p)).sqrt() - 10.0;
    // Among few, all are walked: Stirling's series wants large numbers.
    if least > 100.0 && n as f64 - mean > 100.0 {
        least as usize
    } else {
        0
    }
}

/// The logarithm of a factorial, by Stirling's series; for 100 and more it is exact to 1e-13.
fn factorial(n: f64) -> f64 {
    let series = 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3));
    n * n.ln() - n + 0.5 * (std::f64::consts::TAU * n).ln() + series
}

/// Walks the probabilities of Binomial(n, p) from one number on, in logarithms.
struct Logarithm {
    n: f64,
    k: f64,
    value: f64,
    odds: f64,
}

impl Logarithm {
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of spans are far below 2^52"
    )]
    fn new(n: usize, p: f64, first: usize) -> Self {
        let (n, k) = (n as f64, first as f64);
        let ways = if first == 0 {
            0.0
        } else {
            factorial(n) - factorial(k) - factorial(n - k)
        };
        Self {
            n,
            k,
            value: ways + k * p.ln() + (n - k) * (1.0 - p).ln(),
            odds: (p / (1.0 - p)).ln(),
        }
    }

    fn next_probability(&mut self) -> f64 {
        let probability = self.value.exp();
        self.value += ((self.n - self.k) / (self.k + 1.0)).ln() + self.odds;
        self.k += 1.0;
        probability
    }
}

/// The fewest observations with which both ranks exist.
pub(crate) fn needed(p: f64) -> usize {
    let tail: f64 = (1.0 - CONFIDENCE) / 2.0;
    let extreme = p.max(1.0 - p);
    let mut n = 1;
    let mut all = extreme;
    while all > tail {
        all *= extreme;
        n += 1;
    }
    n
}

/// How likely it is that at least as many of `some` are hits as there are, if chance alone gave the hits to `some` and
/// `others`. `some` are few: every number of hits that they could have is looked at.
///
/// Source: R. A. Fisher, "The Logic of Inductive Inference", Journal of the Royal Statistical Society 98(1), 1935.
pub(crate) fn exceeds_by_chance(some: Proportion, others: Proportion) -> f64 {
    let (hits, all) = (some.hits + others.hits, some.total + others.total);
    let ways = |hits_of_some: usize| {
        let misses = some.total - hits_of_some;
        Some(ln_choose(hits, hits_of_some)? + ln_choose(all - hits, misses)?)
    };
    let Some(of_all) = ln_choose(all, some.total) else {
        return 1.0;
    };
    let as_many = (some.hits..=some.total).filter_map(ways);
    as_many
        .map(|ways| (ways - of_all).exp())
        .sum::<f64>()
        .min(1.0)
}

/// The logarithm of in how many ways `k` of `n` are chosen; `None` when there are not so many.
fn ln_choose(n: usize, k: usize) -> Option<f64> {
    let rest = n.checked_sub(k)?;
    let fewer = k.min(rest);
    let ratio = |at: usize| (number(n - fewer + at) / number(at)).ln();
    Some((1..=fewer).map(ratio).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lady who tastes tea: eight cups, four of each kind, all told right is one of seventy ways.
    #[test]
    fn chance_gives_so_many_hits_as_fisher_counted() {
        let of = |hits, total| Proportion { hits, total };
        assert!((exceeds_by_chance(of(4, 4), of(0, 4)) - 1.0 / 70.0).abs() < 1e-12);
        assert!((exceeds_by_chance(of(3, 4), of(1, 4)) - 17.0 / 70.0).abs() < 1e-12);
        assert!((exceeds_by_chance(of(0, 4), of(4, 4)) - 1.0).abs() < 1e-12);
        assert!((exceeds_by_chance(of(4, 4), of(596, 596)) - 1.0).abs() < 1e-12);
        let rare = exceeds_by_chance(of(4, 4), of(0, 596));
        assert!(rare > 1e-11 && rare < 1e-9, "{rare}");
    }

    use proptest::prelude::*;

    fn numbers(n: u64) -> Vec<Duration> {
        (1..=n).map(Duration::from_nanos).collect()
    }

    #[test]
    fn a_quantile_is_withheld_below_the_size_that_bounds_it() {
        for (p, enough) in [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368)] {
            let short = Quantile::of(&numbers(enough - 1), p);
            assert_eq!(
                short,
                Quantile::NotEstimable {
                    n: usize::try_from(enough).unwrap() - 1,
                    needed: usize::try_from(enough).unwrap()
                }
            );
            assert!(Quantile::of(&numbers(enough), p).value().is_some(), "{p}");
        }
    }

    #[test]
    fn ranks_of_very_many_are_found_without_walking_all() {
        // By the normal approximation, within a rank or two; exact below.
        for (n, p) in [
            (100_000, 0.5),
            (100_000, 0.99),
            (20_000, 0.99),
            (1_000_000, 0.95),
        ] {
            assert!(first_likely(n, p) > 0, "{n} {p}");
            let (low, high) = ranks(n, p).unwrap();
            let mean = n as f64 * p;
            let reach = Z * (mean * (1.0 - p)).sqrt();
            assert!((low as f64 - (mean - reach)).abs() < 2.5, "{n} {p} {low}");
            assert!((high as f64 - (mean + reach)).abs() < 2.5, "{n} {p} {high}");
        }
        // The walk from zero gives the same.
        let walked = |n: usize, p: f64| {
            let mut sum = 0.0;
            let mut logarithm = Logarithm::new(n, p, 0);
            (1..=n).find(|_| {
                sum += logarithm.next_probability();
                sum >= 0.975
            })
        };
        let high = ranks(60_000, 0.9).unwrap().1;
        assert!(walked(60_000, 0.9).unwrap().abs_diff(high) <= 1, "{high}");
    }

    #[test]
    fn intervals_are_those_of_the_tables() {
        // Conover, "Practical Nonparametric Statistics": n = 20, median: ranks 6 and 15.
        assert_eq!(ranks(20, 0.5), Some((6, 15)));
        assert_eq!(ranks(100, 0.5), Some((40, 61)));
        let none = Proportion { hits: 0, total: 0 };
        assert_eq!(none.interval(), None);
        let (low, high) = Proportion { hits: 8, total: 8 }.interval().unwrap();
        assert!(
            (low - 0.6756).abs() < 1e-4 && (high - 1.0).abs() < 1e-9,
            "{low} {high}"
        );
        let (low, high) = Proportion { hits: 0, total: 10 }.interval().unwrap();
        assert!(
            low.abs() < 1e-9 && (high - 0.2775).abs() < 1e-4,
            "{low} {high}"
        );
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_value(n in 0_u64..3_000, p in 0.01_f64..0.999) {
            if let Quantile::Estimated { value, low, high, .. } = Quantile::of(&numbers(n), p) {
                prop_assert!(low <= value && value <= high);
            }
        }
    }
}
