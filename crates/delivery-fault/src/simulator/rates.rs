//! The rate of each consumer, as the design promises it: no start too early, and none held for longer.
//!
//! F1 starts keep to the rate and its burst · F2 a start that was withdrawn costs nothing.

use std::collections::BTreeMap;

use tidegate_base::{ConsumerId, Timestamp};
use tidegate_delivery::{Machine, Obstacle, SystemConfig};

use super::promises::Watch;

/// How far the model and the machine may be apart, in seconds.
const SLACK: f64 = 1e-6;

/// A bucket by the time at which it is full, in seconds.
#[derive(Clone, Copy)]
struct Bucket {
    interval: f64,
    depth: f64,
    full_at: f64,
}

#[derive(Default)]
pub(super) struct Rates(BTreeMap<ConsumerId, Bucket>);

fn seconds(at: Timestamp) -> f64 {
    at.since(Timestamp::EPOCH).as_secs_f64()
}

impl Rates {
    /// A process begins with empty buckets.
    pub(super) fn new(config: &SystemConfig, now: Timestamp) -> Self {
        let limited = config.consumers.iter().filter_map(|consumer| {
            let rate = consumer.flow.rate?;
            let interval = 1.0 / rate.rate.value();
            let depth = interval * f64::from(rate.burst.max(1));
            let full_at = seconds(now) + depth;
            let bucket = Bucket {
                interval,
                depth,
                full_at,
            };
            Some((consumer.id.clone(), bucket))
        });
        Self(limited.collect())
    }

    pub(super) fn withdrawn(&mut self, id: &ConsumerId) {
        if let Some(bucket) = self.0.get_mut(id) {
            bucket.full_at -= bucket.interval;
        }
    }

    fn next(&self, id: &ConsumerId, now: Timestamp) -> Option<f64> {
        let bucket = self.0.get(id)?;
        Some(bucket.full_at.max(seconds(now)) + bucket.interval - bucket.depth)
    }

    fn take(&mut self, id: &ConsumerId, now: Timestamp) {
        if let Some(bucket) = self.0.get_mut(id) {
            bucket.full_at = bucket.full_at.max(seconds(now)) + bucket.interval;
        }
    }
}

impl Watch {
    /// F1: a start.
    pub(super) fn keeps_to_rate(&mut self, id: &ConsumerId, now: Timestamp) {
        let next = self.process.rates.next(id, now);
        self.broken
            .unless(next.is_none_or(|next| next <= seconds(now) + SLACK), || {
                format!("F1: {id} starts before {next:?}")
            });
        self.process.rates.take(id, now);
    }

    /// F2: nothing is held by its rate for longer than its starts give reason for.
    pub(super) fn is_held_no_longer(&self, machine: &Machine, id: &ConsumerId, now: Timestamp) {
        let obstacle = machine.status(id, now).and_then(|status| status.obstacle);
        let (Some(Obstacle::Rate { until }), Some(next)) =
            (obstacle, self.process.rates.next(id, now))
        else {
            return;
        };
        self.broken.unless(seconds(until) <= next + SLACK, || {
            format!("F2: the rate of {id} holds until {until}, not {next}")
        });
    }
}
