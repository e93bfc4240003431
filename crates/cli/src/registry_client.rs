//! Asks a schema registry what it holds: the REST API of Confluent's, which others speak too.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidegate_asyncapi::registry::Subject;
use tidegate_base::limit::REGISTRY_REFERENCES_MAX;
use ureq::{Agent, RequestBuilder};

use crate::client::{DaemonUrl, tls};
use crate::design_files::{read_text, unreadable};
use crate::exit::{Failure, Kind};

/// What is sent, and preferred.
const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";
/// Most bytes of one answer.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// Most subjects that are read.
const SUBJECTS_MAX: usize = 10_000;
/// Longest file of credentials.
const CREDENTIALS_BYTES_MAX: usize = 4 << 10;

/// A registry and the right to ask it.
pub(crate) struct RegistryClient {
    agent: Agent,
    url: DaemonUrl,
    authorization: Option<String>,
}

/// A version of a subject, as it is answered.
#[derive(Deserialize)]
struct Version {
    version: u64,
    schema: String,
    #[serde(rename = "schemaType", default = "avro")]
    schema_type: String,
    #[serde(default)]
    references: Vec<Reference>,
}

/// A schema that another refers to.
#[derive(Clone, Deserialize)]
struct Reference {
    name: String,
    subject: String,
    version: i64,
}

#[derive(Deserialize)]
struct Level {
    #[serde(rename = "compatibilityLevel")]
    level: String,
}

/// What a refusal says.
#[derive(Deserialize)]
struct Refusal {
    message: String,
}

/// A schema type that is not said is Avro.
fn avro() -> String {
    "AVRO".to_owned()
}

impl RegistryClient {
    /// A client for the registry at `url`.
    ///
    /// # Errors
    ///
    /// When the credentials cannot be read, or there are no certificates for https.
    pub(crate) fn new(
        url: &DaemonUrl,
        credentials: Option<&Path>,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let authorization = match credentials {
            None => None,
            Some(file) => {
                let text = read_text(file, CREDENTIALS_BYTES_MAX);
                let text = text.map_err(|error| unreadable(file, &error))?;
                Some(format!("Basic {}", STANDARD.encode(text.trim())))
            }
        };
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // Credentials go to nobody but the registry that was named.
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(timeout));
        if url.is_https() {
            config = config.tls_config(tls()?);
        }
        Ok(Self {
            agent: config.build().into(),
            url: url.clone(),
            authorization,
        })
    }

    /// Every subject with its newest version, in the order of their names.
    ///
    /// # Errors
    ///
    /// When the registry does not answer, refuses, or holds more than is read.
    pub(crate) fn subjects(&self) -> Result<Vec<Subject>, Failure> {
        // Every registry has this list, be it empty: where it is not, there is none.
        let names: Option<Vec<String>> = self.find("/subjects")?;
        let mut names = names.ok_or_else(|| {
            let message = format!(
                "there is no schema registry at {}: it has no /subjects",
                self.url()
            );
            Failure::new(Kind::Unreachable, message).hint(
                "give the URL that clients of the registry have, such as http://localhost:8081",
            )
        })?;
        names.sort();
        if names.len() > SUBJECTS_MAX {
            let message = format!("the registry has more than {SUBJECTS_MAX} subjects");
            return Err(Failure::configuration(message));
        }
        let level = self.find::<Level>("/config")?.map(|level| level.level);
        names
            .into_iter()
            .map(|name| self.subject(name, level.as_deref()))
            .collect()
    }

    fn subject(&self, name: String, level: Option<&str>) -> Result<Subject, Failure> {
        let path = encoded(&name);
        let versions: Vec<u64> = self.get(&format!("/subjects/{path}/versions"))?;
        let newest: Version = self.get(&format!("/subjects/{path}/versions/latest"))?;
        let own = self.find::<Level>(&format!("/config/{path}"))?;
        let compatibility = own
            .map(|own| own.level)
            .or_else(|| level.map(str::to_owned));
        Ok(Subject {
            name,
            version: newest.version,
            versions: versions.len(),
            references: self.references(newest.references)?,
            schema_type: newest.schema_type,
            schema: newest.schema,
            compatibility,
        })
    }

    /// The texts of schemas that are referred to, with those that they refer to.
    fn references(&self, first: Vec<Reference>) -> Result<Vec<(String, String)>, Failure> {
        let mut texts = Vec::new();
        let mut seen = HashSet::new();
        let mut waiting = first;
        while let Some(reference) = waiting.pop() {
            if !seen.insert(reference.name.clone()) {
                continue;
            }
            if seen.len() > REGISTRY_REFERENCES_MAX {
                let message =
                    format!("a schema refers to more than {REGISTRY_REFERENCES_MAX} others");
                return Err(Failure::configuration(message));
            }
            let (subject, version) = (encoded(&reference.subject), reference.version);
            let found: Version = self.get(&format!("/subjects/{subject}/versions/{version}"))?;
            waiting.extend(found.references);
            texts.push((reference.name, found.schema));
        }
        texts.sort();
        Ok(texts)
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let found = self.find(path)?;
        found.ok_or_else(|| {
            let message = format!("the registry at {} has no {path}", self.url.text());
            Failure::new(Kind::No, message).hint("is it the URL of a schema registry?")
        })
    }

    /// An answer; `None` when there is no such thing.
    fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        let url = self.url();
        let (status, bytes) = self.ask(path, None).map_err(|error| {
            let message = format!("cannot reach the registry at {url}: {error}");
            Failure::new(Kind::Unreachable, message).hint("is it running, and is the URL right?")
        })?;
        if status == 404 {
            return Ok(None);
        }
        if !(200..300).contains(&status) {
            let said = said(&bytes);
            let message =
                format!("the registry at {url} answers {path} with status {status}: {said}");
            return Err(match status {
                401 | 403 => Failure::new(Kind::NotAllowed, message)
                    .hint("name a file with USER:PASSWORD: --credentials-file FILE"),
                _ => Failure::new(Kind::No, message),
            });
        }
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let message = format!("what answers at {url} is no schema registry: {path}: {error}");
            Failure::new(Kind::Unreachable, message)
        })
    }

    /// The status and the bytes of an answer; with a body, to a POST.
    pub(crate) fn ask(
        &self,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Vec<u8>), ureq::Error> {
        let url = format!("{}{path}", self.url());
        let mut response = match body {
            None => self.headed(self.agent.get(url)).call()?,
            Some(body) => {
                let request = self.headed(self.agent.post(url));
                let request = request.header("content-type", MEDIA_TYPE);
                request.send(body.to_string())?
            }
        };
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        Ok((status, body.read_to_vec()?))
    }

    fn headed<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        let accept = format!("{MEDIA_TYPE}, application/json");
        let request = request.header("accept", accept);
        match &self.authorization {
            Some(authorization) => request.header("authorization", authorization),
            None => request,
        }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        self.url.text()
    }
}

/// Why a registry refuses, in its words.
pub(crate) fn said(bytes: &[u8]) -> String {
    let said = serde_json::from_slice::<Refusal>(bytes).map(|refusal| refusal.message);
    let said = said.unwrap_or_else(|_| "it does not say why".to_owned());
    said.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// A text as one part of the path of a URL (RFC 3986).
pub(crate) fn encoded(text: &str) -> String {
    let mut part = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                part.push(char::from(byte));
            }
            other => part.push_str(&format!("%{other:02X}")),
        }
    }
    part
}
