//! RabbitMQ by the HTTP interface of its management plugin.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use tidegate_base::Timestamp;
use tidegate_topology::letters::{Header, Raw};
use tidegate_topology::wire::rabbitmq::{Answers, body, read};
use tidegate_topology::{Change, How, Kind, Settings, Topology, Value};
use ureq::Agent;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use crate::address::{Address, encoded};
use crate::error::EstateError;
use crate::lag::{Lag, Method};

/// How long an answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// Most bytes of one answer.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
const NAME: &str = "RabbitMQ";

pub(crate) struct RabbitMq {
    agent: Agent,
    url: String,
    vhost: String,
    authorization: String,
}

impl RabbitMq {
    pub(crate) fn open(address: &Address) -> Result<Self, EstateError> {
        address.only(&[
            "username",
            "password",
            "password-file",
            "ca-file",
            "certificate-file",
            "key-file",
        ])?;
        let (scheme, port) = match address.is_tls {
            true => ("https", 15671),
            false => ("http", 15672),
        };
        let host = address.servers.split(',').next().unwrap_or_default();
        let host = match host.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => host,
            _ => host,
        };
        let at = address.also.clone();
        let at = at.unwrap_or_else(|| format!("{host}:{port}"));
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // Credentials go to nobody but the broker that was named.
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(ANSWER_TIME_MAX));
        if address.is_tls {
            config = config.tls_config(tls(address)?);
        }
        let user = address.setting("username").unwrap_or("guest");
        let file = address.read("password-file")?;
        let file = file.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let file = file
            .as_deref()
            .map(|text| text.trim_end_matches(['\r', '\n']));
        let password = file.or(address.setting("password")).unwrap_or("guest");
        Ok(Self {
            agent: config.build().into(),
            url: format!("{scheme}://{at}"),
            vhost: address.vhost.clone(),
            authorization: format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))),
        })
    }

    pub(crate) fn topology(&self) -> Result<Topology, EstateError> {
        let vhost = encoded(&self.vhost);
        let answers = Answers {
            overview: self.get("/api/overview")?,
            exchanges: self.get(&format!("/api/exchanges/{vhost}"))?,
            queues: self.get(&format!("/api/queues/{vhost}"))?,
            bindings: self.get(&format!("/api/bindings/{vhost}"))?,
            policies: self.get(&format!("/api/policies/{vhost}"))?,
            // Only administrators see these.
            permissions: match self.get(&format!("/api/vhosts/{vhost}/permissions")) {
                Err(EstateError::NotAllowed { .. }) => Json::Null,
                answer => answer?,
            },
        };
        let mut topology = read(&answers);
        if answers.permissions.is_null() {
            let unread = "permissions were not read: only an administrator may ask for them";
            topology.unread.push(unread.to_owned());
        } else if let Ok(Json::Array(users)) = self.get("/api/users") {
            let names = users.iter().filter_map(|user| user.get("name")?.as_str());
            let names = names.map(str::to_owned).collect();
            topology
                .facts
                .insert("users".to_owned(), Value::Texts(names));
        }
        if let Ok(Json::Array(nodes)) = self.get("/api/nodes") {
            let count = i64::try_from(nodes.len()).unwrap_or(i64::MAX);
            topology.facts.insert("servers".to_owned(), count.into());
        }
        Ok(topology)
    }

    pub(crate) fn definitions(&self) -> Result<Json, EstateError> {
        // Of this virtual host: no users, and nobody need be an administrator.
        self.get(&format!("/api/definitions/{}", encoded(&self.vhost)))
    }

    pub(crate) fn change(&self, change: &Change) -> Result<(), EstateError> {
        let path = self.path(change.id.kind, &change.id.name, &change.becomes);
        if change.how == How::Recreate {
            self.send("DELETE", &path, None)?;
        }
        // A binding has no name, and is posted; everything else is put in its place.
        let method = match change.id.kind {
            Kind::Binding => "POST",
            _ => "PUT",
        };
        let body = body(change.id.kind, &change.becomes);
        self.send(method, &path, Some(&body)).map(drop)
    }

    fn path(&self, kind: Kind, name: &str, settings: &Settings) -> String {
        let vhost = encoded(&self.vhost);
        let name = encoded(name);
        let end = |end: &str| encoded(settings.get(end).and_then(Value::text).unwrap_or_default());
        match kind {
            Kind::Exchange => format!("/api/exchanges/{vhost}/{name}"),
            Kind::Binding => format!(
                "/api/bindings/{vhost}/e/{}/q/{}",
                end("source"),
                end("destination")
            ),
            Kind::Policy => format!("/api/policies/{vhost}/{name}"),
            Kind::Permission => format!("/api/permissions/{vhost}/{name}"),
            _ => format!("/api/queues/{vhost}/{name}"),
        }
    }

    pub(crate) fn lag(&self, only: Option<&str>, now: Timestamp) -> Result<Vec<Lag>, EstateError> {
        let vhost = encoded(&self.vhost);
        let path = match only {
            Some(queue) => format!("/api/queues/{vhost}/{}", encoded(queue)),
            None => format!("/api/queues/{vhost}"),
        };
        let queues = match self.get(&path)? {
            Json::Array(queues) => queues,
            queue => vec![queue],
        };
        Ok(queues.iter().map(|queue| behind(queue, now)).collect())
    }

    pub(crate) fn letters(&self, source: &str, most: usize) -> Result<Vec<Raw>, EstateError> {
        let path = format!("/api/queues/{}/{}", encoded(&self.vhost), encoded(source));
        let queue = self.get(&path)?;
        let kind = queue
            .get("type")
            .and_then(Json::as_str)
            .unwrap_or("classic");
        // Looking is a delivery to RabbitMQ, and what was delivered too often is dropped.
        if kind != "classic" && self.counts_deliveries(&queue) {
            return Err(EstateError::Refused {
                broker: NAME,
                reason: format!(
                    "queue `{source}` counts deliveries, and looking into it is one: set no delivery-limit on it, or read \
                     a copy"
                ),
            });
        }
        let wanted = json!({
            "count": most, "ackmode": "ack_requeue_true", "encoding": "auto",
        });
        let got = self.send("POST", &format!("{path}/get"), Some(&wanted))?;
        let got = got.as_array().map_or(&[][..], Vec::as_slice);
        Ok(got.iter().map(|message| raw(source, message)).collect())
    }

    fn counts_deliveries(&self, queue: &Json) -> bool {
        let policy = queue.pointer("/effective_policy_definition/delivery-limit");
        let limit = queue.pointer("/arguments/x-delivery-limit").or(policy);
        let limit = limit.and_then(Json::as_i64);
        let is_limited = |limit: i64| limit >= 0;
        let overview = self.get("/api/overview").unwrap_or_default();
        let version = overview.get("rabbitmq_version").and_then(Json::as_str);
        let major = version.and_then(|v| v.split('.').next()?.parse::<u32>().ok());
        limit.map_or(major.is_none_or(|major| major >= 4), is_limited)
    }

    fn get(&self, path: &str) -> Result<Json, EstateError> {
        self.send("GET", path, None)
    }

    fn send(&self, method: &str, path: &str, body: Option<&Json>) -> Result<Json, EstateError> {
        let unreached = |error: ureq::Error| EstateError::Unreachable {
            broker: NAME,
            at: self.url.clone(),
            reason: format!("{error}; is its management plugin enabled?"),
        };
        let url = format!("{}{path}", self.url);
        let authorization = ("authorization", self.authorization.as_str());
        let answered = match method {
            "GET" => self
                .agent
                .get(url)
                .header(authorization.0, authorization.1)
                .call(),
            "DELETE" => self
                .agent
                .delete(url)
                .header(authorization.0, authorization.1)
                .call(),
            method => {
                let request = match method {
                    "PUT" => self.agent.put(url),
                    _ => self.agent.post(url),
                };
                let text = body.map(Json::to_string).unwrap_or_default();
                let request = request.header("content-type", "application/json");
                request.header(authorization.0, authorization.1).send(text)
            }
        };
        let mut response = answered.map_err(unreached)?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        let bytes = body.read_to_vec().map_err(unreached)?;
        if (200..300).contains(&status) {
            return match bytes.is_empty() {
                true => Ok(Json::Null),
                false => serde_json::from_slice(&bytes).map_err(|error| EstateError::Refused {
                    broker: NAME,
                    reason: format!("its answer to {path} is no JSON: {error}"),
                }),
            };
        }
        let said = String::from_utf8_lossy(&bytes);
        let said: String = said.chars().filter(|c| !c.is_control()).take(300).collect();
        let reason = format!("{method} {path}: status {status}: {said}");
        Err(match status {
            401 | 403 => EstateError::NotAllowed {
                broker: NAME,
                reason,
            },
            _ => EstateError::Refused {
                broker: NAME,
                reason,
            },
        })
    }
}

fn behind(queue: &Json, now: Timestamp) -> Lag {
    let text = |key: &str| queue.get(key).and_then(Json::as_str).unwrap_or_default();
    let number = |key: &str| queue.get(key).and_then(Json::as_u64).unwrap_or_default();
    let messages = number("messages");
    let head = queue.get("head_message_timestamp").and_then(Json::as_u64);
    let arrival = queue.pointer("/message_stats/publish_details/rate");
    let arrival = arrival.and_then(Json::as_f64).filter(|rate| *rate > 0.0);
    let (seconds, method) = match (messages, head, arrival) {
        (0, ..) => (Some(0.0), Method::CaughtUp),
        (_, Some(head), _) => {
            let head = Timestamp::from_millis(head.saturating_mul(1_000));
            (
                Some(now.since(head).as_secs_f64()),
                Method::HeadMessageTimestamp,
            )
        }
        (messages, None, Some(rate)) => {
            let messages = u32::try_from(messages).unwrap_or(u32::MAX);
            (Some(f64::from(messages) / rate), Method::ArrivalRate)
        }
        _ => (None, Method::Unknown),
    };
    Lag {
        reader: text("name").to_owned(),
        source: text("name").to_owned(),
        messages,
        seconds,
        method,
        members: number("consumers"),
    }
}

fn raw(source: &str, message: &Json) -> Raw {
    let text = |key: &str| message.get(key).and_then(Json::as_str).unwrap_or_default();
    let headers = message
        .pointer("/properties/headers")
        .and_then(Json::as_object);
    let headers = headers.into_iter().flatten();
    let payload = match text("payload_encoding") {
        "base64" => STANDARD.decode(text("payload")).unwrap_or_default(),
        _ => text("payload").as_bytes().to_vec(),
    };
    let id = message
        .pointer("/properties/message_id")
        .and_then(Json::as_str);
    Raw {
        source: source.to_owned(),
        position: id.unwrap_or_default().to_owned(),
        key: Some(text("routing_key").to_owned()),
        headers: headers
            .map(|(name, value)| (name.clone(), Header::Json(value.clone())))
            .collect(),
        payload,
    }
}

/// By the authority and the certificate of the file of settings, else by the machine's authorities.
fn tls(address: &Address) -> Result<TlsConfig, EstateError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(authorities(address)?)
        .client_cert(certificate(address)?);
    Ok(config.build())
}

fn authorities(address: &Address) -> Result<RootCerts, EstateError> {
    if let Some(pem) = address.read("ca-file")? {
        let own = Certificate::from_pem(&pem).map_err(|error| unusable("ca-file", &error))?;
        return Ok(RootCerts::new_with_certs(&[own]));
    }
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        return Err(EstateError::Address {
            reason: "there are no certificates on this machine to check TLS against; name a file in SSL_CERT_FILE"
                .to_owned(),
        });
    }
    let certificates = found.certs.iter();
    let certificates: Vec<Certificate<'static>> = certificates
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect();
    Ok(RootCerts::new_with_certs(&certificates))
}

fn certificate(address: &Address) -> Result<Option<ClientCert>, EstateError> {
    let (Some(certificate), Some(key)) =
        (address.read("certificate-file")?, address.read("key-file")?)
    else {
        return Ok(None);
    };
    let certificate = Certificate::from_pem(&certificate);
    let certificate = certificate.map_err(|error| unusable("certificate-file", &error))?;
    let key = PrivateKey::from_pem(&key).map_err(|error| unusable("key-file", &error))?;
    Ok(Some(ClientCert::new_with_certs(&[certificate], key)))
}

fn unusable(setting: &str, error: &ureq::Error) -> EstateError {
    EstateError::Address {
        reason: format!("`{setting}` is no PEM that can be used: {error}"),
    }
}
