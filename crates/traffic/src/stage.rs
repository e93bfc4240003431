//! The story as it runs: which faults hold now, and what happens next.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tidegate_base::{ConsumerId, Name, Random};
use tokio::time::Instant;

use crate::scenario::{Fault, Scenario};

/// A scenario that has begun. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stage {
    scenario: Arc<Scenario>,
    began: Instant,
    random: Random,
}

impl Stage {
    /// The scenario, from its beginning.
    #[must_use]
    pub fn begin(scenario: Scenario, seed: u64) -> Self {
        Self {
            scenario: Arc::new(scenario),
            began: Instant::now(),
            random: Random::new(seed, "faults", "share"),
        }
    }

    /// The story.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// When the part at `offset` of the story is.
    #[must_use]
    pub fn at(&self, offset: Duration) -> Instant {
        self.began + offset
    }

    /// The fault that this delivery meets now; `lot` decides where only a share fails.
    #[must_use]
    pub fn fault(
        &self,
        consumer: &ConsumerId,
        needs: &[Name],
        data: &Value,
        lot: u64,
    ) -> Option<&Fault> {
        let elapsed = self.began.elapsed();
        self.scenario
            .scenes
            .iter()
            .filter(|scene| scene.at <= elapsed && scene.until.is_none_or(|until| elapsed < until))
            .filter_map(|scene| scene.fault.as_ref())
            .filter(|fault| fault.consumer.as_ref().is_none_or(|only| only == consumer))
            .filter(|fault| {
                fault
                    .dependency
                    .as_ref()
                    .is_none_or(|name| needs.contains(name))
            })
            .filter(|fault| {
                let condition = fault.condition.as_ref();
                condition.is_none_or(|(path, value)| data.pointer(path) == Some(value))
            })
            .find(|fault| self.random.uniform(lot) < fault.share.value())
    }
}
