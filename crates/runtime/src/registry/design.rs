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
fn plain(schema: &Schema) -> Body {
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

/// A Protobuf file; those that it imports become subjects by their own names.
async fn protobuf(registry: &Registry, schema: &Schema) -> Result<Body, ApiError> {
    let sources = schema.sources();
    let compiled = Protobuf::compile(&sources, None)
        .map_err(|error| ApiError::new(42201, error.to_string()))?;
    let own = schema.path().and_then(|path| path.rsplit('/').next());
    let own = own.unwrap_or_default().to_owned();
    let mut versions: BTreeMap<String, u32> = BTreeMap::new();
    // What is imported comes before what imports it: that is how files are compiled.
    let mut files: Vec<_> = compiled.pool().files().collect();
    files.retain(|file| sources.contains_key(file.name()));
    for file in files {
        let name = file.name().to_owned();
        let imports = file.file_descriptor_proto().dependency.iter();
        let references = imports.filter_map(|import| {
            Some(Reference {
                name: import.clone(),
                subject: import.clone(),
                version: *versions.get(import)?,
            })
        });
        let body = Body {
            schema_type: SchemaType::Protobuf,
            schema: sources.get(&name).cloned().unwrap_or_default(),
            references: references.collect(),
            ..Body::default()
        };
        if name == own {
            return Ok(body);
        }
        let (_, version) = govern(registry, &name, body).await?;
        versions.insert(name, version);
    }
    Err(ApiError::new(42201, "the schema has no file of its own"))
}
