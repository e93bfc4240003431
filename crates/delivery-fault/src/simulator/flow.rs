//! Rates, adaptive limits and shared places in the simulator. Drawn from a chance of their own.

use std::time::Duration;

use tidegate_base::Rate;
use tidegate_delivery::{Machine, RateConfig, SystemConfig};

use super::chance::Chance;

/// Limits what the system starts, in some worlds.
pub(super) fn limit(config: &mut SystemConfig, seed: u64) {
    let mut chance = Chance::new(seed ^ 0x0f10_3f10);
    for consumer in &mut config.consumers {
        // Now and then so slow that a token that is lost is missed for long.
        let rate = match chance.in_thousand(300) {
            true => 0.5 + chance.below(3) as f64,
            false => 5.0 + chance.below(200) as f64,
        };
        let rate = Rate::per_second(rate).unwrap();
        let burst = 1 + chance.below(8) as u32;
        let is_limited = chance.in_thousand(300);
        consumer.flow.rate = is_limited.then_some(RateConfig { rate, burst });
        consumer.flow.adaptive = chance.in_thousand(300);
    }
    let mut chance = Chance::new(seed ^ 0x0f01_10e5);
    for consumer in &mut config.consumers {
        if chance.in_thousand(300) {
            consumer.kept = chance.below(6) as usize;
        }
    }
    for consumer in &mut config.consumers {
        if chance.in_thousand(200) {
            consumer.retry.immediate = 1 + chance.below(3) as u32;
        }
    }
    for dependency in &mut config.dependencies {
        let most = 1 + chance.below(4) as u32;
        dependency.concurrency = chance.in_thousand(500).then_some(most);
    }
    let most = 1 + chance.below(6) as u32;
    config.in_flight = chance.in_thousand(500).then_some(most);
}

/// What is wrong with the places: more in flight than there are, or one that nobody has is taken.
pub(super) fn wrong(machine: &Machine, config: &SystemConfig) -> Option<String> {
    let in_flight = machine.in_flight();
    if let Some(most) = config.in_flight
        && in_flight > u64::from(most)
    {
        return Some(format!(
            "I7: {in_flight} of {most} places of the process are taken"
        ));
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
        if taken > most || taken != in_flight {
            let name = &dependency.name;
            return Some(format!(
                "I7: {taken} of {most} places of {name} are taken, {in_flight} run"
            ));
        }
    }
    None
}
