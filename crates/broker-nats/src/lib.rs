//! NATS JetStream behind the broker contract.
//!
//! A shard of a system is a stream with the subjects `PREFIX.SYSTEM.SHARD.>`: an event of the channel `OrderPlaced` has the
//! subject `PREFIX.SYSTEM.SHARD.OrderPlaced`, and what only this broker reads has `PREFIX.SYSTEM.SHARD._journal`. Events are
//! CloudEvents in binary mode, so that other clients read them, and what other clients publish is delivered.
//!
//! A stream has no transactions, but one order and confirmations: [`tidegate_broker_journal`] makes a broker of that.
//! Which process has which shard is agreed upon in a key-value bucket ([`Members`]).

mod config;
mod convert;
mod follow;
mod journal;
mod members;
mod session;
mod subject;

pub use config::{ConfigError, NatsConfig};
pub use members::Members;
pub use session::{OpenError, Session};
