//! Shards on NATS JetStream.

use std::sync::Arc;

use tidegate_base::Name;
use tidegate_broker::{Shard, Sharing};
use tidegate_broker_nats::{Members, NatsConfig, Session};

use super::engine::{Engine, System, Wait};
use crate::exit::{Failure, Kind};

impl Engine for NatsConfig {
    fn name(&self) -> &'static str {
        "NATS JetStream"
    }

    fn word(&self) -> &'static str {
        "nats"
    }

    fn place(&self) -> String {
        Self::place(self)
    }

    fn connect(
        &self,
        system: Name,
        channels: Vec<(Name, String)>,
    ) -> Wait<'static, Result<Box<dyn System>, Failure>> {
        let mut config = self.clone();
        config.system = system;
        config.channels = channels;
        Box::pin(async move {
            let session = Session::connect(config).await.map_err(|error| {
                Failure::caused(Kind::Unreachable, &error)
                    .hint("does NATS run at this address, with JetStream?")
            })?;
            Ok(Box::new(session) as Box<dyn System>)
        })
    }
}

impl System for Session {
    fn join(&self) -> Wait<'_, Result<Box<dyn Sharing>, Failure>> {
        Box::pin(async move {
            let members = Members::join(self)
                .await
                .map_err(|error| Failure::caused(Kind::Unreachable, &error))?;
            Ok(Box::new(members) as Box<dyn Sharing>)
        })
    }

    fn open(&self, shard: u32) -> Wait<'_, Result<Arc<dyn Shard>, Failure>> {
        Box::pin(async move {
            let broker = Self::open(self, shard)
                .await
                .map_err(|error| Failure::caused(Kind::Unreachable, &error))?;
            Ok(Arc::new(broker) as Arc<dyn Shard>)
        })
    }
}
