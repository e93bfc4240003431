//! Simulated time: whole nanoseconds from the start of the run.

use std::time::Duration;

/// `duration` in nanoseconds; at most what 64 bits hold.
pub(crate) fn from_duration(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The nearest whole number; 0 for a negative number or none, the largest for one too large.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, which is what is promised"
)]
pub(crate) fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// `nanos` in seconds.
pub(crate) fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}
