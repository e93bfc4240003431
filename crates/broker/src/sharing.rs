//! Shards that processes share: what an engine of several of them does for a process.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::Broker;

/// A process among those that share the shards of a system.
///
/// Dropping it is what a killed process does: the others find out.
pub trait Sharing: Send + Sync {
    /// The shards that are this process's, now and whenever that changes.
    fn assigned(&self) -> watch::Receiver<BTreeSet<u32>>;

    /// Notes that this process works on a shard from now on. Returns whether it may: it may be another's already.
    #[must_use]
    fn hold(&self, shard: u32) -> bool;

    /// Notes that it works on a shard no longer: it can be handed over.
    fn release(&self, shard: u32);

    /// Leaves, so that the others take the shards over at once. What is held must have been released.
    fn leave(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// A shard that was taken over: a broker until another process takes it.
pub trait Shard: Broker {
    /// Why nothing can be written any more, such as that another process has taken over; `None` while it can.
    #[must_use]
    fn stopped(&self) -> Option<String>;

    /// Refuses further commits, and returns once what is queued is written.
    fn close(&self) -> BoxFuture<'_, ()>;
}
