//! Attempts that start together, and ends that are heard together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tidegate_base::{Envelope, Timestamp};
use tidegate_broker::{Broker, MemoryBroker};
use tidegate_runtime::{Answer, Attempt, Caller, Outcome, Runtime, Settings, TokioClock};

use crate::support::*;

fn large() -> Envelope {
    let data = format!("\"{}\"", "x".repeat(900_000));
    Envelope::from_attributes(
        [("type".to_owned(), "PaymentTaken".to_owned())],
        Some(data.into_bytes().into()),
    )
}

#[tokio::test(start_paused = true)]
async fn large_outputs_of_ends_that_are_heard_together_are_all_published() {
    let text = DESIGN.replace(
        "concurrency: 4, timeout: 5s",
        "concurrency: 64, timeout: 5s",
    );
    let world = World::with(&text, Settings::default()).await;
    world
        .script
        .publishes(vec![large(), large(), large(), large()]);
    world.script.takes(seconds(1));
    let orders: Vec<_> = (0..8)
        .map(|n| order(&n.to_string(), &n.to_string()))
        .collect();
    world.publish(orders).await;
    world.pass(seconds(20)).await;
    assert_eq!(world.payments().await.len(), 32);
}

#[derive(Default)]
struct Blocking {
    now: AtomicUsize,
    most: AtomicUsize,
    ended: AtomicUsize,
}

struct Blocks(Arc<Blocking>);

impl Caller for Blocks {
    fn call(&self, _attempt: Attempt) -> BoxFuture<'static, Answer> {
        let all = Arc::clone(&self.0);
        async move {
            let now = all.now.fetch_add(1, Ordering::SeqCst) + 1;
            all.most.fetch_max(now, Ordering::SeqCst);
            #[expect(
                clippy::disallowed_methods,
                reason = "a handler that does what it should not"
            )]
            tokio::task::block_in_place(|| std::thread::sleep(Duration::from_millis(200)));
            all.now.fetch_sub(1, Ordering::SeqCst);
            all.ended.fetch_add(1, Ordering::SeqCst);
            Answer::from(Outcome::Done)
        }
        .boxed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_that_block_their_task_run_beside_each_other() {
    let text = DESIGN.replace(
        "concurrency: 4, timeout: 5s",
        "concurrency: 64, timeout: 5s",
    );
    let broker: Arc<dyn Broker> = Arc::new(MemoryBroker::new());
    let all = Arc::new(Blocking::default());
    let clock = TokioClock::starting_at(Timestamp::from_millis(1_700_000_000_000));
    let runtime = Runtime::start(
        &design(&text),
        broker,
        Arc::new(Blocks(Arc::clone(&all))),
        Arc::new(clock),
        Settings::default(),
    )
    .await
    .unwrap();
    let orders: Vec<_> = (0..32)
        .map(|n| order(&n.to_string(), &n.to_string()))
        .collect();
    runtime.publish(orders).await.unwrap();
    while all.ended.load(Ordering::SeqCst) < 32 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(all.most.load(Ordering::SeqCst) > 16);
}
