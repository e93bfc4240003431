//! Waiting for what another process does: the one place that reads the clock and sleeps.

use std::time::{Duration, Instant};

/// How often it is asked.
const POLL: Duration = Duration::from_millis(50);

/// Asks until it is so, or the limit is over. Returns whether it is so.
#[expect(
    clippy::disallowed_methods,
    reason = "other processes live in real time"
)]
pub(crate) fn until(limit: Duration, mut so: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if so() {
            return true;
        }
        if begun.elapsed() > limit {
            return false;
        }
        std::thread::sleep(POLL);
    }
}

/// Waits, as a slow connection does.
#[expect(
    clippy::disallowed_methods,
    reason = "other processes live in real time"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
