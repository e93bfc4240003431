//! Every name that is used is defined.

use indexmap::IndexMap;
use tidegate_base::Name;
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
    let hint = next_step(out, &name.value, events, "event", "events");
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
    for emitted in consumer.consume.emits.iter().flatten() {
        let path = format!("{}.emits", consumer.path());
        if !index.design.events.contains_key(&emitted.value) {
            known_event(index, emitted, &path, out);
            continue;
        }
        if index.does_publish(consumer.service_name, &emitted.value) {
            continue;
        }
        let (service, event) = (consumer.service_name, &emitted.value);
        let message = format!("`{event}` is emitted, but service `{service}` does not publish it");
        let hint = format!("add `{event}` to `publishes` of service `{service}`");
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
        let hint = next_step(out, &need.value, known, "dependency", "dependencies");
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
        let hint = next_step(out, &step.value, known, "service", "services");
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
fn next_step<T>(
    out: &mut Findings,
    name: &Name,
    known: &IndexMap<Name, T>,
    kind: &str,
    section: &str,
) -> String {
    match out.closest(name.as_str(), known.keys().map(Name::as_str)) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("define the {kind} as `{name}:` under `{section}:`"),
    }
}
