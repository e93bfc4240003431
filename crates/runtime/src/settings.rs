//! What a runtime may use, and how often it speaks.

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_base::Name;
use tidegate_base::limit::IN_FLIGHT_MAX;

use crate::journal::COMMIT_BYTES_MAX;
use crate::registry::{OtherRegistry, Registry};

/// Settings of a runtime; the default suits one machine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the jitter of retries starts from. Two runtimes with one seed and the same inputs do
    /// the same; in production give each process its own.
    pub seed: u64,
    /// Most unfinished deliveries of one consumer; at the limit its event is not accepted.
    pub backlog_deliveries_max: u64,
    /// Most attempts at the same time of all consumers, shared fairly among them.
    pub in_flight_max: u32,
    /// When a producer that was pushed back should try again.
    pub publish_retry_after: Duration,
    /// Most identities remembered in each channel to recognise an event that is published again.
    pub recent_identities_max: usize,
    /// How often the view is renewed.
    pub view_interval: Duration,
    /// How often what nobody needs is removed from the channels.
    pub clean_interval: Duration,
    /// Appended state records before the state is checkpointed, as a multiple of the live ones.
    pub checkpoint_growth: u64,
    /// The schemas that payloads may name; without it no payload names one.
    pub registry: Option<Registry>,
    /// A registry that others keep, with the schemas that records name; it goes before the system's own.
    pub other_registry: Option<OtherRegistry>,
    /// What that registry calls the schemas of events whose payloads are written in the wire format: that of
    /// the event and its older ones, the newest first; `None` of one that is not there.
    pub wire_ids: BTreeMap<Name, Vec<Option<u32>>>,
    /// A checkpoint is not worth its commit before so many bytes were appended.
    pub checkpoint_bytes_min: u64,
    /// Most bytes of state records that are committed in one batch, beyond those of one record: more are committed in
    /// turn, and nothing that comes later before them.
    pub commit_bytes_max: usize,
    /// Most bytes of a checkpoint in one batch: one that has more is written in parts.
    pub checkpoint_batch_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            backlog_deliveries_max: 10_000_000,
            in_flight_max: IN_FLIGHT_MAX,
            publish_retry_after: Duration::from_secs(1),
            recent_identities_max: 10_000,
            view_interval: Duration::from_millis(500),
            clean_interval: Duration::from_secs(60),
            checkpoint_growth: 4,
            registry: None,
            other_registry: None,
            wire_ids: BTreeMap::new(),
            checkpoint_bytes_min: 1 << 20,
            commit_bytes_max: COMMIT_BYTES_MAX,
            checkpoint_batch_bytes_max: COMMIT_BYTES_MAX,
        }
    }
}
