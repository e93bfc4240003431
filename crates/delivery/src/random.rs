//! Chance without state: a number is a function of what it is for, so asking twice gives one answer.

use std::time::Duration;

use tidegate_base::Random;

/// The draws that belong to one delivery in one redrive round.
#[derive(Clone, Copy, Debug)]
pub struct Draws(Random);

impl Draws {
    /// The draws of what `name` names, such as `billing/OrderPlaced/17/0`.
    #[must_use]
    pub fn of(seed: u64, name: &str) -> Self {
        Self(Random::new(seed, "retry", name))
    }

    /// Draw `number` as a duration, uniform from `low` to `high`; `low` when `high` is less.
    #[must_use]
    pub fn between(self, number: u32, low: Duration, high: Duration) -> Duration {
        low + high
            .saturating_sub(low)
            .mul_f64(self.0.uniform(u64::from(number)))
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
            let drawn = Draws::of(1, &sequence.to_string()).between(1, Duration::ZERO, second);
            assert_eq!(
                drawn,
                Draws::of(1, &sequence.to_string()).between(1, Duration::ZERO, second)
            );
            tenths[usize::try_from(drawn.as_millis() / 100).unwrap()] += 1;
        }
        assert!(
            tenths.iter().all(|count| (850..1_150).contains(count)),
            "{tenths:?}"
        );
    }
}
