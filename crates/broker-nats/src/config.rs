//! Where NATS is, how it is spoken to, and who asks.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::ConnectOptions;
use thiserror::Error;
use tidegate_base::{Name, Setting, settings};

/// A system has no more shards.
const SHARDS_MAX: u32 = 1_000;
/// A stream has no more replicas.
const REPLICAS_MAX: usize = 5;
/// What subjects begin with, unless the address says otherwise.
const PREFIX: &str = "tidegate";
/// How long a request may take.
pub(crate) const REQUEST_TIME_MAX: Duration = Duration::from_secs(5);

/// A system on NATS.
#[derive(Clone, PartialEq, Eq)]
pub struct NatsConfig {
    /// Its first servers, `host:port`.
    pub servers: Vec<String>,
    /// Whether every connection is encrypted.
    pub tls: bool,
    /// The system: part of the names of its streams and subjects.
    pub system: Name,
    /// What its subjects begin with.
    pub prefix: String,
    /// The channels, each with the type of its events: foreign events without one have it.
    pub channels: Vec<(Name, String)>,
    /// How many shards it has; `None`: as many as there are, or one.
    pub shards: Option<u32>,
    /// Replicas of streams that are created.
    pub replicas: usize,
    secrets: Secrets,
}

/// Who asks, and by which certificates. Never shown.
#[derive(Clone, Default, PartialEq, Eq)]
struct Secrets {
    user: Option<String>,
    password: Option<String>,
    token: Option<String>,
    nkey: Option<String>,
    credentials: Option<PathBuf>,
    authority: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    tls_first: bool,
}

impl fmt::Debug for NatsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsConfig")
            .field("servers", &self.servers)
            .field("tls", &self.tls)
            .field("system", &self.system)
            .field("prefix", &self.prefix)
            .field("shards", &self.shards)
            .field("replicas", &self.replicas)
            .finish_non_exhaustive()
    }
}

/// Why an address or a file of settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The address is not one. It is not repeated: a secret may be in it.
    #[error(
        "the address of NATS: {reason}; write nats://HOST:PORT[,HOST:PORT…][?prefix=P&shards=N&replicas=N], or tls://… to encrypt"
    )]
    Address {
        /// What is wrong.
        reason: String,
    },
    /// A setting that there is not.
    #[error(
        "line {line} sets `{name}`; there are username, password, token, nkey, credentials-file, ca-file, certificate-file, key-file and tls-first"
    )]
    Setting {
        /// Its line in the file.
        line: usize,
        /// Its name.
        name: String,
    },
    /// A line that is no setting.
    #[error("line {line} is not `name=value`")]
    Line {
        /// Its line in the file.
        line: usize,
    },
}

impl NatsConfig {
    /// The configuration of an address: `nats://host:port,host:port?prefix=eu&shards=4&replicas=3`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Address`] when it is none.
    pub fn parse(address: &str, system: Name) -> Result<Self, ConfigError> {
        let wrong = |reason: String| ConfigError::Address { reason };
        let (tls, rest) = match (
            address.strip_prefix("nats://"),
            address.strip_prefix("tls://"),
        ) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => return Err(wrong("it does not begin with `nats://`".to_owned())),
        };
        let (servers, query) = rest.split_once('?').unwrap_or((rest, ""));
        let servers = servers.trim_end_matches('/');
        if servers.contains(['/', '@']) {
            let reason = "it has a path or credentials; those belong in a file (--broker-config)";
            return Err(wrong(reason.to_owned()));
        }
        for server in servers.split(',') {
            let port = server.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
            if !matches!(port, Some(Ok(_))) {
                return Err(wrong(format!("`{server}` is not `host:port`")));
            }
        }
        let mut config = Self {
            servers: servers.split(',').map(str::to_owned).collect(),
            tls,
            system,
            prefix: PREFIX.to_owned(),
            channels: Vec::new(),
            shards: None,
            replicas: 1,
            secrets: Secrets::default(),
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
        match name {
            "prefix" => {
                let allowed = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
                if value.is_empty() || !value.chars().all(allowed) {
                    return Err(format!("a subject cannot begin with `{value}`"));
                }
                value.clone_into(&mut self.prefix);
            }
            "shards" => {
                let shards = value.parse().ok();
                let shards = shards.filter(|shards| (1..=SHARDS_MAX).contains(shards));
                let wrong = || format!("`shards` is not a number from 1 to {SHARDS_MAX}");
                self.shards = Some(shards.ok_or_else(wrong)?);
            }
            "replicas" => {
                let replicas = value.parse().ok();
                let replicas = replicas.filter(|replicas| (1..=REPLICAS_MAX).contains(replicas));
                let wrong = || format!("`replicas` is not a number from 1 to {REPLICAS_MAX}");
                self.replicas = replicas.ok_or_else(wrong)?;
            }
            // Of those that examine and change a broker.
            "monitoring" => {}
            _ => return Err(format!("there is no option `{name}`")),
        }
        Ok(())
    }

    /// Takes the settings of a file in: lines `name=value`, with comments after `#`. Files that it
    /// names are looked for in `folder`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] at the first line that is none.
    pub fn add_settings(&mut self, text: &str, folder: &Path) -> Result<(), ConfigError> {
        for setting in settings(text) {
            let Setting { line, name, value } =
                setting.map_err(|line| ConfigError::Line { line })?;
            let (value, file) = (value.to_owned(), folder.join(value));
            let secrets = &mut self.secrets;
            match name {
                "username" => secrets.user = Some(value),
                "password" => secrets.password = Some(value),
                "token" => secrets.token = Some(value),
                "nkey" => secrets.nkey = Some(value),
                "credentials-file" => secrets.credentials = Some(file),
                "ca-file" => secrets.authority = Some(file),
                "certificate-file" => secrets.certificate = Some(file),
                "key-file" => secrets.key = Some(file),
                "tls-first" => secrets.tls_first = value == "true",
                _ => {
                    let name = name.to_owned();
                    return Err(ConfigError::Setting { line, name });
                }
            }
        }
        Ok(())
    }

    /// Where it is asked, in words.
    #[must_use]
    pub fn place(&self) -> String {
        self.servers.join(",")
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        let scheme = if self.tls { "tls" } else { "nats" };
        let address = |server: &String| format!("{scheme}://{server}");
        self.servers.iter().map(address).collect()
    }

    pub(crate) async fn options(&self) -> std::io::Result<ConnectOptions> {
        let secrets = &self.secrets;
        let mut options = ConnectOptions::new()
            .name(format!("tidegate-{}", self.system))
            .request_timeout(Some(REQUEST_TIME_MAX))
            .connection_timeout(REQUEST_TIME_MAX)
            .ping_interval(Duration::from_secs(5))
            .max_reconnects(None)
            .reconnect_delay_callback(pause)
            .event_callback(|event| async move { tracing::debug!("nats: {event}") });
        if let Some(user) = &secrets.user {
            let password = secrets.password.clone().unwrap_or_default();
            options = options.user_and_password(user.clone(), password);
        }
        if let Some(token) = &secrets.token {
            options = options.token(token.clone());
        }
        if let Some(nkey) = &secrets.nkey {
            options = options.nkey(nkey.clone());
        }
        if let Some(file) = &secrets.credentials {
            options = options.credentials_file(file).await?;
        }
        if self.tls {
            options = options.require_tls(true);
        }
        if secrets.tls_first {
            options = options.tls_first();
        }
        if let Some(file) = &secrets.authority {
            options = options.add_root_certificates(file.clone());
        }
        if let (Some(certificate), Some(key)) = (&secrets.certificate, &secrets.key) {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        Ok(options)
    }
}

/// How long to wait before it is connected for this time again: longer each time, up to two seconds.
fn pause(times: usize) -> Duration {
    let doublings = u32::try_from(times.min(6)).unwrap_or(6);
    Duration::from_millis(50 * 2_u64.saturating_pow(doublings)).min(Duration::from_secs(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(address: &str) -> Result<NatsConfig, ConfigError> {
        NatsConfig::parse(address, Name::new("shop").unwrap())
    }

    #[test]
    fn an_address_says_where_and_how() {
        let config = parse("nats://a:4222,b:4223/?prefix=eu&shards=6&replicas=3").unwrap();
        assert_eq!(config.servers, ["a:4222", "b:4223"]);
        assert_eq!((config.shards, config.replicas), (Some(6), 3));
        assert_eq!(config.prefix, "eu");
        let plain = parse("tls://a:1").unwrap();
        assert_eq!((plain.tls, plain.shards, plain.replicas), (true, None, 1));
        assert_eq!(plain.addresses(), ["tls://a:1"]);
    }

    #[test]
    fn what_is_no_address_is_told_without_repeating_it() {
        for (address, said) in [
            ("amqp://a:1", "does not begin with"),
            ("nats://a", "`a` is not `host:port`"),
            ("nats://user:hunter2@a:1", "credentials"),
            ("nats://a:1?shards=0", "not a number from 1"),
            ("nats://a:1?replicas=9", "not a number from 1"),
            ("nats://a:1?partitions=2", "no option `partitions`"),
            ("nats://a:1?prefix=a.b", "cannot begin with"),
        ] {
            let error = parse(address).unwrap_err().to_string();
            assert!(error.contains(said), "{address}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn secrets_come_from_a_file_and_are_not_shown() {
        let mut config = parse("nats://a:1").unwrap();
        let folder = Path::new("/etc");
        let text = "# who\n\nusername = shop\npassword=hunter2\nca-file=ca.pem\n";
        config.add_settings(text, folder).unwrap();
        assert_eq!(config.secrets.authority, Some("/etc/ca.pem".into()));
        assert_eq!(config.secrets.password.as_deref(), Some("hunter2"));
        assert!(!format!("{config:?}").contains("hunter2"));
        let error = config.add_settings("\nacks=1", folder).unwrap_err();
        let name = "acks".to_owned();
        assert_eq!(error, ConfigError::Setting { line: 2, name });
        assert_eq!(
            config.add_settings("x", folder),
            Err(ConfigError::Line { line: 1 })
        );
    }

    #[test]
    fn waits_grow_to_two_seconds() {
        let waits: Vec<u64> = [0, 1, 5, 6, 1_000]
            .map(|times| u64::try_from(pause(times).as_millis()).unwrap())
            .to_vec();
        assert_eq!(waits, [50, 100, 1_600, 2_000, 2_000]);
    }
}
