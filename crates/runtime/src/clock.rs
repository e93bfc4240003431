//! The clock of a running system.

use std::time::SystemTime;

use tidegate_base::{Clock, Timestamp};
use tokio::time::Instant;

/// Wall time at its creation, and tokio's time since: it never goes backwards, and a test that
/// pauses tokio's time owns it.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    origin: Timestamp,
    started: Instant,
}

impl TokioClock {
    /// A clock that starts at the system's present time.
    #[must_use]
    pub fn new() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that reads the system clock"
        )]
        let now = SystemTime::now();
        let since_epoch = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self::starting_at(Timestamp::EPOCH + since_epoch)
    }

    /// A clock that starts at `origin`.
    #[must_use]
    pub fn starting_at(origin: Timestamp) -> Self {
        let started = Instant::now();
        Self { origin, started }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        self.origin + self.started.elapsed()
    }
}
