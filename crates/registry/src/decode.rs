//! A payload that names its schema, read with it.

use prost_reflect::{DynamicMessage, FileDescriptor, MessageDescriptor};
use serde_json::Value;
use thiserror::Error;
use tidegate_compat::avro::read;
use tidegate_schema::EventSchema;
use tidegate_schema::wire::{self, WireError};

use crate::candidate::Parsed;

/// Why a payload cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes are not in the wire format.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The design has the event in another format.
    #[error("its schema is of type {writer}, and the design has the event in {design}")]
    Format {
        /// The type of the registered schema.
        writer: &'static str,
        /// The format of the design.
        design: &'static str,
    },
    /// The message is not the one that the design has.
    #[error("it is a message `{found}`, and the design has `{wanted}`")]
    Message {
        /// The message of the payload.
        found: String,
        /// That of the design.
        wanted: String,
    },
    /// It does not keep its schema: places and what is wrong there.
    #[error("the payload does not keep its schema")]
    Payload(Vec<(String, String)>),
}

impl Parsed {
    /// Reads what follows the id of a payload, as JSON by the design's schema where there is one. It
    /// is not yet held against what that says.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the payload is not of this schema, or the design's is another.
    pub fn decode(
        &self,
        payload: &[u8],
        design: Option<&EventSchema>,
    ) -> Result<Value, DecodeError> {
        let format = |design: &'static str| DecodeError::Format {
            writer: self.schema_type().name(),
            design,
        };
        match (self, design) {
            (Self::Avro(writer), None | Some(EventSchema::Avro(_))) => {
                let datum = writer.decode(payload);
                let datum = datum.map_err(|one| payload_error([(one.path, one.message)]))?;
                let Some(EventSchema::Avro(reader)) = design else {
                    return Ok(writer.to_json(&datum));
                };
                let resolved = read(writer, reader, &datum).map_err(|refusals| {
                    payload_error(refusals.into_iter().map(|one| (one.path, one.message)))
                })?;
                Ok(reader.to_json(&resolved))
            }
            (Self::Json(writer), None | Some(EventSchema::Json(_))) => {
                let value: Value = serde_json::from_slice(payload)
                    .map_err(|error| payload_error([(String::new(), error.to_string())]))?;
                let found = writer.validate(&value);
                if found.is_empty() {
                    Ok(value)
                } else {
                    Err(payload_error(found))
                }
            }
            (Self::Protobuf { own, compiled, .. }, None | Some(EventSchema::Protobuf(_))) => {
                let (indexes, rest) = wire::read_indexes(payload)?;
                let file = compiled.pool().get_file_by_name(own);
                let found = file.and_then(|file| message_at(&file, &indexes));
                let found = found.ok_or(WireError::Indexes)?;
                protobuf(&found, rest, design)
            }
            (_, Some(EventSchema::Avro(_))) => Err(format("AVRO")),
            (_, Some(EventSchema::Json(_))) => Err(format("JSON")),
            (_, Some(EventSchema::Protobuf(_))) => Err(format("PROTOBUF")),
        }
    }
}

fn protobuf(
    found: &MessageDescriptor,
    payload: &[u8],
    design: Option<&EventSchema>,
) -> Result<Value, DecodeError> {
    if let Some(schema @ EventSchema::Protobuf(compiled)) = design {
        let wanted = compiled.root().map_or("", MessageDescriptor::full_name);
        if found.full_name() != wanted {
            return Err(DecodeError::Message {
                found: found.full_name().to_owned(),
                wanted: wanted.to_owned(),
            });
        }
        // Every reader of Protobuf reads with its own schema.
        let violations = |all: Vec<tidegate_schema::Violation>| {
            payload_error(all.into_iter().map(|one| (one.path, one.message)))
        };
        return schema.read_binary(payload).map_err(violations);
    }
    let message = DynamicMessage::decode(found.clone(), payload);
    let message = message.map_err(|error| payload_error([(String::new(), error.to_string())]))?;
    serde_json::to_value(&message)
        .map_err(|error| payload_error([(String::new(), error.to_string())]))
}

fn payload_error(all: impl IntoIterator<Item = (String, String)>) -> DecodeError {
    DecodeError::Payload(all.into_iter().collect())
}

/// The message that the indexes lead to: in the file, then inside of the one before.
fn message_at(file: &FileDescriptor, indexes: &[usize]) -> Option<MessageDescriptor> {
    let (first, rest) = indexes.split_first()?;
    let mut found = file.messages().nth(*first)?;
    for index in rest {
        let inner = found.child_messages().nth(*index)?;
        found = inner;
    }
    Some(found)
}
