//! Payloads written so that the deserialisers of others read them: in the wire format.

use tidegate_base::Envelope;
use tidegate_schema::EventSchema;
use tidegate_schema::wire::{self, SchemaId};

use crate::publish::{Problem, SchemaViolation};

/// What such a payload is to clients that do not know its schema.
const MEDIA_TYPE: &str = "application/octet-stream";

/// What stands before the payloads of an event.
#[derive(Debug)]
pub(crate) struct Wire {
    /// For each schema of the event, the newest first; `None` where the registry does not have it.
    frames: Vec<Option<Vec<u8>>>,
}

impl Wire {
    /// The frames with these ids, in the order of the schemas.
    pub(crate) fn new<'a>(
        ids: &[Option<u32>],
        schemas: impl Iterator<Item = &'a EventSchema>,
    ) -> Self {
        let ids = ids.iter().copied().chain(std::iter::repeat(None));
        let frame = |(schema, id): (&EventSchema, Option<u32>)| {
            let mut frame = wire::write(SchemaId::Number(id?));
            if let EventSchema::Protobuf(schema) = schema {
                wire::write_indexes(&schema.root_indexes()?, &mut frame);
            }
            Some(frame)
        };
        Self {
            frames: schemas.zip(ids).map(frame).collect(),
        }
    }

    /// An event that keeps one of the schemas, in the wire format with the newest that it keeps.
    pub(crate) fn written<'a>(
        &self,
        envelope: &Envelope,
        schemas: impl Iterator<Item = &'a EventSchema>,
    ) -> Result<Envelope, Problem> {
        let mut first = None;
        for (schema, frame) in schemas.zip(&self.frames) {
            match (bytes(schema, envelope), frame) {
                (Ok(bytes), Some(frame)) => {
                    let mut written = envelope.clone();
                    written.data = Some([frame.as_slice(), &bytes].concat().into());
                    written.data_content_type = Some(MEDIA_TYPE.to_owned());
                    return Ok(written);
                }
                (Ok(_), None) => {
                    return Err(Problem::SchemaId {
                        id: String::new(),
                        reason: "it is written with an older schema of the event, which the registry does not have"
                            .to_owned(),
                    });
                }
                (Err(violations), _) => first = first.or(Some(violations)),
            }
        }
        let violations = first.unwrap_or_default();
        Err(Problem::Schema { violations })
    }
}

/// A payload in the encoding of its schema.
fn bytes(schema: &EventSchema, envelope: &Envelope) -> Result<Vec<u8>, Vec<SchemaViolation>> {
    let data = envelope.data.as_deref().unwrap_or_default();
    let media = envelope.data_content_type.as_deref().unwrap_or_default();
    let json = || envelope.data_json().unwrap_or_default();
    let written = match schema {
        _ if schema.is_binary(media) => schema.read_binary(data).map(|_| data.to_vec()),
        // JSON is its own encoding, and stays as it was written.
        EventSchema::Json(_) => match schema.validate(&json()) {
            violations if violations.is_empty() => Ok(data.to_vec()),
            violations => Err(violations),
        },
        _ => schema.write_binary(&json()),
    };
    written.map_err(|violations| {
        let each = violations.into_iter().map(|one| SchemaViolation {
            path: one.path,
            message: one.message,
        });
        each.collect()
    })
}
