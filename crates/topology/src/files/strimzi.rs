//! Topics and users as resources of Kubernetes, for the operators of Strimzi.
//!
//! Source: Strimzi documentation, "Custom resource API reference": `KafkaTopic` and `KafkaUser` of
//! `kafka.strimzi.io/v1beta2`, which Strimzi serves since 0.22.

use serde_json::{Map, Value as Json, json};

use crate::desired::{Acl, Desired, Pattern};
use crate::resource::Kind;

const API: &str = "kafka.strimzi.io/v1beta2";
/// Longest name of a resource of Kubernetes.
const NAME_MAX: usize = 253;

/// A `KafkaTopic` for each topic and a `KafkaUser` for each service, of the cluster of this name.
#[must_use]
pub fn strimzi(desired: &Desired, cluster: &str) -> Vec<Json> {
    let topics = desired
        .resources
        .iter()
        .filter(|(id, _)| id.kind == Kind::Topic);
    let mut documents: Vec<Json> = topics
        .map(|(id, wanted)| {
            let mut spec = Map::new();
            let mut config = Map::new();
            spec.insert("topicName".to_owned(), json!(id.name));
            for (setting, want) in &wanted.settings {
                let value = want.value.json();
                match setting.as_str() {
                    "partitions" => spec.insert("partitions".to_owned(), value),
                    "replication" => spec.insert("replicas".to_owned(), value),
                    _ => config.insert(setting.clone(), value),
                };
            }
            spec.insert("config".to_owned(), Json::Object(config));
            document("KafkaTopic", &id.name, cluster, Json::Object(spec))
        })
        .collect();
    let mut users: Vec<(&str, Vec<Json>)> = Vec::new();
    for acl in &desired.acls {
        match users.iter_mut().find(|(name, _)| *name == acl.service) {
            Some((_, acls)) => acls.push(rule(acl)),
            None => users.push((&acl.service, vec![rule(acl)])),
        }
    }
    documents.extend(users.into_iter().map(|(name, acls)| {
        let spec = json!({
            "authentication": {"type": "tls"},
            "authorization": {"type": "simple", "acls": acls},
        });
        document("KafkaUser", name, cluster, spec)
    }));
    documents
}

fn document(kind: &str, name: &str, cluster: &str, spec: Json) -> Json {
    json!({
        "apiVersion": API,
        "kind": kind,
        "metadata": {
            "name": resource_name(name),
            "labels": {"strimzi.io/cluster": cluster},
        },
        "spec": spec,
    })
}

fn rule(acl: &Acl) -> Json {
    let kind = match acl.resource {
        "transactional-id" => "transactionalId",
        other => other,
    };
    let pattern = match acl.pattern {
        Pattern::Literal => "literal",
        Pattern::Prefixed => "prefix",
    };
    json!({
        "resource": {"type": kind, "name": acl.name, "patternType": pattern},
        "operations": acl.operations,
    })
}

/// A name of Kubernetes (RFC 1123): in lower case, with a mark where two names would become one.
fn resource_name(name: &str) -> String {
    let lower: String = name
        .chars()
        .map(|c| match c {
            '_' => '-',
            c => c.to_ascii_lowercase(),
        })
        .collect();
    let lower = lower.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if lower == name && name.len() <= NAME_MAX {
        return name.to_owned();
    }
    let short: String = lower.chars().take(NAME_MAX - 9).collect();
    format!("{short}-{:08x}", mark(name))
}

/// FNV-1a: the same for a name everywhere.
fn mark(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash: u32, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_kubernetes_differ_where_names_differ() {
        assert_eq!(resource_name("orders.placed"), "orders.placed");
        let (a, b) = (resource_name("OrderPlaced"), resource_name("Orderplaced"));
        assert_ne!(a, b);
        assert!(a.starts_with("orderplaced-"), "{a}");
        assert!(resource_name(&"A".repeat(300)).len() <= NAME_MAX);
    }
}
