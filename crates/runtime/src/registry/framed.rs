//! Payloads that name the schema that they were written with.

use bytes::Bytes;
use serde_json::Value;
use tidegate_base::{Envelope, Name};
use tidegate_registry::{DecodeError, Listed, Parsed, SchemaType};
use tidegate_schema::EventSchema;
use tidegate_schema::wire::{self, SchemaId};

use super::Registry;
use super::design::subject;
use crate::publish::{Problem, SchemaViolation};

/// The extension attribute that names the schema of a payload: its number, its GUID, or in base64
/// what Kafka clients send as the header `__value_schema_id`.
pub(crate) const SCHEMA_ID: &str = "schemaid";

/// How a payload names its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framed {
    /// Before the payload.
    Before,
    /// Beside it, in an attribute.
    Beside,
}

impl Framed {
    /// Whether the payload of an event names its schema. Only Avro has payloads of its own that
    /// begin as the wire format does: there the media type decides.
    pub(crate) fn of(envelope: &Envelope, design: Option<&EventSchema>) -> Option<Self> {
        if envelope.extensions.contains_key(SCHEMA_ID) {
            return Some(Self::Beside);
        }
        if !wire::is_framed(envelope.data.as_deref().unwrap_or_default()) {
            return None;
        }
        let media = envelope.data_content_type.as_deref().unwrap_or_default();
        let is_own = design.is_some_and(|schema| {
            matches!(schema, EventSchema::Avro(_)) && schema.is_binary(media)
        });
        (!is_own).then_some(Self::Before)
    }
}

/// What follows the name of a schema, or stands beside it.
pub(crate) enum Rest {
    /// All that follows the id.
    After(Bytes),
    /// The whole payload, and the place of its message where the header says one.
    Beside(Vec<u8>, Bytes),
}

impl Framed {
    /// The schema that a payload names, and the rest.
    pub(crate) fn named(self, envelope: &Envelope) -> Result<(SchemaId, Rest), Problem> {
        let data = envelope.data.clone().unwrap_or_default();
        match self {
            Self::Before => {
                let (id, rest) = wire::read(&data).map_err(|error| problem("", &error))?;
                Ok((id, Rest::After(data.slice_ref(rest))))
            }
            Self::Beside => {
                let text = envelope.extensions.get(SCHEMA_ID);
                let (id, indexes) = named(text.map_or("", String::as_str))?;
                Ok((id, Rest::Beside(indexes, data)))
            }
        }
    }
}

impl Rest {
    /// Reads it with the schema that was named, which is `shown` so, and holds it against the design's.
    pub(crate) fn read(
        self,
        schema: &Parsed,
        shown: &str,
        design: Option<&EventSchema>,
        older: &[EventSchema],
    ) -> Result<Value, Problem> {
        let payload = match self {
            Self::After(rest) => rest,
            // The place of a message stands before the message, or in the header.
            Self::Beside(indexes, data) if schema.schema_type() == SchemaType::Protobuf => {
                let mut whole = if indexes.is_empty() { vec![0] } else { indexes };
                whole.extend_from_slice(&data);
                Bytes::from(whole)
            }
            Self::Beside(_, data) => data,
        };
        let json = schema.decode(&payload, design);
        let json = json.map_err(|error| match error {
            DecodeError::Payload(all) => Problem::Schema {
                violations: all
                    .into_iter()
                    .map(|(path, message)| SchemaViolation { path, message })
                    .collect(),
            },
            other => problem(shown, &other),
        })?;
        match design {
            // It was read with the design's own schema.
            None | Some(EventSchema::Protobuf(_)) => Ok(json),
            Some(schema) => held_against(schema, older, json),
        }
    }
}

impl Registry {
    /// Whether anything is registered for an event: only then bytes are taken for a frame where the
    /// design has no schema.
    pub(crate) fn knows(&self, event: &Name) -> bool {
        let subject = subject(event.as_str());
        self.index().versions(&subject, Listed::Live).is_ok()
    }

    /// Reads a payload with the schema that it names, which must be one of the event's subject.
    pub(crate) fn read_framed(
        &self,
        framed: Framed,
        event: &Name,
        envelope: &Envelope,
        design: Option<&EventSchema>,
        older: &[EventSchema],
    ) -> Result<Value, Problem> {
        let (id, rest) = framed.named(envelope)?;
        let (number, shown) = self.number(id)?;
        let subject = subject(event.as_str());
        self.check_subject(&subject, number, &shown)?;
        let schema = self.compiled(number);
        let schema = schema.map_err(|error| problem(&shown, &error))?;
        rest.read(&schema, &shown, design, older)
    }

    fn number(&self, id: SchemaId) -> Result<(u32, String), Problem> {
        let (index, shown) = (self.index(), id.to_string());
        match id {
            SchemaId::Number(number) => {
                let known = index.by_id(number);
                known.map_err(|_| problem(&shown, &"no schema is registered with this id"))?;
                Ok((number, shown))
            }
            SchemaId::Guid(_) => {
                let number = index.by_guid(&shown);
                let unknown = |_| problem(&shown, &"no schema is registered with this GUID");
                Ok((number.map_err(unknown)?, shown))
            }
        }
    }

    fn check_subject(&self, subject: &str, number: u32, shown: &str) -> Result<(), Problem> {
        let index = self.index();
        if index.has(subject, number) {
            return Ok(());
        }
        let uses = index.uses(number, Listed::All).unwrap_or_default();
        let mut names: Vec<&str> = uses.iter().map(|(name, _)| name.as_str()).collect();
        names.dedup();
        names.truncate(5);
        let reason = format!(
            "it is not one of subject `{subject}`, but of {}",
            names.join(", ")
        );
        Err(problem(shown, &reason))
    }
}

fn held_against(
    schema: &EventSchema,
    older: &[EventSchema],
    json: Value,
) -> Result<Value, Problem> {
    let violations = schema.validate(&json);
    // An event of an older version is as good; what is wrong is told of the newest.
    if violations.is_empty() || older.iter().any(|one| one.validate(&json).is_empty()) {
        return Ok(json);
    }
    let violations = violations.into_iter().map(|one| SchemaViolation {
        path: one.path,
        message: one.message,
    });
    Err(Problem::Schema {
        violations: violations.collect(),
    })
}

pub(crate) fn problem(id: &str, reason: &dyn std::fmt::Display) -> Problem {
    Problem::SchemaId {
        id: id.to_owned(),
        reason: reason.to_string(),
    }
}

/// What the attribute names, and the indexes that stand in it.
fn named(text: &str) -> Result<(SchemaId, Vec<u8>), Problem> {
    if let Ok(number) = text.parse() {
        return Ok((SchemaId::Number(number), Vec::new()));
    }
    let hex: String = text.chars().filter(|c| *c != '-').collect();
    if text.len() == 36
        && hex.len() == 32
        && let Ok(guid) = u128::from_str_radix(&hex, 16)
    {
        return Ok((SchemaId::Guid(guid), Vec::new()));
    }
    use base64::Engine as _;
    let wrong = "it is no number, no GUID and no header in base64";
    let bytes = base64::engine::general_purpose::STANDARD.decode(text);
    let bytes = bytes.map_err(|_| problem(text, &wrong))?;
    let (id, rest) = wire::read(&bytes).map_err(|error| problem(text, &error))?;
    Ok((id, rest.to_vec()))
}
