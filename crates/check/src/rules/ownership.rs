//! Someone answers for each thing that can break.

use tidegate_model::design::Criticality;

use crate::codes::{PROCESS_WITHOUT_OWNER, SERVICE_WITHOUT_OWNER, SHARED_EVENT_WITHOUT_OWNER};
use crate::draft::Findings;
use crate::index::Index;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    for (name, service) in index
        .services()
        .filter(|(_, service)| service.owner.is_none())
    {
        let message = format!("service `{name}` has no owner");
        out.add(
            SERVICE_WITHOUT_OWNER,
            &service.place,
            format!("services.{name}"),
            message,
        )
        .hint("write `owner: team-…`: who is told when it falls behind");
    }
    for (name, process) in &index.design.processes {
        if process.owner.is_none() && process.criticality == Criticality::High {
            let message = format!("process `{name}` is of high criticality and has no owner");
            out.add(
                PROCESS_WITHOUT_OWNER,
                &process.place,
                format!("processes.{name}"),
                message,
            )
            .hint("write `owner: …`: who answers for it in the business");
        }
    }
    shared_events(index, out);
}

/// With several publishers, nobody decides what the event means unless an owner is named.
fn shared_events(index: &Index<'_>, out: &mut Findings) {
    for (name, event) in &index.design.events {
        let [first, second, rest @ ..] = index.publishers(name) else {
            continue;
        };
        if event.owner.is_some() || first.service_name == second.service_name {
            continue;
        }
        let message = format!(
            "{} services publish event `{name}`, among them `{}` and `{}`, and it has no owner",
            rest.len() + 2,
            first.service_name,
            second.service_name
        );
        out.add(
            SHARED_EVENT_WITHOUT_OWNER,
            &event.place,
            format!("events.{name}"),
            message,
        )
        .hint(format!(
            "write `owner: …` in event `{name}`: who decides what it means"
        ))
        .related(first.place, "published here")
        .related(second.place, "and here");
    }
}
