//! Shards on RabbitMQ.

use std::sync::Arc;

use tidegate_base::Name;
use tidegate_broker::{Shard, Sharing};
use tidegate_broker_rabbitmq::{Members, RabbitBroker, RabbitConfig, RabbitError};
use tidegate_runtime::TokioClock;

use super::engine::{Engine, System, Wait};
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
            Ok(Box::new(members) as Box<dyn Sharing>)
        })
    }

    fn open(&self, shard: u32) -> Wait<'_, Result<Arc<dyn Shard>, Failure>> {
        let mut config = self.clone();
        config.shard = shard;
        Box::pin(async move {
            let opened = RabbitBroker::open(config, Arc::new(TokioClock::new())).await;
            let broker = opened.map_err(|error| failure(&error))?;
            Ok(Arc::new(broker) as Arc<dyn Shard>)
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
