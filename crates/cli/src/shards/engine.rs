//! What an engine must do for its shards to live here.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tidegate_base::Name;
use tidegate_broker::Broker;

use crate::exit::Failure;

/// Something that is waited for.
pub(crate) type Wait<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An engine at an address.
pub(crate) trait Engine: fmt::Debug + Send + Sync {
    /// What it is called in messages.
    fn name(&self) -> &'static str;

    /// Its word in designs.
    fn word(&self) -> &'static str;

    /// Where it is, without secrets.
    fn place(&self) -> String;

    /// A system on it, with its channels, each with the type of its events. What is missing is created.
    fn connect(
        &self,
        system: Name,
        channels: Vec<(Name, String)>,
    ) -> Wait<'static, Result<Box<dyn System>, Failure>>;
}

/// A system on an engine.
pub(crate) trait System: Send + Sync {
    /// Joins the processes that share its shards.
    fn join(&self) -> Wait<'_, Result<Box<dyn Sharing>, Failure>>;

    /// Takes a shard over.
    fn open(&self, shard: u32) -> Wait<'_, Result<Box<dyn Shard>, Failure>>;
}

/// A process among those that share shards.
pub(crate) trait Sharing: Send + Sync {
    /// The shards that are this process's now.
    fn assigned(&mut self) -> BTreeSet<u32>;

    /// Waits until they are others than were asked last. `false`: they never will be.
    fn changed(&mut self) -> Wait<'_, bool>;

    /// Notes that this process works on a shard from now on. Returns whether it may.
    fn hold(&self, shard: u32) -> bool;

    /// Notes that it works on a shard no longer.
    fn release(&self, shard: u32);

    /// Leaves the shards to the others.
    fn leave(self: Box<Self>) -> Wait<'static, ()>;
}

/// A shard that was taken over.
pub(crate) trait Shard: Send + Sync {
    /// It, as the runtime sees it.
    fn broker(&self) -> Arc<dyn Broker>;

    /// Why nothing can be written to it any more; `None` while it can.
    fn stopped(&self) -> Option<String>;

    /// Writes what is queued, and then no more.
    fn close(&self) -> Wait<'_, ()>;
}
