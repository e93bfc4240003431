//! RabbitMQ's management interface and its definitions, which have the same form.
//!
//! Source: RabbitMQ documentation, "HTTP API Reference" and "Schema Definition Export and Import".

use serde_json::{Map, Value as Json, json};

use crate::resource::{Engine, Id, Kind, Settings, Topology, Value};

/// What is answered about a virtual host, each a list.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// `/api/overview`.
    pub overview: Json,
    /// `/api/exchanges/VHOST`.
    pub exchanges: Json,
    /// `/api/queues/VHOST`.
    pub queues: Json,
    /// `/api/bindings/VHOST`.
    pub bindings: Json,
    /// `/api/policies/VHOST`.
    pub policies: Json,
    /// `/api/vhosts/VHOST/permissions`.
    pub permissions: Json,
}

/// What a virtual host has. What every broker has from the start is left out.
#[must_use]
pub fn read(answers: &Answers) -> Topology {
    let mut topology = Topology::new(Engine::RabbitMq);
    let version = answers
        .overview
        .get("rabbitmq_version")
        .and_then(Json::as_str);
    if let Some(version) = version {
        topology.facts.insert("version".to_owned(), version.into());
        let major = version
            .split('.')
            .next()
            .and_then(|n| n.parse::<i64>().ok());
        if let Some(major) = major {
            topology
                .facts
                .insert("version.major".to_owned(), major.into());
        }
    }
    for item in items(&answers.exchanges) {
        let name = text(item, "name");
        if !name.is_empty() && !name.starts_with("amq.") {
            insert(&mut topology, Id::new(Kind::Exchange, name), exchange(item));
        }
    }
    for item in items(&answers.queues) {
        let id = Id::new(Kind::Queue, text(item, "name"));
        insert(&mut topology, id, queue(item));
    }
    for item in items(&answers.bindings) {
        let (source, to, key) = (
            text(item, "source"),
            text(item, "destination"),
            text(item, "routing_key"),
        );
        if !source.is_empty() && text(item, "destination_type") == "queue" {
            let settings = [
                ("source", source),
                ("destination", to),
                ("routing_key", key),
            ];
            let settings = settings.map(|(name, value)| (name.to_owned(), value.into()));
            insert(&mut topology, Id::binding(source, to, key), settings.into());
        }
    }
    for item in items(&answers.policies) {
        let mut settings = picked(item, &["pattern", "apply-to", "priority"]);
        flatten(&mut settings, "definition", item.get("definition"));
        insert(
            &mut topology,
            Id::new(Kind::Policy, text(item, "name")),
            settings,
        );
    }
    for item in items(&answers.permissions) {
        let settings = picked(item, &["configure", "write", "read"]);
        insert(
            &mut topology,
            Id::new(Kind::Permission, text(item, "user")),
            settings,
        );
    }
    topology
}

fn insert(topology: &mut Topology, id: Id, settings: Settings) {
    topology.resources.insert(id, settings);
}

fn items(list: &Json) -> &[Json] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn text<'j>(item: &'j Json, key: &str) -> &'j str {
    item.get(key).and_then(Json::as_str).unwrap_or_default()
}

fn picked(item: &Json, keys: &[&str]) -> Settings {
    let pick = |key: &&str| Some(((*key).to_owned(), Value::of_json(item.get(*key)?)?));
    keys.iter().filter_map(pick).collect()
}

/// The entries of an object, each as `prefix.KEY`.
fn flatten(settings: &mut Settings, prefix: &str, object: Option<&Json>) {
    for (key, value) in object.and_then(Json::as_object).into_iter().flatten() {
        if let Some(value) = Value::of_json(value) {
            settings.insert(format!("{prefix}.{key}"), value);
        }
    }
}

fn exchange(item: &Json) -> Settings {
    let mut settings = picked(item, &["type", "durable", "auto_delete", "internal"]);
    flatten(&mut settings, "argument", item.get("arguments"));
    settings
}

fn queue(item: &Json) -> Settings {
    let mut settings = picked(item, &["type", "durable", "auto_delete", "exclusive"]);
    flatten(&mut settings, "argument", item.get("arguments"));
    flatten(
        &mut settings,
        "effective",
        item.get("effective_policy_definition"),
    );
    // What a queue was declared with comes before its policy.
    let own: Vec<(String, Value)> = settings
        .iter()
        .filter_map(|(name, value)| {
            let name = name.strip_prefix("argument.x-")?;
            Some((format!("effective.{name}"), value.clone()))
        })
        .collect();
    settings.extend(own);
    for (list, name) in [("members", "members"), ("online", "online")] {
        if let Some(members) = item.get(list).and_then(Json::as_array) {
            let count = i64::try_from(members.len()).unwrap_or(i64::MAX);
            settings.insert(name.to_owned(), count.into());
        }
    }
    settings
}

/// The entries `prefix.KEY` as an object.
fn gathered(settings: &Settings, prefix: &str) -> Map<String, Json> {
    let entries = settings.iter().filter_map(|(name, value)| {
        let key = name.strip_prefix(prefix)?.strip_prefix('.')?;
        Some((key.to_owned(), value.json()))
    });
    entries.collect()
}

fn flag(settings: &Settings, name: &str, usual: bool) -> Json {
    settings.get(name).map_or(json!(usual), Value::json)
}

/// The body with which a resource is put: what the definitions say of it too, without its name.
#[must_use]
pub fn body(kind: Kind, settings: &Settings) -> Json {
    let of = |name: &str| settings.get(name).map_or(Json::Null, Value::json);
    match kind {
        Kind::Exchange => json!({
            "type": of("type"),
            "durable": flag(settings, "durable", true),
            "auto_delete": flag(settings, "auto_delete", false),
            "internal": flag(settings, "internal", false),
            "arguments": gathered(settings, "argument"),
        }),
        Kind::Queue => {
            let mut arguments = gathered(settings, "argument");
            arguments.insert("x-queue-type".to_owned(), of("type"));
            json!({
                "durable": flag(settings, "durable", true),
                "auto_delete": flag(settings, "auto_delete", false),
                "arguments": arguments,
            })
        }
        Kind::Binding => json!({ "routing_key": of("routing_key"), "arguments": {} }),
        Kind::Policy => json!({
            "pattern": of("pattern"),
            "apply-to": of("apply-to"),
            "priority": of("priority"),
            "definition": gathered(settings, "definition"),
        }),
        Kind::Permission => json!({
            "configure": of("configure"),
            "write": of("write"),
            "read": of("read"),
        }),
        Kind::Topic | Kind::Stream | Kind::Consumer => Json::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_answered_is_read_and_written_back() {
        let answers = Answers {
            overview: json!({"rabbitmq_version": "3.10.8"}),
            queues: json!([{
                "name": "q", "type": "quorum", "durable": true, "auto_delete": false,
                "arguments": {"x-queue-type": "quorum", "x-delivery-limit": 3},
                "effective_policy_definition": {"delivery-limit": 9, "overflow": "reject-publish"},
                "members": ["a", "b", "c"], "online": ["a", "b"],
            }]),
            exchanges: json!([{"name": ""}, {"name": "amq.topic"}, {"name": "x", "type": "topic"}]),
            bindings: json!([
                {"source": "", "destination": "q", "destination_type": "queue", "routing_key": "q"},
                {"source": "x", "destination": "q", "destination_type": "queue", "routing_key": "a.b"},
            ]),
            ..Answers::default()
        };
        let topology = read(&answers);
        let names: Vec<String> = topology.resources.keys().map(ToString::to_string).collect();
        assert_eq!(
            names,
            ["exchange `x`", "queue `q`", "binding `x -> q by a.b`"]
        );
        let queue = topology.get(Kind::Queue, "q").unwrap();
        assert_eq!(queue.get("effective.delivery-limit"), Some(&3.into()));
        assert_eq!(
            queue.get("effective.overflow"),
            Some(&"reject-publish".into())
        );
        assert_eq!(queue.get("online"), Some(&2.into()));
        assert_eq!(topology.fact("version.major"), Some(3));
        let arguments = &body(Kind::Queue, queue)["arguments"];
        assert_eq!(
            *arguments,
            json!({"x-delivery-limit": 3, "x-queue-type": "quorum"})
        );
    }
}
