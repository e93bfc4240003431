//! How many attempts may start in a time: the generic cell rate algorithm.
//!
//! A token bucket in one number. It keeps the time at which the bucket would be full again, so that
//! nothing is added up tick by tick and nothing drifts, however often or late it is asked.
//!
//! Source: ITU-T I.371, "Traffic control and congestion control in B-ISDN", annex A.

use tidegate_base::{Rate, Timestamp};

/// Times are kept in millionths of a nanosecond, so that three a second are three a second.
const PER_NANO: u128 = 1_000_000;

/// A limit of starts a second, and of starts at once.
#[derive(Clone, Debug)]
pub struct RateLimit {
    /// Between two starts.
    interval: u128,
    /// From empty to full: the burst times the interval.
    depth: u128,
    /// When the bucket is full again. The later, the emptier it is.
    full_at: u128,
}

impl RateLimit {
    /// A full bucket of `burst` starts, at least one, that fills at `rate`; `None` for a rate of nothing.
    #[must_use]
    pub fn new(rate: Rate, burst: u32) -> Option<Self> {
        // The longest interval is a thousand years: a rate below that is as good as none.
        const LONGEST: f64 = 3.2e25;
        if rate.value() <= 0.0 {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from one to the longest interval"
        )]
        let interval = (1e15 / rate.value()).clamp(1.0, LONGEST) as u128;
        Some(Self {
            interval,
            depth: interval * u128::from(burst.max(1)),
            full_at: 0,
        })
    }

    /// Empties the bucket: so many processes in a row, each with a full one, would start that many bursts.
    pub fn empty(&mut self, now: Timestamp) {
        self.full_at = fine(now) + self.depth;
    }

    /// When the next start may be: `now`, or later when the bucket is empty.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Timestamp {
        let earliest = (self.full_at_by(now) + self.interval).saturating_sub(self.depth);
        if earliest <= fine(now) {
            return now;
        }
        // Up to the next nanosecond: at the time that is said it may start.
        let nanos = earliest.div_ceil(PER_NANO);
        Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Counts a start that [`next`](Self::next) allowed.
    pub fn take(&mut self, now: Timestamp) {
        self.full_at = self.full_at_by(now).max(fine(now)) + self.interval;
    }

    /// Gives back the token of a start that was withdrawn.
    pub fn give_back(&mut self) {
        self.full_at = self.full_at.saturating_sub(self.interval);
    }

    /// No later than an empty bucket takes: a clock that went back must not hold it for longer.
    fn full_at_by(&self, now: Timestamp) -> u128 {
        self.full_at.min(fine(now) + self.depth)
    }
}

fn fine(time: Timestamp) -> u128 {
    u128::from(time.nanos()) * PER_NANO
}
