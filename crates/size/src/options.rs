//! What a design does not say.

use std::time::Duration;

use tidegate_base::Ratio;

use crate::figure::{Input, Source, Unit};

/// The share of a disk that may be filled: the rest is for catch-ups, compaction and the time it takes to
/// add a disk.
pub(crate) const FILL: f64 = 0.6;
/// The squared coefficient of variation of handler times that nobody measured: as without memory.
pub(crate) const SCV: f64 = 1.0;

/// What a design does not say.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Copies of everything.
    pub replicas: u32,
    /// How much of their time workers and machines may be busy at the peak.
    pub utilisation: Ratio,
    /// How long consumers are down, in the question of how long they catch up.
    pub outage: Duration,
    /// The share of attempts that fail; `None`: as recorded, or none.
    pub failures: Option<Ratio>,
    /// The partitions that each event has; `None`: as many as are needed.
    pub partitions: Option<u32>,
    /// Bytes a second of one partition, as measured; `None`: the fact.
    pub partition_rate: Option<f64>,
    /// Bytes a second of a broker's network, each way.
    pub network: Option<f64>,
    /// Bytes a second that a broker's disk writes.
    pub disk: Option<f64>,
    /// How long an fsync takes on a broker's disk; `None`: the fact.
    pub sync_time: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            replicas: 3,
            utilisation: Ratio::new(0.7).unwrap_or_default(),
            outage: Duration::from_mins(1),
            failures: None,
            partitions: None,
            partition_rate: None,
            network: None,
            disk: None,
            sync_time: None,
        }
    }
}

impl Options {
    /// The share of time that may be busy; more than none, so that it divides.
    pub(crate) fn utilisation(&self) -> f64 {
        self.utilisation.value().max(0.01)
    }

    pub(crate) fn utilisation_input(&self) -> Input {
        let source = Source::Option {
            name: "--utilisation",
        };
        Input::new("utilisation", self.utilisation(), Unit::Share, source)
    }

    pub(crate) fn replicas_input(&self) -> Input {
        let source = Source::Option { name: "--replicas" };
        Input::new("replicas", f64::from(self.replicas), Unit::Count, source)
    }

    pub(crate) fn outage_input(&self) -> Input {
        let source = Source::Option { name: "--outage" };
        Input::new("outage", self.outage.as_secs_f64(), Unit::Seconds, source)
    }

    pub(crate) fn fill_input() -> Input {
        let why = "room for catch-ups and for adding disks in time";
        Input::new("fill", FILL, Unit::Share, Source::Assumed { why })
    }
}
