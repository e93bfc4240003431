//! Many documents, one per application, become one design.
//!
//! Each document is a service. What it sends and receives is an event: the same channel address and
//! the same message in two documents are one event. What a design has no words for is told as lost.

mod channels;
mod consume;
mod contract;
mod draft;
mod events;
mod info;
mod lost;
mod naming;
mod policies;
mod quantity;
mod schema_files;

use serde_json::{Map, Value};
use tidegate_base::Name;
use tidegate_model::{CodeInfo, Finding};

use crate::application::{Action, Application};
use crate::bundle::Bundle;
use crate::codes::CONTRADICTION;
use crate::findings::{Findings, Problem};
use crate::node::Span;
use crate::validate::{texts, version};

pub(crate) use self::draft::{Draft, Service};
use self::events::Events;
pub(crate) use self::naming::Names;
pub(crate) use self::quantity::duration_text;
pub(crate) use self::schema_files::first_message;

/// A design made of something else.
#[derive(Debug)]
pub struct Imported {
    /// The design, in the fields of the design language.
    pub design: Value,
    /// Files that the design names, with their texts.
    pub files: Vec<(String, String)>,
    /// Who sends what to whom, one sentence each.
    pub flows: Vec<String>,
    /// What is wrong with what was read, and what was lost.
    pub findings: Vec<Finding>,
}

/// The design that the documents of `bundle` describe together. `system` is its name; without one,
/// the name that the documents give.
#[must_use]
pub fn import(bundle: &Bundle, system: Option<&Name>) -> Imported {
    let mut findings = Findings::new(bundle);
    texts(bundle, &mut findings);
    let mut applications = Vec::new();
    for (file, root) in bundle.documents() {
        if let Some(version) = version(root, &mut findings) {
            applications.push(Application::read(bundle, file, root, version));
        }
    }
    let events = Events::of(&applications);
    let mut draft = Draft::default();
    for application in &applications {
        info::read(application, &mut draft, &mut findings);
        channels::read(application, &events, &mut draft, &mut findings);
        operations(application, &events, &mut draft, &mut findings);
    }
    let flows = flows(&draft);
    let (design, files) = draft.finish(system);
    Imported {
        design,
        files,
        flows,
        findings: findings.finish(),
    }
}

fn operations(
    application: &Application<'_>,
    events: &Events,
    draft: &mut Draft,
    findings: &mut Findings<'_>,
) {
    let own = info::service_name(application);
    for operation in &application.operations {
        let Some(position) = operation.channel else {
            continue;
        };
        let Some(channel) = application.channels.get(position) else {
            continue;
        };
        let service = operation.node().text_of("x-service");
        let service = service.map_or_else(|| own.clone(), naming::clean);
        draft.service(&service);
        lost::operation(application, operation, findings);
        for message in &operation.messages {
            let Some(event) = events.name(application.file, position, *message) else {
                continue;
            };
            match operation.action {
                Action::Send => {
                    draft.publish(&service, event);
                    contract::published(operation, (&service, event), draft);
                }
                Action::Receive => {
                    let message = channel.messages.get(*message);
                    let contract =
                        consume::contract(application, operation, message, draft, findings);
                    if !draft.consume(&service, event, contract) {
                        let text = format!("`{service}` receives `{event}` twice, differently");
                        let place = (operation.at.node.span, operation.at.path.as_str());
                        report(findings, &CONTRADICTION, place, text);
                    }
                }
            }
        }
        replies(application, operation, events, (&service, draft));
    }
}

/// What is answered travels the other way: who receives a request sends the reply.
fn replies(
    application: &Application<'_>,
    operation: &crate::application::Operation<'_>,
    events: &Events,
    (service, draft): (&str, &mut Draft),
) {
    let Some(reply) = &operation.reply else {
        return;
    };
    let Some(channel) = reply.channel else {
        return;
    };
    for message in &reply.messages {
        let Some(event) = events.name(application.file, channel, *message) else {
            continue;
        };
        match operation.action {
            Action::Receive => draft.publish(service, event),
            Action::Send if draft.service(service).consumes(event) => {}
            Action::Send => {
                draft.consume(service, event, Map::new());
            }
        }
    }
}

/// `A sends E to B`, for each event.
pub(crate) fn flows(draft: &Draft) -> Vec<String> {
    let mut flows = Vec::new();
    for event in draft.events.keys() {
        let named = |is: &dyn Fn(&Service) -> bool| -> Vec<&str> {
            let services = draft.services.iter();
            services
                .filter(|(_, service)| is(service))
                .map(|(name, _)| name.as_str())
                .collect()
        };
        let from = named(&|service| service.publishes(event));
        let to = named(&|service| service.consumes(event));
        let nobody = "nobody that is known";
        let to = if to.is_empty() {
            nobody.to_owned()
        } else {
            to.join(", ")
        };
        match from.as_slice() {
            [] => flows.push(format!("somebody unknown sends {event} to {to}")),
            from => flows.extend(
                from.iter()
                    .map(|from| format!("{from} sends {event} to {to}")),
            ),
        }
    }
    flows
}

/// Reports something that the design does not say.
pub(crate) fn report(
    findings: &mut Findings<'_>,
    info: &'static CodeInfo,
    (span, path): (Span, &str),
    message: String,
) {
    findings.report(span, path, Problem::new(info, message));
}
