//! The suite that every broker is held to.

use std::sync::{Arc, Mutex};

use futures_util::future::{BoxFuture, FutureExt};
use tidegate_broker::Broker;
use tidegate_broker::conformance::{Subject, examine};
use tidegate_broker_nats::{NatsConfig, Session};

use crate::support;

struct Nats {
    test: &'static str,
    last: Mutex<Option<NatsConfig>>,
}

async fn open(config: NatsConfig) -> Arc<dyn Broker> {
    let session = Session::connect(config).await.unwrap();
    Arc::new(session.open(0).await.unwrap())
}

impl Subject for Nats {
    fn make(&self) -> BoxFuture<'_, Arc<dyn Broker>> {
        async move {
            let config = support::config(self.test).unwrap();
            *self.last.lock().unwrap() = Some(config.clone());
            open(config).await
        }
        .boxed()
    }

    fn reopen(&self, broker: Arc<dyn Broker>) -> BoxFuture<'_, Arc<dyn Broker>> {
        async move {
            let config = self.last.lock().unwrap().clone().unwrap();
            // What it was about to write counts only if it came before the next one is open.
            drop(broker);
            open(config).await
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
    let report = examine(&Nats { test, last }).await;
    assert_eq!(report.broken(), []);
    let document = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/brokers.md"
    );
    report
        .document(document.as_ref(), "NATS JetStream")
        .unwrap();
}
