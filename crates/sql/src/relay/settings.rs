//! How a relay works.

use std::time::Duration;

use tidegate_base::limit::OUTBOX_BATCH_BYTES_MAX;

use crate::outbox::Kept;

/// How a relay works. The default is right for most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelaySettings {
    /// Most events that are handed over at once.
    pub batch_events: usize,
    /// Most bytes of rows that are handed over at once, unless it is one row.
    pub batch_bytes: usize,
    /// How often rows are looked for when nothing says that there are any.
    pub poll: Duration,
    /// How often a relay without the right to publish asks for it.
    pub standby: Duration,
    /// The shortest pause after a failure, and what the others are multiples of.
    pub pause_min: Duration,
    /// The longest pause after failures.
    pub pause_max: Duration,
    /// How long the database may take for one answer.
    pub database_limit: Duration,
    /// What is kept of rows that are over.
    pub kept: Kept,
    /// How often what is over is deleted.
    pub clean_every: Duration,
    /// Where the random numbers of pauses start.
    pub seed: u64,
}

impl Default for RelaySettings {
    fn default() -> Self {
        Self {
            batch_events: 500,
            batch_bytes: OUTBOX_BATCH_BYTES_MAX,
            poll: Duration::from_secs(1),
            standby: Duration::from_secs(1),
            pause_min: Duration::from_millis(100),
            pause_max: Duration::from_secs(30),
            database_limit: Duration::from_secs(35),
            kept: Kept {
                age: Duration::from_secs(24 * 3_600),
                rows: 10_000,
            },
            clean_every: Duration::from_secs(60),
            seed: 0,
        }
    }
}
