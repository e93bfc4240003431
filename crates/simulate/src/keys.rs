//! Which key a message has.

use crate::random::Stream;
use crate::scenario::{KEYS_MAX, Keys};

/// Draws keys, numbered from 0, the most frequent first.
#[derive(Clone, Debug)]
pub(crate) struct KeySampler {
    /// The share of keys up to and with each one; empty when all are equally often.
    cumulative: Vec<f64>,
    count: u32,
    stream: Stream,
}

impl KeySampler {
    /// The keys of the event `name` under `seed`.
    pub(crate) fn new(keys: Keys, seed: u64, name: &str) -> Self {
        let stream = Stream::new(seed, "key", name);
        let (count, exponent) = match keys {
            Keys::Uniform { count } => (count, 0.0),
            Keys::Zipf { count, exponent } => (count, exponent),
        };
        let count = count.clamp(1, KEYS_MAX);
        if exponent == 0.0 || !exponent.is_finite() {
            return Self {
                cumulative: Vec::new(),
                count,
                stream,
            };
        }
        let mut sum = 0.0;
        let mut cumulative: Vec<f64> = (1..=count)
            .map(|rank| {
                sum += f64::from(rank).powf(-exponent);
                sum
            })
            .collect();
        cumulative.iter_mut().for_each(|share| *share /= sum);
        Self {
            cumulative,
            count,
            stream,
        }
    }

    /// How many keys there are.
    pub(crate) fn count(&self) -> usize {
        usize::try_from(self.count).unwrap_or(usize::MAX)
    }

    /// The share of the most frequent key.
    pub(crate) fn hottest(&self) -> f64 {
        self.cumulative
            .first()
            .copied()
            .unwrap_or(1.0 / f64::from(self.count))
    }

    /// The key of message number `index`.
    pub(crate) fn key(&self, index: u64) -> usize {
        let last = self.count().saturating_sub(1);
        if self.cumulative.is_empty() {
            let key = self.stream.bits(index) % u64::from(self.count);
            return usize::try_from(key).unwrap_or(last);
        }
        let chance = self.stream.uniform(index);
        self.cumulative
            .partition_point(|share| *share < chance)
            .min(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hottest_key_comes_as_often_as_its_share() {
        for keys in [
            Keys::Uniform { count: 10 },
            Keys::Zipf {
                count: 1_000,
                exponent: 1.0,
            },
            Keys::Zipf {
                count: 50,
                exponent: 0.5,
            },
        ] {
            let sampler = KeySampler::new(keys, 3, "x");
            let hits = (0..100_000)
                .filter(|index| sampler.key(*index) == 0)
                .count();
            let share = hits as f64 / 100_000.0;
            assert!(
                (share - sampler.hottest()).abs() < 0.005,
                "{keys:?}: {share}"
            );
            assert!((0..100_000).all(|index| sampler.key(index) < sampler.count()));
        }
        // The share of the first of 1,000 keys is one over the harmonic number.
        let sampler = KeySampler::new(
            Keys::Zipf {
                count: 1_000,
                exponent: 1.0,
            },
            3,
            "x",
        );
        assert!((sampler.hottest() - 1.0 / 7.485_47).abs() < 1e-5);
    }
}
