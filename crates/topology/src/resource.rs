//! What a broker has: resources with settings, of every engine in one form.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// A kind of broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// Apache Kafka, and what speaks its protocol.
    Kafka,
    /// RabbitMQ.
    #[serde(rename = "rabbitmq")]
    RabbitMq,
    /// NATS with JetStream.
    Nats,
}

impl Engine {
    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kafka => "Kafka",
            Self::RabbitMq => "RabbitMQ",
            Self::Nats => "NATS",
        }
    }

    /// Its word in a design and in formats.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::RabbitMq => "rabbitmq",
            Self::Nats => "nats",
        }
    }
}

/// What a resource is. They are in the order in which they are made: none needs a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A topic of Kafka.
    Topic,
    /// An exchange of RabbitMQ.
    Exchange,
    /// A policy of RabbitMQ: settings of the queues whose names fit.
    Policy,
    /// A queue of RabbitMQ.
    Queue,
    /// What an exchange of RabbitMQ sends to a queue.
    Binding,
    /// What a user of RabbitMQ may do.
    Permission,
    /// A stream of NATS.
    Stream,
    /// A durable consumer of NATS, named `STREAM/CONSUMER`.
    Consumer,
}

impl Kind {
    /// Its word for people and programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Exchange => "exchange",
            Self::Policy => "policy",
            Self::Queue => "queue",
            Self::Binding => "binding",
            Self::Permission => "permission",
            Self::Stream => "stream",
            Self::Consumer => "consumer",
        }
    }
}

/// Which resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Id {
    /// What it is.
    pub kind: Kind,
    /// Its name; unique among its kind.
    pub name: String,
}

impl Id {
    /// The resource of this kind and name.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }

    /// What an exchange sends to a queue by a key.
    #[must_use]
    pub fn binding(exchange: &str, queue: &str, key: &str) -> Self {
        Self::new(Kind::Binding, format!("{exchange} -> {queue} by {key}"))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.kind.word(), self.name)
    }
}

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// On or off.
    Flag(bool),
    /// A number, in the unit of the setting.
    Number(i64),
    /// A text.
    Text(String),
    /// A set of texts.
    Texts(Vec<String>),
}

impl Value {
    /// The number, if it is one.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A setting of Kafka, which has all of them as text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match (text, text.parse()) {
            ("true", _) => Self::Flag(true),
            ("false", _) => Self::Flag(false),
            (_, Ok(number)) => Self::Number(number),
            (text, Err(_)) => Self::Text(text.to_owned()),
        }
    }

    /// A value of JSON; none of `null`. Objects and what else is no setting are their text.
    #[must_use]
    pub fn of_json(json: &serde_json::Value) -> Option<Self> {
        Some(match json {
            serde_json::Value::Null => return None,
            serde_json::Value::Bool(flag) => Self::Flag(*flag),
            serde_json::Value::String(text) => Self::Text(text.clone()),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(number) => Self::Number(number),
                None => Self::Text(number.to_string()),
            },
            serde_json::Value::Array(items) => {
                let text = |item: &serde_json::Value| {
                    item.as_str()
                        .map_or_else(|| item.to_string(), str::to_owned)
                };
                Self::Texts(items.iter().map(text).collect())
            }
            object @ serde_json::Value::Object(_) => Self::Text(object.to_string()),
        })
    }

    /// The value as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
            Self::Texts(texts) => f.write_str(&texts.join(",")),
        }
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// The settings of a resource, by the engine's own names.
pub type Settings = BTreeMap<String, Value>;

/// What a broker has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// What it is.
    pub engine: Engine,
    /// Its resources with every setting that was read.
    pub resources: BTreeMap<Id, Settings>,
    /// What is known of the whole, such as how many servers there are.
    pub facts: Settings,
    /// What could not be read, one sentence each.
    pub unread: Vec<String>,
}

impl Topology {
    /// A broker with nothing.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            resources: BTreeMap::new(),
            facts: Settings::new(),
            unread: Vec::new(),
        }
    }

    /// The settings of a resource.
    #[must_use]
    pub fn get(&self, kind: Kind, name: &str) -> Option<&Settings> {
        self.resources.get(&Id::new(kind, name))
    }

    /// A fact that is a number.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<i64> {
        self.facts.get(name)?.number()
    }
}
