//! The events of a design, ready to judge what producers send.

use foldhash::{HashMap, HashMapExt};
use serde_json::Value;
use tidegate_base::limit::KEY_BYTES_MAX;
use tidegate_base::{Envelope, Name, Timestamp};
use tidegate_contracts::parties::Rules;
use tidegate_model::design::{Schema, SchemaFormat};
use tidegate_model::{Design, closest, pointer_segments};
use tidegate_schema::wire::SchemaId;
use tidegate_schema::{EventSchema, SchemaError};

use crate::publish::{Problem, SchemaViolation};
use crate::registry::{Framed, OtherRegistry, SCHEMA_ID, Schemas};
use crate::runtime::StartError;
use crate::settings::Settings;
use crate::stored::NOT_BEFORE;
use crate::wire::Wire;

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
    key: Option<KeyPointer>,
    /// Of the schemas that payloads name.
    schemas: Option<Schemas>,
    /// How its payloads are written for others.
    wire: Option<Wire>,
}

/// What a record is to the consumers of its event.
#[derive(Debug)]
pub(crate) enum Presented {
    /// This event, with its payload as JSON where that named its schema.
    Event(Envelope),
    /// Nothing: its payload cannot be read with the schema that it names, or is not as the design has it.
    Unusable(Problem),
}

impl Catalog {
    /// The catalog of `design`, with every schema compiled.
    pub(crate) fn new(design: &Design, settings: &Settings) -> Result<Self, StartError> {
        let own = || settings.registry.clone().map(Schemas::Own);
        let schemas = settings.other_registry.clone().map(Schemas::Other);
        let schemas = schemas.or_else(own);
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
            let key = event.key.as_ref().map(|key| KeyPointer::of(&key.value));
            let ids = settings.wire_ids.get(name);
            let entry = Entry {
                wire: ids.map(|ids| Wire::new(ids, schema.iter().chain(&older))),
                name: name.clone(),
                schema,
                older,
                rules,
                key,
                schemas: schemas.clone(),
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
        Some(with_json(envelope, &json))
    }

    /// Whether payloads name schemas in a registry of others.
    pub(crate) fn asks_others(&self) -> bool {
        let mut all = self.events.values();
        all.any(|entry| matches!(entry.schemas, Some(Schemas::Other(_))))
    }

    /// The event of a record as its consumers get it. Where the registry of others has to tell its schema
    /// first, that is waited for.
    pub(crate) async fn presented(&self, envelope: Envelope) -> Presented {
        self.wait_for(&envelope).await;
        match self
            .named_elsewhere(&envelope)
            .map(|(entry, ..)| entry.read(&envelope))
        {
            None | Some(None) => Presented::Event(envelope),
            Some(Some(Ok(json))) => Presented::Event(with_json(&envelope, &json)),
            Some(Some(Err(problem))) => Presented::Unusable(problem),
        }
    }

    /// Whether it can be said without asking a registry how consumers get the event.
    pub(crate) fn is_told(&self, envelope: &Envelope) -> bool {
        match self.named_elsewhere(envelope) {
            Some((_, registry, Some(id))) => registry.is_told(id),
            _ => true,
        }
    }

    /// Has the registry of others tell the schema that a payload names, and waits as long as it does not answer.
    pub(crate) async fn wait_for(&self, envelope: &Envelope) {
        if let Some((_, registry, Some(id))) = self.named_elsewhere(envelope) {
            registry.wait_for(id).await;
        }
    }

    /// Has the registry of others tell the schema that a payload names, for who can try again.
    ///
    /// # Errors
    ///
    /// Why it does not answer.
    pub(crate) async fn told_now(&self, envelope: &Envelope) -> Result<(), String> {
        match self.named_elsewhere(envelope) {
            Some((_, registry, Some(id))) => registry.told_now(id).await,
            _ => Ok(()),
        }
    }

    /// The event as its consumers get it, if the registry tells its schema within seconds; else as it came.
    pub(crate) async fn shown(&self, envelope: Envelope) -> Envelope {
        if self.named_elsewhere(&envelope).is_none() {
            return envelope;
        }
        // What cannot be told now is shown as it came.
        let _told = self.told_now(&envelope).await;
        self.decoded(&envelope).unwrap_or(envelope)
    }

    /// Of an event whose payload names a schema in a registry of others: that registry, and the id, if there is one.
    fn named_elsewhere(
        &self,
        envelope: &Envelope,
    ) -> Option<(&Entry, &OtherRegistry, Option<SchemaId>)> {
        let entry = self.events.get(&envelope.event_type)?;
        let Some(Schemas::Other(registry)) = &entry.schemas else {
            return None;
        };
        let framed = Framed::of(envelope, entry.schema.as_ref())?;
        let id = framed.named(envelope).ok().map(|(id, _)| id);
        Some((entry, registry, id))
    }

    /// As [`Catalog::judge`], with the event as it is stored where that is not as it came.
    pub(crate) fn accept(
        &self,
        envelope: &Envelope,
    ) -> Result<(&Entry, Option<String>, Option<Envelope>), Problem> {
        let (entry, key) = self.judge(envelope)?;
        Ok((entry, key, entry.written(envelope)?))
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

/// The event with another payload.
fn with_json(envelope: &Envelope, json: &Value) -> Envelope {
    let mut decoded = envelope.clone();
    decoded.extensions.remove(SCHEMA_ID);
    decoded.data_content_type = Some("application/json".to_owned());
    decoded.data = Some(json.to_string().into());
    decoded
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
        if let Some(json) = &json {
            self.keeps_rules(envelope, json)?;
        }
        match (&self.key, &json) {
            (Some(pointer), Some(json)) => pointer.key(json).map(Some),
            _ => extension_key(envelope),
        }
    }

    fn keeps_rules(&self, envelope: &Envelope, json: &Value) -> Result<(), Problem> {
        let broken = self.rules.as_ref();
        let broken = broken.and_then(|rules| rules.broken_by(envelope, json));
        broken.map_or(Ok(()), |broken| {
            Err(Problem::Rule {
                rule: broken.rule,
                because: broken.because,
                error: broken.error,
            })
        })
    }

    /// The payload as JSON, where it names the schema that it was written with.
    fn framed(&self, envelope: &Envelope) -> Option<Result<Value, Problem>> {
        let (schemas, design) = (self.schemas.as_ref()?, self.schema.as_ref());
        schemas.read(&self.name, envelope, design, &self.older)
    }

    /// As [`Entry::framed`], and it keeps the rules of the design.
    fn read(&self, envelope: &Envelope) -> Option<Result<Value, Problem>> {
        let read = self.framed(envelope)?;
        Some(read.and_then(|json| self.keeps_rules(envelope, &json).map(|()| json)))
    }

    /// The event in the wire format, where it is written so for others and is not yet.
    fn written(&self, envelope: &Envelope) -> Result<Option<Envelope>, Problem> {
        let design = self.schema.as_ref();
        let wire = self.wire.as_ref();
        let wire = wire.filter(|_| Framed::of(envelope, design).is_none());
        let schemas = design.into_iter().chain(&self.older);
        wire.map(|wire| wire.written(envelope, schemas)).transpose()
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

/// Where the key of an event is in its payload, as a JSON Pointer; taken apart once, not for every event.
#[derive(Debug)]
struct KeyPointer {
    text: String,
    /// `None`: it is none, which is a finding of the design.
    segments: Option<Vec<String>>,
}

impl KeyPointer {
    fn of(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            segments: pointer_segments(text).ok(),
        }
    }

    fn find<'a>(&self, json: &'a Value) -> Option<&'a Value> {
        let mut segments = self.segments.as_ref()?.iter();
        segments.try_fold(json, |at, segment| match at {
            Value::Object(members) => members.get(segment),
            Value::Array(items) => {
                // An index is written without a sign and without zeros before it.
                let index = segment.parse::<usize>().ok();
                let index = index.filter(|index| index.to_string() == *segment);
                items.get(index?)
            }
            _ => None,
        })
    }

    fn key(&self, json: &Value) -> Result<String, Problem> {
        let problem = |reason: &str| Problem::Key {
            pointer: self.text.clone(),
            reason: reason.to_owned(),
        };
        let text = match self.find(json) {
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
