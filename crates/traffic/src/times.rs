//! Times as histograms: an hour at most, three digits.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Longest time that is told apart: an hour, in microseconds.
const MICROS_MAX: u64 = 3_600_000_000;

/// Times in microseconds.
pub(crate) type Times = Histogram<u64>;

#[expect(
    clippy::expect_used,
    reason = "an hour in microseconds and three digits are in bounds"
)]
pub(crate) fn empty() -> Times {
    Histogram::new_with_max(MICROS_MAX, 3).expect("bounds of the histogram")
}

pub(crate) fn record(times: &mut Times, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(MICROS_MAX);
    times.saturating_record(micros.clamp(1, MICROS_MAX));
}
