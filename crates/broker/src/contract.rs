//! The one trait between the runtime and whatever keeps its records.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use thiserror::Error;
use tidegate_base::{Name, Timestamp};
use tokio::sync::watch;

use crate::retention::{CleanError, Cleaned, Keep, Retention};

/// A record to be appended to a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The channel; created by its first record.
    pub channel: Name,
    /// The partition key.
    pub key: Option<String>,
    /// When it was accepted.
    pub time: Timestamp,
    /// Attributes, in order.
    pub headers: Vec<(String, String)>,
    /// The payload.
    pub payload: Bytes,
}

/// A record as it stands in its channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in the channel; given to it for good.
    pub sequence: u64,
    /// The partition key.
    pub key: Option<String>,
    /// When it was accepted.
    pub time: Timestamp,
    /// Attributes, in order.
    pub headers: Vec<(String, String)>,
    /// The payload.
    pub payload: Bytes,
}

/// What a batch does to the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// Adds records after those that are there.
    Append(Vec<Bytes>),
    /// Takes the place of everything before: a checkpoint.
    Replace(Vec<Bytes>),
    /// Adds records, which start a checkpoint of several batches: nothing is removed until it is finished, and
    /// others may add theirs meanwhile.
    Begin(Vec<Bytes>),
    /// Adds records, and in the same step removes everything before the last [`Begin`](Self::Begin). Where there was
    /// none since the broker was opened or the state was replaced, it only adds. Until it is done a reader may
    /// still see what it removes.
    Finish(Vec<Bytes>),
}

/// What is written together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Records for channels, in order.
    pub appends: Vec<Append>,
    /// The change of the state.
    pub state: StateChange,
}

/// When a commit counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Survives a power failure.
    Durable,
    /// Handed to the operating system: survives a crash of this process, not of the machine.
    Written,
}

/// What a broker does by itself. The conformance suite holds it to every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promises {
    /// What it is called in messages.
    pub name: &'static str,
    /// What an acknowledged durable commit survives.
    pub survives: Survives,
    /// Whether a batch over several channels and the state is seen whole or not at all.
    pub atomic_batch: AtomicBatch,
    /// Whether it removes what nobody needs.
    pub retention: Retention,
    /// Whether the sequences of a channel have gaps.
    pub sequences: Sequences,
}

/// How the sequences of a channel follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequences {
    /// Without gaps, from 0 on.
    Dense,
    /// They ascend. A sequence that is absent was never a record, or is one no more: nobody need know which.
    /// What is counted by sequences, such as a backlog, is a most.
    Ascending,
}

/// What an acknowledged durable commit survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survives {
    /// Nothing: it lives in memory.
    Nothing,
    /// The end of the process and of the machine's power.
    PowerLoss,
    /// The end of this process and of servers, as long as one of the replicas that were in step is left: it was
    /// acknowledged by all of them, and may have been synced to disk by none.
    Replicas,
}

/// What a batch over several channels and the state is after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtomicBatch {
    /// All of it or nothing; nor is it ever seen in parts.
    Whole,
    /// All of it or nothing; but while it becomes visible its channels may show it one after the other.
    WholeInTheEnd,
    /// Any prefix of it.
    Prefix,
}

/// The most that one read returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// Most records; at least 1.
    pub records: usize,
    /// Most payload bytes; the first record is returned whatever its size.
    pub bytes: usize,
}

/// Why a commit is not done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommitError {
    /// A limit is reached; nothing was written. Try again after the given time.
    #[error("{reason}; nothing was written, try again in {}", tidegate_base::format_duration(*.retry_after))]
    Full {
        /// Which limit.
        reason: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// The batch breaks a limit of the format; nothing was written.
    #[error("{reason}; nothing was written")]
    Invalid {
        /// What is wrong with it.
        reason: String,
    },
    /// The writer has stopped for good; reads go on. Whether this batch was kept is not known.
    #[error("the writer has stopped: {reason}")]
    Stopped {
        /// What stopped it.
        reason: String,
    },
}

/// Why a read returns nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// A record is damaged.
    #[error("channel `{channel}` is damaged at sequence {sequence}: {reason}")]
    Damaged {
        /// The channel.
        channel: Name,
        /// The record.
        sequence: u64,
        /// What is wrong, with the place in the store.
        reason: String,
    },
    /// The state is damaged or cannot be read.
    #[error("the state cannot be read: {reason}")]
    State {
        /// What is wrong, with the place in the store.
        reason: String,
    },
    /// The store cannot be read.
    #[error("channel `{channel}` cannot be read: {reason}")]
    Unreadable {
        /// The channel.
        channel: Name,
        /// The cause.
        reason: String,
    },
}

/// Channels of records and one state.
///
/// Commits take effect, and become done, in the order of the *calls*: `commit` takes its place in
/// the queue before it returns, and its future only waits. Dropping the future does not undo the
/// commit. A record is visible to `read` and counted by `tail` only once its commit is done in its
/// class: a reader never sees a record that the crash which its class survives could take back. Once
/// the future has returned, `read`, `tail` and `state` show the batch. A batch that is refused with
/// [`CommitError::Full`] or [`CommitError::Invalid`] leaves no trace.
///
/// Sequences ascend in the order of the records, without gaps where that is promised, and are never given out
/// twice, even when every record is gone. Only
/// [`clean`](Self::clean) removes records, and only those that the last [`keep`](Self::keep) of their
/// channel lets go.
pub trait Broker: Send + Sync + fmt::Debug {
    /// What it does by itself.
    fn promises(&self) -> Promises;

    /// Writes a batch. Returns the sequence of each of its appends, in order, once the batch is done
    /// in the class asked for.
    ///
    /// # Errors
    ///
    /// [`CommitError`]: at a limit, for an invalid batch, or after the writer has stopped.
    fn commit(
        &self,
        batch: Batch,
        durability: Durability,
    ) -> BoxFuture<'static, Result<Vec<u64>, CommitError>>;

    /// The records of `channel` whose sequence is at least `from`, in order: at least one, if there is
    /// one, and no more than the limit allows (a broker may count keys and headers towards its
    /// bytes); none for a channel that does not exist.
    ///
    /// A sequence that is absent, before or between those returned, belongs to a record that was
    /// removed. None of a sequence before [`head`](Self::head) is returned but those that were
    /// pinned when the head passed them.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the first record asked for cannot be read.
    fn read(
        &self,
        channel: &Name,
        from: u64,
        limit: ReadLimit,
    ) -> BoxFuture<'static, Result<Vec<Record>, ReadError>>;

    /// One past the last visible sequence of `channel`, now and whenever it grows.
    fn tail(&self, channel: &Name) -> watch::Receiver<u64>;

    /// The first sequence of `channel` that retention has not passed: every record before it has been
    /// removed, except pinned ones. It is the sequence of a record, or the tail when there is none
    /// left; it never goes back, and outlives the broker as far as the records do. 0 for a channel
    /// that does not exist.
    fn head(&self, channel: &Name) -> u64;

    /// The sequence of the first record of `channel`, of those not before [`head`](Self::head), whose
    /// time is `time` or later; the tail when there is none. Times need not ascend.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when a record on the way cannot be read.
    fn sequence_at(
        &self,
        channel: &Name,
        time: Timestamp,
    ) -> BoxFuture<'static, Result<u64, ReadError>>;

    /// Says what `channel` keeps, in the place of what was said before; the next
    /// [`clean`](Self::clean) goes by it. A broker that has just been opened was told nothing.
    fn keep(&self, channel: &Name, keep: Keep);

    /// Removes what nobody needs at `now`: of each channel what its [`Keep`] lets go, and nothing of
    /// a channel of which no [`Keep`] was said. It may leave some of that for later, such as what
    /// lies together with what must stay, but not all of it every time. Reads and commits go on
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// [`CleanError`] when the store cannot be cleaned. What must stay is there nevertheless.
    fn clean(&self, now: Timestamp) -> BoxFuture<'static, Result<Cleaned, CleanError>>;

    /// The state: the records of the last `Replace`, or from the `Begin` of the last checkpoint that was finished,
    /// and of every change since, in order.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when it cannot be read.
    fn state(&self) -> BoxFuture<'static, Result<Vec<Bytes>, ReadError>>;
}
