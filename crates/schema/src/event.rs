//! The schema of an event in any of the formats.

use serde_json::Value;

use crate::avro::{Avro, Kind, NodeId};
use crate::compiled::Compiled;
use crate::error::SchemaError;
use crate::fields::Declared;
use crate::keyword::unescape;
use crate::protobuf::{Protobuf, Sources};
use crate::violation::Violation;

/// A schema ready to judge payloads: JSON by the format's mapping to JSON, and bytes of the format's
/// own encoding where it has one.
#[derive(Clone, Debug)]
pub enum EventSchema {
    /// A JSON Schema.
    Json(std::sync::Arc<Compiled>),
    /// An Avro schema.
    Avro(std::sync::Arc<Avro>),
    /// A Protobuf message.
    Protobuf(std::sync::Arc<Protobuf>),
}

impl EventSchema {
    /// Compiles a JSON Schema.
    ///
    /// # Errors
    ///
    /// As [`Compiled::json_schema`].
    pub fn json(text: &str) -> Result<Self, SchemaError> {
        Compiled::json_schema(text).map(|schema| Self::Json(schema.into()))
    }

    /// Compiles an Avro schema.
    ///
    /// # Errors
    ///
    /// As [`Avro::parse`].
    pub fn avro(text: &str) -> Result<Self, SchemaError> {
        Avro::parse(text).map(|schema| Self::Avro(schema.into()))
    }

    /// Compiles a Protobuf message with the files that it needs.
    ///
    /// # Errors
    ///
    /// As [`Protobuf::compile`].
    pub fn protobuf(sources: &Sources, message: &str) -> Result<Self, SchemaError> {
        Protobuf::compile(sources, Some(message)).map(|schema| Self::Protobuf(schema.into()))
    }

    /// What a JSON payload has that the schema does not allow; empty when it fits.
    #[must_use]
    pub fn validate(&self, payload: &Value) -> Vec<Violation> {
        match self {
            Self::Json(schema) => schema.validate(payload),
            Self::Avro(schema) => schema.validate_json(payload),
            Self::Protobuf(schema) => schema.validate_json(payload),
        }
    }

    /// The media type of the format's own encoding, as it is best written; `None` for JSON.
    #[must_use]
    pub fn binary_media_type(&self) -> Option<&'static str> {
        match self {
            Self::Json(_) => None,
            Self::Avro(_) => Some("avro/binary"),
            Self::Protobuf(_) => Some("application/protobuf"),
        }
    }

    /// Whether a media type names the format's own encoding.
    #[must_use]
    pub fn is_binary(&self, media_type: &str) -> bool {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        let known: &[&str] = match self {
            Self::Json(_) => &[],
            Self::Avro(_) => &[
                "avro/binary",
                "application/avro",
                "application/vnd.apache.avro",
                "application/avro+binary",
            ],
            Self::Protobuf(_) => &[
                "application/protobuf",
                "application/x-protobuf",
                "application/vnd.google.protobuf",
            ],
        };
        known
            .iter()
            .any(|known| essence.eq_ignore_ascii_case(known))
    }

    /// Reads a payload in the format's own encoding, as JSON by the format's mapping.
    ///
    /// # Errors
    ///
    /// What does not fit; for a JSON Schema, that it has no such encoding.
    pub fn read_binary(&self, payload: &[u8]) -> Result<Value, Vec<Violation>> {
        match self {
            Self::Json(_) => Err(vec![Violation::at(
                "",
                "a JSON Schema has no binary encoding",
            )]),
            Self::Avro(schema) => {
                let datum = schema
                    .decode(payload)
                    .map_err(|violation| vec![violation])?;
                Ok(schema.to_json(&datum))
            }
            Self::Protobuf(schema) => {
                let violations = schema.validate_binary(payload);
                if !violations.is_empty() {
                    return Err(violations);
                }
                let message = schema
                    .decode(payload)
                    .map_err(|violation| vec![violation])?;
                // A time beyond the calendar has bytes and no JSON.
                serde_json::to_value(&message)
                    .map_err(|error| vec![Violation::at("", &error.to_string())])
            }
        }
    }

    /// Writes a JSON payload in the format's own encoding.
    ///
    /// # Errors
    ///
    /// What does not fit; for a JSON Schema, that it has no such encoding.
    pub fn write_binary(&self, payload: &Value) -> Result<Vec<u8>, Vec<Violation>> {
        match self {
            Self::Json(_) => Err(vec![Violation::at(
                "",
                "a JSON Schema has no binary encoding",
            )]),
            Self::Avro(schema) => {
                let datum = schema.from_json(payload)?;
                let misfit = || vec![Violation::at("", "it is no datum of the schema")];
                schema.encode(&datum).ok_or_else(misfit)
            }
            Self::Protobuf(schema) => schema.encode_json(payload),
        }
    }

    /// Whether the schema declares `field`: a top-level name, or a JSON pointer into the payload.
    #[must_use]
    pub fn declares(&self, field: &str) -> Declared {
        match self {
            Self::Json(schema) => schema.declares(field),
            Self::Avro(schema) => walk_avro(schema, &parts(field)).0,
            Self::Protobuf(schema) => walk_protobuf(schema, &parts(field)).0,
        }
    }

    /// Whether every payload that fits has `field`: a top-level name, or a JSON pointer.
    #[must_use]
    pub fn requires(&self, field: &str) -> Declared {
        match self {
            Self::Json(schema) => schema.requires(field),
            Self::Avro(schema) => walk_avro(schema, &parts(field)).1,
            Self::Protobuf(schema) => walk_protobuf(schema, &parts(field)).1,
        }
    }

    /// The top-level names that the schema declares, in the order found.
    #[must_use]
    pub fn declared_fields(&self) -> Vec<String> {
        match self {
            Self::Json(schema) => schema.declared_fields(),
            Self::Avro(schema) => match &schema.node(schema.root()).kind {
                Kind::Record { fields, .. } => fields.iter().map(|f| f.name.clone()).collect(),
                _ => Vec::new(),
            },
            Self::Protobuf(schema) => {
                let fields = schema.root().into_iter().flat_map(|root| root.fields());
                fields.map(|field| field.json_name().to_owned()).collect()
            }
        }
    }
}

fn parts(field: &str) -> Vec<String> {
    match field.strip_prefix('/') {
        Some(pointer) => pointer.split('/').map(unescape).collect(),
        None => vec![field.to_owned()],
    }
}

/// Declared, and required.
type Both = (Declared, Declared);

const NOWHERE: Both = (Declared::No, Declared::No);
const OPEN: Both = (Declared::Unknown, Declared::Unknown);

fn walk_avro(schema: &Avro, parts: &[String]) -> Both {
    let mut at: NodeId = schema.root();
    let mut required = Declared::Yes;
    for part in parts {
        at = match &schema.node(at).kind {
            Kind::Record { fields, .. } => match fields.iter().find(|field| &field.name == part) {
                Some(field) => field.node,
                None => return NOWHERE,
            },
            Kind::Union(branches) => {
                required = Declared::No;
                match branches
                    .iter()
                    .find(|branch| &schema.name(**branch) == part)
                {
                    Some(branch) => *branch,
                    None => return NOWHERE,
                }
            }
            // There may be such an entry, and there may be none.
            Kind::Map(_) | Kind::Array(_) => return OPEN,
            _ => return NOWHERE,
        };
    }
    (Declared::Yes, required)
}

fn walk_protobuf(schema: &Protobuf, parts: &[String]) -> Both {
    let Some(mut at) = schema.root().cloned() else {
        return OPEN;
    };
    let mut required = Declared::Yes;
    for (index, part) in parts.iter().enumerate() {
        // Their JSON is not that of their fields.
        if at.full_name().starts_with("google.protobuf.") {
            return OPEN;
        }
        let field = at.get_field_by_json_name(part);
        let Some(field) = field.or_else(|| at.get_field_by_name(part)) else {
            return NOWHERE;
        };
        if !field.is_required() {
            // What is zero is not sent, so no field of `proto3` is always there.
            required = Declared::Unknown;
        }
        if index + 1 == parts.len() {
            break;
        }
        match field.kind().as_message() {
            Some(message) if !field.is_list() && !field.is_map() => at = message.clone(),
            Some(_) => return OPEN,
            None => return NOWHERE,
        }
    }
    (Declared::Yes, required)
}
