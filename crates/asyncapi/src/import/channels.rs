//! Channels: each message of one is an event, with its key, schema, retention and targets.

use serde_json::{Map, Value, json};

use super::events::{Events, dead_letter_channels};
use super::info::first_line;
use super::lost::{amqp, lose};
use super::policies::{bytes, duration, put, put_default, rate};
use super::{Draft, contract, report, schema_files};
use crate::application::whole;
use crate::application::{Application, Channel, Message};
use crate::bundle::At;
use crate::codes::{CONTRADICTION, LOST};
use crate::expression::{Part, parse};
use crate::findings::{Findings, excerpt};

/// What is carried of a channel, or says nothing of the system.
const CHANNEL: [&str; 17] = [
    "address",
    "messages",
    "title",
    "summary",
    "description",
    "tags",
    "externalDocs",
    "publish",
    "subscribe",
    "parameters",
    "bindings",
    "servers",
    "x-retention",
    "x-retention-size",
    "x-backlog",
    "x-targets",
    "$ref",
];

/// What is carried of a message.
const MESSAGE: [&str; 20] = [
    "name",
    "title",
    "summary",
    "description",
    "messageId",
    "payload",
    "schemaFormat",
    "contentType",
    "traits",
    "bindings",
    "tags",
    "x-owner",
    "x-key",
    "x-compatibility",
    "x-rules",
    "x-version",
    "x-versions",
    "x-schema-file",
    "x-schema-dialect",
    "x-schema-id",
];

pub(super) fn read(
    application: &Application<'_>,
    events: &Events,
    draft: &mut Draft,
    findings: &mut Findings<'_>,
) {
    let dead = dead_letter_channels(application);
    for (position, channel) in application.channels.iter().enumerate() {
        if dead.contains(&position) {
            continue;
        }
        let of = format!("channel `{}`", excerpt(channel.id));
        lose(&channel.at, &CHANNEL, &of, findings);
        bindings(application, channel, &of, findings);
        for (index, message) in channel.messages.iter().enumerate() {
            let Some(name) = events.name(application.file, position, index) else {
                continue;
            };
            let event = event(
                application,
                (channel, message),
                (name, events),
                draft,
                findings,
            );
            add(name, event, channel, draft, findings);
        }
    }
}

/// Adds an event, or holds it against what another document says.
fn add(
    name: &str,
    event: Map<String, Value>,
    channel: &Channel<'_>,
    draft: &mut Draft,
    findings: &mut Findings<'_>,
) {
    let Some(Value::Object(known)) = draft.events.get_mut(name) else {
        draft.events.insert(name.to_owned(), Value::Object(event));
        return;
    };
    for (key, value) in event {
        match known.get(&key) {
            Some(other) if *other != value => {
                let message = format!("another document says another `{key}` of `{name}`");
                report(
                    findings,
                    &CONTRADICTION,
                    (channel.key, &channel.at.path),
                    message,
                );
            }
            Some(_) => {}
            None => {
                known.insert(key, value);
            }
        }
    }
}

fn event(
    application: &Application<'_>,
    (channel, message): (&Channel<'_>, &Message<'_>),
    (name, events): (&str, &Events),
    draft: &mut Draft,
    findings: &mut Findings<'_>,
) -> Map<String, Value> {
    let at = whole(message);
    let of = format!("message `{}`", excerpt(&message.key));
    lose(&at, &MESSAGE, &of, findings);
    let mut event = Map::new();
    message_bindings(application, &at, &of, findings);
    // AMQP has a property for the type of a message.
    let of_amqp = || {
        let bindings = application.bundle.followed(at.step("bindings")?);
        bindings.step("amqp")?.node.text_of("messageType")
    };
    let own = at.node.text_of("name").or_else(of_amqp);
    if let Some(own) = own.filter(|own| *own != name) {
        if events.is_own_type(own) {
            event.insert("type".to_owned(), json!(own));
        } else {
            let message = format!(
                "lost: `name` of {of}: several events have the type `{}`",
                excerpt(own)
            );
            report(findings, &LOST, (at.node.span, &at.path), message);
        }
    }
    let described = || {
        let text = at.node.text_of("description");
        text.or_else(|| channel.at.node.text_of("description"))
            .and_then(first_line)
    };
    if let Some(summary) = at.node.text_of("summary").or_else(described) {
        event.insert("summary".to_owned(), json!(summary));
    }
    if let Some(owner) = at.node.text_of("x-owner") {
        event.insert("owner".to_owned(), json!(owner));
    }
    if let Some(schema) = schema_files::schema(application.bundle, &at, name, draft, findings) {
        event.insert("schema".to_owned(), schema);
    }
    contract::promised(&at, draft, &mut event);
    if let Some(key) = key(application, channel, &at, findings) {
        event.insert("key".to_owned(), json!(key));
    }
    put_default(
        &mut event,
        "compatibility",
        at.node.text_of("x-compatibility"),
        "backward",
    );
    storage(application, &channel.at, &mut event);
    event
}

/// How long and how much is kept, when producers are refused, and what the business expects.
fn storage(application: &Application<'_>, channel: &At<'_>, event: &mut Map<String, Value>) {
    let bindings = channel
        .step("bindings")
        .map(|at| application.bundle.followed(at));
    let topic = bindings
        .and_then(|bindings| bindings.step("kafka"))
        .and_then(|kafka| kafka.step("topicConfiguration"));
    let of_topic = |key: &str| {
        topic
            .as_ref()
            .and_then(|topic| topic.node.get(key)?.to_json().as_u64())
    };
    let kept = duration(channel, "x-retention").or_else(|| {
        let millis = of_topic("retention.ms")?;
        Some(super::duration_text(std::time::Duration::from_millis(
            millis,
        )))
    });
    put_default(event, "retention", kept.as_deref(), "7d");
    let size = bytes(channel, "x-retention-size")
        .or_else(|| of_topic("retention.bytes").map(|b| format!("{b}B")));
    put(event, "retention-size", size);
    let policies = topic
        .as_ref()
        .and_then(|topic| topic.node.get("cleanup.policy"));
    if policies.is_some_and(|list| {
        list.items()
            .iter()
            .any(|item| item.text() == Some("compact"))
    }) {
        event.insert("cleanup-policy".to_owned(), json!("compact"));
    }
    if let Some(backlog) = channel.step("x-backlog") {
        let mut limits = Map::new();
        if let Some(count) = backlog.node.get("events") {
            limits.insert("events".to_owned(), count.to_json());
        }
        put(&mut limits, "bytes", bytes(&backlog, "bytes"));
        put(&mut limits, "age", duration(&backlog, "age"));
        event.insert("backlog".to_owned(), Value::Object(limits));
    }
    if let Some(targets) = channel.step("x-targets") {
        let mut wanted = Map::new();
        put(
            &mut wanted,
            "rate",
            rate(&targets, "ratePerSecond").or_else(|| nested(&targets, "rate", "avg")),
        );
        put(
            &mut wanted,
            "peak",
            rate(&targets, "peakPerSecond").or_else(|| nested(&targets, "rate", "peak")),
        );
        put(
            &mut wanted,
            "p99",
            duration(&targets, "p99").or_else(|| duration(&targets.step("endToEnd")?, "p99")),
        );
        put(
            &mut wanted,
            "size",
            bytes(&targets, "sizeBytes").or_else(|| nested(&targets, "size", "avg")),
        );
        if !wanted.is_empty() {
            event.insert("targets".to_owned(), Value::Object(wanted));
        }
    }
}

fn nested(at: &At<'_>, outer: &str, inner: &str) -> Option<String> {
    at.node.get(outer)?.text_of(inner).map(str::to_owned)
}

/// What of a payload orders events: our own extension, or the one parameter of the address that
/// stands in the payload.
fn key(
    application: &Application<'_>,
    channel: &Channel<'_>,
    message: &At<'_>,
    findings: &mut Findings<'_>,
) -> Option<String> {
    let pointer = |text: &str| {
        parse(text)
            .filter(|expression| expression.part == Part::Payload && !expression.pointer.is_empty())
            .map(|expression| expression.pointer)
    };
    if let Some(key) = message.node.text_of("x-key").and_then(pointer) {
        return Some(key);
    }
    let mut found = Vec::new();
    for (name, parameter) in channel.at.step("parameters").iter().flat_map(At::children) {
        let parameter = application.bundle.followed(parameter);
        match parameter.node.text_of("location").and_then(pointer) {
            Some(key) => found.push(key),
            None => {
                let text = format!(
                    "lost: parameter `{}` of the address: one event for all its values",
                    excerpt(name)
                );
                report(
                    findings,
                    &LOST,
                    (parameter.node.span, &parameter.path),
                    text,
                );
            }
        }
    }
    let bindings = message
        .step("bindings")
        .map(|at| application.bundle.followed(at));
    let kafka = bindings.and_then(|bindings| bindings.step("kafka"));
    if let Some(key) = kafka.and_then(|kafka| kafka.step("key"))
        && found.is_empty()
    {
        let text =
            "lost: the key of Kafka: its schema does not say which field of the payload it is";
        report(findings, &LOST, (key.node.span, &key.path), text.to_owned());
    }
    found.into_iter().next()
}

/// What is lost of the bindings of a message.
fn message_bindings(
    application: &Application<'_>,
    message: &At<'_>,
    of: &str,
    findings: &mut Findings<'_>,
) {
    let bindings = message
        .step("bindings")
        .map(|at| application.bundle.followed(at));
    for (protocol, binding) in bindings.iter().flat_map(At::children) {
        let of = format!("binding `{}` of {of}", excerpt(protocol));
        match protocol {
            "amqp" => amqp(&binding, &["messageType"], &of, findings),
            // What is said of a key that is lost is said there.
            "kafka" => lose(&binding, &["key", "bindingVersion"], &of, findings),
            _ => lose(&binding, &["bindingVersion"], &of, findings),
        }
    }
}

fn bindings(
    application: &Application<'_>,
    channel: &Channel<'_>,
    of: &str,
    findings: &mut Findings<'_>,
) {
    let Some(bindings) = channel.at.step("bindings") else {
        return;
    };
    for (protocol, binding) in application.bundle.followed(bindings).children() {
        let of = format!("binding `{}` of {of}", excerpt(protocol));
        if protocol == "amqp" {
            amqp(&binding, &[], &of, findings);
            continue;
        }
        if protocol != "kafka" {
            lose(&binding, &["bindingVersion"], &of, findings);
            continue;
        }
        lose(
            &binding,
            &["bindingVersion", "topicConfiguration"],
            &of,
            findings,
        );
        if let Some(topic) = binding.step("topicConfiguration") {
            let carried = ["retention.ms", "retention.bytes", "cleanup.policy"];
            lose(&topic, &carried, &of, findings);
        }
    }
}
