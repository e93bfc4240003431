//! Shards shared by processes: here by several members of one process.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use tidegate_broker::conformance::sharing::{OPENED, Shards, fenced, handed_over};
use tidegate_broker::{Shard, Sharing};
use tidegate_broker_nats::{Members, Session};

use crate::support;

struct OnNats(Session);

impl Shards for OnNats {
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
    config.shards = Some(4);
    handed_over(&OnNats(Session::connect(config).await.unwrap()))
        .await
        .unwrap();
}

/// What one owner has committed the next one reads, and whoever was owner before can write no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_former_owner_of_a_shard_can_write_no_more() {
    let test = "the_former_owner_of_a_shard_can_write_no_more";
    let Some(mut config) = support::config(test) else {
        return;
    };
    config.shards = Some(OPENED);
    let session = Session::connect(config.clone()).await.unwrap();
    let mut shards = Vec::new();
    for shard in 0..OPENED {
        shards.push(open(&session, shard).await);
    }
    // Another process.
    let others = Session::connect(config.clone()).await.unwrap();
    fenced(&shards, open(&others, 1).boxed()).await.unwrap();
    // Keys would change their shard if there were more shards from now on.
    config.shards = Some(4);
    let error = Session::connect(config.clone())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("of 3 shards, and the address says 4"),
        "{error}"
    );
    config.shards = None;
    assert_eq!(Session::connect(config).await.unwrap().shards(), 3);
}

async fn open(session: &Session, shard: u32) -> Arc<dyn Shard> {
    Arc::new(session.open(shard).await.unwrap())
}
