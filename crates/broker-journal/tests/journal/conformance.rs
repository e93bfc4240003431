//! The suite that every broker is held to.

use std::sync::{Arc, Mutex};

use futures_util::future::{BoxFuture, FutureExt};
use tidegate_broker::Broker;
use tidegate_broker::conformance::{Subject, run};
use tidegate_broker_journal::{Faults, Journal, JournalBroker, MemoryJournal};

struct Memory {
    faults: Option<Faults>,
    last: Mutex<MemoryJournal>,
}

impl Memory {
    async fn open(&self, journal: MemoryJournal) -> Arc<dyn Broker> {
        let journal: Arc<dyn Journal> = match self.faults {
            None => Arc::new(journal),
            Some(faults) => Arc::new(journal.failing(faults)),
        };
        Arc::new(JournalBroker::open(0, vec![journal]).await.unwrap())
    }
}

impl Subject for Memory {
    fn make(&self) -> BoxFuture<'_, Arc<dyn Broker>> {
        async move {
            let journal = MemoryJournal::new();
            *self.last.lock().unwrap() = journal.clone();
            self.open(journal).await
        }
        .boxed()
    }

    fn reopen(&self, broker: Arc<dyn Broker>) -> BoxFuture<'_, Arc<dyn Broker>> {
        async move {
            drop(broker);
            let journal = self.last.lock().unwrap().clone();
            self.open(journal).await
        }
        .boxed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_the_contract() {
    let last = Mutex::default();
    let broken = run(&Memory { faults: None, last }).await;
    assert!(broken.is_empty(), "{broken:#?}");
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_contract_on_a_journal_that_fails() {
    for seed in 0..5 {
        let faults = Faults {
            seed,
            rate: 0.01,
            dies_after: u64::MAX,
        };
        let (faults, last) = (Some(faults), Mutex::default());
        let broken = run(&Memory { faults, last }).await;
        assert!(broken.is_empty(), "seed {seed}: {broken:#?}");
    }
}
