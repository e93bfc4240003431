//! Shards on Kafka.

use std::sync::Arc;

use tidegate_base::Name;
use tidegate_broker::{Shard, Sharing};
use tidegate_broker_kafka::{KafkaBroker, KafkaConfig, Members};

use super::engine::{Engine, System, Wait};
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

    fn topic(&self, event: &Name) -> String {
        format!("{}{event}", self.prefix)
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
            Ok(Box::new(members) as Box<dyn Sharing>)
        })
    }

    fn open(&self, shard: u32) -> Wait<'_, Result<Arc<dyn Shard>, Failure>> {
        let mut config = self.0.clone();
        config.shard = partition(shard);
        Box::pin(async move {
            let broker = KafkaBroker::open(config)
                .await
                .map_err(|error| Failure::caused(Kind::Unreachable, &error))?;
            Ok(Arc::new(broker) as Arc<dyn Shard>)
        })
    }
}

fn partition(shard: u32) -> i32 {
    i32::try_from(shard).unwrap_or(i32::MAX)
}
