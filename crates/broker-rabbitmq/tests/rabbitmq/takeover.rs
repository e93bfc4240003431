//! A shard is taken over while its owner is alive, writes, and begins one segment after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidegate_broker::Broker;
use tidegate_broker::conformance::history::{Fates, Signs, check, found, load};
use tidegate_broker_rabbitmq::RabbitBroker;
use tokio::time::{sleep, timeout};

use crate::support;

const PATIENCE: Duration = Duration::from_secs(120);
const TIMES: usize = 4;

/// What whoever opens writes may come behind the seal of a segment, where it counts for nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shard_is_taken_over_while_its_owner_ends_segments() {
    let test = "a_shard_is_taken_over_while_its_owner_ends_segments";
    let Some(mut config) = support::config(test) else {
        return;
    };
    config.segment_bytes = 16 << 10;
    let open = || async {
        let opened = RabbitBroker::open(config.clone(), support::clock());
        let opened = timeout(PATIENCE, opened).await;
        let broker = opened.expect("it is never taken over").unwrap();
        Arc::new(broker) as Arc<dyn Broker>
    };
    let (next, mut fates) = (Arc::new(AtomicU64::new(0)), Fates::new());
    let mut owner = open().await;
    for _ in 0..TIMES {
        let signs = Arc::new(Signs::default());
        let loading = load(Arc::clone(&owner), Arc::clone(&next), Arc::clone(&signs));
        let loading = tokio::spawn(loading);
        let begun = timeout(PATIENCE, async {
            while signs.acknowledged.load(Ordering::Relaxed) < 100 {
                sleep(Duration::from_millis(5)).await;
            }
        });
        begun.await.expect("nothing is written");
        owner = open().await;
        signs.over.store(true, Ordering::Relaxed);
        let ended = timeout(PATIENCE, loading).await;
        fates.extend(ended.expect("commits never end").unwrap().unwrap());
    }
    let reader = open().await;
    assert_eq!(
        check(&fates, &found(&*reader).await.unwrap()),
        Vec::<String>::new()
    );
}
