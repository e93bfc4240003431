//! The design as AsyncAPI 3.0.0, or 3.1.0, which changes nothing of what is written here.
//!
//! AsyncAPI describes one application: an operation is `send` or `receive` as that application sees
//! it. [`service`] writes such a document. [`asyncapi`] writes the whole system into one, each
//! operation tagged with its service. What AsyncAPI has no words for is in extensions: `x-delivery`,
//! `x-retry`, `x-dead-letter`, `x-breaker`, `x-targets`, `x-backlog` and others, which
//! `tidegate import asyncapi` reads back. Durations are ISO 8601.

mod contract;
mod extensions;
mod payload;
mod quantity;

use std::time::Duration;

use serde_json::{Map, Value, json};
use tidegate_base::{ConsumerId, Name};
use tidegate_model::design::{CleanupPolicy, ConsumerRef, Event};
use tidegate_model::{Design, Word as _};

use crate::ids::Ids;
use quantity::{iso, millis};

/// A design has no version of its own, and AsyncAPI demands one.
const VERSION: &str = "0.0.0";

/// A version of AsyncAPI that is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// 3.0.0, which every tool for version 3 reads.
    #[default]
    V3_0,
    /// 3.1.0.
    V3_1,
}

/// `document` as one of another version.
#[must_use]
pub fn at_version(mut document: Value, version: Version) -> Value {
    let text = match version {
        Version::V3_0 => "3.0.0",
        Version::V3_1 => "3.1.0",
    };
    if let Some(written) = document.get_mut("asyncapi") {
        *written = json!(text);
    }
    document
}

/// `design` as one document of the whole system.
///
/// References that do not resolve are left out. Every `$ref` of the result resolves within it,
/// except references to other files that the design's own schemas make.
#[must_use]
pub fn asyncapi(design: &Design) -> Value {
    let mut document = Document::new(design);
    for service in design.services.keys() {
        document.add_service(service);
    }
    for event in design.events.keys() {
        document.add_channel(event);
    }
    let system = &design.system.value;
    let mut info = json!({"title": system, "version": VERSION, "x-system": system});
    if !design.services.is_empty() {
        set(&mut info, "x-services", extensions::services(design));
    }
    if !design.dependencies.is_empty() {
        set(
            &mut info,
            "x-dependencies",
            extensions::dependencies(design),
        );
    }
    if let Some(messaging) = extensions::messaging(&design.messaging) {
        set(&mut info, "x-messaging", messaging);
    }
    if !design.processes.is_empty() {
        set(&mut info, "x-processes", extensions::processes(design));
    }
    document.finish(info)
}

/// The document of one service of `design`: what it sends and receives; `None` when it has no such
/// service.
#[must_use]
pub fn service(design: &Design, name: &Name) -> Option<Value> {
    let service = design.services.get(name)?;
    let mut document = Document::new(design);
    document.add_service(name);
    let mut info = json!({"title": name, "version": VERSION, "x-system": design.system.value});
    if let Some(summary) = &service.summary {
        set(&mut info, "description", json!(summary));
    }
    if let Some(owner) = &service.owner {
        set(&mut info, "x-owner", json!(owner.value));
    }
    Some(document.finish(info))
}

/// What Kafka is told of an event's topic. It takes a limit of size for each partition.
fn topic(event: &Event) -> Value {
    let policy = event.cleanup_policy.value;
    if policy == CleanupPolicy::Compact {
        return json!({"cleanup.policy": [policy.word()]});
    }
    let mut topic = json!({"retention.ms": millis(event.retention.value)});
    if let Some(size) = &event.retention_size {
        set(&mut topic, "retention.bytes", json!(size.value.0));
    }
    topic
}

/// Puts `value` under `key` of an object.
fn set(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(object) = object {
        object.insert(key.to_owned(), value);
    }
}

/// A reference within the document.
fn reference(parts: &[&str]) -> Value {
    let escaped = parts
        .iter()
        .map(|part| part.replace('~', "~0").replace('/', "~1"));
    json!({"$ref": format!("#/{}", escaped.collect::<Vec<_>>().join("/"))})
}

/// A document being written.
struct Document<'a> {
    design: &'a Design,
    channels: Map<String, Value>,
    channel_ids: Ids,
    operations: Map<String, Value>,
    operation_ids: Ids,
    messages: Map<String, Value>,
    schemas: Map<String, Value>,
}

impl<'a> Document<'a> {
    fn new(design: &'a Design) -> Self {
        Self {
            design,
            channels: Map::new(),
            channel_ids: Ids::default(),
            operations: Map::new(),
            operation_ids: Ids::default(),
            messages: Map::new(),
            schemas: Map::new(),
        }
    }

    fn finish(self, info: Value) -> Value {
        let mut components = Map::new();
        components.insert("messages".to_owned(), Value::Object(self.messages));
        if !self.schemas.is_empty() {
            components.insert("schemas".to_owned(), Value::Object(self.schemas));
        }
        json!({
            "asyncapi": "3.0.0",
            "info": info,
            "defaultContentType": "application/json",
            "channels": self.channels,
            "operations": self.operations,
            "components": components,
        })
    }

    /// The operations of a service, and the channels that they need.
    fn add_service(&mut self, name: &Name) {
        let Some((name, service)) = self.design.services.get_key_value(name) else {
            return;
        };
        for event in &service.publishes {
            if self.design.events.contains_key(&event.value) {
                self.add_channel(&event.value);
                let mut extra = Map::new();
                contract::published(service, &event.value, &mut extra);
                self.add_operation("send", name, &event.value, extra);
            }
        }
        for (event_name, consume) in &service.consumes {
            let consumer = ConsumerRef {
                service_name: name,
                service,
                event_name,
                consume,
            };
            if let Some(event) = self.design.events.get(event_name) {
                self.add_channel(event_name);
                self.add_receive(consumer, event);
            }
        }
    }

    fn add_receive(&mut self, consumer: ConsumerRef<'_>, event: &Event) {
        let consume = consumer.consume;
        let mut extra = Map::new();
        let group = json!({"type": "string", "enum": [consumer.service_name]});
        let kafka = json!({"kafka": {"groupId": group, "bindingVersion": "0.5.0"}});
        extra.insert("bindings".to_owned(), kafka);
        extra.insert(
            "x-delivery".to_owned(),
            extensions::delivery(consume, event),
        );
        extra.insert("x-retry".to_owned(), extensions::retry(&consume.retry));
        if let Some(dead_letter) = &consume.dead_letter {
            let channel = self.add_dead_letters(&consumer.id(), dead_letter.retention.value);
            let value = extensions::dead_letter(dead_letter, &channel);
            extra.insert("x-dead-letter".to_owned(), value);
        }
        if let Some(breakers) = extensions::breakers(self.design, consume) {
            extra.insert("x-breaker".to_owned(), breakers);
        }
        self.add_operation("receive", consumer.service_name, consumer.event_name, extra);
    }

    fn add_operation(
        &mut self,
        action: &str,
        service: &Name,
        event: &Name,
        extra: Map<String, Value>,
    ) {
        let id = self
            .operation_ids
            .claim(&format!("{service}.{action}.{event}"));
        let name = event.as_str();
        let mut operation = json!({
            "action": action,
            "channel": reference(&["channels", name]),
            "messages": [reference(&["channels", name, "messages", name])],
            "tags": [{"name": service}],
            "x-service": service,
        });
        for (key, value) in extra {
            set(&mut operation, &key, value);
        }
        self.operations.insert(id, operation);
    }

    /// The channel, message and schema of an event, once.
    fn add_channel(&mut self, name: &Name) {
        let Some(event) = self.design.events.get(name) else {
            return;
        };
        if self.channels.contains_key(name.as_str()) {
            return;
        }
        let kafka = json!({
            "topicConfiguration": topic(event),
            "bindingVersion": "0.5.0",
        });
        let mut channel = json!({
            "address": name,
            "messages": {name.as_str(): reference(&["components", "messages", name.as_str()])},
            "bindings": {"kafka": kafka},
        });
        set(
            &mut channel,
            "x-retention",
            json!(iso(event.retention.value)),
        );
        if let Some(size) = &event.retention_size {
            set(&mut channel, "x-retention-size", json!(size.value.0));
        }
        if let Some(backlog) = &event.backlog {
            set(&mut channel, "x-backlog", extensions::backlog(backlog));
        }
        if let Some(targets) = extensions::targets(&event.targets) {
            set(&mut channel, "x-targets", targets);
        }
        self.channels.insert(name.as_str().to_owned(), channel);
        self.add_message(name, event);
    }

    fn add_message(&mut self, name: &Name, event: &Event) {
        let mut message = json!({"name": event.event_type, "title": name});
        if let Some(summary) = &event.summary {
            set(&mut message, "summary", json!(summary));
        }
        if let Some(owner) = &event.owner {
            set(&mut message, "x-owner", json!(owner.value));
        }
        set(
            &mut message,
            "x-compatibility",
            json!(event.compatibility.word()),
        );
        contract::promised(event, &mut message);
        if let Some(schema) = &event.schema {
            set(
                &mut message,
                "contentType",
                json!(payload::content_type(schema.format)),
            );
            if let Some(file) = &schema.file {
                set(&mut message, "x-schema-file", json!(file));
            }
            if let Some((dialect, id)) = payload::dialect(schema) {
                set(&mut message, "x-schema-dialect", json!(dialect));
                if let Some(id) = id {
                    set(&mut message, "x-schema-id", json!(id));
                }
            }
            if let Some(bundled) = payload::bundled(name, schema) {
                self.schemas.insert(name.as_str().to_owned(), bundled);
                let payload = reference(&["components", "schemas", name.as_str()]);
                set(&mut message, "payload", payload);
            }
        }
        if let Some(key) = &event.key {
            let description = format!("$message.payload#{}", key.value);
            let schema = json!({"type": "string", "description": &description});
            set(&mut message, "x-key", json!(description));
            let kafka = json!({"key": schema, "bindingVersion": "0.5.0"});
            set(&mut message, "bindings", json!({"kafka": kafka}));
        }
        self.messages.insert(name.as_str().to_owned(), message);
    }

    /// The dead-letter channel of a consumer; returns its id.
    fn add_dead_letters(&mut self, consumer: &ConsumerId, retention: Duration) -> String {
        let ConsumerId { service, event } = consumer;
        let wanted = format!("{service}.{event}.dead-letters");
        // An event's channel has its name: dead letters give way.
        let events = &self.design.events;
        let is_event = |id: &str| events.contains_key(id);
        let id = self.channel_ids.claim_beside(&wanted, is_event);
        let name = event.as_str();
        let channel = json!({
            "address": id,
            "title": format!("Dead letters of {consumer}"),
            "messages": {name: reference(&["components", "messages", name])},
            "bindings": {"kafka": {
                "topicConfiguration": {"retention.ms": millis(retention)},
                "bindingVersion": "0.5.0",
            }},
        });
        self.channels.insert(id.clone(), channel);
        id
    }
}
