//! Whether a queue stays bounded, and what binds.

use tidegate_model::design::Order;

use crate::outcome::{Stability, StabilityState, Verdict};
use crate::station::Station;

/// What is asked of a station.
#[derive(Clone, Debug)]
pub(crate) struct Demand {
    /// Deliveries a second, usually.
    pub(crate) usual: f64,
    /// Deliveries a second at the peak.
    pub(crate) peak: f64,
    /// Load for each delivery a second, by what could bind: the load is this times the rate.
    limits: Vec<(f64, String)>,
}

impl Demand {
    /// The demand of `usual` and `peak` deliveries a second on `station`.
    pub(crate) fn new(station: &Station, usual: f64, peak: f64) -> Self {
        let worker = &station.worker;
        let attempt_seconds = worker.mean_attempt_ns() / 1e9;
        let handlers = attempt_seconds * worker.amplification() / f64::from(station.servers);
        let lane_seconds = worker.mean_lane_ns() / 1e9;
        let mut limits = vec![(
            handlers,
            format!(
                "{} handler{} of {}",
                station.servers,
                if station.servers == 1 { "" } else { "s" },
                crate::statistics::readable(attempt_seconds)
            ),
        )];
        match station.order {
            Order::None => {}
            Order::Key => {
                let share = station.keys.hottest();
                let sentence = format!("the most frequent key, {:.2}% of all", share * 100.0);
                limits.push((share * lane_seconds, sentence));
            }
            Order::Total => {
                limits.push((
                    lane_seconds,
                    "total order: one delivery at a time".to_owned(),
                ));
            }
        }
        if let Some(pace) = station.pace {
            let cost = worker.amplification() / pace.rate.value();
            limits.push((cost, format!("its rate of {}", pace.rate)));
        }
        Self {
            usual,
            peak,
            limits,
        }
    }
}

/// The stability of `station` under `demand`.
pub(crate) fn stability(station: &Station, demand: &Demand) -> Stability {
    let binding = demand.limits.iter().max_by(|a, b| a.0.total_cmp(&b.0));
    let (cost, limit) = binding.map_or((0.0, ""), |(cost, limit)| (*cost, limit.as_str()));
    let (load, load_at_peak) = (cost * demand.usual, cost * demand.peak);
    let state = match (load < 1.0, load_at_peak < 1.0) {
        (true, true) => StabilityState::Stable,
        (true, false) => StabilityState::GrowsAtPeak,
        (false, _) => StabilityState::Unstable,
    };
    let retries = station.worker.amplification();
    let retries = if retries > 1.0 {
        format!(", each delivery taking {retries:.2} attempts")
    } else {
        String::new()
    };
    let limit = format!("{limit}{retries}");
    let headroom = if load > 0.0 { 1.0 / load } else { f64::MAX };
    Stability {
        state,
        load,
        load_at_peak,
        headroom,
        limit,
    }
}

impl Stability {
    /// A queue that never settles misses every target.
    pub(crate) fn verdict(&self) -> Verdict {
        match self.state {
            StabilityState::Unstable => Verdict::Missed,
            StabilityState::Stable | StabilityState::GrowsAtPeak => Verdict::Met,
        }
    }
}
