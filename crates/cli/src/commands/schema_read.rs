//! A schema of any format as it is read from a file: for `schema validate` and `schema show`.

use serde_json::Value;
use tidegate_compat::json::{Draft, Named, Schema as JsonSchema};
use tidegate_compat::{CompareError, Format, Version};
use tidegate_schema::avro::{Avro, inline};
use tidegate_schema::listing::{self, Listed};
use tidegate_schema::protobuf::{Protobuf, Sources};
use tidegate_schema::{SchemaError, Violation};

use super::schema::{FILE_BYTES_MAX, read, refusal};
use super::schema_files;
use crate::arguments::schema::Subject;
use crate::exit::Failure;

/// A schema that is ready to judge events.
pub(crate) struct Judge {
    /// The name of its file.
    pub(crate) name: String,
    schema: Schema,
}

enum Schema {
    Json(Box<JsonSchema>, Value),
    Avro(Avro),
    /// With the full name of the message of an event, where there is one.
    Protobuf(Protobuf),
}

impl Judge {
    /// Reads the file that is named, with what it refers to.
    pub(crate) fn read(subject: &Subject) -> Result<Self, Failure> {
        let text = read(&subject.schema, FILE_BYTES_MAX)?;
        let version = Version::read(&subject.schema.display().to_string(), &text);
        let named = schema_files::named(&subject.reading)?;
        let format = match subject.r#type {
            Some(given) => given.into(),
            None => by_name(&version.name),
        };
        if subject.message.is_some() && format != Format::Protobuf {
            let message = format!("`--message` is of no use for a schema of type {format}");
            return Err(Failure::configuration(message).hint("leave it out"));
        }
        let version = schema_files::complete(version, format, &named)?;
        let schema = match format {
            Format::Json => json(&version, subject.reading.draft),
            Format::Avro => {
                let others: Vec<&str> = version.references.values().map(String::as_str).collect();
                inline(&version.text, &others)
                    .and_then(|whole| Avro::parse(&whole))
                    .map(Schema::Avro)
                    .map_err(|error| unreadable(&version.name, error))
            }
            Format::Protobuf => {
                protobuf(&version, subject.message.as_deref()).map(Schema::Protobuf)
            }
        }?;
        Ok(Self {
            name: version.name,
            schema,
        })
    }

    pub(crate) fn format(&self) -> Format {
        match &self.schema {
            Schema::Json(..) => Format::Json,
            Schema::Avro(_) => Format::Avro,
            Schema::Protobuf(_) => Format::Protobuf,
        }
    }

    /// The draft of a JSON Schema.
    pub(crate) fn draft(&self) -> Option<Draft> {
        match &self.schema {
            Schema::Json(schema, _) => Some(schema.draft()),
            _ => None,
        }
    }

    /// The message of an event, of Protobuf.
    pub(crate) fn message(&self) -> Option<&str> {
        match &self.schema {
            Schema::Protobuf(schema) => schema.root().map(|root| root.full_name()),
            _ => None,
        }
    }

    /// What an event has that the schema does not allow: where, and what.
    pub(crate) fn validate(&self, event: &Value) -> Vec<(String, String)> {
        let plain = |found: Vec<Violation>| found.into_iter().map(|one| (one.path, one.message));
        match &self.schema {
            Schema::Json(schema, _) => schema.validate(event),
            Schema::Avro(schema) => plain(schema.validate_json(event)).collect(),
            Schema::Protobuf(schema) => plain(schema.validate_json(event)).collect(),
        }
    }

    /// The fields, one by one.
    pub(crate) fn fields(&self) -> Vec<Listed> {
        match &self.schema {
            Schema::Json(_, root) => listing::json_schema(root),
            Schema::Avro(schema) => listing::avro(schema),
            Schema::Protobuf(schema) => listing::protobuf(schema),
        }
    }
}

/// What a file of this name is written in.
fn by_name(name: &str) -> Format {
    let end = name.rsplit_once('.').map(|(_, end)| end);
    match end {
        Some("avsc" | "avro") => Format::Avro,
        Some("proto") => Format::Protobuf,
        _ => Format::Json,
    }
}

fn json(version: &Version, draft: Draft) -> Result<Schema, Failure> {
    let named: Vec<Named<'_>> = (version.references)
        .iter()
        .map(|(name, text)| Named { name, text })
        .collect();
    let own = Named {
        name: &version.name,
        text: &version.text,
    };
    let schema = JsonSchema::read(own, &named, draft)
        .map_err(|error| refusal(&CompareError::Json(error)))?;
    let root = serde_json::from_str(&version.text).unwrap_or(Value::Null);
    Ok(Schema::Json(Box::new(schema), root))
}

/// The message that is named, or the only one that is in no other.
fn protobuf(version: &Version, message: Option<&str>) -> Result<Protobuf, Failure> {
    let mut files: Sources = version.references.clone();
    files.insert(version.name.clone(), version.text.clone());
    let compile = |root: Option<&str>| {
        Protobuf::compile(&files, root).map_err(|error| unreadable(&version.name, error))
    };
    let compiled = compile(message)?;
    if message.is_some() {
        return Ok(compiled);
    }
    let own = compiled.files().find(|file| file.name() == version.name);
    let names: Vec<String> = own
        .iter()
        .flat_map(|file| file.messages())
        .map(|message| message.full_name().to_owned())
        .collect();
    match names.as_slice() {
        [only] => compile(Some(only)),
        _ => Ok(compiled),
    }
}

fn unreadable(name: &str, error: SchemaError) -> Failure {
    refusal(&CompareError::Schema {
        name: name.to_owned(),
        error,
    })
}
