//! What every part of the analysis looks at.

use std::time::Duration;

use tidegate_base::Timestamp;
use tidegate_trace::process::Objects;

use super::batch::Batches;
use super::found::Waits;
use super::order::{Enabling, Order, enablings};
use super::path::slacks;
use super::resources::Resources;
use super::timeline::Timeline;
use super::{Options, causes};

/// A timeline with all that is learned from it.
pub(super) struct Study<'a> {
    pub(super) timeline: &'a Timeline,
    pub(super) order: Order,
    pub(super) enablings: Vec<Option<Enabling>>,
    pub(super) slacks: Vec<Option<bool>>,
    pub(super) resources: Resources<'a>,
    pub(super) batches: Batches,
    pub(super) objects: Option<&'a Objects>,
    pub(super) options: &'a Options,
    waits: Vec<Option<Waits>>,
}

impl<'a> Study<'a> {
    pub(super) fn new(
        timeline: &'a Timeline,
        objects: Option<&'a Objects>,
        options: &'a Options,
    ) -> Self {
        let order = Order::learn(timeline);
        let enablings = enablings(timeline, &order);
        let resources = Resources::new(timeline);
        let batches = Batches::find(timeline, &enablings, &resources);
        let waits = causes::waits(timeline, &enablings, &resources, &batches);
        let visible = options.visible_end.as_ref();
        let visible = visible.and_then(|end| timeline.activities.iter().position(|a| a == end));
        let slacks = slacks(timeline, &enablings, &order, visible);
        Self {
            timeline,
            order,
            enablings,
            slacks,
            resources,
            batches,
            objects,
            options,
            waits,
        }
    }

    /// When a work could have started.
    pub(super) fn ready(&self, index: usize) -> Option<Timestamp> {
        self.enablings.get(index).copied().flatten().map(|e| e.time)
    }

    /// How long a work waited.
    pub(super) fn waited(&self, index: usize) -> Duration {
        let work = self.timeline.works.get(index);
        let both = work.zip(self.ready(index));
        both.map_or(Duration::ZERO, |(work, ready)| work.begin().since(ready))
    }

    /// Why it did.
    pub(super) fn waits(&self, index: usize) -> Option<Waits> {
        self.waits.get(index).copied().flatten()
    }

    /// The name of an activity.
    pub(super) fn activity(&self, index: usize) -> String {
        let name = self.timeline.activities.get(index);
        name.cloned().unwrap_or_default()
    }
}
