//! The suite that every broker is held to.

use std::sync::{Arc, Mutex};

use futures_util::future::{BoxFuture, FutureExt};
use tidegate_broker::Broker;
use tidegate_broker::conformance::{Subject, examine};
use tidegate_broker_kafka::{KafkaBroker, KafkaConfig};

use crate::support;

struct Kafka {
    test: &'static str,
    last: Mutex<Option<KafkaConfig>>,
}

impl Subject for Kafka {
    fn make(&self) -> BoxFuture<'_, Arc<dyn Broker>> {
        async move {
            let config = support::config(self.test).unwrap();
            *self.last.lock().unwrap() = Some(config.clone());
            let broker: Arc<dyn Broker> = Arc::new(KafkaBroker::open(config).await.unwrap());
            broker
        }
        .boxed()
    }

    fn reopen(&self, broker: Arc<dyn Broker>) -> BoxFuture<'_, Arc<dyn Broker>> {
        async move {
            let config = self.last.lock().unwrap().clone().unwrap();
            // What it was about to write is committed or given up by whoever opens the next.
            drop(broker);
            let broker: Arc<dyn Broker> = Arc::new(KafkaBroker::open(config).await.unwrap());
            broker
        }
        .boxed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_keeps_the_contract() {
    let test = "it_keeps_the_contract";
    if support::config(test).is_none() {
        return;
    }
    let last = Mutex::default();
    let report = examine(&Kafka { test, last }).await;
    assert_eq!(report.broken(), []);
    let document = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/brokers.md"
    );
    report.document(document.as_ref(), "Kafka").unwrap();
}
