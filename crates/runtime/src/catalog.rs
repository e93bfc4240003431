//! The events of a design, ready to judge what producers send.

use foldhash::{HashMap, HashMapExt};
use serde_json::Value;
use tidegate_base::limit::KEY_BYTES_MAX;
use tidegate_base::{Envelope, Name, Timestamp};
use tidegate_contracts::parties::Rules;
use tidegate_model::design::{Schema, SchemaFormat};
use tidegate_model::{Design, closest};
use tidegate_schema::{EventSchema, SchemaError};

use crate::publish::{Problem, SchemaViolation};
use crate::registry::{Framed, Registry, SCHEMA_ID};
use crate::runtime::StartError;
use crate::stored::NOT_BEFORE;

/// The extension attribute that carries the key of an event whose design names none.
///
/// Source: CloudEvents, "Partitioning" extension.
const PARTITION_KEY: &str = "partitionkey";

/// Every event by its type.
#[derive(Debug)]
pub(crate) struct Catalog {
    events: HashMap<String, Entry>,
}

/// One event of the design.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: Name,
    schema: Option<EventSchema>,
    /// Older schemas, the newest of them first: events are still produced with them.
    older: Vec<EventSchema>,
    rules: Option<Rules>,
    key: Option<String>,
    /// Of the schemas that payloads name.
    registry: Option<Registry>,
}

impl Catalog {
    /// The catalog of `design`, with every schema compiled.
    pub(crate) fn new(design: &Design, registry: Option<&Registry>) -> Result<Self, StartError> {
        let mut events = HashMap::new();
        for (name, event) in &design.events {
            let refused = |reason: String| StartError::Schema {
                event: name.clone(),
                reason,
            };
            let compiled = event.schema.as_ref().and_then(compile);
            let schema = compiled
                .transpose()
                .map_err(|error| refused(error.to_string()))?;
            let older = event.versions.values().rev();
            let older = older.filter_map(|version| version.schema.as_ref().and_then(compile));
            let older: Result<Vec<_>, _> = older.collect();
            let older = older.map_err(|error| refused(error.to_string()))?;
            let rules = Rules::of(event).map_err(|error| refused(error.to_string()))?;
            let key = event.key.as_ref().map(|key| key.value.clone());
            let entry = Entry {
                name: name.clone(),
                schema,
                older,
                rules,
                key,
                registry: registry.cloned(),
            };
            events.insert(event.event_type.clone(), entry);
        }
        Ok(Self { events })
    }

    /// The event with this type.
    pub(crate) fn name(&self, event_type: &str) -> Option<&Name> {
        self.events.get(event_type).map(|entry| &entry.name)
    }

    fn closest(&self, event_type: &str) -> Option<String> {
        // In the order of the names, so that the answer does not depend on the map.
        let mut known: Vec<&str> = self.events.keys().map(String::as_str).collect();
        known.sort_unstable();
        closest(event_type, known).map(str::to_owned)
    }

    /// The event with its payload as JSON, where it is in another encoding that can be read.
    pub(crate) fn decoded(&self, envelope: &Envelope) -> Option<Envelope> {
        let entry = self.events.get(&envelope.event_type)?;
        let media = envelope.data_content_type.as_deref().unwrap_or_default();
        let json = match entry.framed(envelope) {
            Some(read) => read.ok()?,
            None => {
                let schema = entry.schema.as_ref()?;
                let own = schema
                    .is_binary(media)
                    .then_some(envelope.data.as_deref()?)?;
                schema.read_binary(own).ok()?
            }
        };
        let mut decoded = envelope.clone();
        decoded.extensions.remove(SCHEMA_ID);
        decoded.data_content_type = Some("application/json".to_owned());
        decoded.data = Some(json.to_string().into());
        Some(decoded)
    }

    /// The event that `envelope` is an instance of, and its key.
    pub(crate) fn judge(&self, envelope: &Envelope) -> Result<(&Entry, Option<String>), Problem> {
        envelope.validate()?;
        let entry = self
            .events
            .get(&envelope.event_type)
            .ok_or_else(|| Problem::UnknownType {
                event_type: envelope.event_type.clone(),
                did_you_mean: self.closest(&envelope.event_type),
            })?;
        let key = entry.judge(envelope)?;
        let time = envelope.extensions.get(NOT_BEFORE);
        if let Some(time) = time.filter(|time| Timestamp::parse_rfc3339(time).is_none()) {
            return Err(Problem::NotBefore { time: time.clone() });
        }
        Ok((entry, key))
    }
}

impl Entry {
    fn judge(&self, envelope: &Envelope) -> Result<Option<String>, Problem> {
        let framed = self.framed(envelope);
        let json = match &self.schema {
            _ if framed.is_some() => framed.transpose()?,
            Some(schema) => Some(judged(schema, &self.older, envelope)?),
            None if self.key.is_some() || self.rules.is_some() => {
                Some(payload(envelope).ok_or(Problem::NotJson)?)
            }
            None => None,
        };
        if let (Some(rules), Some(json)) = (&self.rules, &json)
            && let Some(broken) = rules.broken_by(envelope, json)
        {
            return Err(Problem::Rule {
                rule: broken.rule,
                because: broken.because,
                error: broken.error,
            });
        }
        match (&self.key, &json) {
            (Some(pointer), Some(json)) => key(pointer, json).map(Some),
            _ => extension_key(envelope),
        }
    }
}

impl Entry {
    /// The payload as JSON, where it names the schema that it was written with.
    fn framed(&self, envelope: &Envelope) -> Option<Result<Value, Problem>> {
        let registry = self.registry.as_ref()?;
        let schema = self.schema.as_ref();
        let framed = Framed::of(envelope, schema)?;
        let is_meant = schema.is_some() || framed == Framed::Beside || registry.knows(&self.name);
        is_meant.then(|| registry.read_framed(framed, &self.name, envelope, schema, &self.older))
    }
}

/// The schema, compiled; `None` when its file could not be read, which is a finding of the design.
fn compile(schema: &Schema) -> Option<Result<EventSchema, SchemaError>> {
    let text = schema.text.as_deref()?;
    Some(match schema.format {
        SchemaFormat::JsonSchema => EventSchema::json(text),
        SchemaFormat::Avro => EventSchema::avro(text),
        SchemaFormat::Protobuf => {
            EventSchema::protobuf(&schema.sources(), schema.message().unwrap_or_default())
        }
    })
}

/// The payload as JSON, once it keeps its schema: JSON by the schema's mapping, and bytes when the
/// media type says that they are in the schema's own encoding.
fn judged(
    schema: &EventSchema,
    older: &[EventSchema],
    envelope: &Envelope,
) -> Result<Value, Problem> {
    let media = envelope.data_content_type.as_deref().unwrap_or_default();
    let (json, violations) = if schema.is_binary(media) {
        match schema.read_binary(envelope.data.as_deref().unwrap_or_default()) {
            Ok(json) => (json, Vec::new()),
            Err(violations) => (Value::Null, violations),
        }
    } else {
        let json = payload(envelope).ok_or_else(|| match schema.binary_media_type() {
            Some(binary) => Problem::Encoding { binary },
            None => Problem::NotJson,
        })?;
        let mut violations = schema.validate(&json);
        // An event of an older version is as good; what is wrong is told of the newest.
        if !violations.is_empty() && older.iter().any(|one| one.validate(&json).is_empty()) {
            violations.clear();
        }
        (json, violations)
    };
    if violations.is_empty() {
        return Ok(json);
    }
    let violations = violations.into_iter().map(|violation| SchemaViolation {
        path: violation.path,
        message: violation.message,
    });
    Err(Problem::Schema {
        violations: violations.collect(),
    })
}

fn payload(envelope: &Envelope) -> Option<Value> {
    envelope.is_json().then(|| envelope.data_json()).flatten()
}

fn key(pointer: &str, json: &Value) -> Result<String, Problem> {
    let problem = |reason: &str| Problem::Key {
        pointer: pointer.to_owned(),
        reason: reason.to_owned(),
    };
    let text = match json.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Null) | None => return Err(problem("is absent")),
        Some(Value::Array(_) | Value::Object(_)) => {
            return Err(problem("is not a string, a number or a boolean"));
        }
    };
    if text.len() > KEY_BYTES_MAX {
        return Err(problem("is longer than 1 KiB"));
    }
    Ok(text)
}

fn extension_key(envelope: &Envelope) -> Result<Option<String>, Problem> {
    let key = envelope.extensions.get(PARTITION_KEY);
    match key {
        Some(key) if key.len() > KEY_BYTES_MAX => Err(Problem::Key {
            pointer: PARTITION_KEY.to_owned(),
            reason: "is longer than 1 KiB".to_owned(),
        }),
        key => Ok(key.cloned()),
    }
}
