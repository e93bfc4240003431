//! What a design needs on a broker.

mod kafka;
mod nats;
mod rabbitmq;

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_base::Name;
use tidegate_model::Design;
use tidegate_model::design::ConsumerRef;

use crate::resource::{Engine, Id, Kind, Value};
use crate::rules::Rule;

pub use kafka::{dead_letter_topic, partitions};
pub use nats::{durable, subject};
pub use rabbitmq::{dead_letter_exchange, dead_letter_queue, queue};

/// Who reads and writes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Services with the clients of the broker.
    Clients,
    /// This program, which keeps what consumers have done there as well: `tidegate run --broker`. Of Kafka only.
    Runtime,
}

/// What a design does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Who reads and writes.
    pub used_by: Use,
    /// What names of topics, exchanges, queues and streams begin with.
    pub prefix: String,
    /// Partitions of every topic; `None`: what the targets of the events need.
    pub partitions: Option<u32>,
    /// Copies of everything; `None`: it is left to the broker, and not looked at.
    pub replication: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            used_by: Use::Clients,
            prefix: String::new(),
            partitions: None,
            replication: None,
        }
    }
}

/// A setting that a design needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Its value.
    pub value: Value,
    /// When it is met.
    pub rule: Rule,
    /// Why.
    pub because: String,
}

/// A resource that a design needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Its settings.
    pub settings: BTreeMap<String, Want>,
    /// Why.
    pub because: String,
    /// Whether what has a key keeps its order there.
    pub keyed: bool,
}

impl Wanted {
    fn because(because: impl Into<String>) -> Self {
        Self {
            because: because.into(),
            ..Self::default()
        }
    }

    fn want(self, setting: &str, value: impl Into<Value>, because: impl Into<String>) -> Self {
        self.want_by(Rule::Exactly, setting, value, because)
    }

    fn want_by(
        mut self,
        rule: Rule,
        setting: &str,
        value: impl Into<Value>,
        because: impl Into<String>,
    ) -> Self {
        let want = Want {
            value: value.into(),
            rule,
            because: because.into(),
        };
        self.settings.insert(setting.to_owned(), want);
        self
    }

    /// The value of a setting.
    #[must_use]
    pub fn get(&self, setting: &str) -> Option<&Value> {
        self.settings.get(setting).map(|want| &want.value)
    }
}

/// How the name of a right means what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Just this name.
    Literal,
    /// Every name that begins so.
    Prefixed,
}

/// What a service may do on Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    /// The service; its principal is `User:SERVICE`.
    pub service: String,
    /// `topic`, `group` or `transactional-id`.
    pub resource: &'static str,
    /// Of this name.
    pub name: String,
    /// How the name is meant.
    pub pattern: Pattern,
    /// `Read`, `Write`, `Describe`.
    pub operations: Vec<&'static str>,
}

/// What a design needs on a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// Which kind of broker.
    pub engine: Engine,
    /// The resources.
    pub resources: BTreeMap<Id, Wanted>,
    /// What services may do, on Kafka.
    pub acls: Vec<Acl>,
    /// What else is to be known, one sentence each.
    pub notes: Vec<String>,
}

impl Desired {
    fn new(engine: Engine) -> Self {
        Self {
            engine,
            resources: BTreeMap::new(),
            acls: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn add(&mut self, kind: Kind, name: impl Into<String>, wanted: Wanted) {
        self.resources.insert(Id::new(kind, name), wanted);
    }

    /// A resource that is needed.
    #[must_use]
    pub fn get(&self, kind: Kind, name: &str) -> Option<&Wanted> {
        self.resources.get(&Id::new(kind, name))
    }
}

/// What `design` needs on a broker of this kind.
#[must_use]
pub fn desired(design: &Design, engine: Engine, options: &Options) -> Desired {
    match engine {
        Engine::Kafka => kafka::desired(design, options),
        Engine::RabbitMq => rabbitmq::desired(design, options),
        Engine::Nats => nats::desired(design, options),
    }
}

fn number(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

fn millis(duration: Duration) -> i64 {
    number(duration.as_millis())
}

fn nanos(duration: Duration) -> i64 {
    number(duration.as_nanos())
}

/// The consumers of an event.
fn consumers<'d>(
    design: &'d Design,
    event: &'d Name,
) -> impl Iterator<Item = ConsumerRef<'d>> + use<'d> {
    let all = design.consumers();
    all.filter(move |consumer| consumer.event_name == event)
}

impl Desired {
    /// Leaves out what users may do that the broker does not have: they are made by hand, with their passwords.
    pub fn only_users(&mut self, users: &[String]) {
        let mut unknown = Vec::new();
        self.resources.retain(|id, _| {
            let is_known = id.kind != Kind::Permission || users.contains(&id.name);
            if !is_known {
                unknown.push(format!("`{}`", id.name));
            }
            is_known
        });
        if !unknown.is_empty() {
            self.notes.push(format!(
                "permissions of {} are left out: the broker has no such users (rabbitmqctl add_user)",
                unknown.join(", ")
            ));
        }
    }
}
