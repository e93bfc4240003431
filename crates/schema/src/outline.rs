//! A schema read for what it says, and not made ready to judge payloads: a third of the work.

use serde_json::Value;
use tidegate_base::limit::SCHEMA_BYTES_MAX;

use crate::compiled::Compiled;
use crate::error::SchemaError;
use crate::event::EventSchema;
use crate::fanout;
use crate::fields::{self, Declared};
use crate::protobuf::Sources;

/// The draft that a schema without `$schema` is read by.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Keywords whose values only a compiler can check, or which change what a reference means.
const NOT_PLAIN: &[&str] = &[
    "pattern",
    "patternProperties",
    "$id",
    "id",
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "$recursiveRef",
    "$recursiveAnchor",
    "$vocabulary",
];

/// What a valid schema says.
#[derive(Debug)]
pub struct Outline {
    says: Says,
}

#[derive(Debug)]
enum Says {
    Json(Value),
    Other(EventSchema),
}

impl Outline {
    /// The outline of a JSON Schema, for exactly those texts that [`Compiled::json_schema`] takes.
    ///
    /// # Errors
    ///
    /// As [`Compiled::json_schema`].
    pub fn json_schema(text: &str) -> Result<Self, SchemaError> {
        if text.len() <= SCHEMA_BYTES_MAX
            && let Ok(root) = serde_json::from_str::<Value>(text)
            && is_plain(&root, &root)
            && jsonschema::meta::is_valid(&root)
        {
            fanout::check(&root)?;
            return Ok(Self {
                says: Says::Json(root),
            });
        }
        // Anything else is the compiler's to judge, and to find words for.
        Compiled::json_schema(text).map(|compiled| Self {
            says: Says::Json(compiled.into_root()),
        })
    }

    /// The outline of an Avro schema.
    ///
    /// # Errors
    ///
    /// As [`EventSchema::avro`].
    pub fn avro(text: &str) -> Result<Self, SchemaError> {
        let says = Says::Other(EventSchema::avro(text)?);
        Ok(Self { says })
    }

    /// The outline of a Protobuf message.
    ///
    /// # Errors
    ///
    /// As [`EventSchema::protobuf`].
    pub fn protobuf(sources: &Sources, message: &str) -> Result<Self, SchemaError> {
        let says = Says::Other(EventSchema::protobuf(sources, message)?);
        Ok(Self { says })
    }

    /// Whether the schema is a JSON Schema.
    #[must_use]
    pub fn is_json_schema(&self) -> bool {
        matches!(self.says, Says::Json(_))
    }

    /// The names that `required` lists for the payload itself, through local references and
    /// `allOf`, in the order found, each one once.
    #[must_use]
    pub fn required_fields(&self) -> Vec<String> {
        match &self.says {
            Says::Json(root) => fields::required(root),
            Says::Other(schema) => {
                let mut fields = schema.declared_fields();
                fields.retain(|field| schema.requires(field) == Declared::Yes);
                fields
            }
        }
    }

    /// Whether the schema declares `field`: a top-level name, or a JSON pointer into the payload.
    #[must_use]
    pub fn declares(&self, field: &str) -> Declared {
        match &self.says {
            Says::Json(root) => fields::declares(root, field),
            Says::Other(schema) => schema.declares(field),
        }
    }

    /// Whether every payload that fits has `field`: a top-level name, or a JSON pointer.
    #[must_use]
    pub fn requires(&self, field: &str) -> Declared {
        match &self.says {
            Says::Json(root) => fields::requires(root, field),
            Says::Other(schema) => schema.requires(field),
        }
    }

    /// The top-level names that the schema declares, in the order found: for "did you mean".
    #[must_use]
    pub fn declared_fields(&self) -> Vec<String> {
        match &self.says {
            Says::Json(root) => fields::declared(root),
            Says::Other(schema) => schema.declared_fields(),
        }
    }
}

/// Whether a schema that is valid by its draft is sure to compile.
fn is_plain(value: &Value, root: &Value) -> bool {
    match value {
        Value::Object(object) => object.iter().all(|(name, value)| match name.as_str() {
            "$ref" => value.as_str().is_some_and(|target| resolves(target, root)),
            "$schema" => value.as_str() == Some(DRAFT),
            name => !NOT_PLAIN.contains(&name) && is_plain(value, root),
        }),
        Value::Array(items) => items.iter().all(|item| is_plain(item, root)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// Whether a reference leads, by its plain letters, to a schema of this text.
fn resolves(target: &str, root: &Value) -> bool {
    let pointer = target
        .strip_prefix('#')
        .filter(|pointer| !pointer.contains('%'));
    pointer
        .and_then(|pointer| root.pointer(pointer))
        .is_some_and(|target| target.is_object() || target.is_boolean())
}
