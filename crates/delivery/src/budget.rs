//! Budgets for retries and for dead letters: a share of what goes well or begins, and a floor so that
//! little traffic has some too.

use std::time::Duration;

use tidegate_base::{Ratio, Timestamp};

/// What is spent costs one token; tokens are counted in millionths so that sums are exact.
const TOKEN: u64 = 1_000_000;
/// Most tokens that are saved up.
const TOKENS_MAX: u64 = 100 * TOKEN;
/// Tokens at the start.
const TOKENS_FIRST: u64 = 10 * TOKEN;
/// How often a retry is free.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// How often a dead letter is free.
const LETTER_EVERY: Duration = Duration::from_secs(300);

/// Tokens: each first attempt, or each delivery that succeeds, adds its share, and time adds some.
///
/// A retry beyond the budget waits; a dead letter beyond it halts the consumer. Neither is dropped.
#[derive(Clone, Debug)]
pub struct Budget {
    share: u64,
    every: Duration,
    tokens: u64,
    refreshed: Timestamp,
}

impl Budget {
    /// A budget of `share` retries for each first attempt, and one a second.
    #[must_use]
    pub fn of_retries(share: Ratio) -> Self {
        Self::new(share, RETRY_EVERY)
    }

    /// A budget of `share` dead letters for each delivery that succeeds, and one in five minutes.
    #[must_use]
    pub fn of_dead_letters(share: Ratio) -> Self {
        Self::new(share, LETTER_EVERY)
    }

    fn new(share: Ratio, every: Duration) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a ratio is from 0 to 1"
        )]
        let share = (share.value() * TOKEN as f64) as u64;
        Self {
            share,
            every,
            tokens: TOKENS_FIRST,
            refreshed: Timestamp::EPOCH,
        }
    }

    fn tokens_at(&self, now: Timestamp) -> u64 {
        if self.refreshed == Timestamp::EPOCH {
            return self.tokens;
        }
        let earned =
            now.since(self.refreshed).as_micros() * u128::from(TOKEN) / self.every_micros();
        let earned = u64::try_from(earned).unwrap_or(u64::MAX);
        self.tokens.saturating_add(earned).min(TOKENS_MAX)
    }

    fn every_micros(&self) -> u128 {
        self.every.as_micros().max(1)
    }

    fn refresh(&mut self, now: Timestamp) {
        self.tokens = self.tokens_at(now);
        self.refreshed = self.refreshed.max(now);
    }

    /// When there is a token: `now`, or later when the budget is used up.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Timestamp {
        let missing = u128::from(TOKEN.saturating_sub(self.tokens_at(now)));
        let micros = (missing * self.every_micros()).div_ceil(u128::from(TOKEN));
        now + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// Gives it what it had at the start, if it has less.
    pub fn refill(&mut self) {
        self.tokens = self.tokens.max(TOKENS_FIRST);
    }

    /// Counts a first attempt, or a delivery that succeeded.
    pub fn earn(&mut self, now: Timestamp) {
        self.refresh(now);
        self.tokens = (self.tokens + self.share).min(TOKENS_MAX);
    }

    /// Counts a retry, or a dead letter.
    pub fn spend(&mut self, now: Timestamp) {
        self.refresh(now);
        self.tokens = self.tokens.saturating_sub(TOKEN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_stay_within_the_share_and_the_floor() {
        let mut budget = Budget::of_retries(Ratio::new(0.2).unwrap());
        let start = Timestamp::from_millis(1_000_000);
        let mut retries = 0;
        // 10 s, 100 first attempts a second, every one wants ten retries.
        for tick in 0..1_000 {
            let now = start + Duration::from_millis(tick * 10);
            budget.earn(now);
            for _ in 0..10 {
                if budget.next(now) == now {
                    budget.spend(now);
                    retries += 1;
                }
            }
        }
        // 10 at the start, 20 % of 1,000, one a second for 10 s.
        assert_eq!(retries, 10 + 200 + 9);
    }

    #[test]
    fn an_empty_budget_says_when_it_has_a_token() {
        let mut budget = Budget::of_retries(Ratio::default());
        let now = Timestamp::from_millis(5_000);
        for _ in 0..10 {
            budget.spend(now);
        }
        assert_eq!(budget.next(now), now + Duration::from_secs(1));
        assert_eq!(
            budget.next(now),
            now + Duration::from_secs(1),
            "asking changes nothing"
        );
    }

    #[test]
    fn a_dead_letter_is_free_every_five_minutes() {
        let mut budget = Budget::of_dead_letters(Ratio::new(0.01).unwrap());
        let now = Timestamp::from_millis(5_000);
        for _ in 0..10 {
            assert_eq!(budget.next(now), now);
            budget.spend(now);
        }
        assert_eq!(budget.next(now), now + Duration::from_secs(300));
        for _ in 0..100 {
            budget.earn(now);
        }
        assert_eq!(budget.next(now), now, "a share of what succeeds");
        budget.spend(now);
        let later = now + Duration::from_secs(150);
        assert_eq!(budget.next(later), later + Duration::from_secs(150));
        budget.refill();
        assert_eq!(budget.next(later), later);
    }
}
