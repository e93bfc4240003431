//! A schema as it is registered.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a schema is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SchemaType {
    /// Avro: what a request means that does not say.
    #[default]
    Avro,
    /// JSON Schema.
    Json,
    /// Protocol Buffers.
    Protobuf,
}

impl SchemaType {
    /// The name in requests and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Avro => "AVRO",
            Self::Json => "JSON",
            Self::Protobuf => "PROTOBUF",
        }
    }
}

impl fmt::Display for SchemaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A schema of another subject that this one uses.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reference {
    /// How the schema calls it: a full name, a URI, or the path of an import.
    pub name: String,
    /// The subject.
    pub subject: String,
    /// The version there.
    pub version: u32,
}

/// A schema with what was said about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    /// What it is written in.
    #[serde(default)]
    pub schema_type: SchemaType,
    /// The text.
    pub schema: String,
    /// The schemas that it uses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
    /// Tags, properties and the like; kept, and read for `compatibilityGroup` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// Rules that clients run; kept, and never run here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_set: Option<Value>,
}

impl Body {
    /// The bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let references = self.references.iter();
        let references: usize = references
            .map(|one| one.name.len() + one.subject.len() + 8)
            .sum();
        let value = |value: &Option<Value>| value.as_ref().map_or(0, |v| v.to_string().len());
        self.schema.len() + references + value(&self.metadata) + value(&self.rule_set)
    }

    /// The property of the metadata by which versions are grouped.
    pub(crate) fn property(&self, name: &str) -> Option<&str> {
        let properties = self.metadata.as_ref()?.get("properties")?;
        properties.get(name)?.as_str()
    }
}
