//! A design of what runs on Kafka or NATS: topics and groups, streams and consumers.
//!
//! Neither knows who publishes, what payloads are, nor what readers promise: that is said, and left to be written.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value as Json, json};
use tidegate_base::limit::NAME_BYTES_MAX;
use tidegate_base::{Name, format_duration};

use crate::resource::{Kind, Settings, Topology, Value};

/// Readers of topics: the groups of Kafka, each with the topics that it has committed to.
pub type Groups = BTreeMap<String, BTreeSet<String>>;

/// A design, and what it could not be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The design, in the fields of the design language.
    pub design: Json,
    /// What is not known, one sentence each.
    pub unknown: Vec<String>,
}

/// The design of a Kafka cluster. Topics of Kafka itself, and dead letters that are told by their names, are no events.
#[must_use]
pub fn kafka(topology: &Topology, groups: &Groups, system: &Name) -> Imported {
    let mut draft = Draft::default();
    let topics = topology.resources.iter();
    let topics = topics.filter(|(id, _)| id.kind == Kind::Topic && is_event(&id.name));
    for (id, settings) in topics {
        let mut event = Map::new();
        event.insert(
            "summary".to_owned(),
            json!(format!("What is in the topic `{}`.", id.name)),
        );
        let compacts = settings.get("cleanup.policy").and_then(Value::text) == Some("compact");
        if compacts {
            draft.unknown.push(format!(
                "topic `{}` is compacted: the design keeps the last event of a key only when it says \
                 `cleanup-policy: compact`, with the pointer to its `key`",
                id.name
            ));
        } else {
            retention(
                &mut event,
                settings.get("retention.ms"),
                Duration::from_millis,
            );
        }
        draft.event(&id.name, event);
    }
    for (group, topics) in groups {
        for topic in topics.iter().filter(|topic| is_event(topic)) {
            draft.consume(group, topic, Map::new());
        }
    }
    draft.finish(system, "kafka", "a topic")
}

/// The design of the streams of a NATS account: an event for each subject that a stream or one of its consumers names.
#[must_use]
pub fn nats(topology: &Topology, system: &Name) -> Imported {
    let mut draft = Draft::default();
    let text = |settings: &Settings, name: &str| -> Option<String> {
        Some(settings.get(name)?.text()?.to_owned()).filter(|text| !text.is_empty())
    };
    let all = |kind: Kind| {
        topology
            .resources
            .iter()
            .filter(move |(id, _)| id.kind == kind)
    };
    for (id, settings) in all(Kind::Stream) {
        let Some(Value::Texts(subjects)) = settings.get("subjects") else {
            continue;
        };
        for subject in subjects {
            let mut event = Map::new();
            let summary = format!("What stream `{}` keeps of `{subject}`.", id.name);
            event.insert("summary".to_owned(), json!(summary));
            retention(&mut event, settings.get("max_age"), Duration::from_nanos);
            draft.event(subject, event);
        }
    }
    for (id, settings) in all(Kind::Consumer) {
        let Some(stream) = text(settings, "stream") else {
            continue;
        };
        let of = topology.get(Kind::Stream, &stream);
        let subjects = match text(settings, "filter_subject") {
            Some(subject) => vec![subject],
            None => match of.and_then(|stream| stream.get("subjects")) {
                Some(Value::Texts(subjects)) => subjects.clone(),
                _ => Vec::new(),
            },
        };
        let name = id.name.rsplit('/').next().unwrap_or(&id.name);
        for subject in &subjects {
            let mut event = Map::new();
            event.insert(
                "summary".to_owned(),
                json!(format!("What stream `{stream}` keeps of `{subject}`.")),
            );
            retention(
                &mut event,
                of.and_then(|stream| stream.get("max_age")),
                Duration::from_nanos,
            );
            draft.event(subject, event);
            draft.consume(name, subject, contract(settings));
        }
    }
    draft.finish(system, "nats", "a subject")
}

fn contract(settings: &Settings) -> Map<String, Json> {
    let mut contract = Map::new();
    let number = |name: &str| settings.get(name).and_then(Value::number);
    if let Some(wait) = number("ack_wait").filter(|wait| *wait > 0) {
        let wait = format_duration(Duration::from_nanos(wait.unsigned_abs()));
        contract.insert("deliver".to_owned(), json!({"timeout": wait}));
    }
    if let Some(most) = number("max_deliver").filter(|most| *most > 0) {
        contract.insert("retry".to_owned(), json!({"attempts": most.min(1_000)}));
    }
    contract
}

/// Whether a topic holds events: not those of Kafka and its tools, nor of the runtime, nor dead letters.
fn is_event(topic: &str) -> bool {
    let lower = topic.to_ascii_lowercase();
    let ends = [".dead-letters", "-dlt", ".dlt", "-dlq", ".dlq"];
    let is_state = topic.starts_with("tidegate.") && topic.ends_with(".state");
    let is_letters = ends.iter().any(|end| lower.ends_with(end));
    !(topic.starts_with('_') || is_state || is_letters)
}

fn retention(event: &mut Map<String, Json>, value: Option<&Value>, unit: fn(u64) -> Duration) {
    let kept = value.and_then(Value::number).filter(|value| *value > 0);
    if let Some(kept) = kept {
        let kept = format_duration(unit(kept.unsigned_abs()));
        event.insert("retention".to_owned(), json!(kept));
    }
}

#[derive(Default)]
struct Draft {
    events: Map<String, Json>,
    services: Map<String, Json>,
    /// What each thing of the broker is called in the design.
    names: BTreeMap<(bool, String), String>,
    unknown: Vec<String>,
}

impl Draft {
    fn event(&mut self, theirs: &str, event: Map<String, Json>) {
        let name = self.name(true, theirs);
        self.events.entry(name).or_insert(Json::Object(event));
    }

    fn consume(&mut self, service: &str, event: &str, contract: Map<String, Json>) {
        let (service, event) = (self.name(false, service), self.name(true, event));
        let known = self.events.contains_key(&event);
        let service = self
            .services
            .entry(service)
            .or_insert_with(|| json!({"consumes": {}}));
        if let (true, Some(consumes)) = (
            known,
            service.get_mut("consumes").and_then(Json::as_object_mut),
        ) {
            consumes.insert(event, Json::Object(contract));
        }
    }

    /// The name of an event or a service in the design: another one for each name of the broker.
    fn name(&mut self, is_event: bool, theirs: &str) -> String {
        let key = (is_event, theirs.to_owned());
        if let Some(name) = self.names.get(&key) {
            return name.clone();
        }
        let clean = clean(theirs);
        let short: String = clean.chars().take(NAME_BYTES_MAX - 12).collect();
        let numbered = (2_u64..).map(|number| format!("{short}-{number}"));
        let is_free = |name: &String| {
            let mut taken = self.names.iter();
            !taken.any(|((kind, _), other)| *kind == is_event && other == name)
        };
        let name = [clean].into_iter().chain(numbered).find(is_free);
        let name = name.unwrap_or_default();
        self.names.insert(key, name.clone());
        name
    }

    fn finish(mut self, system: &Name, broker: &str, what: &str) -> Imported {
        // A group that has committed to no event reads nothing.
        self.services.retain(|_, service| {
            let consumes = service.get("consumes").and_then(Json::as_object);
            consumes.is_some_and(|consumes| !consumes.is_empty())
        });
        if !self.events.is_empty() {
            self.unknown.push(
                "schemas are unknown: a broker does not know what payloads are; write `schema`, or import a registry"
                    .to_owned(),
            );
            self.unknown.push(format!(
                "publishers are unknown: who may write to {what} is not who does; write `publishes`"
            ));
            self.unknown.push(
                "keys, order, guarantees and dead letters of consumers are unknown: defaults are taken".to_owned(),
            );
        }
        let design = json!({
            "tidegate": 1,
            "system": system.as_str(),
            "events": self.events,
            "services": self.services,
            "messaging": {"broker": broker},
        });
        Imported {
            design,
            unknown: self.unknown,
        }
    }
}

/// A text as a name of a design.
fn clean(text: &str) -> String {
    let words = text.replace('*', "any").replace('>', "all");
    let mut name = String::new();
    for character in words.chars() {
        if character.is_ascii_alphanumeric() || "._-".contains(character) {
            name.push(character);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let name: String = name.chars().take(NAME_BYTES_MAX).collect();
    match name.trim_end_matches('-') {
        "" => "unnamed".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Engine, Id};

    #[test]
    fn names_stay_apart_and_what_is_not_an_event_is_left_out() {
        let mut topology = Topology::new(Engine::Kafka);
        for topic in [
            "a b",
            "a-b",
            "__consumer_offsets",
            "a-dlt",
            "tidegate.shop.state",
        ] {
            let settings = [("retention.ms".to_owned(), 3_600_000.into())];
            topology
                .resources
                .insert(Id::new(Kind::Topic, topic), settings.into());
        }
        let groups = [(
            "g".to_owned(),
            ["a b".to_owned(), "a-dlt".to_owned()].into(),
        )];
        let imported = kafka(&topology, &groups.into(), &Name::new("shop").unwrap());
        let design = &imported.design;
        let events: Vec<&String> = design["events"].as_object().unwrap().keys().collect();
        assert_eq!(events, ["a-b", "a-b-2"]);
        assert_eq!(design["events"]["a-b"]["retention"], "1h");
        assert_eq!(design["services"], json!({"g": {"consumes": {"a-b": {}}}}));
    }
}
