//! Apache Kafka behind the broker contract.
//!
//! A system has as many *shards* as its topics have partitions. A [`KafkaBroker`] is one of them: partition `s`
//! of each event's topic, and partition `s` of a topic for the state. Whoever opens a shard fences who had it
//! before, by the transactional id, and what is committed together is one transaction.
//!
//! Sequences are offsets: they ascend, with gaps where Kafka marks the ends of transactions.

mod broker;
mod channel;
mod config;
mod context;
mod convert;
mod deliveries;
mod fetch;
mod follow;
mod members;
mod open;
mod partition;
mod state;
mod topics;
mod write;

pub use broker::KafkaBroker;
pub use config::{ConfigError, KafkaConfig};
pub use members::Members;
pub use open::OpenError;
