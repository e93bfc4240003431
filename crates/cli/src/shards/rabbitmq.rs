//! Shards on RabbitMQ.

use std::collections::BTreeSet;
use std::sync::Arc;

use tidegate_base::Name;
use tidegate_broker::Broker;
use tidegate_broker_rabbitmq::{Members, RabbitBroker, RabbitConfig, RabbitError};
use tidegate_runtime::TokioClock;
use tokio::sync::watch;

use super::engine::{Engine, Shard, Sharing, System, Wait};
use crate::exit::{Failure, Kind};

impl Engine for RabbitConfig {
    fn name(&self) -> &'static str {
        "RabbitMQ"
    }

    fn word(&self) -> &'static str {
        "rabbitmq"
    }

    fn place(&self) -> String {
        self.address()
    }

    fn connect(
        &self,
        system: Name,
        channels: Vec<(Name, String)>,
    ) -> Wait<'static, Result<Box<dyn System>, Failure>> {
        let mut config = self.clone();
        config.system = system;
        config.channels = channels;
        Box::pin(async move { Ok(Box::new(config) as Box<dyn System>) })
    }
}

impl System for RabbitConfig {
    fn join(&self) -> Wait<'_, Result<Box<dyn Sharing>, Failure>> {
        Box::pin(async move {
            let members = Members::join(self).await.map_err(|error| failure(&error))?;
            let assigned = members.assigned();
            Ok(Box::new(Member { members, assigned }) as Box<dyn Sharing>)
        })
    }

    fn open(&self, shard: u32) -> Wait<'_, Result<Box<dyn Shard>, Failure>> {
        let mut config = self.clone();
        config.shard = shard;
        Box::pin(async move {
            let opened = RabbitBroker::open(config, Arc::new(TokioClock::new())).await;
            let broker = opened.map_err(|error| failure(&error))?;
            Ok(Box::new(broker) as Box<dyn Shard>)
        })
    }
}

fn failure(error: &RabbitError) -> Failure {
    match error {
        RabbitError::Shards { .. } => Failure::caused(Kind::Configuration, error),
        _ => Failure::caused(Kind::Unreachable, error).hint(
            "does RabbitMQ run at this address, and may this user configure, write and read?",
        ),
    }
}

impl Shard for RabbitBroker {
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
