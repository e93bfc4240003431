//! Definitions for `rabbitmqctl import_definitions`.

use serde_json::{Map, Value as Json, json};

use super::settings;
use crate::desired::Desired;
use crate::resource::Kind;
use crate::wire::rabbitmq::body;

/// The definitions of a virtual host. Users and what they may do are left out: an import of a user sets its password.
#[must_use]
pub fn rabbitmq_definitions(desired: &Desired, vhost: &str) -> Json {
    let list = |kind: Kind| -> Vec<Json> {
        let resources = desired.resources.iter().filter(|(id, _)| id.kind == kind);
        resources
            .map(|(id, wanted)| {
                let settings = settings(wanted);
                let mut entry = Map::new();
                entry.insert("vhost".to_owned(), json!(vhost));
                match kind {
                    Kind::Binding => {
                        for end in ["source", "destination"] {
                            let name = settings.get(end).map(|value| value.json());
                            entry.insert(end.to_owned(), name.unwrap_or_default());
                        }
                        entry.insert("destination_type".to_owned(), json!("queue"));
                    }
                    _ => {
                        entry.insert("name".to_owned(), json!(id.name));
                    }
                }
                if let Json::Object(body) = body(kind, &settings) {
                    entry.extend(body);
                }
                Json::Object(entry)
            })
            .collect()
    };
    json!({
        "vhosts": [{"name": vhost}],
        "exchanges": list(Kind::Exchange),
        "queues": list(Kind::Queue),
        "bindings": list(Kind::Binding),
        "policies": list(Kind::Policy),
    })
}
