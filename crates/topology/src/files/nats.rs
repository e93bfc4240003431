//! Configurations of a stream and its consumers, as `nats stream add --config` and the JetStream API take them.

use serde_json::Value as Json;

use super::settings;
use crate::desired::Desired;
use crate::resource::{Kind, Value};
use crate::wire::nats::{consumer_config, stream_config};

/// A file with each configuration, by its name: `STREAM.stream.json`, `STREAM.CONSUMER.consumer.json`.
#[must_use]
pub fn nats(desired: &Desired) -> Vec<(String, Json)> {
    let files = desired.resources.iter().filter_map(|(id, wanted)| {
        let settings = settings(wanted);
        Some(match id.kind {
            Kind::Stream => (
                format!("{}.stream.json", id.name),
                stream_config(&id.name, &settings),
            ),
            Kind::Consumer => {
                let name = settings.get("durable_name").and_then(Value::text)?;
                let stream = settings.get("stream").and_then(Value::text)?;
                (
                    format!("{stream}.{name}.consumer.json"),
                    consumer_config(&settings),
                )
            }
            _ => return None,
        })
    });
    files.collect()
}
