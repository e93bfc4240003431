//! A shard on any journal.

use std::sync::Arc;

use tidegate_broker::Broker;
use tidegate_broker_journal::JournalBroker;

use super::engine::{Shard, Wait};

impl Shard for JournalBroker {
    fn broker(&self) -> Arc<dyn Broker> {
        Arc::new(self.clone())
    }

    fn stopped(&self) -> Option<String> {
        Self::stopped(self)
    }

    fn close(&self) -> Wait<'_, ()> {
        Box::pin(Self::close(self))
    }
}
