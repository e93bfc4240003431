//! All chance of one history, from one seed.

use tidegate_base::Random;

/// A row of random numbers that a seed decides.
#[derive(Clone, Debug)]
pub struct Dice {
    random: Random,
    rolled: u64,
}

impl Dice {
    /// The row of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed, "fault", "dice"),
            rolled: 0,
        }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.rolled += 1;
        self.random.bits(self.rolled)
    }

    /// A number below `sides`, which is not 0.
    pub fn roll(&mut self, sides: usize) -> usize {
        (self.bits() % sides as u64) as usize
    }

    /// Whether something happens that happens once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.roll(times) == 0
    }
}
