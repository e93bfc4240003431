//! Two designs prepared for the comparison: who publishes and who consumes each event.

use std::collections::HashMap;

use tidegate_base::Name;
use tidegate_model::Design;
use tidegate_model::design::ConsumerRef;

use super::changes::{Affected, Role};

/// One design, with its parties by event.
#[derive(Debug)]
pub(super) struct Side<'a> {
    pub(super) design: &'a Design,
    consumers: HashMap<&'a Name, Vec<ConsumerRef<'a>>>,
    publishers: HashMap<&'a Name, Vec<&'a Name>>,
}

/// The past design and the new one.
#[derive(Debug)]
pub(super) struct Both<'a> {
    pub(super) old: Side<'a>,
    pub(super) new: Side<'a>,
}

impl<'a> Both<'a> {
    pub(super) fn of(old: &'a Design, new: &'a Design) -> Self {
        Self {
            old: Side::of(old),
            new: Side::of(new),
        }
    }
}

impl<'a> Side<'a> {
    fn of(design: &'a Design) -> Self {
        let mut consumers: HashMap<_, Vec<_>> = HashMap::new();
        for consumer in design.consumers() {
            consumers
                .entry(consumer.event_name)
                .or_default()
                .push(consumer);
        }
        let mut publishers: HashMap<_, Vec<_>> = HashMap::new();
        for (name, service) in &design.services {
            for event in &service.publishes {
                publishers.entry(&event.value).or_default().push(name);
            }
        }
        Self {
            design,
            consumers,
            publishers,
        }
    }

    /// The consumers of an event, in the order written.
    pub(super) fn consumers(&self, event: &Name) -> &[ConsumerRef<'a>] {
        self.consumers
            .get(event)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// The services that publish an event, in the order written.
    pub(super) fn publishers(&self, event: &Name) -> &[&'a Name] {
        self.publishers
            .get(event)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// The consumers of an event, as those whom a change touches.
    pub(super) fn who_consumes(&self, event: &Name) -> impl Iterator<Item = Affected> {
        self.consumers(event).iter().map(affected)
    }

    /// The services that publish an event, as those whom a change touches.
    pub(super) fn who_publishes(&self, event: &Name) -> impl Iterator<Item = Affected> {
        let publishers = self.publishers(event).iter();
        publishers.map(|service| self.publisher(service))
    }

    /// A service as one that publishes.
    pub(super) fn publisher(&self, service: &Name) -> Affected {
        let owner = self
            .design
            .services
            .get(service)
            .and_then(|service| service.owner.as_ref());
        Affected {
            role: Role::Publisher,
            name: service.to_string(),
            owner: owner.map(|owner| owner.value.clone()),
        }
    }
}

/// A consumer as one whom a change touches.
pub(super) fn affected(consumer: &ConsumerRef<'_>) -> Affected {
    Affected {
        role: Role::Consumer,
        name: consumer.id().to_string(),
        owner: consumer
            .service
            .owner
            .as_ref()
            .map(|owner| owner.value.clone()),
    }
}
