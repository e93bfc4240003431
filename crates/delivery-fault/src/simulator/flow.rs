//! Rates, adaptive limits and shared places in the simulator. Drawn from a chance of their own.

use std::time::Duration;

use tidegate_base::Rate;
use tidegate_delivery::{Machine, RateConfig, SystemConfig};

use super::chance::Chance;

/// Limits what the system starts, in some worlds.
pub(super) fn limit(config: &mut SystemConfig, seed: u64) {
    let mut chance = Chance::new(seed ^ 0x0f10_3f10);
    for consumer in &mut config.consumers {
        let rate = Rate::per_second(5.0 + chance.below(200) as f64).unwrap();
        let burst = 1 + chance.below(8) as u32;
        let is_limited = chance.in_thousand(300);
        consumer.flow.rate = is_limited.then_some(RateConfig { rate, burst });
        consumer.flow.adaptive = chance.in_thousand(300);
    }
    for dependency in &mut config.dependencies {
        let most = 1 + chance.below(4) as u32;
        dependency.concurrency = chance.in_thousand(500).then_some(most);
    }
    let most = 1 + chance.below(6) as u32;
    config.in_flight = chance.in_thousand(500).then_some(most);
}

/// No more is in flight than there are places.
pub(super) fn hold(machine: &Machine, config: &SystemConfig) {
    if let Some(most) = config.in_flight {
        assert!(
            machine.in_flight() <= u64::from(most),
            "places of the process"
        );
    }
    for dependency in &config.dependencies {
        let needing = config
            .consumers
            .iter()
            .filter(|c| c.needs.contains(&dependency.name));
        let now = tidegate_base::Timestamp::EPOCH + Duration::ZERO;
        let status = needing.filter_map(|c| machine.status(&c.id, now));
        let in_flight: u32 = status.map(|status| status.in_flight).sum();
        let Some((taken, most)) = machine.places(&dependency.name) else {
            continue;
        };
        assert!(
            taken <= most && taken == in_flight,
            "{taken} of {most}, {in_flight} run"
        );
    }
}
