//! JetStream by its own interface: requests in JSON over a connection of NATS.

use std::time::Duration;

use async_nats::{Client, ConnectOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use tidegate_base::Timestamp;
use tidegate_topology::letters::{Header, Raw};
use tidegate_topology::wire::nats::{consumer, consumer_config, stream, stream_config};
use tidegate_topology::{Change, Engine, How, Id, Kind, Topology, Value};
use tokio::runtime::{Builder, Runtime};

use crate::address::Address;
use crate::error::EstateError;
use crate::lag::{Lag, Method};

/// How long an answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);
const NAME: &str = "NATS";
/// Names that have nothing behind them. Source: JetStream's error codes, `server/errors.json` of nats-server.
const NO_MESSAGE: u64 = 10_037;

pub(crate) struct Nats {
    runtime: Runtime,
    client: Client,
    monitoring: Option<String>,
    at: String,
}

/// How it is connected, but for a file of credentials.
fn options(address: &Address) -> ConnectOptions {
    let mut options = ConnectOptions::new()
        .name("tidegate")
        .connection_timeout(ANSWER_TIME_MAX)
        .request_timeout(Some(ANSWER_TIME_MAX))
        .max_reconnects(1);
    if let (Some(user), Some(password)) = (address.setting("username"), address.setting("password"))
    {
        options = options.user_and_password(user.to_owned(), password.to_owned());
    }
    if let Some(token) = address.setting("token") {
        options = options.token(token.to_owned());
    }
    if let Some(nkey) = address.setting("nkey") {
        options = options.nkey(nkey.to_owned());
    }
    if let Some(file) = address.file("ca-file") {
        options = options.add_root_certificates(file);
    }
    if let (Some(certificate), Some(key)) =
        (address.file("certificate-file"), address.file("key-file"))
    {
        options = options.add_client_certificate(certificate, key);
    }
    if address.setting("tls-first") == Some("true") {
        options = options.tls_first();
    }
    options.require_tls(address.is_tls)
}

impl Nats {
    pub(crate) fn open(address: &Address) -> Result<Self, EstateError> {
        let known = [
            "username",
            "password",
            "token",
            "nkey",
            "credentials-file",
            "ca-file",
            "certificate-file",
            "key-file",
            "tls-first",
        ];
        address.only(&known)?;
        let wrong = |reason: String| EstateError::Address { reason };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        let mut options = options(address);
        let scheme = if address.is_tls { "tls" } else { "nats" };
        let servers = address.servers.split(',');
        let servers: Vec<String> = servers
            .map(|server| format!("{scheme}://{server}"))
            .collect();
        let credentials = address.file("credentials-file");
        let connected = runtime.block_on(async {
            if let Some(file) = credentials {
                let with = options.credentials_file(file).await;
                options =
                    with.map_err(|error| wrong(format!("the file of credentials: {error}")))?;
            }
            options.connect(servers).await.map_err(|error| {
                let reason = error.to_string();
                match error.kind() {
                    async_nats::ConnectErrorKind::Authentication
                    | async_nats::ConnectErrorKind::AuthorizationViolation => {
                        EstateError::NotAllowed {
                            broker: NAME,
                            reason,
                        }
                    }
                    _ => EstateError::Unreachable {
                        broker: NAME,
                        at: address.servers.clone(),
                        reason,
                    },
                }
            })
        });
        let client = connected?;
        Ok(Self {
            runtime,
            client,
            monitoring: address.also.clone(),
            at: address.servers.clone(),
        })
    }

    /// What JetStream answers, its refusals as they are.
    fn answer(&self, subject: &str, body: &Json) -> Result<Json, EstateError> {
        let subject = format!("$JS.API.{subject}");
        let body = match body {
            Json::Null => Vec::new(),
            body => body.to_string().into_bytes(),
        };
        let asked = self.client.request(subject.clone(), body.into());
        let message = self.runtime.block_on(asked).map_err(|error| {
            let reason = format!("{subject}: {error}; does the server run with JetStream?");
            EstateError::Unreachable {
                broker: NAME,
                at: self.at.clone(),
                reason,
            }
        })?;
        serde_json::from_slice(&message.payload).map_err(|error| EstateError::Refused {
            broker: NAME,
            reason: format!("its answer to {subject} is no JSON: {error}"),
        })
    }

    fn ask(&self, subject: &str, body: &Json) -> Result<Json, EstateError> {
        let answer = self.answer(subject, body)?;
        let Some(error) = answer.get("error") else {
            return Ok(answer);
        };
        let said = error.get("description").and_then(Json::as_str);
        let reason = format!("{subject}: {}", said.unwrap_or("it does not say why"));
        Err(match error.get("code").and_then(Json::as_u64) {
            Some(401 | 403) => EstateError::NotAllowed {
                broker: NAME,
                reason,
            },
            _ => EstateError::Refused {
                broker: NAME,
                reason,
            },
        })
    }

    /// All of a list that comes in pages.
    fn list(&self, subject: &str, key: &str) -> Result<Vec<Json>, EstateError> {
        let mut all: Vec<Json> = Vec::new();
        loop {
            let page = self.ask(subject, &json!({"offset": all.len()}))?;
            let items = page.get(key).and_then(Json::as_array);
            let items = items.map_or(&[][..], Vec::as_slice);
            all.extend(items.iter().cloned());
            let total = page.get("total").and_then(Json::as_u64).unwrap_or_default();
            if items.is_empty() || u64::try_from(all.len()).is_ok_and(|count| count >= total) {
                return Ok(all);
            }
        }
    }

    fn streams(&self) -> Result<Vec<(String, Json)>, EstateError> {
        let streams = self.list("STREAM.LIST", "streams")?.into_iter();
        let named = streams.filter_map(|info| {
            let name = info.pointer("/config/name")?.as_str()?.to_owned();
            Some((name, info))
        });
        // Those of the key-value and object stores hold no events.
        let is_events = |name: &str| !name.starts_with("KV_") && !name.starts_with("OBJ_");
        Ok(named.filter(|(name, _)| is_events(name)).collect())
    }

    fn consumers(&self, stream: &str) -> Result<Vec<(String, Json)>, EstateError> {
        let consumers = self.list(&format!("CONSUMER.LIST.{stream}"), "consumers")?;
        let consumers = consumers.into_iter();
        let named = consumers.filter_map(|info| {
            let name = info.get("name")?.as_str()?.to_owned();
            Some((name, info))
        });
        Ok(named.collect())
    }

    pub(crate) fn topology(&self) -> Result<Topology, EstateError> {
        let mut topology = Topology::new(Engine::Nats);
        for (name, info) in self.streams()? {
            for (own, info) in self.consumers(&name)? {
                let id = Id::new(Kind::Consumer, format!("{name}/{own}"));
                topology.resources.insert(id, consumer(&name, &info));
            }
            let id = Id::new(Kind::Stream, name);
            topology.resources.insert(id, stream(&info));
        }
        let version = self.client.server_info().version;
        topology.facts.insert("version".to_owned(), version.into());
        if let Some(at) = &self.monitoring {
            self.synced(at, &mut topology);
        }
        Ok(topology)
    }

    /// How soon the server syncs, which only its monitoring says.
    fn synced(&self, at: &str, topology: &mut Topology) {
        let url = format!("http://{at}/jsz?config=true");
        let read = ureq::get(&url).call().ok();
        let json = read.and_then(|mut answer| answer.body_mut().read_json::<Json>().ok());
        let config = json.as_ref().and_then(|json| json.get("config"));
        let Some(config) = config else {
            let unread = format!("{url} says nothing of JetStream's configuration");
            topology.unread.push(unread);
            return;
        };
        let always = config.get("sync_always") == Some(&Json::Bool(true));
        topology
            .facts
            .insert("sync_always".to_owned(), always.into());
        match config.get("sync_interval").and_then(Json::as_u64) {
            Some(nanos) => {
                let interval = tidegate_base::format_duration(Duration::from_nanos(nanos));
                topology.facts.insert("sync_interval".to_owned(), interval.into());
            }
            None => topology.unread.push(format!(
                "NATS {} does not say its sync_interval: it is 2m unless its configuration says otherwise",
                self.client.server_info().version
            )),
        }
    }

    pub(crate) fn change(&self, change: &Change) -> Result<(), EstateError> {
        let name = &change.id.name;
        let settings = &change.becomes;
        if change.id.kind == Kind::Stream {
            if change.how == How::Recreate {
                self.ask(&format!("STREAM.DELETE.{name}"), &Json::Null)?;
            }
            let verb = match change.how {
                How::Alter => "UPDATE",
                _ => "CREATE",
            };
            let config = stream_config(name, settings);
            return self
                .ask(&format!("STREAM.{verb}.{name}"), &config)
                .map(drop);
        }
        let text = |setting: &str| {
            settings
                .get(setting)
                .and_then(Value::text)
                .unwrap_or_default()
        };
        let (stream, own) = (text("stream"), text("durable_name"));
        if change.how == How::Recreate {
            self.ask(&format!("CONSUMER.DELETE.{stream}.{own}"), &Json::Null)?;
        }
        let body = json!({"stream_name": stream, "config": consumer_config(settings)});
        // It makes one, and changes one that is there.
        self.ask(&format!("CONSUMER.DURABLE.CREATE.{stream}.{own}"), &body)
            .map(drop)
    }

    pub(crate) fn lag(&self, only: Option<&str>, now: Timestamp) -> Result<Vec<Lag>, EstateError> {
        let mut lags = Vec::new();
        for (stream, _) in self.streams()? {
            for (own, info) in self.consumers(&stream)? {
                let reader = format!("{stream}/{own}");
                if only.is_none_or(|only| only == reader || only == own) {
                    lags.push(self.behind(&stream, reader, &info, now)?);
                }
            }
        }
        Ok(lags)
    }

    fn behind(
        &self,
        stream: &str,
        reader: String,
        info: &Json,
        now: Timestamp,
    ) -> Result<Lag, EstateError> {
        let number = |pointer: &str| info.pointer(pointer).and_then(Json::as_u64);
        let pending = number("/num_pending").unwrap_or_default();
        let messages = pending + number("/num_ack_pending").unwrap_or_default();
        let mut lag = Lag {
            reader,
            source: stream.to_owned(),
            messages,
            seconds: Some(0.0),
            method: Method::CaughtUp,
            members: number("/num_waiting").unwrap_or_default(),
        };
        if messages == 0 {
            return Ok(lag);
        }
        let floor = number("/ack_floor/stream_seq").unwrap_or_default();
        let filter = info
            .pointer("/config/filter_subject")
            .and_then(Json::as_str);
        let filter = filter.filter(|filter| !filter.is_empty()).unwrap_or(">");
        let wanted = json!({"seq": floor + 1, "next_by_subj": filter});
        let answer = self.answer(&format!("STREAM.MSG.GET.{stream}"), &wanted)?;
        let time = answer.pointer("/message/time").and_then(Json::as_str);
        (lag.seconds, lag.method) = match time.and_then(Timestamp::parse_rfc3339) {
            Some(time) => (
                Some(now.since(time).as_secs_f64()),
                Method::MessageAfterAckFloor,
            ),
            None => (None, Method::Unknown),
        };
        Ok(lag)
    }

    pub(crate) fn letters(&self, source: &str, most: usize) -> Result<Vec<Raw>, EstateError> {
        let mut letters = Vec::new();
        let mut next = 1;
        while letters.len() < most {
            let wanted = json!({"seq": next, "next_by_subj": ">"});
            let answer = self.answer(&format!("STREAM.MSG.GET.{source}"), &wanted)?;
            let code = answer.pointer("/error/err_code").and_then(Json::as_u64);
            if code == Some(NO_MESSAGE) {
                break;
            }
            let Some(message) = answer.get("message") else {
                let said = answer.pointer("/error/description").and_then(Json::as_str);
                let reason = said.unwrap_or("its answer has no message").to_owned();
                return Err(EstateError::Refused {
                    broker: NAME,
                    reason,
                });
            };
            let sequence = message
                .get("seq")
                .and_then(Json::as_u64)
                .unwrap_or(u64::MAX);
            letters.push(raw(source, sequence, message));
            next = sequence.saturating_add(1);
        }
        Ok(letters)
    }
}

fn raw(source: &str, sequence: u64, message: &Json) -> Raw {
    let text = |key: &str| message.get(key).and_then(Json::as_str).unwrap_or_default();
    let bytes = |key: &str| STANDARD.decode(text(key)).unwrap_or_default();
    let headers = bytes("hdrs");
    let headers = String::from_utf8_lossy(&headers).into_owned();
    let lines = headers
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'));
    Raw {
        source: source.to_owned(),
        position: sequence.to_string(),
        key: Some(text("subject").to_owned()),
        headers: lines
            .map(|(name, value)| {
                (
                    name.to_owned(),
                    Header::Bytes(value.trim().as_bytes().to_vec()),
                )
            })
            .collect(),
        payload: bytes("data"),
    }
}
