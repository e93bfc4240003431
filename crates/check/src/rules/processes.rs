//! The steps of a process follow each other through events.

use std::collections::HashSet;

use tidegate_base::Name;
use tidegate_model::design::Process;

use crate::codes::DISCONNECTED_STEP;
use crate::draft::Findings;
use crate::index::Index;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    for (name, process) in &index.design.processes {
        disconnected(index, name, process, out);
    }
}

/// Every step after the first consumes an event that a step before it publishes.
fn disconnected(index: &Index<'_>, name: &Name, process: &Process, out: &mut Findings) {
    let mut published = HashSet::new();
    for (position, step) in process.steps.iter().enumerate() {
        // A step that is not a service is reported as such.
        let Some(service) = index.design.services.get(&step.value) else {
            return;
        };
        let reached = service
            .consumes
            .keys()
            .any(|event| published.contains(event));
        if position > 0 && !reached {
            let message = format!(
                "step `{}` of process `{name}` consumes no event that an earlier step publishes",
                step.value
            );
            out.add(
                DISCONNECTED_STEP,
                &step.place,
                format!("processes.{name}.steps"),
                message,
            )
            .hint(format!(
                "let `{}` consume an event of an earlier step, or put the steps in the order \
                     in which events flow",
                step.value
            ))
            .related(&service.place, "the service");
        }
        published.extend(service.publishes.iter().map(|event| &event.value));
    }
}
