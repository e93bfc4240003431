//! Shards on NATS JetStream.

use std::collections::BTreeSet;

use tidegate_base::Name;
use tidegate_broker_nats::{Members, NatsConfig, Session};
use tokio::sync::watch;

use super::engine::{Engine, Shard, Sharing, System, Wait};
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
            let assigned = members.assigned();
            Ok(Box::new(Member { members, assigned }) as Box<dyn Sharing>)
        })
    }

    fn open(&self, shard: u32) -> Wait<'_, Result<Box<dyn Shard>, Failure>> {
        Box::pin(async move {
            let broker = Self::open(self, shard)
                .await
                .map_err(|error| Failure::caused(Kind::Unreachable, &error))?;
            Ok(Box::new(broker) as Box<dyn Shard>)
        })
    }
}

struct Member {
    members: Members,
    assigned: watch::Receiver<BTreeSet<u32>>,
}

impl Sharing for Member {
    fn assigned(&mut self) -> BTreeSet<u32> {
        self.assigned.borrow_and_update().clone()
    }

    fn changed(&mut self) -> Wait<'_, bool> {
        Box::pin(async { self.assigned.changed().await.is_ok() })
    }

    fn hold(&self, shard: u32) -> bool {
        self.members.hold(shard)
    }

    fn release(&self, shard: u32) {
        self.members.release(shard);
    }

    fn leave(self: Box<Self>) -> Wait<'static, ()> {
        Box::pin(async move { self.members.leave().await })
    }
}
