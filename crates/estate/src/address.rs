//! Where a broker is, and how it is spoken to.

use std::path::{Path, PathBuf};

use tidegate_base::{Setting, settings};
use tidegate_topology::{Engine, Options};

use crate::error::EstateError;

/// A broker, and what its topology is to be like.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Which kind.
    pub engine: Engine,
    /// `HOST:PORT`, with commas between several.
    pub servers: String,
    /// The virtual host of RabbitMQ.
    pub vhost: String,
    /// Whether it takes TLS.
    pub is_tls: bool,
    /// Where else it is asked: RabbitMQ's management, NATS's monitoring; `HOST:PORT`.
    pub also: Option<String>,
    /// What the address says of prefix, partitions and replication.
    pub options: Options,
    /// Settings of the client, of a file.
    pub settings: Vec<(String, String)>,
    /// Where files are that they name.
    folder: PathBuf,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The settings may hold a password.
        f.debug_struct("Address")
            .field("engine", &self.engine)
            .field("servers", &self.servers)
            .finish_non_exhaustive()
    }
}

/// The user of a new RabbitMQ, which only its own machine lets in.
const GUEST: &str = "guest:guest";

impl Address {
    /// Reads `kafka://HOST:PORT[,…]`, `amqp://HOST[:PORT]/VHOST` or `nats://HOST:PORT[,…]` with `?name=value&…`.
    ///
    /// # Errors
    ///
    /// When it is no such address.
    pub fn parse(text: &str) -> Result<Self, EstateError> {
        let wrong = |reason: &str| EstateError::Address {
            // It is not repeated: a secret may be in it.
            reason: format!(
                "the address of a broker: {reason}; write kafka://HOST:PORT, amqp://HOST:PORT/VHOST or \
                 nats://HOST:PORT, with ?prefix=P&replicas=N (of Kafka replication=N)"
            ),
        };
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| wrong("it has no scheme"))?;
        let (engine, is_tls) = match scheme {
            "kafka" => (Engine::Kafka, false),
            "amqp" => (Engine::RabbitMq, false),
            "amqps" => (Engine::RabbitMq, true),
            "nats" => (Engine::Nats, false),
            "tls" => (Engine::Nats, true),
            _ => return Err(wrong("its scheme is none of kafka, amqp, amqps, nats, tls")),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (servers, path) = rest.split_once('/').unwrap_or((rest, ""));
        let mut servers = servers;
        if let Some((user, host)) = servers.rsplit_once('@') {
            if engine != Engine::RabbitMq || user != GUEST {
                return Err(wrong(
                    "credentials belong in a file (--broker-config): others read a command line",
                ));
            }
            servers = host;
        }
        if servers.is_empty() {
            return Err(wrong("it names no server"));
        }
        if engine != Engine::RabbitMq && !path.is_empty() {
            return Err(wrong("it has a path"));
        }
        let vhost = match path {
            "" => "/".to_owned(),
            path => decoded(path).ok_or_else(|| wrong("its virtual host is not encoded right"))?,
        };
        let mut address = Self {
            engine,
            servers: servers.to_owned(),
            vhost,
            is_tls,
            also: None,
            options: Options::default(),
            settings: Vec::new(),
            folder: PathBuf::new(),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            address.option(pair).map_err(|reason| wrong(&reason))?;
        }
        Ok(address)
    }

    fn option(&mut self, pair: &str) -> Result<(), String> {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("`{pair}` is not `name=value`"))?;
        let number = |most: u32| match value.parse::<u32>() {
            Ok(number) if (1..=most).contains(&number) => Ok(Some(number)),
            _ => Err(format!("`{name}` is not a number from 1 to {most}")),
        };
        match (name, self.engine) {
            ("prefix", _) => {
                let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
                if !value.chars().all(allowed) {
                    return Err(format!("nothing can be named `{value}…`"));
                }
                value.clone_into(&mut self.options.prefix);
            }
            ("partitions", Engine::Kafka) => self.options.partitions = number(1_000)?,
            ("replication", Engine::Kafka) | ("replicas", Engine::RabbitMq | Engine::Nats) => {
                self.options.replication = number(99)?;
            }
            ("management", Engine::RabbitMq) | ("monitoring", Engine::Nats) => {
                self.also = Some(value.to_owned());
            }
            // How a system runs there, which is nothing to plain clients.
            ("shards" | "segment", Engine::RabbitMq) | ("shards", Engine::Nats) => {}
            _ => return Err(format!("there is no option `{name}`")),
        }
        Ok(())
    }

    /// Adds the settings of a file: a line `name=value` each. Files that it names are looked for in `folder`.
    ///
    /// # Errors
    ///
    /// At the first line that is none.
    pub fn add_settings(&mut self, text: &str, folder: &Path) -> Result<(), EstateError> {
        for setting in settings(text) {
            let Setting { name, value, .. } = setting.map_err(|line| EstateError::Address {
                reason: format!("line {line} is not `name=value`"),
            })?;
            self.settings.push((name.to_owned(), value.to_owned()));
        }
        folder.clone_into(&mut self.folder);
        Ok(())
    }

    /// A setting of the file.
    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        let mut settings = self.settings.iter().rev();
        let found = settings.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The file that a setting names.
    pub(crate) fn file(&self, name: &str) -> Option<PathBuf> {
        self.setting(name).map(|file| self.folder.join(file))
    }

    /// What is in the file that a setting names.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, EstateError> {
        let Some(file) = self.file(name) else {
            return Ok(None);
        };
        let read = std::fs::read(&file).map_err(|error| EstateError::Address {
            reason: format!("`{name}`: {}: {error}", file.display()),
        });
        read.map(Some)
    }

    /// The settings of the file are of these names.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), EstateError> {
        let mut names = self.settings.iter().map(|(name, _)| name.as_str());
        match names.find(|name| !known.contains(name)) {
            None => Ok(()),
            Some(name) => Err(EstateError::Address {
                reason: format!(
                    "there is no setting `{name}` for {}; known are {}",
                    self.engine.name(),
                    known.join(", ")
                ),
            }),
        }
    }
}

/// A part of a URL without its `%XX` (RFC 3986).
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let digits = std::str::from_utf8(&digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_each_broker_are_read() {
        let kafka =
            Address::parse("kafka://a:1,b:2?prefix=eu.&partitions=6&replication=3").unwrap();
        assert_eq!(
            (kafka.engine, kafka.servers.as_str()),
            (Engine::Kafka, "a:1,b:2")
        );
        assert_eq!(kafka.options.partitions, Some(6));
        let rabbit = Address::parse("amqp://guest:guest@h:5672/%2f?management=h:1").unwrap();
        assert_eq!(
            (rabbit.servers.as_str(), rabbit.vhost.as_str()),
            ("h:5672", "/")
        );
        assert_eq!(rabbit.also.as_deref(), Some("h:1"));
        assert_eq!(Address::parse("amqp://h/a%2Fb").unwrap().vhost, "a/b");
        assert!(Address::parse("tls://h:4222").unwrap().is_tls);
        // One address is for running a system and for looking after its broker.
        let nats = Address::parse("nats://h:4222?shards=4&replicas=3").unwrap();
        assert_eq!(nats.options.replication, Some(3));
        assert!(Address::parse("amqp://h/?shards=4&segment=1048576&replicas=3").is_ok());
    }

    #[test]
    fn what_is_no_address_is_told_why() {
        for (text, said) in [
            ("h:1", "no scheme"),
            ("http://h:1", "its scheme"),
            ("kafka://", "names no server"),
            ("amqp://me:secret@h/x", "belong in a file"),
            ("kafka://guest:guest@h:1", "belong in a file"),
            ("nats://h:1/x", "it has a path"),
            ("nats://h:1?partitions=2", "no option `partitions`"),
            ("kafka://h:1?partitions=0", "from 1 to"),
            ("amqp://h/%2", "not encoded right"),
        ] {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
