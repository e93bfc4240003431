//! The payload of an event as JSON, whatever the format of its schema: what JSON Schema allows all
//! of it, and what judges it in the end.
//!
//! The JSON Schema of an Avro or Protobuf schema allows no less than the format does, by its mapping to
//! JSON; events that it allows are shown only once the format itself has taken them.

mod avro;
mod protobuf;

use serde_json::Value;
use tidegate_compat::json::{Draft, JsonError, Named, Schema as Comparable};
use tidegate_model::design::{Schema, SchemaFormat};
use tidegate_schema::EventSchema;

use super::shape::Shape;

/// What the schema of a payload is called in messages.
const NAME: &str = "schema";

/// The schema of a payload, ready for every question.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    /// All that it allows, as a JSON Schema.
    pub(crate) root: Value,
    /// What the format itself says.
    pub(crate) judge: EventSchema,
    pub(crate) format: SchemaFormat,
}

impl Payload {
    /// Reads the schema of an event; `None` when it has no text or is no schema, which other rules
    /// report.
    pub(crate) fn of(schema: &Schema) -> Option<Self> {
        let text = schema.text.as_deref()?;
        let judge = match schema.format {
            SchemaFormat::JsonSchema => EventSchema::json(text),
            SchemaFormat::Avro => EventSchema::avro(text),
            SchemaFormat::Protobuf => {
                let message = schema.message().unwrap_or_default();
                EventSchema::protobuf(&schema.sources(), message)
            }
        };
        let judge = judge.ok()?;
        let root = match &judge {
            EventSchema::Json(_) => serde_json::from_str(text).ok()?,
            EventSchema::Avro(schema) => avro::json_schema(schema),
            EventSchema::Protobuf(schema) => protobuf::json_schema(schema)?,
        };
        Some(Self {
            root,
            judge,
            format: schema.format,
        })
    }

    /// Its shape.
    pub(crate) fn shape(&self) -> Shape {
        shape(&self.root, self.format)
    }

    /// All that it allows, ready to be compared, with what else its events keep.
    pub(crate) fn writer(&self, also: &[Value]) -> Result<Comparable, JsonError> {
        let text = self.root.to_string();
        let own = Named {
            name: NAME,
            text: &text,
        };
        if also.is_empty() {
            return Comparable::read(own, &[], Draft::Twenty);
        }
        let mut parts = vec![serde_json::json!({"$ref": NAME})];
        parts.extend_from_slice(also);
        let joined = serde_json::json!({"allOf": parts}).to_string();
        let joined = Named {
            name: "event",
            text: &joined,
        };
        Comparable::read(joined, &[own], Draft::Twenty)
    }

    /// Whether an event fits by the rules of its own format.
    pub(crate) fn allows(&self, event: &Value) -> bool {
        self.judge.validate(event).is_empty()
    }
}

/// The shape of a schema without what only judging events takes; `None` when it is no schema.
pub(crate) fn shape_of(schema: &Schema) -> Option<Shape> {
    match schema.format {
        SchemaFormat::JsonSchema => {
            let root: Value = serde_json::from_str(schema.text.as_deref()?).ok()?;
            Some(shape(&root, SchemaFormat::JsonSchema))
        }
        _ => Payload::of(schema).map(|payload| payload.shape()),
    }
}

/// Protobuf alone says what an absent field means.
fn shape(root: &Value, format: SchemaFormat) -> Shape {
    Shape::of(root, format == SchemaFormat::Protobuf)
}
