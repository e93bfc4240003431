//! Shards shared by processes: here by several members of one process.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use tidegate_base::Name;
use tidegate_broker::conformance::sharing::{OPENED, Shards, fenced, handed_over};
use tidegate_broker::{Shard, Sharing};
use tidegate_broker_rabbitmq::{Members, RabbitBroker, RabbitConfig};

use crate::support;

struct OnRabbitMq(RabbitConfig);

impl Shards for OnRabbitMq {
    fn join(&self) -> BoxFuture<'_, Box<dyn Sharing>> {
        async move { Box::new(Members::join(&self.0).await.unwrap()) as Box<dyn Sharing> }.boxed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_shard_has_one_owner_and_is_handed_over_once_it_is_released() {
    let test = "every_shard_has_one_owner_and_is_handed_over_once_it_is_released";
    let Some(mut config) = support::config(test) else {
        return;
    };
    config.shards = 4;
    handed_over(&OnRabbitMq(config)).await.unwrap();
}

/// What one owner has committed the next one reads, and whoever was owner before can write no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_former_owner_of_a_shard_can_write_no_more() {
    let test = "the_former_owner_of_a_shard_can_write_no_more";
    let Some(mut config) = support::config(test) else {
        return;
    };
    config.shards = OPENED;
    config.channels = vec![(Name::new("a").unwrap(), "a".to_owned())];
    let members = Members::join(&config).await.unwrap();
    let mut shards = Vec::new();
    for shard in 0..OPENED {
        shards.push(open(&config, shard).await);
    }
    fenced(&shards, open(&config, 1).boxed()).await.unwrap();
    // Keys would change their shard if there were more shards from now on.
    config.shards = 4;
    let error = Members::join(&config).await.unwrap_err().to_string();
    assert!(error.contains("another number of shards than 4"), "{error}");
    Box::new(members).leave().await;
}

async fn open(config: &RabbitConfig, shard: u32) -> Arc<dyn Shard> {
    let mut config = config.clone();
    config.shard = shard;
    let opened = RabbitBroker::open(config, support::clock()).await;
    Arc::new(opened.unwrap())
}
