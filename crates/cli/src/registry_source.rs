//! The schema registry of others that a system on a broker reads schemas from, and writes payloads for.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tidegate_base::limit::REGISTRY_REFERENCES_MAX;
use tidegate_base::{Clock, Name};
use tidegate_model::Design;
use tidegate_registry::{Body, Reference, SchemaType};
use tidegate_runtime::{
    FoundSchema, Missing, OtherRegistry, SchemaSource, SourceError, WrittenError,
};
use tidegate_schema::wire::SchemaId;

use crate::exit::{Failure, Kind};
use crate::registry_client::{RegistryClient, encoded, said};
use crate::terminal::say;

/// No schema has this id, or no subject or version is called so: the rest of 404 is no answer of a registry.
const ABSENT: [u64; 3] = [40401, 40402, 40403];

/// A registry, as the arguments say.
pub(crate) struct OthersRegistry {
    pub(crate) client: RegistryClient,
    /// What is done about schemas that are missing, where payloads are written in the wire format.
    pub(crate) written: Option<Missing>,
}

/// What is known of it once a system starts.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) registry: Option<OtherRegistry>,
    /// What it calls the schemas with which payloads are written.
    pub(crate) ids: BTreeMap<Name, Vec<Option<u32>>>,
}

impl OthersRegistry {
    /// What a system needs to know before it starts. As long as the registry does not answer, that is waited for.
    pub(crate) async fn known(
        self,
        design: &Design,
        subject: impl Fn(&Name) -> String,
        clock: &Arc<dyn Clock>,
    ) -> Result<Known, Failure> {
        let url = self.client.url().to_owned();
        let asking = Asking(Arc::new(self.client));
        let registry = OtherRegistry::new(Arc::new(asking), Arc::clone(clock));
        let ids = match self.written {
            None => BTreeMap::new(),
            Some(missing) => {
                let ids = registry.ids(design, subject, missing).await;
                ids.map_err(|error| not_written(&error, missing))?
            }
        };
        let words = if self.written.is_some() {
            "read and written"
        } else {
            "read"
        };
        say(&format!(
            "payloads in the wire format are {words} with the schemas of {url}"
        ));
        Ok(Known {
            registry: Some(registry),
            ids,
        })
    }
}

fn not_written(error: &WrittenError, missing: Missing) -> Failure {
    let failure = Failure::new(Kind::Configuration, error.to_string());
    match (error, missing) {
        (WrittenError::Absent { .. }, Missing::Leave) => {
            failure.hint("register it, or have it registered with --wire-format register")
        }
        _ => failure,
    }
}

/// The registry, asked on threads that may block.
struct Asking(Arc<RegistryClient>);

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Asking").field(&self.0.url()).finish()
    }
}

/// What is waited for.
type Wait<T> = std::pin::Pin<Box<dyn Future<Output = Result<T, SourceError>> + Send>>;

impl Asking {
    fn beside<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&RegistryClient) -> Result<T, SourceError> + Send + 'static,
    ) -> Wait<T> {
        let client = Arc::clone(&self.0);
        Box::pin(async move {
            let asked = tokio::task::spawn_blocking(move || ask(&client)).await;
            asked.unwrap_or_else(|error| Err(SourceError::Away(error.to_string())))
        })
    }
}

impl SchemaSource for Asking {
    fn schema(&self, id: SchemaId) -> Wait<FoundSchema> {
        self.beside(move |client| {
            let path = match id {
                SchemaId::Number(number) if i32::try_from(number).is_err() => {
                    let reason = format!("{number} is beyond the ids of registries");
                    return Err(SourceError::Refused(reason));
                }
                SchemaId::Number(_) => format!("/schemas/ids/{id}"),
                SchemaId::Guid(_) => format!("/schemas/guids/{id}"),
            };
            let told: Value = get(client, &path)?;
            let is_schema = told.get("schema").is_some();
            let told: Told = serde_json::from_value(told).map_err(|error| match is_schema {
                true => SourceError::Refused(format!("{path} is no schema that is read: {error}")),
                false => SourceError::Away(format!("what answers {path} is no registry: {error}")),
            })?;
            let used = used(client, &told.references)?;
            let body = Body {
                schema_type: told.schema_type,
                schema: told.schema,
                references: told.references,
                ..Body::default()
            };
            Ok(FoundSchema { body, used })
        })
    }

    fn version(&self, subject: String, body: Body, missing: Missing) -> Wait<Option<(u32, u32)>> {
        self.beside(move |client| {
            let path = format!("/subjects/{}", encoded(&subject));
            let body = json!(body);
            if let Some(found) = find::<Registered>(client, &path, Some(&body))? {
                return Ok(Some((found.id, found.version)));
            }
            if missing == Missing::Leave {
                return Ok(None);
            }
            // What is answered has no version everywhere.
            let versions = format!("{path}/versions");
            find::<Value>(client, &versions, Some(&body))?;
            let found = find::<Registered>(client, &path, Some(&body))?;
            Ok(found.map(|found| (found.id, found.version)))
        })
    }
}

/// A schema, as it is answered.
#[derive(Deserialize)]
struct Told {
    schema: String,
    #[serde(rename = "schemaType", default)]
    schema_type: SchemaType,
    #[serde(default)]
    references: Vec<Reference>,
}

#[derive(Deserialize)]
struct Registered {
    id: u32,
    version: u32,
}

#[derive(Deserialize)]
struct Refusal {
    error_code: u64,
}

/// The texts of the schemas that are used, what is used before what uses it.
fn used(
    client: &RegistryClient,
    references: &[Reference],
) -> Result<Vec<(String, String)>, SourceError> {
    let mut found = Vec::new();
    follow(client, references, &mut HashSet::new(), &mut found)?;
    Ok(found)
}

fn follow(
    client: &RegistryClient,
    references: &[Reference],
    seen: &mut HashSet<String>,
    found: &mut Vec<(String, String)>,
) -> Result<(), SourceError> {
    for reference in references {
        if !seen.insert(reference.name.clone()) {
            continue;
        }
        if seen.len() > REGISTRY_REFERENCES_MAX {
            let message = format!("it uses more than {REGISTRY_REFERENCES_MAX} other schemas");
            return Err(SourceError::Refused(message));
        }
        let (subject, version) = (encoded(&reference.subject), reference.version);
        // What is used may be hidden since.
        let path = format!("/subjects/{subject}/versions/{version}?deleted=true");
        let told: Told = get(client, &path)?;
        follow(client, &told.references, seen, found)?;
        found.push((reference.name.clone(), told.schema));
    }
    Ok(())
}

fn get<T: DeserializeOwned>(client: &RegistryClient, path: &str) -> Result<T, SourceError> {
    let absent = || {
        let url = client.url();
        SourceError::Refused(format!("the registry at {url} has no {path}"))
    };
    find(client, path, None)?.ok_or_else(absent)
}

/// An answer; `None` when the registry says that there is no such thing.
fn find<T: DeserializeOwned>(
    client: &RegistryClient,
    path: &str,
    body: Option<&Value>,
) -> Result<Option<T>, SourceError> {
    let url = client.url();
    let away = |what: String| SourceError::Away(format!("{url}: {what}"));
    let (status, bytes) = client
        .ask(path, body)
        .map_err(|error| away(error.to_string()))?;
    if (200..300).contains(&status) {
        let read = serde_json::from_slice(&bytes);
        return read.map(Some).map_err(|error| {
            away(format!(
                "what answers {path} is no schema registry: {error}"
            ))
        });
    }
    let said = format!("{path} is answered with status {status}: {}", said(&bytes));
    let code = serde_json::from_slice::<Refusal>(&bytes).map(|refusal| refusal.error_code);
    match (status, code) {
        (404, Ok(code)) if ABSENT.contains(&code) => Ok(None),
        // It will be refused again.
        (409 | 422, Ok(_)) => Err(SourceError::Refused(said)),
        // No word on the schema: who asks may not, the path is another's, or it is in trouble.
        _ => Err(away(said)),
    }
}
