//! Random numbers by counter: the same (seed, purpose, name, index) gives the same number, in any order.

/// The step of the sequence: the golden ratio in 64 bits.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// One sequence of random numbers, addressed by index. Not for secrets.
#[derive(Clone, Copy, Debug)]
pub struct Random {
    start: u64,
}

impl Random {
    /// The sequence of `purpose` for the element called `name`.
    #[must_use]
    pub fn new(seed: u64, purpose: &str, name: &str) -> Self {
        let mut start = mix(seed.wrapping_add(STEP));
        for byte in purpose.bytes().chain([0xff]).chain(name.bytes()) {
            start = mix(start.wrapping_add(STEP) ^ u64::from(byte));
        }
        Self { start }
    }

    /// 64 random bits.
    #[must_use]
    pub fn bits(self, index: u64) -> u64 {
        mix(self
            .start
            .wrapping_add(index.wrapping_add(1).wrapping_mul(STEP)))
    }

    /// A number strictly between 0 and 1.
    #[must_use]
    pub fn uniform(self, index: u64) -> f64 {
        // 53 bits fill a double; the half step keeps both ends out.
        ((self.bits(index) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// A number of the exponential distribution with mean 1.
    #[must_use]
    pub fn exponential(self, index: u64) -> f64 {
        -self.uniform(index).ln()
    }

    /// A number of the standard normal distribution (Box and Muller, 1958); takes two indices.
    #[must_use]
    pub fn normal(self, index: u64) -> f64 {
        let radius = (-2.0 * self.uniform(2 * index).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform(2 * index + 1)).cos()
    }
}

/// The finaliser of `SplitMix64` (Steele, Lea and Flood, 2014).
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: u64 = 200_000;

    /// Mean and variance of `COUNT` numbers.
    fn moments(draw: impl Fn(u64) -> f64) -> (f64, f64) {
        let sum: f64 = (0..COUNT).map(&draw).sum();
        let mean = sum / COUNT as f64;
        let squares: f64 = (0..COUNT).map(|i| (draw(i) - mean).powi(2)).sum();
        (mean, squares / COUNT as f64)
    }

    #[test]
    fn each_distribution_has_its_moments() {
        let stream = Random::new(7, "test", "moments");
        let (mean, variance) = moments(|i| stream.uniform(i));
        assert!((mean - 0.5).abs() < 0.003 && (variance - 1.0 / 12.0).abs() < 0.002);
        let (mean, variance) = moments(|i| stream.exponential(i));
        assert!((mean - 1.0).abs() < 0.01 && (variance - 1.0).abs() < 0.03);
        let (mean, variance) = moments(|i| stream.normal(i));
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.015);
    }

    #[test]
    fn streams_are_independent_of_each_other() {
        let (a, b) = (Random::new(7, "keys", "a"), Random::new(7, "keys", "b"));
        let sum: f64 = (0..COUNT)
            .map(|i| (a.uniform(i) - 0.5) * (b.uniform(i) - 0.5))
            .sum();
        assert!((sum / COUNT as f64).abs() < 0.001);
        assert_ne!(
            Random::new(7, "a", "bc").bits(0),
            Random::new(7, "ab", "c").bits(0)
        );
    }
}
