//! The suite that every broker is held to.

use std::sync::{Arc, Mutex};

use futures_util::future::{BoxFuture, FutureExt};
use tidegate_broker::Broker;
use tidegate_broker::conformance::{Report, Subject, examine};
use tidegate_broker_rabbitmq::{RabbitBroker, RabbitConfig};

use crate::support;

struct RabbitMq {
    test: &'static str,
    /// Small, so that the checks go over several.
    segment_bytes: u64,
    last: Mutex<Option<RabbitConfig>>,
}

async fn open(config: RabbitConfig) -> Arc<dyn Broker> {
    Arc::new(RabbitBroker::open(config, support::clock()).await.unwrap())
}

impl Subject for RabbitMq {
    fn make(&self) -> BoxFuture<'_, Arc<dyn Broker>> {
        async move {
            let mut config = support::config(self.test).unwrap();
            config.segment_bytes = self.segment_bytes;
            *self.last.lock().unwrap() = Some(config.clone());
            open(config).await
        }
        .boxed()
    }

    fn reopen(&self, broker: Arc<dyn Broker>) -> BoxFuture<'_, Arc<dyn Broker>> {
        async move {
            let config = self.last.lock().unwrap().clone().unwrap();
            drop(broker);
            open(config).await
        }
        .boxed()
    }
}

async fn keeps_the_contract(test: &'static str, segment_bytes: u64) -> Option<Report> {
    support::config(test)?;
    let subject = RabbitMq {
        test,
        segment_bytes,
        last: Mutex::default(),
    };
    let report = examine(&subject).await;
    assert_eq!(report.broken(), []);
    Some(report)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_keeps_the_contract() {
    let Some(report) = keeps_the_contract("it_keeps_the_contract", 64 << 20).await else {
        return;
    };
    let document = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/brokers.md"
    );
    report
        .document(document.as_ref(), "RabbitMQ streams")
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_keeps_the_contract_over_many_segments() {
    keeps_the_contract("it_keeps_the_contract_over_many_segments", 4 << 10).await;
}
