//! The contract, kept on a journal.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, ready};
use tidegate_base::{Name, Timestamp};
use tidegate_broker::{
    AtomicBatch, Batch, Broker, CleanError, Cleaned, CommitError, Durability, Keep, Promises,
    ReadError, ReadLimit, Record, Retention, Sequences, Shard, StateChange,
};
use tokio::sync::{Notify, watch};

use crate::journal::Journal;
use crate::open::{OpenError, open};
use crate::queue::Queue;
use crate::read;
use crate::view::View;
use crate::{clean, tasks};

/// A shard on a journal. Cheap to clone; the last clone closes it.
#[derive(Clone, Debug)]
pub struct JournalBroker {
    shared: Arc<Shared>,
    /// The tasks end with the last of these.
    _ending: Arc<watch::Sender<()>>,
}

/// What the tasks share with the callers.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) shard: u32,
    /// Of every shard.
    pub(crate) journals: Vec<Arc<dyn Journal>>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) view: Mutex<View>,
    pub(crate) queue: Mutex<Queue>,
    /// There is something new to be sent, or to be sent again.
    pub(crate) wake: Notify,
    /// For each other shard, up to where its events are there.
    pub(crate) sent: watch::Sender<BTreeMap<u32, u64>>,
    /// It was asked to write nothing any more.
    pub(crate) closed: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn view(&self) -> MutexGuard<'_, View> {
        lock(&self.view)
    }

    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    /// Writes nothing any more.
    pub(crate) fn stop(&self, reason: &str) {
        self.queue().stop(reason);
        self.wake.notify_one();
        // Whoever waits for what is passed on looks whether that can still happen.
        self.sent.send_modify(|_| {});
    }
}

/// Every change is made whole under the lock, so a panic elsewhere leaves nothing half done.
pub(crate) fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

const CLOSED: &str = "the broker is closed";

impl JournalBroker {
    /// Takes a shard over: whoever had it before can write no more. `journals` are those of every shard.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when the engine does not answer, or refuses.
    pub async fn open(shard: u32, journals: Vec<Arc<dyn Journal>>) -> Result<Self, OpenError> {
        let opened = open(shard, journals).await?;
        let (ending, ended) = watch::channel(());
        let shared = tasks::start(opened, &ended);
        Ok(Self {
            shared,
            _ending: Arc::new(ending),
        })
    }
}

impl Shard for JournalBroker {
    fn stopped(&self) -> Option<String> {
        self.shared.queue().stopped().map(str::to_owned)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async move {
            let nothing = Batch {
                appends: Vec::new(),
                state: StateChange::NONE,
            };
            // It comes after all that was queued before.
            let last = self.commit(nothing, Durability::Durable);
            self.shared.closed.send_replace(true);
            drop(last.await);
            self.shared.stop(CLOSED);
        }
        .boxed()
    }
}

impl Broker for JournalBroker {
    fn promises(&self) -> Promises {
        Promises {
            name: self.shared.journal.engine(),
            survives: self.shared.journal.survives(),
            // What belongs to another shard is there later, but is.
            atomic_batch: match self.shared.journals.len() {
                1 => AtomicBatch::Whole,
                _ => AtomicBatch::WholeInTheEnd,
            },
            retention: Retention::OldestFirst,
            sequences: Sequences::Ascending,
        }
    }

    fn commit(
        &self,
        batch: Batch,
        _durability: Durability,
    ) -> BoxFuture<'static, Result<Vec<u64>, CommitError>> {
        if *self.shared.closed.borrow() {
            let reason = CLOSED.to_owned();
            return ready(Err(CommitError::Stopped { reason })).boxed();
        }
        let full = self.shared.view().full();
        let is_published = batch.state.records().is_empty();
        let pushed = self.shared.queue().push(batch, full);
        self.shared.wake.notify_one();
        let (answer, shards) = match pushed {
            Ok(pushed) => pushed,
            Err(error) => return ready(Err(error)).boxed(),
        };
        let shared = Arc::clone(&self.shared);
        async move {
            let ended = |_| CommitError::Stopped {
                reason: "the writer has ended".to_owned(),
            };
            let sequences = answer.await.map_err(ended)??;
            // A producer may publish the next event of a key elsewhere once this one is acknowledged.
            if is_published {
                passed_on(&shared, &shards, &sequences).await?;
            }
            Ok(sequences)
        }
        .boxed()
    }

    fn read(
        &self,
        channel: &Name,
        from: u64,
        limit: ReadLimit,
    ) -> BoxFuture<'static, Result<Vec<Record>, ReadError>> {
        let (shared, channel) = (Arc::clone(&self.shared), channel.clone());
        async move { read::records(&shared, &channel, from, limit).await }.boxed()
    }

    fn tail(&self, channel: &Name) -> watch::Receiver<u64> {
        match self.shared.view().channel(channel) {
            Some(channel) => channel.watch(),
            None => watch::channel(0).1,
        }
    }

    fn head(&self, channel: &Name) -> u64 {
        let view = self.shared.view();
        view.channels
            .get(channel)
            .map_or(0, |channel| channel.head())
    }

    fn sequence_at(
        &self,
        channel: &Name,
        time: Timestamp,
    ) -> BoxFuture<'static, Result<u64, ReadError>> {
        let (shared, channel) = (Arc::clone(&self.shared), channel.clone());
        async move { read::at(&shared, &channel, time).await }.boxed()
    }

    fn keep(&self, channel: &Name, keep: Keep) {
        if let Some(channel) = self.shared.view().channel(channel) {
            channel.keep = Some(keep);
        }
    }

    fn clean(&self, now: Timestamp) -> BoxFuture<'static, Result<Cleaned, CleanError>> {
        let shared = Arc::clone(&self.shared);
        async move { clean::clean(&shared, now).await }.boxed()
    }

    fn state(&self) -> BoxFuture<'static, Result<Vec<Bytes>, ReadError>> {
        let shared = Arc::clone(&self.shared);
        async move { read::state(&shared).await }.boxed()
    }
}

/// Waits until the events of other shards are there.
async fn passed_on(shared: &Shared, shards: &[u32], sequences: &[u64]) -> Result<(), CommitError> {
    let mut sent = shared.sent.subscribe();
    for (shard, position) in shards.iter().zip(sequences) {
        if *shard == shared.shard {
            continue;
        }
        loop {
            if sent
                .borrow_and_update()
                .get(shard)
                .is_some_and(|sent| sent >= position)
            {
                break;
            }
            if let Some(reason) = shared.queue().stopped() {
                let reason = reason.to_owned();
                return Err(CommitError::Stopped { reason });
            }
            // Its sender lives as long as this does.
            let _changed = sent.changed().await;
        }
    }
    Ok(())
}
