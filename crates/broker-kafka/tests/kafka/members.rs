//! Shards shared by processes: here by several members of one process.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use tidegate_base::Name;
use tidegate_broker::conformance::sharing::{Shards, fenced, handed_over};
use tidegate_broker::{Shard, Sharing};
use tidegate_broker_kafka::{KafkaBroker, KafkaConfig, Members};

use crate::support;

struct OnKafka(KafkaConfig);

impl Shards for OnKafka {
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
    config.partitions = 4;
    handed_over(&OnKafka(config)).await.unwrap();
}

/// What one owner has committed the next one reads, and whoever was owner before can write no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_former_owner_of_a_shard_can_write_no_more() {
    let test = "the_former_owner_of_a_shard_can_write_no_more";
    let Some(mut config) = support::config(test) else {
        return;
    };
    config.partitions = 3;
    config.channels = vec![(Name::new("a").unwrap(), "a".to_owned())];
    let shards = [
        open(&config, 0).await,
        open(&config, 1).await,
        open(&config, 2).await,
    ];
    fenced(&shards, open(&config, 1).boxed()).await.unwrap();
}

async fn open(config: &KafkaConfig, shard: i32) -> Arc<dyn Shard> {
    let mut config = config.clone();
    config.shard = shard;
    Arc::new(KafkaBroker::open(config).await.unwrap())
}
