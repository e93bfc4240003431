//! What requests say.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidegate_registry::{
    ApiError, Body, Command, ConfigChange, Index, Listed, Reference, SchemaType, VersionWanted,
};

use super::Refusal;

/// The parameters behind the `?` of a request.
pub(super) type Parameters = BTreeMap<String, String>;

/// Whether a parameter is true.
pub(super) fn flag(parameters: &Parameters, name: &str) -> bool {
    let value = parameters.get(name);
    value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// The versions that `deleted` and `deletedOnly` ask for.
pub(super) fn listed(parameters: &Parameters) -> Listed {
    Listed::of(flag(parameters, "deleted"), flag(parameters, "deletedOnly"))
}

/// The part of a list that `offset` and `limit` ask for.
pub(super) fn page<T>(all: Vec<T>, parameters: &Parameters) -> Vec<T> {
    let number = |name: &str| -> Option<i64> { parameters.get(name)?.parse().ok() };
    // A number that is not positive asks for nothing.
    let positive = |name: &str| {
        let number = usize::try_from(number(name)?).ok();
        number.filter(|number| *number > 0)
    };
    let most = positive("limit");
    let from = positive("offset").unwrap_or_default();
    all.into_iter()
        .skip(from)
        .take(most.unwrap_or(usize::MAX))
        .collect()
}

/// A subject's name in a path: the default context is the one that there is.
pub(super) fn subject(name: &str) -> String {
    name.strip_prefix(":.:").unwrap_or(name).to_owned()
}

/// What the names of subjects begin with; those of all contexts are those of the only one.
pub(super) fn prefix(parameters: &Parameters) -> &str {
    let prefix = parameters.get("subjectPrefix").map_or("", String::as_str);
    let inner = prefix.strip_prefix(":*:");
    inner
        .or_else(|| prefix.strip_prefix(":.:"))
        .unwrap_or(prefix)
}

/// A schema as it is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SchemaRequest {
    schema: Option<String>,
    schema_type: Option<String>,
    references: Option<Vec<ReferenceRequest>>,
    metadata: Option<Value>,
    rule_set: Option<Value>,
    id: Option<i64>,
    version: Option<i64>,
    schema_tags_to_add: Option<Value>,
    schema_tags_to_remove: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct ReferenceRequest {
    name: String,
    subject: String,
    version: i64,
}

impl SchemaRequest {
    /// The schema; the version -1 of a reference is the newest one.
    pub(super) fn body(&self, index: &Index) -> Result<Body, ApiError> {
        let schema_type = match self.schema_type.as_deref() {
            None | Some("") => SchemaType::Avro,
            Some(name) => [SchemaType::Avro, SchemaType::Json, SchemaType::Protobuf]
                .into_iter()
                .find(|one| one.name().eq_ignore_ascii_case(name))
                .ok_or_else(|| {
                    let name: String = name.chars().take(50).collect();
                    ApiError::new(42201, format!("Invalid schema type {name}"))
                })?,
        };
        if self.schema_tags_to_add.is_some() || self.schema_tags_to_remove.is_some() {
            let message = "tags are not added by names of entities: write them into the schema";
            return Err(ApiError::new(42205, message));
        }
        let references = self.references.iter().flatten();
        let references = references.map(|one| resolved(one, index));
        Ok(Body {
            schema_type,
            schema: self.schema.clone().unwrap_or_default(),
            references: references.collect::<Result<_, _>>()?,
            metadata: present(&self.metadata),
            rule_set: present(&self.rule_set),
        })
    }

    /// The command that registers it.
    pub(super) fn registration(
        &self,
        subject: String,
        normalize: bool,
        index: &Index,
    ) -> Result<Command, ApiError> {
        let number = |number: Option<i64>| {
            let given = number.filter(|number| *number > 0);
            given.map(|number| u32::try_from(number).unwrap_or(u32::MAX))
        };
        Ok(Command::Register {
            subject,
            body: self.body(index)?,
            normalize,
            id: number(self.id),
            version: number(self.version),
        })
    }
}

fn present(value: &Option<Value>) -> Option<Value> {
    let value = value.as_ref().filter(|value| !value.is_null());
    value.cloned()
}

fn resolved(one: &ReferenceRequest, index: &Index) -> Result<Reference, ApiError> {
    let subject = subject(&one.subject);
    let missing = || {
        ApiError::new(
            42201,
            format!(
                "Invalid schema: No schema reference found for subject \"{subject}\" and version {}",
                one.version
            ),
        )
    };
    let version = match u32::try_from(one.version) {
        Ok(version) => version,
        Err(_) if one.version == -1 => {
            let newest = index.version(&subject, VersionWanted::Latest, Listed::Live);
            newest.map_err(|_| missing())?.version
        }
        Err(_) => return Err(missing()),
    };
    Ok(Reference {
        name: one.name.clone(),
        subject,
        version,
    })
}

/// How schemas may change, as it is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ConfigRequest {
    compatibility: Option<String>,
    compatibility_level: Option<String>,
    normalize: Option<bool>,
    compatibility_group: Option<String>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

impl ConfigRequest {
    /// What it changes.
    pub(super) fn change(self) -> Result<ConfigChange, Refusal> {
        let unknown = self.others.iter().find(|(_, value)| !value.is_null());
        if let Some((name, _)) = unknown {
            let name: String = name.chars().take(50).collect();
            let message = format!("the setting `{name}` is not supported");
            return Err(Refusal::new(42205, message));
        }
        let level = self.compatibility.or(self.compatibility_level);
        let compatibility = level
            .map(|level| {
                level.parse().map_err(|_| {
                    Refusal::new(
                        42203,
                        "Invalid compatibility level. Valid values are NONE, BACKWARD, FORWARD, FULL, \
                         BACKWARD_TRANSITIVE, FORWARD_TRANSITIVE, and FULL_TRANSITIVE",
                    )
                })
            })
            .transpose()?;
        let change = ConfigChange {
            compatibility,
            normalize: self.normalize,
            compatibility_group: self.compatibility_group,
        };
        if change == ConfigChange::default() {
            return Err(Refusal::new(
                42203,
                "the request says no compatibility level",
            ));
        }
        Ok(change)
    }
}

/// What may be done, as it is sent.
#[derive(Debug, Deserialize)]
pub(super) struct ModeRequest {
    pub(super) mode: String,
}

/// Reads the JSON of a request.
pub(super) fn read<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Refusal> {
    let body = body.map_err(|rejection| {
        let status = u32::from(rejection.status().as_u16());
        Refusal::new(status, rejection.body_text())
    })?;
    serde_json::from_slice(&body)
        .map_err(|error| Refusal::new(400, format!("the request cannot be read: {error}")))
}
