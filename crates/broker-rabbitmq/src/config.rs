//! Where RabbitMQ is, how it is spoken to, and what things of a system are called there.

use std::fmt;
use std::path::Path;

use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use thiserror::Error;
use tidegate_base::{Name, Setting, settings};

/// A system has no more shards here.
const SHARDS_MAX: u32 = 1_000;
/// Bytes of a segment, unless the address says otherwise.
const SEGMENT_BYTES: u64 = 64 << 20;
/// Seconds between heartbeats: a connection that is dead is given up, and its locks are freed, after about two.
const HEARTBEAT: u16 = 5;
/// Milliseconds that connecting may take.
const CONNECT_TIME_MAX: u64 = 5_000;

/// A shard of a system on RabbitMQ.
#[derive(Clone, PartialEq, Eq)]
pub struct RabbitConfig {
    /// Its servers, tried one after the other.
    pub servers: Vec<(String, u16)>,
    /// Whether connections are encrypted.
    pub tls: bool,
    /// The virtual host.
    pub vhost: String,
    /// What names of queues and exchanges begin with, before `tidegate`.
    pub prefix: String,
    /// The system: part of every name.
    pub system: Name,
    /// The channels, each with the type of its events: what others publish without one has it.
    pub channels: Vec<(Name, String)>,
    /// Which shard.
    pub shard: u32,
    /// How many there are.
    pub shards: u32,
    /// Replicas of queues and streams that are created; `None`: as the cluster says.
    pub replicas: Option<u32>,
    /// Bytes after which a new segment is begun.
    pub segment_bytes: u64,
    credentials: Credentials,
}

#[derive(Clone, PartialEq, Eq)]
struct Credentials {
    username: String,
    password: String,
    /// In PEM: who signs the servers' certificates, our own certificate and its key.
    ca: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl fmt::Debug for RabbitConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never what is secret.
        f.debug_struct("RabbitConfig")
            .field("address", &self.address())
            .field("system", &self.system)
            .field("shard", &self.shard)
            .field("shards", &self.shards)
            .finish_non_exhaustive()
    }
}

/// Why an address or a file of settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The address is not one.
    #[error(
        "this is not an address of RabbitMQ: {reason}; write amqp://HOST[:PORT][,HOST…][/VHOST][?prefix=P&shards=N&replicas=N&segment=BYTES], or amqps"
    )]
    Address {
        /// What is wrong. The address is not repeated: somebody may have written a password into it.
        reason: String,
    },
    /// A line that is no setting.
    #[error(
        "line {line} is not `name=value` with username, password, password-file, ca-file, certificate-file or key-file"
    )]
    Line {
        /// Its line in the file.
        line: usize,
    },
    /// A file that a setting names cannot be read.
    #[error("line {line}: `{file}` cannot be read: {reason}")]
    File {
        /// Its line in the file.
        line: usize,
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// Only one half of what identifies this process.
    #[error("certificate-file and key-file go together; set both or none")]
    Identity,
}

impl RabbitConfig {
    /// The configuration of an address: `amqp://host:port,host:port/vhost?shards=4`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Address`] when it is none.
    pub fn parse(address: &str, system: Name) -> Result<Self, ConfigError> {
        let wrong = |reason: String| ConfigError::Address { reason };
        let (tls, rest) = match (
            address.strip_prefix("amqp://"),
            address.strip_prefix("amqps://"),
        ) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => {
                return Err(wrong(
                    "it begins with neither `amqp://` nor `amqps://`".to_owned(),
                ));
            }
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        if place.contains('@') {
            let reason = "it has credentials; those belong in a file (--broker-config)";
            return Err(wrong(reason.to_owned()));
        }
        let (hosts, vhost) = place.split_once('/').unwrap_or((place, ""));
        let servers: Result<Vec<_>, String> =
            hosts.split(',').map(|server| host(server, tls)).collect();
        let mut config = Self {
            servers: servers.map_err(wrong)?,
            tls,
            vhost: decode(vhost).map_err(wrong)?,
            prefix: String::new(),
            system,
            channels: Vec::new(),
            shard: 0,
            shards: 1,
            replicas: None,
            segment_bytes: SEGMENT_BYTES,
            credentials: Credentials {
                username: "guest".to_owned(),
                password: "guest".to_owned(),
                ca: None,
                certificate: None,
                key: None,
            },
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            config.option(pair).map_err(wrong)?;
        }
        Ok(config)
    }

    fn option(&mut self, pair: &str) -> Result<(), String> {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("`{pair}` is not `name=value`"))?;
        let number = |least: u64, most: u64| match value.parse::<u64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(format!("`{name}` is not a number from {least} to {most}")),
        };
        let small = |most: u32| {
            let number = number(1, u64::from(most))?;
            u32::try_from(number).map_err(|error| error.to_string())
        };
        match name {
            "prefix" => {
                let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
                if value.len() > 20 || !value.chars().all(allowed) {
                    return Err(format!("a queue cannot be named `{value}…` here"));
                }
                value.clone_into(&mut self.prefix);
            }
            "shards" => self.shards = small(SHARDS_MAX)?,
            "replicas" => self.replicas = Some(small(9)?),
            "segment" => self.segment_bytes = number(1 << 10, 1 << 40)?,
            // Of those that examine and change a broker.
            "management" => {}
            _ => return Err(format!("there is no option `{name}`")),
        }
        Ok(())
    }

    /// Adds the settings of a file, a line `name=value` each: `username`, `password` or `password-file`, and for
    /// TLS `ca-file`, `certificate-file` and `key-file` in PEM. Files are looked for beside it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] at the first line that cannot be used.
    pub fn add_settings(&mut self, text: &str, folder: &Path) -> Result<(), ConfigError> {
        for setting in settings(text) {
            let Setting { line, name, value } =
                setting.map_err(|line| ConfigError::Line { line })?;
            let file = || {
                let read = std::fs::read_to_string(folder.join(value));
                read.map_err(|error| ConfigError::File {
                    line,
                    file: value.to_owned(),
                    reason: error.to_string(),
                })
            };
            let credentials = &mut self.credentials;
            match name {
                "username" => value.clone_into(&mut credentials.username),
                "password" => value.clone_into(&mut credentials.password),
                "password-file" => {
                    credentials.password = file()?.trim_end_matches(['\r', '\n']).to_owned();
                }
                "ca-file" => credentials.ca = Some(file()?),
                "certificate-file" => credentials.certificate = Some(file()?),
                "key-file" => credentials.key = Some(file()?),
                _ => return Err(ConfigError::Line { line }),
            }
        }
        match (&self.credentials.certificate, &self.credentials.key) {
            (Some(_), None) | (None, Some(_)) => Err(ConfigError::Identity),
            _ => Ok(()),
        }
    }

    /// Where it is, without anything secret.
    #[must_use]
    pub fn address(&self) -> String {
        let servers = self
            .servers
            .iter()
            .map(|(host, port)| format!("{host}:{port}"));
        let servers: Vec<String> = servers.collect();
        let scheme = if self.tls { "amqps" } else { "amqp" };
        format!("{scheme}://{}", servers.join(","))
    }

    /// For the library.
    pub(crate) fn uri(&self, (host, port): &(String, u16)) -> AMQPUri {
        AMQPUri {
            scheme: if self.tls {
                AMQPScheme::AMQPS
            } else {
                AMQPScheme::AMQP
            },
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo {
                    username: self.credentials.username.clone(),
                    password: self.credentials.password.clone(),
                },
                host: host.clone(),
                port: *port,
            },
            vhost: self.vhost.clone(),
            query: AMQPQueryString {
                heartbeat: Some(HEARTBEAT),
                connection_timeout: Some(CONNECT_TIME_MAX),
                ..AMQPQueryString::default()
            },
        }
    }

    pub(crate) fn tls_config(&self) -> OwnedTLSConfig {
        let credentials = &self.credentials;
        let identity = match (&credentials.certificate, &credentials.key) {
            (Some(pem), Some(key)) => Some(OwnedIdentity::PKCS8 {
                pem: pem.clone().into_bytes(),
                key: key.clone().into_bytes(),
            }),
            _ => None,
        };
        OwnedTLSConfig {
            identity,
            cert_chain: credentials.ca.clone(),
        }
    }

    fn name(&self, rest: impl fmt::Display) -> String {
        let (prefix, system) = (&self.prefix, &self.system);
        format!("{prefix}tidegate.{system}{rest}")
    }

    /// The stream of a segment of a shard's journal.
    pub(crate) fn segment(&self, number: u64) -> String {
        self.name(format_args!(".{}.{number}", self.shard))
    }

    /// The small stream that says which segments a shard has, and how far its events were published.
    pub(crate) fn root(&self) -> String {
        self.name(format_args!(".{}.root", self.shard))
    }

    /// The queue of what is to be moved into a shard's journal.
    pub(crate) fn arrivals(&self, shard: u32) -> String {
        self.name(format_args!(".{shard}.arrivals"))
    }

    /// What the owner of a shard holds.
    pub(crate) fn lock(&self, shard: u32) -> String {
        self.name(format_args!(".{shard}.owner"))
    }

    /// What a member holds that may own one shard more than others.
    pub(crate) fn extra(&self, number: u32) -> String {
        self.name(format_args!(".extra.{number}"))
    }

    /// The queue whose consumers are the members.
    pub(crate) fn members(&self) -> String {
        self.name(".members")
    }

    /// The exchange that every event is published to.
    pub(crate) fn exchange(&self) -> String {
        self.name("")
    }

    /// The exchange, and the queue behind it, of what others publish.
    pub(crate) fn inbound(&self) -> String {
        self.name(".in")
    }
}

fn host(server: &str, tls: bool) -> Result<(String, u16), String> {
    let (host, port) = match server.rsplit_once(':') {
        None => (server, if tls { 5_671 } else { 5_672 }),
        Some((host, port)) => match port.parse() {
            Ok(port) => (host, port),
            Err(_) => return Err(format!("`{server}` is not `host:port`")),
        },
    };
    if host.is_empty() {
        return Err(format!("`{server}` has no host"));
    }
    Ok((host.to_owned(), port))
}

/// The virtual host of an address: the default one if none is named; a `/` in it is written `%2F`.
fn decode(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok("/".to_owned());
    }
    let wrong = || format!("`{text}` is not a virtual host; write `%2F` for `/`");
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'/' => return Err(wrong()),
            b'%' => {
                let digits = [rest.next(), rest.next()].map(|d| d.map_or(' ', char::from));
                let digits: String = digits.into_iter().collect();
                bytes.push(u8::from_str_radix(&digits, 16).map_err(|_| wrong())?);
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(address: &str) -> Result<RabbitConfig, ConfigError> {
        RabbitConfig::parse(address, Name::new("shop").unwrap())
    }

    #[test]
    fn an_address_says_where_and_how() {
        let config =
            parse("amqps://a,b:5673/eu%2Fshop?prefix=x.&shards=4&replicas=3&segment=2048").unwrap();
        let servers = [("a".to_owned(), 5_671), ("b".to_owned(), 5_673)];
        assert_eq!(config.servers, servers);
        assert_eq!((config.shards, config.replicas), (4, Some(3)));
        assert_eq!(
            (config.vhost.as_str(), config.segment_bytes),
            ("eu/shop", 2048)
        );
        assert_eq!(config.segment(7), "x.tidegate.shop.0.7");
        assert_eq!(config.exchange(), "x.tidegate.shop");
        assert_eq!(config.inbound(), "x.tidegate.shop.in");
        assert_eq!(config.address(), "amqps://a:5671,b:5673");
        assert_eq!(parse("amqp://a").unwrap().vhost, "/");
        assert_eq!(parse("amqp://a/%2f").unwrap().vhost, "/");
    }

    #[test]
    fn what_is_no_address_is_told_without_its_secrets() {
        for (address, said) in [
            ("kafka://a:1", "begins with neither"),
            ("amqp://:1", "has no host"),
            ("amqp://a:x", "is not `host:port`"),
            ("amqp://user:hunter2@a:1", "credentials"),
            ("amqp://a:1/a/b", "not a virtual host"),
            ("amqp://a:1/%zz", "not a virtual host"),
            ("amqp://a:1?shards=0", "not a number from 1"),
            ("amqp://a:1?partitions=2", "no option `partitions`"),
            ("amqp://a:1?prefix=a/b", "cannot be named"),
        ] {
            let error = parse(address).unwrap_err().to_string();
            assert!(error.contains(said), "{address}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn settings_are_read_from_files_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "hunter2\n").unwrap();
        let mut config = parse("amqp://a").unwrap();
        let text = "# who\nusername = tide\npassword-file=secret\n";
        config.add_settings(text, folder.path()).unwrap();
        let uri = config.uri(&config.servers[0]);
        assert_eq!(uri.authority.userinfo.username, "tide");
        assert_eq!(uri.authority.userinfo.password, "hunter2");
        assert!(!format!("{config:?}").contains("hunter2"));
        let line = config.add_settings("\nsecret=1", folder.path());
        assert_eq!(line, Err(ConfigError::Line { line: 2 }));
        let missing = config.add_settings("ca-file=none", folder.path());
        assert!(matches!(missing, Err(ConfigError::File { line: 1, .. })));
        std::fs::write(folder.path().join("key"), "k").unwrap();
        let half = config.add_settings("key-file=key", folder.path());
        assert_eq!(half, Err(ConfigError::Identity));
    }
}
