//! What was removed and stands there under another name, most likely.

use std::collections::HashMap;

use tidegate_base::Name;
use tidegate_model::design::{Event, Service};

use super::side::Both;

/// New names by old ones.
#[derive(Debug, Default)]
pub(super) struct Renames<'a> {
    names: HashMap<&'a Name, &'a Name>,
}

impl<'a> Renames<'a> {
    /// Of events: by their type, or by their schema.
    pub(super) fn of_events(both: &Both<'a>) -> Self {
        let (old, new) = (&both.old.design.events, &both.new.design.events);
        let added = new.iter().filter(|(name, _)| !old.contains_key(*name));
        let mut by_mark: HashMap<Mark<'a>, &'a Name> = HashMap::new();
        for (name, event) in added {
            for mark in marks(event) {
                by_mark.entry(mark).or_insert(name);
            }
        }
        let removed = old.iter().filter(|(name, _)| !new.contains_key(*name));
        let names = removed.filter_map(|(name, event)| {
            let found = marks(event).find_map(|mark| by_mark.get(&mark).copied());
            found.map(|found| (name, found))
        });
        Self {
            names: names.collect(),
        }
    }

    /// Of services: by what they publish and consume.
    pub(super) fn of_services(both: &Both<'a>) -> Self {
        let (old, new) = (&both.old.design.services, &both.new.design.services);
        let added = new.iter().filter(|(name, _)| !old.contains_key(*name));
        let by_parts: HashMap<_, &'a Name> = added
            .filter_map(|(name, service)| Some((parts(service)?, name)))
            .collect();
        let removed = old.iter().filter(|(name, _)| !new.contains_key(*name));
        let names = removed.filter_map(|(name, service)| {
            let found = by_parts.get(&parts(service)?).copied();
            found.map(|found| (name, found))
        });
        Self {
            names: names.collect(),
        }
    }

    /// The new name of what was called `name`; `None` when nothing is like it.
    pub(super) fn of(&self, name: &Name) -> Option<&'a Name> {
        self.names.get(name).copied()
    }
}

/// What an event is told by.
#[derive(PartialEq, Eq, Hash)]
enum Mark<'a> {
    Type(&'a str),
    Schema(&'a str),
}

/// By what an event may be told, the surest first.
fn marks(event: &Event) -> impl Iterator<Item = Mark<'_>> {
    let schema = event
        .schema
        .as_ref()
        .and_then(|schema| schema.text.as_deref());
    [Mark::Type(&event.event_type)]
        .into_iter()
        .chain(schema.map(Mark::Schema))
}

/// The names that a service publishes and consumes; `None` when there are none.
fn parts(service: &Service) -> Option<(Vec<&Name>, Vec<&Name>)> {
    let mut published: Vec<&Name> = service.publishes.iter().map(|event| &event.value).collect();
    let mut consumed: Vec<&Name> = service.consumes.keys().collect();
    published.sort();
    consumed.sort();
    (!published.is_empty() || !consumed.is_empty()).then_some((published, consumed))
}
