//! Which key a message has.

use std::collections::HashMap;

use crate::scenario::{KEYS_MAX, Keys};
use tidegate_base::Random;

/// Gives each message its key, numbered from 0.
#[derive(Clone, Debug)]
pub(crate) struct KeySampler {
    count: u32,
    /// The share of the most frequent key.
    hottest: f64,
    source: KeySource,
}

#[derive(Clone, Debug)]
enum KeySource {
    /// All equally often.
    Uniform(Random),
    /// By the share of keys up to and with each one, the most frequent first.
    Skewed(Vec<f64>, Random),
    /// The key of each message.
    Recorded(Vec<u32>),
}

impl KeySampler {
    /// The keys of the event `name` under `seed`.
    pub(crate) fn new(keys: Keys, seed: u64, name: &str) -> Self {
        let stream = Random::new(seed, "key", name);
        let (count, exponent) = match keys {
            Keys::Uniform { count } => (count, 0.0),
            Keys::Zipf { count, exponent } => (count, exponent),
        };
        let count = count.clamp(1, KEYS_MAX);
        if exponent == 0.0 || !exponent.is_finite() {
            let hottest = 1.0 / f64::from(count);
            return Self {
                count,
                hottest,
                source: KeySource::Uniform(stream),
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
        let hottest = cumulative.first().copied().unwrap_or(1.0);
        Self {
            count,
            hottest,
            source: KeySource::Skewed(cumulative, stream),
        }
    }

    /// The keys of recorded messages, in order.
    pub(crate) fn recorded<'a>(keys: impl Iterator<Item = &'a str>) -> Self {
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut counts: Vec<u64> = Vec::new();
        let mut recorded = Vec::new();
        for key in keys {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            let number = *numbers.entry(key).or_insert(next);
            match usize::try_from(number)
                .ok()
                .and_then(|place| counts.get_mut(place))
            {
                Some(count) => *count += 1,
                None => counts.push(1),
            }
            recorded.push(number);
        }
        let most = counts.iter().copied().max().unwrap_or(0);
        let hottest = most as f64 / recorded.len().max(1) as f64;
        let count = u32::try_from(counts.len().max(1)).unwrap_or(u32::MAX);
        Self {
            count,
            hottest,
            source: KeySource::Recorded(recorded),
        }
    }

    /// How many keys there are.
    pub(crate) fn count(&self) -> usize {
        usize::try_from(self.count).unwrap_or(usize::MAX)
    }

    /// The share of the most frequent key.
    pub(crate) fn hottest(&self) -> f64 {
        self.hottest
    }

    /// The key of message number `index`.
    pub(crate) fn key(&self, index: u64) -> usize {
        let last = self.count().saturating_sub(1);
        match &self.source {
            KeySource::Uniform(stream) => {
                usize::try_from(stream.bits(index) % u64::from(self.count)).unwrap_or(last)
            }
            KeySource::Skewed(cumulative, stream) => {
                let chance = stream.uniform(index);
                cumulative
                    .partition_point(|share| *share < chance)
                    .min(last)
            }
            KeySource::Recorded(keys) => {
                let key = usize::try_from(index)
                    .ok()
                    .and_then(|place| keys.get(place));
                key.and_then(|key| usize::try_from(*key).ok())
                    .unwrap_or(last)
            }
        }
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

    #[test]
    fn recorded_keys_come_in_their_order() {
        let sampler = KeySampler::recorded(["a", "b", "a", "c", "a"].into_iter());
        assert_eq!(
            (0..5).map(|i| sampler.key(i)).collect::<Vec<_>>(),
            [0, 1, 0, 2, 0]
        );
        assert_eq!((sampler.count(), sampler.hottest()), (3, 0.6));
    }
}
