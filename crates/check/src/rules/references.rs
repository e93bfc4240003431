//! Every name that is used is defined.

use tidegate_base::Name;
use tidegate_model::closest;
use tidegate_model::design::{ConsumerRef, Located};

use crate::codes::{EMITS_UNPUBLISHED, UNKNOWN_DEPENDENCY, UNKNOWN_EVENT, UNKNOWN_STEP};
use crate::draft::Findings;
use crate::index::Index;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    for (name, service) in index.services() {
        for published in &service.publishes {
            known_event(index, published, &format!("services.{name}.publishes"), out);
        }
    }
    for consumer in &index.consumers {
        consumed(index, consumer, out);
        emitted(index, consumer, out);
        needed(index, consumer, out);
    }
    steps(index, out);
}

fn consumed(index: &Index<'_>, consumer: &ConsumerRef<'_>, out: &mut Findings) {
    if !index.design.events.contains_key(consumer.event_name) {
        let name = Located {
            value: consumer.event_name.clone(),
            place: consumer.consume.place.clone(),
        };
        known_event(index, &name, &consumer.path(), out);
    }
}

fn known_event(index: &Index<'_>, name: &Located<Name>, path: &str, out: &mut Findings) {
    let events = &index.design.events;
    if events.contains_key(&name.value) {
        return;
    }
    let hint = next_step(&name.value, events.keys(), "event", "events");
    out.add(
        UNKNOWN_EVENT,
        &name.place,
        path,
        format!("event `{}` is not defined", name.value),
    )
    .hint(hint);
}

/// What is emitted is an event, and one that the service says it publishes.
fn emitted(index: &Index<'_>, consumer: &ConsumerRef<'_>, out: &mut Findings) {
    let published = &consumer.service.publishes;
    for emitted in consumer.consume.emits.iter().flatten() {
        let path = format!("{}.emits", consumer.path());
        if !index.design.events.contains_key(&emitted.value) {
            known_event(index, emitted, &path, out);
            continue;
        }
        let publishers = index.publishers(&emitted.value);
        if publishers
            .iter()
            .any(|publisher| publisher.service_name == consumer.service_name)
        {
            continue;
        }
        let (service, event) = (consumer.service_name, &emitted.value);
        let message = format!("`{event}` is emitted, but service `{service}` does not publish it");
        let mut list: Vec<_> = published
            .iter()
            .map(|name| name.value.as_str())
            .take(8)
            .collect();
        list.push(event.as_str());
        let hint = format!(
            "write `publishes: [{}]` in service `{service}`",
            list.join(", ")
        );
        out.add(EMITS_UNPUBLISHED, &emitted.place, path, message)
            .hint(hint)
            .related(&consumer.service.place, "the service");
    }
}

fn needed(index: &Index<'_>, consumer: &ConsumerRef<'_>, out: &mut Findings) {
    let known = &index.design.dependencies;
    for need in consumer
        .consume
        .needs
        .iter()
        .filter(|need| !known.contains_key(&need.value))
    {
        let message = format!("dependency `{}` is not defined", need.value);
        let hint = next_step(&need.value, known.keys(), "dependency", "dependencies");
        out.add(
            UNKNOWN_DEPENDENCY,
            &need.place,
            format!("{}.needs", consumer.path()),
            message,
        )
        .hint(hint);
    }
}

fn steps(index: &Index<'_>, out: &mut Findings) {
    let known = &index.design.services;
    for (process, step) in index
        .design
        .processes
        .iter()
        .flat_map(|(name, process)| process.steps.iter().map(move |step| (name, step)))
    {
        if known.contains_key(&step.value) {
            continue;
        }
        let message = format!(
            "step `{}` of process `{process}` is not a service",
            step.value
        );
        let hint = next_step(&step.value, known.keys(), "service", "services");
        out.add(
            UNKNOWN_STEP,
            &step.place,
            format!("processes.{process}.steps"),
            message,
        )
        .hint(hint);
    }
}

/// "Did you mean", or where to define it.
fn next_step<'a>(
    name: &Name,
    known: impl Iterator<Item = &'a Name>,
    kind: &str,
    section: &str,
) -> String {
    match closest(name.as_str(), known.map(Name::as_str)) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("define the {kind} as `{name}:` under `{section}:`"),
    }
}
