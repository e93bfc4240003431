//! Whether what the caller does next depends on how the call was answered: mutual information, tested
//! by permutation.
//!
//! Sources: G. A. Miller, "Note on the bias of information estimates", 1955; M. S. Roulston, "Estimating the errors on
//! measured entropy and mutual information", Physica D 125, 1999 (the interval); P. Good,
//! "Permutation, Parametric and Bootstrap Tests of Hypotheses", 3rd edition, 2005; J. Besag, P. Clifford,
//! "Sequential Monte Carlo p-values", Biometrika 78(2), 1991.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;
use tidegate_base::Random;

use crate::interval::number;
use crate::statistics::Z;

/// The fewest occurrences of the rarer answers.
const MINORITY_MIN: usize = 50;
/// How often the answers are shuffled at most.
const PERMUTATIONS: usize = 199;
/// They are not shuffled again once so many shuffled answers told as much: then chance explains it.
const AS_MUCH_MAX: usize = 20;
/// Most pairs that are looked at.
const PAIRS_MAX: usize = 5_000;

/// The result of the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Test {
    /// Bits of information that the answer holds about what is next, without its bias.
    pub(crate) bits: f64,
    /// The 95 % interval of that.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// How often shuffled answers told as much: small when they depend.
    pub(crate) chance: f64,
    pub(crate) n: usize,
}

/// Tests pairs of answers and what was next; `None` when too few answers differ from the usual one.
pub(crate) fn test(pairs: &[(u64, u64)]) -> Option<Test> {
    let pairs = pairs.get(..pairs.len().min(PAIRS_MAX)).unwrap_or_default();
    let n = pairs.len();
    let usual = counts(pairs.iter().map(|(answer, _)| *answer))
        .into_values()
        .max()?;
    if n - usual < MINORITY_MIN {
        return None;
    }
    let (answers, nexts): (Vec<u64>, Vec<u64>) = pairs.iter().copied().unzip();
    let (mut answers, answer_kinds) = coded(&answers);
    let (nexts, next_kinds) = coded(&nexts);
    let mut table = Table::new(answer_kinds, next_kinds);
    let found = table.information(&answers, &nexts);
    let reach = Z * (table.variance(found) / number(n)).sqrt();
    let random = Random::new(1, "permutation", "");
    let (mut index, mut as_much, mut shuffled) = (0, 0, 0);
    while shuffled < PERMUTATIONS && as_much < AS_MUCH_MAX {
        for last in (1..n).rev() {
            let drawn = u128::from(random.bits(index)) * u128::try_from(last + 1).unwrap_or(1);
            answers.swap(last, usize::try_from(drawn >> 64).unwrap_or(0));
            index += 1;
        }
        as_much += usize::from(table.information(&answers, &nexts) >= found - 1e-12);
        shuffled += 1;
    }
    let chance = if as_much == AS_MUCH_MAX {
        number(as_much) / number(shuffled)
    } else {
        number(as_much + 1) / number(shuffled + 1)
    };
    let kinds = |values: &mut dyn Iterator<Item = u64>| number(counts(values).len());
    // Miller and Madow: chance alone tells this much, on average.
    let both = counts(answers_and(pairs)).len();
    let spread = kinds(&mut pairs.iter().map(|pair| pair.0))
        + kinds(&mut pairs.iter().map(|pair| pair.1))
        - number(both)
        - 1.0;
    let bias = spread / (2.0 * number(n) * std::f64::consts::LN_2);
    let bits = (found + bias).max(0.0);
    Some(Test {
        bits,
        low: (bits - reach).max(0.0),
        high: bits + reach,
        chance,
        n,
    })
}

fn answers_and(pairs: &[(u64, u64)]) -> impl Iterator<Item = (u64, u64)> {
    pairs.iter().copied()
}

fn counts<T: Eq + Hash>(values: impl Iterator<Item = T>) -> HashMap<T, usize, RandomState> {
    let mut counts = HashMap::default();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts
}

/// The values by number, in the order of their first appearance, and how many there are.
fn coded(values: &[u64]) -> (Vec<usize>, usize) {
    let mut numbers: HashMap<u64, usize, RandomState> = HashMap::default();
    let coded = values.iter().map(|value| {
        let next = numbers.len();
        *numbers.entry(*value).or_insert(next)
    });
    let coded = coded.collect();
    (coded, numbers.len())
}

/// How often each pair of numbers occurs; used again for every permutation.
struct Table {
    columns: usize,
    both: Vec<usize>,
    rows: Vec<usize>,
    of_columns: Vec<usize>,
}

impl Table {
    fn new(rows: usize, columns: usize) -> Self {
        Self {
            columns,
            both: vec![0; rows * columns],
            rows: vec![0; rows],
            of_columns: vec![0; columns],
        }
    }

    /// What one tells of the other, in bits.
    fn information(&mut self, a: &[usize], b: &[usize]) -> f64 {
        self.both.fill(0);
        self.rows.fill(0);
        self.of_columns.fill(0);
        let add = |counts: &mut Vec<usize>, at: usize| {
            if let Some(count) = counts.get_mut(at) {
                *count += 1;
            }
        };
        for (a, b) in a.iter().zip(b) {
            add(&mut self.both, a * self.columns + b);
            add(&mut self.rows, *a);
            add(&mut self.of_columns, *b);
        }
        entropy(&self.rows) + entropy(&self.of_columns) - entropy(&self.both)
    }

    /// The variance of what a single pair tells, as it was counted last.
    fn variance(&self, information: f64) -> f64 {
        let n = number(self.rows.iter().sum());
        let cells = self
            .both
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0);
        let squares = cells.filter_map(|(at, count)| {
            let row = self.rows.get(at / self.columns)?;
            let column = self.of_columns.get(at % self.columns)?;
            let ratio = number(*count) * n / (number(*row) * number(*column));
            Some(number(*count) / n * (ratio.log2() - information).powi(2))
        });
        squares.sum()
    }
}

fn entropy(counts: &[usize]) -> f64 {
    let n = number(counts.iter().sum());
    let shares = counts.iter().filter(|count| **count > 0);
    shares
        .map(|count| number(*count) / n)
        .map(|share| -share * share.log2())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_the_answer_is_told_from_what_does_not() {
        let random = Random::new(5, "test", "");
        let flips = |index: u64| random.bits(index) & 1;
        let bound: Vec<(u64, u64)> = (0..200).map(|at| (flips(at), flips(at))).collect();
        let free: Vec<(u64, u64)> = (0..200).map(|at| (flips(at), flips(at + 1_000))).collect();
        let (bound, free) = (test(&bound).unwrap(), test(&free).unwrap());
        assert!(bound.chance < 0.01 && bound.bits > 0.9, "{bound:?}");
        assert!(free.chance > 0.01 && free.bits < 0.1, "{free:?}");
        assert!(bound.low > 0.8 && bound.low <= bound.bits && bound.bits <= bound.high);
        assert!(
            free.low == 0.0 && free.bits <= free.high && free.high < 0.1,
            "{free:?}"
        );
        // As often as chance tells as much, the first shuffles show it.
        let shuffles = number(AS_MUCH_MAX) / free.chance;
        assert!((shuffles - shuffles.round()).abs() < 1e-9, "{free:?}");
        let nothing: Vec<(u64, u64)> = (0..200).map(|at| (flips(at), 7)).collect();
        assert_eq!(test(&nothing).map(|test| test.chance), Some(1.0));
        assert_eq!(test(&[(1, 1); 200]), None);
    }
}
