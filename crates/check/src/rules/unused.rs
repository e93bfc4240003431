//! Everything that is defined has a use.

use crate::codes::{IDLE_SERVICE, NEVER_CONSUMED, NEVER_PUBLISHED, UNUSED_DEPENDENCY};
use crate::draft::Findings;
use crate::index::Index;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    orphan_events(index, out);
    idle_services(index, out);
    unused_dependencies(index, out);
}

fn orphan_events(index: &Index<'_>, out: &mut Findings) {
    for (name, event) in &index.design.events {
        let path = format!("events.{name}");
        let publishers = index.publishers(name);
        let consumers = index.consumers_of(name);
        if publishers.is_empty() {
            let also = if consumers.is_empty() {
                " and consumed"
            } else {
                ""
            };
            let message = format!("event `{name}` is published{also} by no service");
            let hint = format!("add `{name}` to the `publishes` of the service that it comes from");
            let draft = out
                .add(NEVER_PUBLISHED, &event.place, path, message)
                .hint(hint);
            if let Some(first) = consumers.first() {
                let why = format!("service `{}` waits for it", first.service_name);
                draft.related(&first.consume.place, why);
            }
        } else if consumers.is_empty() {
            let message = format!("event `{name}` is consumed by no service");
            out.add(NEVER_CONSUMED, &event.place, path, message)
                .hint("fine when someone outside this design consumes it; else remove it");
        }
    }
}

fn idle_services(index: &Index<'_>, out: &mut Findings) {
    for (name, service) in index.services() {
        if service.publishes.is_empty() && service.consumes.is_empty() {
            let message = format!("service `{name}` publishes and consumes nothing");
            out.add(
                IDLE_SERVICE,
                &service.place,
                format!("services.{name}"),
                message,
            )
            .hint("give it `publishes:` or `consumes:`, or remove it");
        }
    }
}

fn unused_dependencies(index: &Index<'_>, out: &mut Findings) {
    for (name, dependency) in &index.design.dependencies {
        if !index.needed_by(name).is_empty() {
            continue;
        }
        let message =
            format!("no consumer needs dependency `{name}`, so its breaker holds nothing");
        out.add(
            UNUSED_DEPENDENCY,
            &dependency.place,
            format!("dependencies.{name}"),
            message,
        )
        .hint(format!(
            "add `needs: [{name}]` to the consumers that call it, or remove it"
        ));
    }
}
