//! Brokers that run already: what they have, changed when asked for; how far behind their readers are; and the dead
//! letters that others have left there.
//!
//! Nothing here runs a system. Every call blocks until the broker has answered, or a limit of time is over.

mod address;
mod error;
#[cfg(feature = "kafka")]
mod kafka;
mod lag;
mod nats;
mod rabbitmq;

use std::collections::BTreeSet;

use tidegate_base::Timestamp;
use tidegate_topology::import::Groups;
use tidegate_topology::letters::Raw;
use tidegate_topology::{Change, Engine, Plan, Topology};

pub use address::Address;
pub use error::EstateError;
pub use lag::{Lag, Method};

/// A broker that is asked and changed.
pub struct Broker {
    asked: Asked,
}

enum Asked {
    #[cfg(feature = "kafka")]
    Kafka(kafka::Kafka),
    RabbitMq(rabbitmq::RabbitMq),
    Nats(nats::Nats),
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker")
            .field("engine", &self.engine())
            .finish_non_exhaustive()
    }
}

/// How one change went.
#[derive(Debug)]
pub struct Applied {
    /// The change.
    pub change: Change,
    /// What the broker said against it.
    pub error: Option<EstateError>,
}

impl Broker {
    /// Connects.
    ///
    /// # Errors
    ///
    /// When it cannot be reached, or the address cannot be used.
    pub fn open(address: &Address) -> Result<Self, EstateError> {
        let asked = match address.engine {
            #[cfg(feature = "kafka")]
            Engine::Kafka => Asked::Kafka(kafka::Kafka::open(address)?),
            #[cfg(not(feature = "kafka"))]
            Engine::Kafka => {
                let reason = "this program was built without Kafka".to_owned();
                return Err(EstateError::Address { reason });
            }
            Engine::RabbitMq => Asked::RabbitMq(rabbitmq::RabbitMq::open(address)?),
            Engine::Nats => Asked::Nats(nats::Nats::open(address)?),
        };
        Ok(Self { asked })
    }

    /// What it is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.asked {
            #[cfg(feature = "kafka")]
            Asked::Kafka(_) => Engine::Kafka,
            Asked::RabbitMq(_) => Engine::RabbitMq,
            Asked::Nats(_) => Engine::Nats,
        }
    }

    /// Everything that it has.
    ///
    /// # Errors
    ///
    /// When it does not answer, or may not be asked.
    pub fn topology(&self) -> Result<Topology, EstateError> {
        match &self.asked {
            #[cfg(feature = "kafka")]
            Asked::Kafka(kafka) => kafka.topology(),
            Asked::RabbitMq(rabbitmq) => rabbitmq.topology(),
            Asked::Nats(nats) => nats.topology(),
        }
    }

    /// Makes the changes of a plan that are allowed, in order. It stops at the first that fails: later ones may build
    /// on it.
    pub fn apply(&self, plan: &Plan, confirmed: &BTreeSet<String>) -> Vec<Applied> {
        let mut applied = Vec::new();
        for change in &plan.changes {
            if !change.is_allowed(confirmed) {
                continue;
            }
            let result = match &self.asked {
                #[cfg(feature = "kafka")]
                Asked::Kafka(kafka) => kafka.change(change),
                Asked::RabbitMq(rabbitmq) => rabbitmq.change(change),
                Asked::Nats(nats) => nats.change(change),
            };
            let error = result.err();
            let failed = error.is_some();
            applied.push(Applied {
                change: change.clone(),
                error,
            });
            if failed {
                break;
            }
        }
        applied
    }

    /// Who reads which topics, where the broker keeps that apart: the groups of Kafka.
    ///
    /// # Errors
    ///
    /// When it does not answer, or may not be asked.
    pub fn groups(&self) -> Result<Groups, EstateError> {
        match &self.asked {
            #[cfg(feature = "kafka")]
            Asked::Kafka(kafka) => kafka.groups(),
            _ => Ok(Groups::new()),
        }
    }

    /// The definitions of RabbitMQ, as it exports them.
    ///
    /// # Errors
    ///
    /// When it does not answer, may not be asked, or is none.
    pub fn definitions(&self) -> Result<serde_json::Value, EstateError> {
        match &self.asked {
            Asked::RabbitMq(rabbitmq) => rabbitmq.definitions(),
            _ => Err(EstateError::Address {
                reason: "only RabbitMQ has definitions".to_owned(),
            }),
        }
    }

    /// How far behind every reader is at `now`, or the one of this name: a group, a queue, `STREAM/CONSUMER`.
    ///
    /// # Errors
    ///
    /// When it does not answer, or may not be asked.
    pub fn lag(&self, only: Option<&str>, now: Timestamp) -> Result<Vec<Lag>, EstateError> {
        match &self.asked {
            #[cfg(feature = "kafka")]
            Asked::Kafka(kafka) => kafka.lag(only, now),
            Asked::RabbitMq(rabbitmq) => rabbitmq.lag(only, now),
            Asked::Nats(nats) => nats.lag(only, now),
        }
    }

    /// The first messages of a topic, queue or stream, with their headers. Nobody's place is moved.
    ///
    /// # Errors
    ///
    /// When it does not answer, may not be asked, or cannot be looked into without a change.
    pub fn letters(&self, source: &str, most: usize) -> Result<Vec<Raw>, EstateError> {
        match &self.asked {
            #[cfg(feature = "kafka")]
            Asked::Kafka(kafka) => kafka.letters(source, most),
            Asked::RabbitMq(rabbitmq) => rabbitmq.letters(source, most),
            Asked::Nats(nats) => nats.letters(source, most),
        }
    }
}
