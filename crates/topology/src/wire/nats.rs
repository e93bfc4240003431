//! JetStream's interface: streams and consumers as it describes and takes them.
//!
//! Source: NATS documentation, "JetStream wire API Reference"; the JSON schemas `io.nats.jetstream.api.v1`.

use serde_json::{Map, Value as Json};

use crate::resource::{Settings, Value};

/// Of a consumer, but no field of its configuration.
const STREAM: &str = "stream";
/// What is known of a stream beside its configuration.
const STATE: &str = "replicas.";

/// The settings of a stream, of an answer to `STREAM.INFO`.
#[must_use]
pub fn stream(info: &Json) -> Settings {
    let mut settings = config(info);
    let replicas = info.pointer("/cluster/replicas").and_then(Json::as_array);
    if let Some(replicas) = replicas {
        let is_away = |replica: &&Json| {
            let is = |key: &str| replica.get(key) == Some(&Json::Bool(true));
            is("offline") || !is("current")
        };
        let away = replicas.iter().filter(is_away).count();
        let away = i64::try_from(away).unwrap_or(i64::MAX);
        settings.insert(format!("{STATE}offline"), away.into());
    }
    settings
}

/// The settings of a consumer of `stream`, of an answer to `CONSUMER.INFO`.
#[must_use]
pub fn consumer(stream: &str, info: &Json) -> Settings {
    let mut settings = config(info);
    settings.insert(STREAM.to_owned(), stream.into());
    settings
}

fn config(info: &Json) -> Settings {
    let config = info.get("config").and_then(Json::as_object);
    let entries = config.into_iter().flatten();
    let read = |(name, value): (&String, &Json)| Some((name.clone(), Value::of_json(value)?));
    entries.filter_map(read).collect()
}

/// The configuration of a stream, as `STREAM.CREATE` takes it.
#[must_use]
pub fn stream_config(name: &str, settings: &Settings) -> Json {
    let mut config = of(settings);
    config.insert("name".to_owned(), name.into());
    Json::Object(config)
}

/// The configuration of a consumer, as `CONSUMER.DURABLE.CREATE` takes it.
#[must_use]
pub fn consumer_config(settings: &Settings) -> Json {
    Json::Object(of(settings))
}

fn of(settings: &Settings) -> Map<String, Json> {
    let is_configured = |name: &String| name != STREAM && !name.starts_with(STATE);
    let entries = settings.iter().filter(|(name, _)| is_configured(name));
    // What is no setting here, such as where a stream is placed, was read as its text.
    let json = |value: &Value| match value {
        Value::Text(text) if text.starts_with('{') => {
            serde_json::from_str(text).unwrap_or_else(|_| value.json())
        }
        value => value.json(),
    };
    entries
        .map(|(name, value)| (name.clone(), json(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_answered_is_written_back_as_it_was() {
        let config = json!({
            "name": "shop", "subjects": ["shop.>"], "max_age": 7, "sealed": false,
            "placement": {"cluster": "east"},
        });
        let info = json!({
            "config": config,
            "cluster": {"replicas": [{"current": true}, {"current": true, "offline": true}]},
        });
        let settings = stream(&info);
        assert_eq!(settings.get("replicas.offline"), Some(&1.into()));
        assert_eq!(stream_config("shop", &settings), config);
        let own = consumer("shop", &json!({"config": {"durable_name": "a"}}));
        assert_eq!(consumer_config(&own), json!({"durable_name": "a"}));
    }
}
