//! The embedded log keeps the contract, reopening included.

#![cfg(test)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::{BoxFuture, FutureExt, ready};
use tempfile::TempDir;
use tidegate_broker::Broker;
use tidegate_broker::conformance::{Report, Subject, examine};
use tidegate_broker_log::{LogBroker, Options};

/// A folder with one directory for each broker that was made; the last is the one to reopen.
struct Folder {
    folder: TempDir,
    made: AtomicUsize,
    options: Options,
}

impl Folder {
    fn open(&self) -> Arc<dyn Broker> {
        let directory = self
            .folder
            .path()
            .join(self.made.load(Ordering::Relaxed).to_string());
        let (broker, recovery) = LogBroker::open(&directory, self.options).unwrap();
        assert_eq!(recovery.cut, None);
        Arc::new(broker)
    }
}

impl Subject for Folder {
    fn make(&self) -> BoxFuture<'_, Arc<dyn Broker>> {
        self.made.fetch_add(1, Ordering::Relaxed);
        ready(self.open()).boxed()
    }

    fn reopen(&self, broker: Arc<dyn Broker>) -> BoxFuture<'_, Arc<dyn Broker>> {
        drop(broker);
        ready(self.open()).boxed()
    }
}

async fn check(options: Options) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let report = examine(&Folder {
        folder,
        made: AtomicUsize::new(0),
        options,
    })
    .await;
    assert_eq!(report.broken(), []);
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_the_contract() {
    let report = check(Options {
        segment_bytes: 8 << 10,
        ..Options::default()
    })
    .await;
    let document = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/brokers.md"
    );
    report.document(document.as_ref(), "embedded log").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_the_contract_with_small_segments() {
    check(Options {
        segment_bytes: 2_000,
        ahead_bytes: 500,
        ..Options::default()
    })
    .await;
}
