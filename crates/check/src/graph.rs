//! Which event leads to which, as a graph whose size is linear in the design.
//!
//! Nodes are events and, for handlers that do not say what they emit, their services: such a
//! handler leads to its service, and the service to all that it publishes. Without the detour, a
//! service with n consumed and m published events would have n·m edges.

use std::collections::HashMap;

use tidegate_base::Name;
use tidegate_model::Design;
use tidegate_model::design::{ConsumerRef, Located};

/// From one node to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge<'a> {
    /// The consumer on the way; `None` from a service to what it publishes.
    pub(crate) consumer: Option<ConsumerRef<'a>>,
    /// The node that it leads to.
    pub(crate) to: usize,
}

/// The nodes, in the order written, events first, and the edges from each.
#[derive(Debug)]
pub(crate) struct Graph<'a> {
    events: Vec<&'a Name>,
    edges: Vec<Vec<Edge<'a>>>,
}

impl<'a> Graph<'a> {
    pub(crate) fn of(design: &'a Design, consumers: &[ConsumerRef<'a>]) -> Self {
        let events: Vec<_> = design.events.keys().collect();
        let numbers: HashMap<_, _> = events.iter().copied().zip(0_usize..).collect();
        let services: HashMap<_, _> = design.services.keys().zip(events.len()..).collect();
        let mut edges = vec![Vec::new(); events.len() + services.len()];
        let known = |names: &'a [Located<Name>]| {
            names
                .iter()
                .filter_map(|name| numbers.get(&name.value).copied())
                .collect::<Vec<_>>()
        };
        for consumer in consumers {
            let from = numbers
                .get(consumer.event_name)
                .and_then(|from| edges.get_mut(*from));
            let Some(from) = from else { continue };
            let to = match &consumer.consume.emits {
                Some(emits) => known(emits),
                None => services
                    .get(consumer.service_name)
                    .copied()
                    .into_iter()
                    .collect(),
            };
            from.extend(to.into_iter().map(|to| Edge {
                consumer: Some(*consumer),
                to,
            }));
        }
        for (name, service) in &design.services {
            let from = services.get(name).and_then(|from| edges.get_mut(*from));
            let to = known(&service.publishes).into_iter();
            from.into_iter().for_each(|from| {
                from.extend(to.clone().map(|to| Edge { consumer: None, to }));
            });
        }
        Self { events, edges }
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.edges.len()
    }

    /// The event of a node; `None` when it is a service.
    pub(crate) fn event(&self, node: usize) -> Option<&'a Name> {
        self.events.get(node).copied()
    }

    /// The edges from `node`, in the order written.
    pub(crate) fn from(&self, node: usize) -> &[Edge<'a>] {
        self.edges.get(node).map(Vec::as_slice).unwrap_or_default()
    }

    /// The same nodes with the edges alone that the design declares: those of `emits`.
    pub(crate) fn declared(&self) -> Self {
        let events = self.events.len();
        let declared = |from: &Vec<Edge<'a>>| {
            let sure = |edge: &&Edge<'a>| edge.consumer.is_some() && edge.to < events;
            from.iter().filter(sure).copied().collect()
        };
        Self {
            events: self.events.clone(),
            edges: self.edges.iter().map(declared).collect(),
        }
    }
}
