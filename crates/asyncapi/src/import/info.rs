//! The application itself: its service, its system, and what is said beside its operations.

use serde_json::{Map, Value, json};

use super::Draft;
use super::lost::lose;
use super::naming::clean;
use super::policies;
use crate::application::Application;
use crate::bundle::At;
use crate::findings::Findings;

/// What is carried of `info`, or says nothing of the system.
const CARRIED: [&str; 13] = [
    "title",
    "contact",
    "version",
    "description",
    "x-owner",
    "x-system",
    "x-services",
    "x-dependencies",
    "x-messaging",
    "x-processes",
    "license",
    "termsOfService",
    "tags",
];

/// The service that a document describes.
pub(super) fn service_name(application: &Application<'_>) -> String {
    let info = application.root.node.get("info");
    clean(
        info.and_then(|info| info.text_of("title"))
            .unwrap_or_default(),
    )
}

pub(super) fn read(application: &Application<'_>, draft: &mut Draft, findings: &mut Findings<'_>) {
    let Some(info) = application.root.step("info") else {
        return;
    };
    if let Some(system) = info.node.text_of("x-system") {
        draft.system.get_or_insert_with(|| clean(system));
    }
    match info.step("x-services") {
        Some(services) => each(&services, |name, at| {
            about(&at, &mut draft.service(name).about)
        }),
        None => {
            let service = &mut draft.service(&service_name(application)).about;
            if let Some(text) = info.node.text_of("description").and_then(first_line) {
                service.entry("summary").or_insert_with(|| json!(text));
            }
            if let Some(owner) = owner(&info) {
                service.entry("owner").or_insert_with(|| json!(owner));
            }
        }
    }
    if let Some(dependencies) = info.step("x-dependencies") {
        each(&dependencies, |name, at| {
            policies::dependency(&at, name, draft)
        });
    }
    if let Some(processes) = info.step("x-processes") {
        each(&processes, |name, at| {
            let mut process = Map::new();
            about(&at, &mut process);
            for key in ["criticality", "steps"] {
                if let Some(value) = at.node.get(key) {
                    process.insert(key.to_owned(), value.to_json());
                }
            }
            draft
                .processes
                .entry(name.to_owned())
                .or_insert(Value::Object(process));
        });
    }
    if let Some(messaging) = info.node.get("x-messaging") {
        for (key, entry) in messaging.entries() {
            draft.messaging.insert(key.to_owned(), entry.node.to_json());
        }
    }
    servers(application, draft, findings);
    lose(&info, &CARRIED, "the document", findings);
    lose(
        &application.root,
        &[
            "asyncapi",
            "info",
            "servers",
            "channels",
            "operations",
            "components",
            "defaultContentType",
            "tags",
            "id",
        ],
        "the document",
        findings,
    );
}

fn each(at: &At<'_>, mut take: impl FnMut(&str, At<'_>)) {
    for (name, at) in at.children() {
        take(&clean(name), at);
    }
}

/// A summary and an owner.
pub(super) fn about(at: &At<'_>, into: &mut Map<String, Value>) {
    for key in ["summary", "owner"] {
        if let Some(text) = at.node.text_of(key) {
            into.entry(key).or_insert_with(|| json!(text));
        }
    }
}

/// `x-owner`, or else the contact.
fn owner(info: &At<'_>) -> Option<String> {
    let contact = || {
        let contact = info.node.get("contact")?;
        contact.text_of("name").or_else(|| contact.text_of("email"))
    };
    let owner = info.node.text_of("x-owner").or_else(contact)?;
    Some(owner.to_owned())
}

/// The first line of a description, without marks of headings. A description of ours is one text
/// already.
pub(super) fn first_line(text: &str) -> Option<&str> {
    let line = text.lines().map(|line| line.trim_start_matches('#').trim());
    let mut lines = line.filter(|line| !line.is_empty());
    let first = lines.next()?;
    Some(if lines.next().is_some() { first } else { text })
}

/// The broker that every server speaks to.
fn servers(application: &Application<'_>, draft: &mut Draft, findings: &mut Findings<'_>) {
    let mut brokers: Vec<&str> = Vec::new();
    for server in &application.servers {
        let broker = match server.protocol() {
            Some("kafka" | "kafka-secure") => "kafka",
            Some("amqp" | "amqps") => "rabbitmq",
            Some("nats") => "nats",
            _ => continue,
        };
        if !brokers.contains(&broker) {
            brokers.push(broker);
        }
    }
    match brokers.as_slice() {
        [broker] => {
            draft
                .messaging
                .entry("broker")
                .or_insert_with(|| json!(broker));
        }
        several => {
            for broker in several {
                let existing = draft
                    .messaging
                    .entry("existing")
                    .or_insert_with(|| json!([]));
                if let Some(list) = existing.as_array_mut()
                    && !list.iter().any(|known| known == broker)
                {
                    list.push(json!(broker));
                }
            }
        }
    }
    for server in &application.servers {
        lose(&server.at, &["protocol"], "the server", findings);
    }
}
