//! What a registry of others calls the schemas of a design, so that payloads can be written with them.

use std::collections::BTreeMap;

use thiserror::Error;
use tidegate_base::Name;
use tidegate_model::Design;
use tidegate_model::design::{Schema, SchemaFormat};
use tidegate_registry::{Body, SchemaType};
use tidegate_schema::protobuf::Protobuf;

use super::design::{plain, proto_files};
use super::other::{Missing, OtherRegistry};

/// Why the payloads of an event cannot be written in the wire format.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WrittenError {
    /// Its schema is not registered.
    #[error("the schema of event `{event}` is not in subject `{subject}` of the registry")]
    Absent {
        /// The event.
        event: Name,
        /// Where it was looked for.
        subject: String,
    },
    /// The registry refuses it, or it cannot be registered at all.
    #[error("the schema of event `{event}` in subject `{subject}` of the registry: {reason}")]
    Refused {
        /// The event.
        event: Name,
        /// Where it was looked for, or to be registered.
        subject: String,
        /// Why.
        reason: String,
    },
}

impl OtherRegistry {
    /// What the registry calls the schemas of each event that has one: that of the event, and its older ones, the
    /// newest first, as far as they are there. `subject` names where those of an event are. A schema in force that is
    /// missing may be registered; it is waited as long as the registry does not answer.
    ///
    /// # Errors
    ///
    /// [`WrittenError`] when a schema in force is not there, or is refused.
    pub async fn ids(
        &self,
        design: &Design,
        subject: impl Fn(&Name) -> String,
        missing: Missing,
    ) -> Result<BTreeMap<Name, Vec<Option<u32>>>, WrittenError> {
        let mut ids = BTreeMap::new();
        for (name, event) in &design.events {
            let Some(schema) = event.schema.as_ref().filter(|one| one.text.is_some()) else {
                continue;
            };
            let subject = subject(name);
            let refused = |reason| WrittenError::Refused {
                event: name.clone(),
                subject: subject.clone(),
                reason,
            };
            let newest = self.id_of(&subject, schema, missing).await;
            let newest = newest.map_err(refused)?;
            if newest.is_none() {
                let event = name.clone();
                return Err(WrittenError::Absent { event, subject });
            }
            let mut all = vec![newest];
            for version in event.versions.values().rev() {
                let older = version.schema.as_ref().filter(|one| one.text.is_some());
                if let Some(older) = older {
                    let id = self.id_of(&subject, older, Missing::Leave).await;
                    all.push(id.map_err(refused)?);
                }
            }
            ids.insert(name.clone(), all);
        }
        Ok(ids)
    }

    async fn id_of(
        &self,
        subject: &str,
        schema: &Schema,
        missing: Missing,
    ) -> Result<Option<u32>, String> {
        let body = match schema.format {
            SchemaFormat::Protobuf => match self.protobuf(schema, missing).await? {
                Some(body) => body,
                None => return Ok(None),
            },
            _ => plain(schema),
        };
        // It may be registered as it is written, without the draft that a design means.
        let written = Body {
            schema: schema.text.clone().unwrap_or_default(),
            ..body.clone()
        };
        if body.schema_type == SchemaType::Json && written != body {
            let found = self.version(subject, &written, Missing::Leave).await?;
            if let Some((id, _)) = found {
                return Ok(Some(id));
            }
        }
        let found = self.version(subject, &body, missing).await?;
        Ok(found.map(|(id, _)| id))
    }

    /// A Protobuf file as it is registered, once those that it imports are there.
    async fn protobuf(&self, schema: &Schema, missing: Missing) -> Result<Option<Body>, String> {
        let mut files = proto_files(schema).map_err(|error| error.to_string())?;
        let own = files.pop();
        let compiled = Protobuf::compile(&schema.sources(), schema.message());
        let compiled = compiled.map_err(|error| error.to_string())?;
        let place = compiled.root().map(|root| root.parent_file());
        let is_own = |name: &str| own.as_ref().is_some_and(|own| own.name == name);
        if let Some(elsewhere) = place.filter(|place| !is_own(place.name())) {
            let elsewhere = elsewhere.name();
            return Err(format!(
                "its message is in `{elsewhere}`, and the wire format names messages of the file itself: name that file"
            ));
        }
        let mut versions = BTreeMap::new();
        for file in files {
            let body = file.body(&versions);
            let Some((_, version)) = self.version(&file.name, &body, missing).await? else {
                return Ok(None);
            };
            versions.insert(file.name, version);
        }
        Ok(own.map(|own| own.body(&versions)))
    }
}
