//! Where Kafka is and how it is spoken to.

use rdkafka::ClientConfig;
use thiserror::Error;
use tidegate_base::limit::BATCH_BYTES_MAX;
use tidegate_base::{Name, Setting, settings};

/// Partitions of topics that are created, unless the address says otherwise.
const PARTITIONS: i32 = 1;
/// A topic has no more here.
const PARTITIONS_MAX: i32 = 1_000;
/// What the runtime's promises rest on: nobody sets these otherwise.
const RESERVED: &[&str] = &[
    "bootstrap.servers",
    "metadata.broker.list",
    "transactional.id",
    "transaction.timeout.ms",
    "enable.idempotence",
    "enable.gapless.guarantee",
    "acks",
    "request.required.acks",
    "isolation.level",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "enable.partition.eof",
    "max.in.flight.requests.per.connection",
    "max.in.flight",
    "message.max.bytes",
    "message.timeout.ms",
    "delivery.timeout.ms",
];

/// A shard of a system on a Kafka cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaConfig {
    /// Its first servers, `host:port`, separated by commas.
    pub servers: String,
    /// The system: part of the names of its state and of its transactions.
    pub system: Name,
    /// What the names of its topics begin with, before the names of the events.
    pub prefix: String,
    /// The channels, each with the type of its events: foreign records without one have it.
    pub channels: Vec<(Name, String)>,
    /// Which shard: a partition.
    pub shard: i32,
    /// Partitions of topics that are created.
    pub partitions: i32,
    /// Replicas of topics that are created; -1: as the cluster says.
    pub replication: i32,
    /// Further settings of librdkafka, such as those of TLS and SASL.
    pub settings: Vec<(String, String)>,
}

/// Why an address or a file of settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The address is not one.
    #[error(
        "`{address}` is not an address of Kafka: {reason}; write kafka://HOST:PORT[,HOST:PORT…][?prefix=P&partitions=N&replication=N]"
    )]
    Address {
        /// The address.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// A setting that the promises of the runtime rest on.
    #[error("line {line} sets `{name}`, which what is promised rests on; remove it")]
    Reserved {
        /// Its line in the file.
        line: usize,
        /// The setting.
        name: String,
    },
    /// A line that is no setting.
    #[error("line {line} is not `name=value`")]
    Line {
        /// Its line in the file.
        line: usize,
    },
}

impl KafkaConfig {
    /// The configuration of an address: `kafka://host:port,host:port?prefix=shop.&partitions=6`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Address`] when it is none.
    pub fn parse(address: &str, system: Name) -> Result<Self, ConfigError> {
        let wrong = |reason: String| ConfigError::Address {
            address: address.to_owned(),
            reason,
        };
        let rest = address
            .strip_prefix("kafka://")
            .ok_or_else(|| wrong("it does not begin with `kafka://`".to_owned()))?;
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
            servers: servers.to_owned(),
            system,
            prefix: String::new(),
            channels: Vec::new(),
            shard: 0,
            partitions: PARTITIONS,
            replication: -1,
            settings: Vec::new(),
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
        let number = |most: i32| match value.parse::<i32>() {
            Ok(number) if (1..=most).contains(&number) => Ok(number),
            _ => Err(format!("`{name}` is not a number from 1 to {most}")),
        };
        match name {
            "prefix" => {
                let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
                if !value.chars().all(allowed) {
                    return Err(format!("a topic cannot be named `{value}…`"));
                }
                value.clone_into(&mut self.prefix);
            }
            "partitions" => self.partitions = number(PARTITIONS_MAX)?,
            "replication" => self.replication = number(i32::from(i16::MAX))?,
            _ => return Err(format!("there is no option `{name}`")),
        }
        Ok(())
    }

    /// Adds the settings of a file: a line `name=value` each, as librdkafka and Kafka's own tools have them.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] at the first line that cannot be used.
    pub fn add_settings(&mut self, text: &str) -> Result<(), ConfigError> {
        for setting in settings(text) {
            let Setting { line, name, value } =
                setting.map_err(|line| ConfigError::Line { line })?;
            let name = name.to_owned();
            if RESERVED.contains(&name.as_str()) {
                return Err(ConfigError::Reserved { line, name });
            }
            self.settings.push((name, value.to_owned()));
        }
        Ok(())
    }

    /// The topic of a channel.
    pub(crate) fn topic(&self, channel: &Name) -> String {
        format!("{}{channel}", self.prefix)
    }

    /// The topic of the state.
    pub(crate) fn state_topic(&self) -> String {
        format!("{}tidegate.{}.state", self.prefix, self.system)
    }

    /// Who writes: the owner of the shard, whichever process that is.
    pub(crate) fn transactional_id(&self) -> String {
        format!("{}tidegate.{}.{}", self.prefix, self.system, self.shard)
    }

    /// For which process has which shard.
    pub(crate) fn member(&self) -> ClientConfig {
        let mut config = self.base();
        config
            .set(
                "group.id",
                format!("{}tidegate.{}", self.prefix, self.system),
            )
            .set("partition.assignment.strategy", "cooperative-sticky")
            // How long a process that has died may go unnoticed.
            .set("session.timeout.ms", "10000")
            .set("heartbeat.interval.ms", "2000")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "latest");
        config
    }

    fn base(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in &self.settings {
            config.set(name, value);
        }
        config
            .set("bootstrap.servers", &self.servers)
            .set("client.id", format!("tidegate-{}", self.system))
            .set("log.connection.close", "false")
            .set("socket.keepalive.enable", "true")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "2000");
        config
    }

    /// For what is asked about topics: it sees what is not committed yet.
    pub(crate) fn admin(&self) -> ClientConfig {
        let mut config = self.base();
        config.set("isolation.level", "read_uncommitted");
        config
    }

    /// For what is written.
    pub(crate) fn producer(&self) -> ClientConfig {
        let mut config = self.base();
        config
            .set("transactional.id", self.transactional_id())
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // Longer than any outage that a message waits for: the coordinator must not give up before.
            .set("transaction.timeout.ms", "180000")
            .set("message.timeout.ms", "120000")
            .set("message.max.bytes", BATCH_BYTES_MAX.to_string())
            .set("queue.buffering.max.messages", "200000")
            .set("queue.buffering.max.kbytes", "262144")
            // A transaction is a group already: waiting for more would only make it slower.
            .set("linger.ms", "0");
        config
    }

    /// For what is read: only what is committed.
    pub(crate) fn consumer(&self) -> ClientConfig {
        let mut config = self.base();
        config
            // Never joined and nothing is committed to it: the library wants a name.
            .set("group.id", format!("{}.reader", self.transactional_id()))
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "100")
            .set("fetch.message.max.bytes", (4 << 20).to_string())
            .set("queued.max.messages.kbytes", (32 << 10).to_string());
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(address: &str) -> Result<KafkaConfig, ConfigError> {
        KafkaConfig::parse(address, Name::new("shop").unwrap())
    }

    #[test]
    fn an_address_says_where_and_how() {
        let config = parse("kafka://a:9092,b:9093/?prefix=eu.&partitions=6&replication=3").unwrap();
        assert_eq!(config.servers, "a:9092,b:9093");
        assert_eq!((config.partitions, config.replication), (6, 3));
        assert_eq!(
            config.topic(&Name::new("OrderPlaced").unwrap()),
            "eu.OrderPlaced"
        );
        assert_eq!(config.state_topic(), "eu.tidegate.shop.state");
        assert_eq!(parse("kafka://a:1").unwrap().replication, -1);
    }

    #[test]
    fn what_is_no_address_is_told() {
        for (address, said) in [
            ("amqp://a:1", "does not begin with"),
            ("kafka://a", "`a` is not `host:port`"),
            ("kafka://a:1,", "`` is not `host:port`"),
            ("kafka://user:secret@a:1", "credentials"),
            ("kafka://a:1?partitions=0", "not a number from 1"),
            ("kafka://a:1?shards=2", "no option `shards`"),
            ("kafka://a:1?prefix=a/b", "cannot be named"),
        ] {
            let error = parse(address).unwrap_err().to_string();
            assert!(error.contains(said), "{address}: {error}");
        }
    }

    #[test]
    fn settings_keep_what_is_promised() {
        let mut config = parse("kafka://a:1").unwrap();
        let text = "# secrets\n\nsecurity.protocol = SASL_SSL\nsasl.password=a=b\n";
        config.add_settings(text).unwrap();
        let password = ("sasl.password".to_owned(), "a=b".to_owned());
        assert_eq!(config.settings.get(1), Some(&password));
        let error = config.add_settings("\nacks=1").unwrap_err();
        assert_eq!(
            error,
            ConfigError::Reserved {
                line: 2,
                name: "acks".to_owned()
            }
        );
        let error = config.add_settings("nonsense").unwrap_err();
        assert_eq!(error, ConfigError::Line { line: 1 });
    }
}
