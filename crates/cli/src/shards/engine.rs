//! What an engine must do for its shards to live here.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tidegate_base::Name;
use tidegate_broker::{Shard, Sharing};

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

    /// What other clients call the place of an event's records there.
    fn topic(&self, event: &Name) -> String {
        event.to_string()
    }

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
    fn open(&self, shard: u32) -> Wait<'_, Result<Arc<dyn Shard>, Failure>>;
}
