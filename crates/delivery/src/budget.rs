//! A budget for retries: a share of first attempts, and a floor so that little traffic may retry too.

use std::time::Duration;

use tidegate_base::{Ratio, Timestamp};

/// A retry costs one token; tokens are counted in millionths so that sums are exact.
const TOKEN: u64 = 1_000_000;
/// Most tokens that are saved up.
const TOKENS_MAX: u64 = 100 * TOKEN;
/// Tokens at the start.
const TOKENS_FIRST: u64 = 10 * TOKEN;

/// Tokens for retries: each first attempt adds its share, each second adds one.
///
/// A retry beyond the budget waits; it is never dropped.
#[derive(Clone, Debug)]
pub struct RetryBudget {
    share: u64,
    tokens: u64,
    refreshed: Timestamp,
}

impl RetryBudget {
    /// A budget of `share` retries for each first attempt.
    #[must_use]
    pub fn new(share: Ratio) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a ratio is from 0 to 1"
        )]
        let share = (share.value() * TOKEN as f64) as u64;
        Self {
            share,
            tokens: TOKENS_FIRST,
            refreshed: Timestamp::EPOCH,
        }
    }

    fn tokens_at(&self, now: Timestamp) -> u64 {
        if self.refreshed == Timestamp::EPOCH {
            return self.tokens;
        }
        let micros = u64::try_from(now.since(self.refreshed).as_micros()).unwrap_or(u64::MAX);
        self.tokens.saturating_add(micros).min(TOKENS_MAX)
    }

    fn refresh(&mut self, now: Timestamp) {
        self.tokens = self.tokens_at(now);
        self.refreshed = self.refreshed.max(now);
    }

    /// When the next retry may start: `now`, or later when the budget is used up.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Timestamp {
        now + Duration::from_micros(TOKEN.saturating_sub(self.tokens_at(now)))
    }

    /// Counts a first attempt.
    pub fn earn(&mut self, now: Timestamp) {
        self.refresh(now);
        self.tokens = (self.tokens + self.share).min(TOKENS_MAX);
    }

    /// Counts a retry.
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
        let mut budget = RetryBudget::new(Ratio::new(0.2).unwrap());
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
        let mut budget = RetryBudget::new(Ratio::default());
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
}
