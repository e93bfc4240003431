//! RabbitMQ behind the broker contract.
//!
//! A *shard* is a journal on a chain of streams, `tidegate.SYSTEM.SHARD.N`: what a [`JournalBroker`] makes of it,
//! [`RabbitBroker`] is. Streams can only be trimmed as a whole, so a new one is begun when the last has grown, and
//! the oldest are deleted once nothing in them is needed.
//!
//! Other clients publish events to the exchange `tidegate.SYSTEM.in`, with the name of the event as routing key; a
//! quorum queue holds them until they are in the journal of their key. Every event of the system is published to the
//! exchange `tidegate.SYSTEM`, to which other services bind queues of their own. Nothing is ever published here to
//! the first, nor read from the second, so events do not go round.
//!
//! [`JournalBroker`]: tidegate_broker_journal::JournalBroker

mod arrivals;
mod broker;
mod chain;
mod chance;
mod config;
mod connect;
mod convert;
mod export;
mod fetch;
mod follow;
mod journal;
mod members;
mod publish;
mod queue;
mod root;
mod write;

pub use broker::{RabbitBroker, RabbitError};
pub use config::{ConfigError, RabbitConfig};
pub use members::Members;
