//! The thread that writes: what waits together becomes one transaction.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use tidegate_base::limit::LOG_QUEUE_BYTES_MAX;
use tidegate_broker::{Batch, CommitError, StateChange};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::channel::{Channel, lock};
use crate::config::KafkaConfig;
use crate::deliveries::{PLACE_BITS, Shared};
use crate::follow::Following;
use crate::state::{BEGUN, FINISHED, REPLACED};
use crate::topics::{Topics, pause};
use crate::{convert, partition};

/// Batches that wait; a further one is refused.
const WAITING_MAX: usize = 16_384;
/// Most records of one transaction, so that the first of them does not wait long for the last.
const GROUP_RECORDS_MAX: usize = 10_000;
/// Most bytes of one transaction, but for a batch that has more.
const GROUP_BYTES_MAX: usize = 8 << 20;
/// How long the library may try before it is asked again.
const TRY: Duration = Duration::from_secs(5);
/// How long to wait before a transaction is tried anew.
const AGAIN: Duration = Duration::from_millis(200);
/// When to come again while there is no room.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// When to come again while Kafka does not answer.
const STALLED_RETRY_AFTER: Duration = Duration::from_secs(1);
/// Where the appends of a batch are.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) sequences: Vec<u64>,
    /// Channels of this shard, each with one past the last record of the batch.
    pub(crate) visible: Vec<(Arc<Channel>, u64)>,
}

/// A batch that waits.
struct Job {
    batch: Batch,
    /// The channel of each append.
    channels: Vec<Arc<Channel>>,
    bytes: usize,
    reply: oneshot::Sender<Result<Written, CommitError>>,
}

/// Takes batches, in order.
#[derive(Clone, Debug)]
pub(crate) struct Writing {
    jobs: SyncSender<Job>,
    waiting: Arc<AtomicUsize>,
    stopped: Arc<OnceLock<String>>,
    /// Kafka does not answer.
    stalled: Arc<AtomicBool>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Writing {
    /// Takes a place in the queue.
    pub(crate) fn commit(
        &self,
        batch: Batch,
        channels: Vec<Arc<Channel>>,
    ) -> Result<oneshot::Receiver<Result<Written, CommitError>>, CommitError> {
        if let Some(reason) = self.stopped() {
            return Err(CommitError::Stopped { reason });
        }
        let full = |what: String| CommitError::Full {
            reason: format!("{what} wait to be written to Kafka already"),
            retry_after: RETRY_AFTER,
        };
        // A producer need not wait for as long as that takes; what the runtime records does.
        let is_published = batch.state.records().is_empty() && !batch.appends.is_empty();
        if is_published && self.stalled.load(Ordering::Acquire) {
            return Err(CommitError::Full {
                reason: "Kafka does not answer".to_owned(),
                retry_after: STALLED_RETRY_AFTER,
            });
        }
        let bytes = batch.bytes();
        let waiting = self.waiting.load(Ordering::Acquire);
        if waiting > 0 && waiting.saturating_add(bytes) > LOG_QUEUE_BYTES_MAX {
            return Err(full(format!("{waiting} bytes")));
        }
        let (reply, answer) = oneshot::channel();
        let job = Job {
            batch,
            channels,
            bytes,
            reply,
        };
        self.waiting.fetch_add(bytes, Ordering::AcqRel);
        match self.jobs.try_send(job) {
            Ok(()) => Ok(answer),
            Err(refused) => {
                self.waiting.fetch_sub(bytes, Ordering::AcqRel);
                Err(match refused {
                    TrySendError::Full(_) => full(format!("{WAITING_MAX} batches")),
                    TrySendError::Disconnected(_) => CommitError::Stopped {
                        reason: "the writer has ended".to_owned(),
                    },
                })
            }
        }
    }

    /// Why it takes no more; `None` while it does.
    pub(crate) fn stopped(&self) -> Option<String> {
        self.stopped.get().cloned()
    }
}

/// What the thread needs.
pub(crate) struct Writer {
    pub(crate) producer: ThreadedProducer<Shared>,
    pub(crate) deliveries: Shared,
    pub(crate) topics: Arc<Topics>,
    pub(crate) following: Following,
    pub(crate) runtime: Handle,
    pub(crate) state_topic: String,
    pub(crate) shard: i32,
    pub(crate) stalled: Arc<AtomicBool>,
    /// What names this owner of the shard.
    pub(crate) owner: String,
    /// Where its checkpoint of several batches has begun; none: `u64::MAX`.
    pub(crate) begun_at: AtomicU64,
}

/// A record of a transaction: where it goes, and what it is.
struct Piece<'a> {
    topic: &'a str,
    partition: i32,
    key: Option<&'a str>,
    payload: &'a [u8],
    time: Option<i64>,
    headers: OwnedHeaders,
}

/// Why a transaction did not succeed.
enum Trouble {
    /// It changed nothing; it is tried again.
    Again(String),
    /// Something in it can never be written.
    Never(String),
    /// Nothing can be written any more.
    Stopped(String),
}

impl Writer {
    /// A producer that owns the shard from now on: who had it before can write no more.
    pub(crate) fn producer(
        config: &KafkaConfig,
    ) -> Result<(ThreadedProducer<Shared>, Shared), KafkaError> {
        let deliveries = Shared::default();
        let producer: ThreadedProducer<Shared> =
            config.producer().create_with_context(deliveries.clone())?;
        producer.init_transactions(Duration::from_secs(60))?;
        Ok((producer, deliveries))
    }

    /// Goes on in a thread of its own, until nobody can send batches any more.
    pub(crate) fn run(self) -> std::io::Result<Writing> {
        let (jobs, waiting_jobs) = sync_channel(WAITING_MAX);
        let writing = Writing {
            jobs,
            waiting: Arc::default(),
            stopped: Arc::default(),
            stalled: Arc::clone(&self.stalled),
        };
        let (waiting, stopped) = (Arc::clone(&writing.waiting), Arc::clone(&writing.stopped));
        thread::Builder::new()
            .name("kafka-write".to_owned())
            .spawn(move || self.write_all(&waiting_jobs, &waiting, &stopped))?;
        Ok(writing)
    }

    fn write_all(self, jobs: &Receiver<Job>, waiting: &AtomicUsize, stopped: &OnceLock<String>) {
        let mut transaction = 0;
        while let Ok(first) = jobs.recv() {
            let group = group(first, jobs);
            let bytes: usize = group.iter().map(|job| job.bytes).sum();
            match stopped.get() {
                Some(reason) => refuse(group, reason),
                None => self.write(group, &mut transaction, stopped),
            }
            waiting.fetch_sub(bytes, Ordering::AcqRel);
        }
    }

    /// Writes a group, as often as it takes.
    fn write(&self, group: Vec<Job>, transaction: &mut usize, stopped: &OnceLock<String>) {
        loop {
            *transaction += 1;
            match self.try_write(&group, *transaction) {
                Ok(written) => {
                    self.stalled.store(false, Ordering::Release);
                    for (job, written) in group.into_iter().zip(written) {
                        // Nobody may be waiting any more: that does not undo it.
                        let _left = job.reply.send(Ok(written));
                    }
                    return;
                }
                Err(Trouble::Again(reason)) => {
                    self.stalled.store(true, Ordering::Release);
                    tracing::warn!("kafka: {reason}; it is tried again");
                    pause(&self.runtime, AGAIN);
                }
                Err(Trouble::Never(reason)) => {
                    return self.write_apart(group, &reason, transaction, stopped);
                }
                Err(Trouble::Stopped(reason)) => {
                    let reason = stopped.get_or_init(|| reason);
                    return refuse(group, reason);
                }
            }
        }
    }

    /// Writes the batches of a group one by one, so that only what cannot be written is refused: Kafka refuses
    /// what was sent together as a whole.
    fn write_apart(
        &self,
        mut group: Vec<Job>,
        reason: &str,
        transaction: &mut usize,
        stopped: &OnceLock<String>,
    ) {
        if group.len() > 1 {
            for job in group {
                self.write(vec![job], transaction, stopped);
            }
        } else if let Some(job) = group.pop() {
            let reason = reason.to_owned();
            let _left = job.reply.send(Err(CommitError::Invalid { reason }));
        }
    }

    fn try_write(&self, group: &[Job], transaction: usize) -> Result<Vec<Written>, Trouble> {
        self.ensure_topics(group)?;
        let pieces: Vec<Piece<'_>> = group.iter().flat_map(|job| self.pieces(job)).collect();
        if pieces.is_empty() {
            let nothing = group.iter().map(|_| Written {
                sequences: Vec::new(),
                visible: Vec::new(),
            });
            return Ok(nothing.collect());
        }
        self.deliveries.0.begin(transaction, pieces.len());
        self.producer
            .begin_transaction()
            .map_err(|error| self.trouble(error))?;
        for (place, piece) in pieces.into_iter().enumerate() {
            let place = (transaction << PLACE_BITS) | place;
            self.send(piece, place)
                .map_err(|error| self.give_up(error))?;
        }
        self.end().map_err(|error| self.give_up(error))?;
        Ok(self.written(group))
    }

    /// Commits the transaction, however long that takes: what was not answered is asked again.
    fn end(&self) -> Result<(), KafkaError> {
        self.answers()?;
        if let Some(code) = self.deliveries.0.refused() {
            return Err(KafkaError::MessageProduction(code));
        }
        loop {
            match self.producer.commit_transaction(TRY) {
                Ok(()) => return Ok(()),
                Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)) => {
                    self.stalled.store(true, Ordering::Release);
                    tracing::warn!("kafka: no answer yet to what is written");
                }
                Err(KafkaError::Transaction(error)) if error.is_retriable() => {
                    self.stalled.store(true, Ordering::Release);
                    tracing::warn!("kafka: no answer yet to the end of a transaction");
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until it is known of every record what has become of it, however long that takes. What is not known must
    /// not be given up and written again: Kafka may have it, and take the second for a repetition of the first.
    fn answers(&self) -> Result<(), KafkaError> {
        while self.deliveries.0.wait(TRY) > 0 {
            if self.deliveries.0.has_ended() {
                return Err(KafkaError::MessageProduction(RDKafkaErrorCode::Fatal));
            }
            self.stalled.store(true, Ordering::Release);
            tracing::warn!("kafka: no answer yet to what is written");
        }
        Ok(())
    }

    /// Puts a record into the library's queue; a full one gets room as it is written.
    fn send(&self, piece: Piece<'_>, place: usize) -> Result<(), KafkaError> {
        let mut record = BaseRecord::with_opaque_to(piece.topic, place)
            .partition(piece.partition)
            .payload(piece.payload)
            .headers(piece.headers);
        if let Some(key) = piece.key {
            record = record.key(key.as_bytes());
        }
        if let Some(time) = piece.time {
            record = record.timestamp(time);
        }
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    record = refused;
                    pause(&self.runtime, Duration::from_millis(5));
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    /// Gives the transaction up, so that another one can begin.
    fn give_up(&self, error: KafkaError) -> Trouble {
        let trouble = self.trouble(error);
        if matches!(trouble, Trouble::Stopped(_)) {
            return trouble;
        }
        loop {
            match self.producer.abort_transaction(TRY) {
                Ok(()) => return trouble,
                Err(KafkaError::Transaction(error)) if error.is_retriable() => {
                    self.stalled.store(true, Ordering::Release);
                    tracing::warn!("kafka: no answer yet to the end of a transaction");
                }
                Err(error) => return Trouble::Stopped(told(&error)),
            }
        }
    }

    /// What an error means for the group.
    fn trouble(&self, error: KafkaError) -> Trouble {
        if let Some((code, _)) = self.producer.client().fatal_error() {
            return Trouble::Stopped(told(&KafkaError::Global(code)));
        }
        if matches!(&error, KafkaError::Transaction(error) if error.is_fatal()) {
            return Trouble::Stopped(told(&error));
        }
        let places = lock(&self.deliveries.0.places);
        let outcomes = places.outcomes.iter().flatten();
        let mut codes = outcomes.filter_map(|outcome| outcome.as_ref().err());
        let never = codes.find(|code| {
            matches!(
                code,
                RDKafkaErrorCode::MessageSizeTooLarge
                    | RDKafkaErrorCode::InvalidMessageSize
                    | RDKafkaErrorCode::InvalidMessage
                    | RDKafkaErrorCode::InvalidRecord
                    | RDKafkaErrorCode::TopicAuthorizationFailed
            )
        });
        match never {
            None => Trouble::Again(error.to_string()),
            Some(code) => Trouble::Never(format!("Kafka refuses a record: {code}")),
        }
    }

    /// Creates the topics of channels that have none yet.
    fn ensure_topics(&self, group: &[Job]) -> Result<(), Trouble> {
        for channel in group.iter().flat_map(|job| &job.channels) {
            if channel.partitions() > 0 {
                continue;
            }
            let ensured = self.topics.ensure(&channel.topic);
            let partitions = ensured.map_err(|error| {
                Trouble::Again(format!("topic `{}` is not created: {error}", channel.topic))
            })?;
            channel.set_partitions(partitions);
            if !self.following.follow(Arc::clone(channel)) {
                return Err(Trouble::Again("too many new topics at once".to_owned()));
            }
        }
        Ok(())
    }

    /// The records of a batch: those of the channels, then those of the state.
    fn pieces<'a>(&'a self, job: &'a Job) -> Vec<Piece<'a>> {
        let appends = job.batch.appends.iter().zip(&job.channels);
        let mut pieces: Vec<Piece<'a>> = appends
            .map(|(append, channel)| Piece {
                topic: &channel.topic,
                partition: partition::of(append, channel.partitions()),
                key: append.key.as_deref(),
                payload: &append.payload,
                time: Some(convert::millis(append.time)),
                headers: convert::headers(append),
            })
            .collect();
        let state = |payload: &'a [u8]| Piece {
            topic: &self.state_topic,
            partition: self.shard,
            key: None,
            payload,
            time: None,
            headers: OwnedHeaders::new(),
        };
        let mark = |key: &'static str, value: &str| Piece {
            headers: OwnedHeaders::new().insert(Header {
                key,
                value: Some(value),
            }),
            ..state(&[])
        };
        match &job.batch.state {
            StateChange::Append(records) => {
                pieces.extend(records.iter().map(|record| state(record)))
            }
            StateChange::Replace(records) => {
                pieces.push(mark(REPLACED, "1"));
                pieces.extend(records.iter().map(|record| state(record)));
            }
            StateChange::Begin(records) => {
                pieces.push(mark(BEGUN, &self.owner));
                pieces.extend(records.iter().map(|record| state(record)));
            }
            StateChange::Finish(records) => {
                pieces.push(mark(FINISHED, &self.owner));
                pieces.extend(records.iter().map(|record| state(record)));
            }
        }
        pieces
    }

    /// Where everything is, once the transaction is committed.
    fn written(&self, group: &[Job]) -> Vec<Written> {
        let places = lock(&self.deliveries.0.places);
        let mut offsets = places.outcomes.iter().map(|place| match place {
            Some(Ok(offset)) => *offset,
            // A transaction with an undelivered record does not commit.
            Some(Err(_)) | None => 0,
        });
        let mut written = Vec::with_capacity(group.len());
        for job in group {
            let sequences: Vec<u64> = offsets.by_ref().take(job.batch.appends.len()).collect();
            let mut visible: Vec<(Arc<Channel>, u64)> = Vec::new();
            let appends = job.batch.appends.iter().zip(&job.channels).zip(&sequences);
            for ((append, channel), sequence) in appends {
                if partition::of(append, channel.partitions()) == self.shard {
                    visible.push((Arc::clone(channel), sequence.saturating_add(1)));
                }
            }
            let is_marked = !matches!(job.batch.state, StateChange::Append(_));
            let records = job.batch.state.records().len() + usize::from(is_marked);
            let state: Vec<u64> = offsets.by_ref().take(records).collect();
            let first = state.first().copied().filter(|_| is_marked);
            if let Some(counted) =
                first.and_then(|first| self.counted_from(&job.batch.state, first))
            {
                self.trim(counted);
            }
            written.push(Written { sequences, visible });
        }
        written
    }

    /// From where on the state counts alone, once the change is there whose mark is at `at`.
    fn counted_from(&self, change: &StateChange, at: u64) -> Option<u64> {
        const NONE: u64 = u64::MAX;
        match change {
            StateChange::Append(_) => None,
            StateChange::Begin(_) => {
                self.begun_at.store(at, Ordering::Relaxed);
                None
            }
            StateChange::Finish(_) => {
                let begun = self.begun_at.swap(NONE, Ordering::Relaxed);
                (begun != NONE).then_some(begun)
            }
            StateChange::Replace(_) => {
                self.begun_at.store(NONE, Ordering::Relaxed);
                Some(at)
            }
        }
    }

    /// Removes the state before a replacement. Where that fails the next one does it.
    fn trim(&self, before: u64) {
        let (topics, topic) = (Arc::clone(&self.topics), self.state_topic.clone());
        let shard = self.shard;
        self.runtime.spawn_blocking(move || {
            if let Err(error) = topics.delete_before(&topic, shard, before) {
                tracing::debug!("kafka: old state is not removed yet: {error}");
            }
        });
    }
}

/// What waits together with the first, up to the limits.
fn group(first: Job, jobs: &Receiver<Job>) -> Vec<Job> {
    let size = |job: &Job| job.batch.appends.len() + job.batch.state.records().len();
    let (mut records, mut bytes) = (size(&first), first.bytes);
    let mut group = vec![first];
    while records < GROUP_RECORDS_MAX && bytes < GROUP_BYTES_MAX {
        let Ok(job) = jobs.try_recv() else {
            break;
        };
        records += size(&job);
        bytes += job.bytes;
        group.push(job);
    }
    group
}

fn refuse(group: Vec<Job>, reason: &str) {
    for job in group {
        let reason = reason.to_owned();
        let _left = job.reply.send(Err(CommitError::Stopped { reason }));
    }
}

/// A fatal error in words; that another process has taken over is the usual one.
fn told(error: &KafkaError) -> String {
    let code = error.rdkafka_error_code();
    let fenced = matches!(
        code,
        Some(
            RDKafkaErrorCode::Fenced
                | RDKafkaErrorCode::ProducerFenced
                | RDKafkaErrorCode::InvalidProducerEpoch
        )
    );
    match fenced {
        true => "another process has taken this shard over".to_owned(),
        false => error.to_string(),
    }
}
