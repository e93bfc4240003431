//! Chance without state: a number is a function of what it is for, so asking twice gives one answer.

use std::time::Duration;

/// The mixing step of SplitMix64.
///
/// Source: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators", 2014.
const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The draws that belong to one delivery in one redrive round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    seed: u64,
}

impl Draws {
    /// The draws of what the parts name; the order of the parts matters.
    #[must_use]
    pub fn of(parts: [u64; 4]) -> Self {
        Self {
            seed: parts.into_iter().fold(0, |seed, part| mix(seed ^ part)),
        }
    }

    /// Draw `number`, uniform from 0 up to but not including 1.
    fn unit(self, number: u32) -> f64 {
        // 53 bits: every value is a double of its own.
        (mix(self.seed ^ u64::from(number)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Draw `number` as a duration, uniform from `low` to `high`; `low` when `high` is less.
    #[must_use]
    pub fn between(self, number: u32, low: Duration, high: Duration) -> Duration {
        low + high.saturating_sub(low).mul_f64(self.unit(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_uniform_enough_and_the_same_twice() {
        let second = Duration::from_secs(1);
        let mut tenths = [0_u32; 10];
        for sequence in 0..10_000 {
            let drawn = Draws::of([1, 2, sequence, 0]).between(1, Duration::ZERO, second);
            assert_eq!(
                drawn,
                Draws::of([1, 2, sequence, 0]).between(1, Duration::ZERO, second)
            );
            tenths[usize::try_from(drawn.as_millis() / 100).unwrap()] += 1;
        }
        assert!(
            tenths.iter().all(|count| (850..1_150).contains(count)),
            "{tenths:?}"
        );
    }
}
