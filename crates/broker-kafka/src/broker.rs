//! The contract, kept by a shard on Kafka.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, ready};
use rdkafka::error::KafkaError;
use tidegate_base::limit::CHANNELS_MAX;
use tidegate_base::{Name, Timestamp};
use tidegate_broker::{
    AtomicBatch, Batch, Broker, CleanError, Cleaned, CommitError, Durability, Keep, Promises,
    ReadError, ReadLimit, Record, Retention, Sequences, Shard, Survives,
};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::channel::{Channel, lock};
use crate::config::KafkaConfig;
use crate::convert;
use crate::fetch::Fetching;
use crate::open::{OpenError, open};
use crate::state;
use crate::topics::Topics;
use crate::write::{Writing, Written};

/// A shard of a system on a Kafka cluster. Cheap to clone; the last clone closes it.
#[derive(Clone, Debug)]
pub struct KafkaBroker {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    config: KafkaConfig,
    channels: Mutex<HashMap<Name, Arc<Channel>>>,
    topics: Arc<Topics>,
    /// `None` once it is closed.
    writing: Mutex<Option<Writing>>,
    fetching: Fetching,
    stop: Arc<AtomicBool>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("servers", &self.config.servers)
            .field("shard", &self.config.shard)
            .finish_non_exhaustive()
    }
}

impl Inner {
    pub(crate) fn new(
        config: KafkaConfig,
        channels: HashMap<Name, Arc<Channel>>,
        topics: Arc<Topics>,
        writing: Writing,
        fetching: Fetching,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            config,
            channels: Mutex::new(channels),
            topics,
            writing: Mutex::new(Some(writing)),
            fetching,
            stop,
        }
    }

    fn known(&self, name: &Name) -> Option<Arc<Channel>> {
        lock(&self.channels).get(name).cloned()
    }

    /// The channel with this name; it gets its topic with its first record. `None`: there are too many.
    fn channel(&self, name: &Name) -> Option<Arc<Channel>> {
        let mut channels = lock(&self.channels);
        if let Some(channel) = channels.get(name) {
            return Some(Arc::clone(channel));
        }
        if channels.len() >= CHANNELS_MAX {
            return None;
        }
        let topic = self.config.topic(name);
        let channel = Arc::new(Channel::new(name.clone(), topic, name.to_string(), 0));
        channels.insert(name.clone(), Arc::clone(&channel));
        Some(channel)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

impl KafkaBroker {
    /// Takes a shard over: whoever had it before can write no more. Topics that are missing are created.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when the cluster does not answer, or refuses.
    pub async fn open(config: KafkaConfig) -> Result<Self, OpenError> {
        let runtime = Handle::current();
        let opened = spawn_blocking(move || open(&config, &runtime)).await;
        opened.unwrap_or_else(|error| Err(OpenError::Thread(error.to_string())))
    }

    pub(crate) fn of(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }
}

impl Shard for KafkaBroker {
    fn stopped(&self) -> Option<String> {
        match &*lock(&self.inner.writing) {
            Some(writing) => writing.stopped(),
            None => Some(CLOSED.to_owned()),
        }
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async move {
            let writing = lock(&self.inner.writing).clone();
            if let Some(writing) = writing
                && let Ok(last) = writing.commit(nothing(), Vec::new())
            {
                // It comes after all that was queued before.
                drop(last.await);
            }
            lock(&self.inner.writing).take();
            self.inner.stop.store(true, Ordering::Release);
        }
        .boxed()
    }
}

const CLOSED: &str = "the broker is closed";

fn nothing() -> Batch {
    Batch {
        appends: Vec::new(),
        state: tidegate_broker::StateChange::NONE,
    }
}

impl Broker for KafkaBroker {
    fn promises(&self) -> Promises {
        Promises {
            name: "Apache Kafka",
            survives: Survives::Replicas,
            atomic_batch: AtomicBatch::WholeInTheEnd,
            retention: Retention::OldestFirst,
            sequences: Sequences::Ascending,
        }
    }

    fn commit(
        &self,
        batch: Batch,
        _durability: Durability,
    ) -> BoxFuture<'static, Result<Vec<u64>, CommitError>> {
        match self.enqueue(batch) {
            Ok(answer) => async move {
                let ended = || CommitError::Stopped {
                    reason: "the writer has ended".to_owned(),
                };
                let written = answer.await.map_err(|_| ended())??;
                seen(written).await.ok_or_else(ended)
            }
            .boxed(),
            Err(error) => ready(Err(error)).boxed(),
        }
    }

    fn read(
        &self,
        channel: &Name,
        from: u64,
        limit: ReadLimit,
    ) -> BoxFuture<'static, Result<Vec<Record>, ReadError>> {
        let Some(channel) = self.inner.known(channel) else {
            return ready(Ok(Vec::new())).boxed();
        };
        if from >= channel.tail() || !channel.is_in(self.inner.config.shard) {
            return ready(Ok(Vec::new())).boxed();
        }
        if let Some(found) = channel.recent(from.max(channel.head()), limit) {
            return ready(Ok(found)).boxed();
        }
        let fetching = self.inner.fetching.clone();
        async move { fetching.records(channel, from, limit).await }.boxed()
    }

    fn tail(&self, channel: &Name) -> watch::Receiver<u64> {
        match self.inner.channel(channel) {
            Some(channel) => channel.watch(),
            None => watch::channel(0).1,
        }
    }

    fn head(&self, channel: &Name) -> u64 {
        self.inner
            .known(channel)
            .map_or(0, |channel| channel.head())
    }

    fn sequence_at(
        &self,
        channel: &Name,
        time: Timestamp,
    ) -> BoxFuture<'static, Result<u64, ReadError>> {
        let shard = self.inner.config.shard;
        let known = self.inner.known(channel);
        let Some(channel) = known.filter(|channel| channel.is_in(shard)) else {
            return ready(Ok(0)).boxed();
        };
        let fetching = self.inner.fetching.clone();
        async move { fetching.at(channel, time).await }.boxed()
    }

    fn keep(&self, channel: &Name, keep: Keep) {
        if let Some(channel) = self.inner.channel(channel) {
            channel.set_keep(keep);
        }
    }

    fn clean(&self, now: Timestamp) -> BoxFuture<'static, Result<Cleaned, CleanError>> {
        let inner = Arc::clone(&self.inner);
        async move { clean(&inner, now).await }.boxed()
    }

    fn state(&self) -> BoxFuture<'static, Result<Vec<Bytes>, ReadError>> {
        let inner = Arc::clone(&self.inner);
        let wait = async move {
            let runtime = Handle::current();
            let read = spawn_blocking(move || state::read(&inner.config, &inner.topics, &runtime));
            let reason = match read.await {
                Ok(Ok(state)) => return Ok(state),
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            Err(ReadError::State { reason })
        };
        wait.boxed()
    }
}

type Answer = tokio::sync::oneshot::Receiver<Result<Written, CommitError>>;

impl KafkaBroker {
    fn enqueue(&self, batch: Batch) -> Result<Answer, CommitError> {
        batch.validate()?;
        if let Some(append) = batch.appends.iter().find(|append| !convert::fits(append)) {
            let channel = &append.channel;
            let reason = format!(
                "a header name for channel `{channel}` has a zero byte, which Kafka's headers cannot have"
            );
            return Err(CommitError::Invalid { reason });
        }
        let channels = batch.appends.iter().map(|append| {
            let channel = self.inner.channel(&append.channel);
            channel.ok_or_else(|| CommitError::Invalid {
                reason: format!("there are {CHANNELS_MAX} channels already, the most"),
            })
        });
        let channels = channels.collect::<Result<Vec<_>, _>>()?;
        // Under the lock, which fixes the order of the calls.
        match &*lock(&self.inner.writing) {
            Some(writing) => writing.commit(batch, channels),
            None => Err(CommitError::Stopped {
                reason: CLOSED.to_owned(),
            }),
        }
    }
}

/// Waits until readers see what was written. `None`: nobody follows any more.
async fn seen(written: Written) -> Option<Vec<u64>> {
    for (channel, tail) in written.visible {
        let mut watched = channel.watch();
        watched.wait_for(|seen| *seen >= tail).await.ok()?;
    }
    Some(written.sequences)
}

/// Removes the oldest records of each channel that nobody needs.
async fn clean(inner: &Arc<Inner>, now: Timestamp) -> Result<Cleaned, CleanError> {
    let channels: Vec<Arc<Channel>> = lock(&inner.channels).values().cloned().collect();
    let mut cleaned = Cleaned::default();
    for channel in channels {
        let Some(keep) = channel.keep() else { continue };
        if !channel.is_in(inner.config.shard) {
            continue;
        }
        let failed = |error: &dyn std::error::Error| CleanError {
            reason: format!("topic `{}`: {error}", channel.topic),
        };
        let may_go = may_go(inner, &channel, &keep, now).await;
        let until = may_go.map_err(|error| failed(&error))?;
        let head = channel.head();
        if until <= head {
            continue;
        }
        let removed = remove(inner, &channel, until).await;
        removed.map_err(|error| failed(&error))?;
        // Offsets, with the marks of transactions among them: Kafka does not count records.
        cleaned.records += channel.head().saturating_sub(head);
        cleaned.bytes += channel.head().saturating_sub(head);
    }
    Ok(cleaned)
}

/// Up to where a channel may go.
async fn may_go(
    inner: &Inner,
    channel: &Arc<Channel>,
    keep: &Keep,
    now: Timestamp,
) -> Result<u64, ReadError> {
    let mut until = 0;
    if let Some(age) = keep.age {
        let nanos = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        let oldest = Timestamp::from_nanos(now.nanos().saturating_sub(nanos));
        until = inner.fetching.at(Arc::clone(channel), oldest).await?;
    }
    if let Some(bytes) = keep.bytes {
        until = until.max(channel.before_bytes(bytes).unwrap_or(0));
    }
    let pinned = keep.pinned.first().copied().unwrap_or(u64::MAX);
    Ok(until.min(keep.needed_from).min(pinned).min(channel.tail()))
}

async fn remove(inner: &Arc<Inner>, channel: &Arc<Channel>, until: u64) -> Result<(), KafkaError> {
    let (of, topic) = (Arc::clone(inner), channel.topic.clone());
    let shard = inner.config.shard;
    let removed = spawn_blocking(move || of.topics.delete_before(&topic, shard, until)).await;
    let low = removed.map_err(|error| KafkaError::ClientCreation(error.to_string()))??;
    if let Err(error) = inner.fetching.head(Arc::clone(channel), low).await {
        tracing::debug!("kafka: {error}");
    }
    Ok(())
}
