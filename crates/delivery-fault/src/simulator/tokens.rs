//! A budget as the design promises it: what may be spent at most.

use tidegate_base::Timestamp;

/// Tokens at the start, and the most that are saved up.
const FIRST: f64 = 10.0;
const MOST: f64 = 100.0;
/// What the model may be behind.
const SLACK: f64 = 1.0;

#[derive(Clone, Copy)]
pub(super) struct Tokens {
    left: f64,
    share: f64,
    each_second: f64,
    at: Timestamp,
}

impl Tokens {
    pub(super) fn new(share: f64, each_second: f64, at: Timestamp) -> Self {
        Self {
            left: FIRST,
            share,
            each_second,
            at,
        }
    }

    fn pass(&mut self, now: Timestamp) {
        let earned = now.since(self.at).as_secs_f64() * self.each_second;
        self.left = (self.left + earned).min(MOST);
        self.at = self.at.max(now);
    }

    pub(super) fn earn(&mut self, now: Timestamp) {
        self.pass(now);
        self.left = (self.left + self.share).min(MOST);
    }

    pub(super) fn refill(&mut self) {
        self.left = self.left.max(FIRST);
    }

    /// Whether there was a token to spend.
    pub(super) fn spend(&mut self, now: Timestamp) -> bool {
        self.pass(now);
        self.left -= 1.0;
        self.left > -SLACK
    }
}
