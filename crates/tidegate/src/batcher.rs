//! Collects deliveries to batches, and finds the event that makes a batch fail.
//!
//! Every delivery waits for its own outcome, so layers, timeouts and the end of the app work as with single handlers.
//! A batch runs on a task of its own for as long as anybody waits for one of its outcomes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{self, Poll};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, join_all};
use serde::de::DeserializeOwned;
use tidegate_runtime::RetryClass;
use tokio::sync::oneshot;
use tower::Service;

use crate::batch::{Batch, BatchEnd, BatchHandler, Item};
use crate::context::Delivery;
use crate::handler::payload;
use crate::outcome::Outcome;
use crate::router::panicked;

/// A delivery whose outcome is waited for.
struct Waiting<T> {
    delivery: Delivery,
    /// Read once; a run takes it, and a run after that reads it again.
    data: Option<T>,
    outcome: oneshot::Sender<Outcome>,
}

/// The batch that is being collected.
struct Open<T> {
    /// Counts the batches, so that the time of an old one says nothing about a new one.
    number: u64,
    items: Vec<Waiting<T>>,
}

/// Most events of a batch: what the handler is good for, and no more than ever run together.
#[derive(Clone, Debug)]
pub(crate) struct BatchMax(Arc<AtomicUsize>);

impl BatchMax {
    pub(crate) fn new(max: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(max.max(1))))
    }

    /// A consumer with so much concurrency never fills a larger batch: waiting for it would be in vain.
    pub(crate) fn lower_to(&self, concurrency: usize) {
        self.0.fetch_min(concurrency.max(1), Ordering::Relaxed);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The collector of one consumer, as the tower service of single deliveries.
pub(crate) struct Batcher<H, T> {
    inner: Arc<Inner<H, T>>,
}

struct Inner<H, T> {
    handler: H,
    max: BatchMax,
    linger: Duration,
    open: Mutex<Open<T>>,
}

impl<H: BatchHandler<T>, T: DeserializeOwned + Send + 'static> Batcher<H, T> {
    pub(crate) fn new(handler: H, max: BatchMax, linger: Duration) -> Self {
        let open = Mutex::new(Open {
            number: 0,
            items: Vec::new(),
        });
        let inner = Arc::new(Inner {
            handler,
            max,
            linger,
            open,
        });
        Self { inner }
    }
}

impl<H, T> Clone for Batcher<H, T> {
    fn clone(&self) -> Self {
        let inner = Arc::clone(&self.inner);
        Self { inner }
    }
}

impl<H, T> fmt::Debug for Batcher<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batcher({:?}, {:?})", self.inner.max, self.inner.linger)
    }
}

impl<H: BatchHandler<T>, T: DeserializeOwned + Send + 'static> Service<Delivery> for Batcher<H, T> {
    type Response = Outcome;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Outcome, Infallible>>;

    fn poll_ready(&mut self, _context: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        let data = match payload(delivery.context().envelope()) {
            Ok(data) => Some(data),
            Err(reason) => return std::future::ready(Ok(Outcome::park(reason))).boxed(),
        };
        let (outcome, ended) = oneshot::channel();
        self.inner.join(Waiting {
            delivery,
            data,
            outcome,
        });
        // Only a task that was ended with its runtime gives no outcome.
        ended
            .map(|ended| Ok(ended.unwrap_or_else(|_| Outcome::retry("the batch was called off"))))
            .boxed()
    }
}

impl<H: BatchHandler<T>, T: DeserializeOwned + Send + 'static> Inner<H, T> {
    /// Adds a delivery to the open batch, which runs once it is full or has waited long enough.
    fn join(self: &Arc<Self>, waiting: Waiting<T>) {
        // What was tried before may be what makes a batch fail: alone it harms no other, and no other harms it.
        if waiting.delivery.context().attempt() > 1 {
            tokio::spawn(Arc::clone(self).run(vec![waiting]));
            return;
        }
        let linger = self.linger.min(waiting.delivery.context().remaining() / 2);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has left since takes no place.
        open.items.retain(|item| !item.outcome.is_closed());
        open.items.push(waiting);
        if open.items.len() >= self.max.get() {
            tokio::spawn(Arc::clone(self).run(open.take()));
        } else if open.items.len() == 1 {
            open.number += 1;
            tokio::spawn(Arc::clone(self).close_after(linger, open.number));
        }
    }

    async fn close_after(self: Arc<Self>, linger: Duration, number: u64) {
        tokio::time::sleep(linger).await;
        let items = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            if open.number != number {
                return;
            }
            open.take()
        };
        self.run(items).await;
    }

    /// Runs a batch to the outcome of each event. One that fails as a whole is halved until the event is found that
    /// fails; what has succeeded in a half is not run again.
    async fn run(self: Arc<Self>, items: Vec<Waiting<T>>) {
        let mut groups = VecDeque::from([items]);
        while let Some(mut items) = groups.pop_front() {
            items.retain(|item| !item.outcome.is_closed());
            if items.is_empty() {
                continue;
            }
            match self.attempt(&mut items).await {
                None => {}
                Some(BatchEnd::Failed(outcome)) if items.len() > 1 && is_of_one(&outcome) => {
                    let second = items.split_off(items.len() / 2);
                    groups.push_front(second);
                    groups.push_front(items);
                }
                Some(BatchEnd::Failed(outcome)) => {
                    let outcomes = vec![outcome; items.len()];
                    tell(items, outcomes);
                }
                Some(BatchEnd::Done) => {
                    let outcomes = items.iter().map(|_| Outcome::done()).collect();
                    tell(items, outcomes);
                }
                Some(BatchEnd::Each(outcomes)) => tell(items, outcomes),
            }
        }
    }

    /// One run of the handler; `None` when nobody waits for it any more.
    async fn attempt(&self, items: &mut [Waiting<T>]) -> Option<BatchEnd> {
        let mut batch = Vec::with_capacity(items.len());
        let mut deadlines = Vec::with_capacity(items.len());
        for item in items.iter_mut() {
            // What a run before wanted to publish is gone.
            item.delivery = item.delivery.again();
            let context = item.delivery.context().clone();
            let data = item
                .data
                .take()
                .map_or_else(|| payload(context.envelope()), Ok);
            match data {
                Ok(data) => {
                    deadlines.push(context.deadline());
                    batch.push(Item { data, context });
                }
                // It was read before: the type reads the same text in two ways.
                Err(reason) => return Some(BatchEnd::Failed(Outcome::park(reason))),
            }
        }
        let deadline = deadlines.into_iter().min()?;
        let handling = AssertUnwindSafe(self.handler.handle(Batch { items: batch })).catch_unwind();
        let left = join_all(items.iter_mut().map(|item| item.outcome.closed()));
        tokio::select! {
            biased;
            ended = tokio::time::timeout_at(deadline, handling) => Some(match ended {
                Ok(Ok(end)) => end,
                Ok(Err(panic)) => BatchEnd::Failed(panicked(&*panic)),
                Err(_elapsed) => BatchEnd::Failed(Outcome::retry_as(
                    RetryClass::Timeout,
                    "the batch did not end within the time of its events",
                )),
            }),
            _all = left => None,
        }
    }
}

impl<T> Open<T> {
    /// The batch as it is, and an empty one in its place.
    fn take(&mut self) -> Vec<Waiting<T>> {
        self.number += 1;
        std::mem::take(&mut self.items)
    }
}

/// Whether one event may be what makes a batch fail: what is away, late or has too much to do is so for all.
fn is_of_one(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Retry { class, .. } => *class == RetryClass::Retryable,
        Outcome::Park { .. } => true,
        Outcome::Done(_) | Outcome::Overloaded { .. } => false,
    }
}

fn tell<T>(items: Vec<Waiting<T>>, mut outcomes: Vec<Outcome>) {
    if outcomes.len() != items.len() {
        let (given, wanted) = (outcomes.len(), items.len());
        let reason = format!("the handler gave {given} outcomes for a batch of {wanted} events");
        outcomes = vec![Outcome::retry(reason); wanted];
    }
    for (item, outcome) in items.into_iter().zip(outcomes) {
        let outcome = item.delivery.context().with_outputs(outcome);
        // Whoever has left has been told otherwise.
        let _left = item.outcome.send(outcome);
    }
}
