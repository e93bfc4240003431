//! Shards on Kafka.

use std::collections::BTreeSet;
use std::sync::Arc;

use tidegate_base::Name;
use tidegate_broker::Broker;
use tidegate_broker_kafka::{KafkaBroker, KafkaConfig, Members};
use tokio::sync::watch;

use super::engine::{Engine, Shard, Sharing, System, Wait};
use crate::exit::{Failure, Kind};

impl Engine for KafkaConfig {
    fn name(&self) -> &'static str {
        "Kafka"
    }

    fn word(&self) -> &'static str {
        "kafka"
    }

    fn place(&self) -> String {
        self.servers.clone()
    }

    fn connect(
        &self,
        system: Name,
        channels: Vec<(Name, String)>,
    ) -> Wait<'static, Result<Box<dyn System>, Failure>> {
        let config = Self {
            system,
            channels,
            ..self.clone()
        };
        Box::pin(async move { Ok(Box::new(OnKafka(config)) as Box<dyn System>) })
    }
}

struct OnKafka(KafkaConfig);

impl System for OnKafka {
    fn join(&self) -> Wait<'_, Result<Box<dyn Sharing>, Failure>> {
        Box::pin(async move {
            let members = Members::join(&self.0).await.map_err(|error| {
                Failure::caused(Kind::Unreachable, &error).hint("does Kafka run at this address?")
            })?;
            let assigned = members.assigned();
            Ok(Box::new(Member { members, assigned }) as Box<dyn Sharing>)
        })
    }

    fn open(&self, shard: u32) -> Wait<'_, Result<Box<dyn Shard>, Failure>> {
        let mut config = self.0.clone();
        config.shard = partition(shard);
        Box::pin(async move {
            let broker = KafkaBroker::open(config)
                .await
                .map_err(|error| Failure::caused(Kind::Unreachable, &error))?;
            Ok(Box::new(broker) as Box<dyn Shard>)
        })
    }
}

fn partition(shard: u32) -> i32 {
    i32::try_from(shard).unwrap_or(i32::MAX)
}

struct Member {
    members: Members,
    assigned: watch::Receiver<BTreeSet<i32>>,
}

impl Sharing for Member {
    fn assigned(&mut self) -> BTreeSet<u32> {
        let assigned = self.assigned.borrow_and_update();
        assigned.iter().map(|shard| shard.unsigned_abs()).collect()
    }

    fn changed(&mut self) -> Wait<'_, bool> {
        Box::pin(async { self.assigned.changed().await.is_ok() })
    }

    fn hold(&self, shard: u32) -> bool {
        self.members.hold(partition(shard))
    }

    fn release(&self, shard: u32) {
        self.members.release(partition(shard));
    }

    fn leave(self: Box<Self>) -> Wait<'static, ()> {
        Box::pin(async move { self.members.leave().await })
    }
}

impl Shard for KafkaBroker {
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
