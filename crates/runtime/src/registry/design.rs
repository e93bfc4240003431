//! The schemas of a design as subjects of the registry.

use std::collections::BTreeMap;

use serde_json::Value;
use tidegate_compat::Mode;
use tidegate_compat::json::Draft;
use tidegate_model::Design;
use tidegate_model::design::{Compatibility, Schema, SchemaFormat};
use tidegate_registry::{ApiError, Body, Command, Done, Reference, SchemaType};
use tidegate_schema::protobuf::Protobuf;

use super::Registry;

/// The subject of an event's payloads, as the clients' usual strategy names it.
pub(crate) fn subject(event: &str) -> String {
    format!("{event}-value")
}

/// The subjects that the design speaks for, with its levels.
pub(crate) fn governed(design: &Design) -> BTreeMap<String, Mode> {
    let events = design.events.iter();
    let events = events.filter(|(_, event)| event.schema.is_some());
    events
        .map(|(name, event)| (subject(name.as_str()), mode(event.compatibility)))
        .collect()
}

const fn mode(compatibility: Compatibility) -> Mode {
    match compatibility {
        Compatibility::None => Mode::None,
        Compatibility::Backward => Mode::Backward,
        Compatibility::BackwardTransitive => Mode::BackwardTransitive,
        Compatibility::Forward => Mode::Forward,
        Compatibility::ForwardTransitive => Mode::ForwardTransitive,
        Compatibility::Full => Mode::Full,
        Compatibility::FullTransitive => Mode::FullTransitive,
    }
}

/// Registers the schemas that are not there yet. A change that breaks the design's own level is in
/// force all the same, since the design is; it is said.
pub(super) async fn register(registry: &Registry, design: &Design) -> Result<(), ApiError> {
    for (name, event) in &design.events {
        let Some(schema) = event.schema.as_ref().filter(|schema| schema.text.is_some()) else {
            continue;
        };
        let subject = subject(name.as_str());
        let body = match schema.format {
            SchemaFormat::Protobuf => protobuf(registry, schema).await,
            _ => Ok(plain(schema)),
        };
        let registered = match body {
            Ok(body) => govern(registry, &subject, body).await,
            Err(error) => Err(error),
        };
        match registered {
            Ok((id, _)) => registry.in_force(subject, id),
            Err(error) if error.code < 50_000 => tracing::warn!(
                "the schema of event `{name}` is not in the registry: {}",
                error.message
            ),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn govern(registry: &Registry, subject: &str, body: Body) -> Result<(u32, u32), ApiError> {
    let command = Command::Govern {
        subject: subject.to_owned(),
        body,
    };
    let (done, broken) = registry.change_saying(command).await?;
    if let Some(broken) = broken {
        tracing::warn!(
            "the schema of subject `{subject}` has changed in a way that its compatibility does not allow: {}",
            broken.sentences().join("; ")
        );
    }
    match done {
        Done::Registered { id, version } => Ok((id, version)),
        _ => Err(ApiError::new(50001, "the schema has no number")),
    }
}

/// A schema of JSON or Avro.
pub(crate) fn plain(schema: &Schema) -> Body {
    let text = schema.text.clone().unwrap_or_default();
    if schema.format == SchemaFormat::Avro {
        return Body {
            schema_type: SchemaType::Avro,
            schema: text,
            ..Body::default()
        };
    }
    // A design means the newest draft where none is named, and a registry an older one.
    let named = match serde_json::from_str(&text) {
        Ok(Value::Object(mut object)) if !object.contains_key("$schema") => {
            let draft = Value::String(Draft::default().uri().to_owned());
            object.shift_insert(0, "$schema".to_owned(), draft);
            Value::Object(object).to_string()
        }
        _ => text,
    };
    Body {
        schema_type: SchemaType::Json,
        schema: named,
        ..Body::default()
    }
}

/// A file of a Protobuf schema, with what it imports of the others.
pub(crate) struct ProtoFile {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) imports: Vec<String>,
}

/// The files of a Protobuf schema that a registry has to know: the last is its own, and what is imported comes before
/// what imports it.
pub(crate) fn proto_files(schema: &Schema) -> Result<Vec<ProtoFile>, ApiError> {
    let sources = schema.sources();
    let compiled = Protobuf::compile(&sources, None)
        .map_err(|error| ApiError::new(42201, error.to_string()))?;
    let own = schema.path().and_then(|path| path.rsplit('/').next());
    let own = own.unwrap_or_default();
    let mut found = Vec::new();
    // That is how files are compiled.
    for file in compiled.pool().files() {
        let name = file.name().to_owned();
        let Some(text) = sources.get(&name) else {
            continue;
        };
        let is_own = name == own;
        found.push(ProtoFile {
            name,
            text: text.clone(),
            imports: file.file_descriptor_proto().dependency.clone(),
        });
        if is_own {
            return Ok(found);
        }
    }
    Err(ApiError::new(42201, "the schema has no file of its own"))
}

impl ProtoFile {
    /// What is registered of it, once all that it imports is, as these versions.
    pub(crate) fn body(&self, versions: &BTreeMap<String, u32>) -> Body {
        let imports = self.imports.iter();
        let references = imports.filter_map(|import| {
            Some(Reference {
                name: import.clone(),
                subject: import.clone(),
                version: *versions.get(import)?,
            })
        });
        Body {
            schema_type: SchemaType::Protobuf,
            schema: self.text.clone(),
            references: references.collect(),
            ..Body::default()
        }
    }
}

/// A Protobuf file; those that it imports become subjects by their own names.
async fn protobuf(registry: &Registry, schema: &Schema) -> Result<Body, ApiError> {
    let mut files = proto_files(schema)?;
    let own = files.pop();
    let mut versions: BTreeMap<String, u32> = BTreeMap::new();
    for file in files {
        let body = file.body(&versions);
        let (_, version) = govern(registry, &file.name, body).await?;
        versions.insert(file.name, version);
    }
    let own = own.map(|own| own.body(&versions));
    own.ok_or_else(|| ApiError::new(42201, "the schema has no file of its own"))
}
