//! A broker in memory: for tests, for trying a design out, and as the model that others are held to.

mod channel;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, ready};
use tidegate_base::limit::{CHANNELS_MAX, MEMORY_BROKER_BYTES_MAX};
use tidegate_base::{Name, Timestamp};
use tokio::sync::watch;

use self::channel::Channel;
use crate::{
    AtomicBatch, Batch, Broker, CleanError, Cleaned, CommitError, Durability, Keep, Promises,
    ReadError, ReadLimit, Record, Retention, Sequences, StateChange, Survives,
};

/// Keeps records in memory, up to a number of bytes. Cheap to clone; clones share the records.
///
/// Every commit is done when the call returns, so that order and visibility hold trivially.
#[derive(Clone, Debug)]
pub struct MemoryBroker {
    bytes_max: usize,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    channels: HashMap<Name, Channel>,
    state: Vec<Bytes>,
    /// Where a checkpoint of several batches has begun.
    begun: Option<usize>,
    bytes: usize,
}

impl Default for MemoryBroker {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryBroker {
    /// An empty broker that holds at most [`MEMORY_BROKER_BYTES_MAX`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_bytes_max(MEMORY_BROKER_BYTES_MAX)
    }

    /// An empty broker that holds at most `bytes_max` bytes, counted as
    /// [`Append::bytes`](crate::Append::bytes).
    #[must_use]
    pub fn with_bytes_max(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            held: Arc::default(),
        }
    }

    /// Every change is made whole under the lock, so a panic elsewhere leaves nothing half done.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Broker for MemoryBroker {
    fn promises(&self) -> Promises {
        Promises {
            name: "memory",
            survives: Survives::Nothing,
            atomic_batch: AtomicBatch::Whole,
            retention: Retention::Enforced,
            sequences: Sequences::Dense,
        }
    }

    fn commit(
        &self,
        batch: Batch,
        _durability: Durability,
    ) -> BoxFuture<'static, Result<Vec<u64>, CommitError>> {
        ready(self.held().commit(batch, self.bytes_max)).boxed()
    }

    fn read(
        &self,
        channel: &Name,
        from: u64,
        limit: ReadLimit,
    ) -> BoxFuture<'static, Result<Vec<Record>, ReadError>> {
        ready(Ok(self.held().read(channel, from, limit))).boxed()
    }

    fn tail(&self, channel: &Name) -> watch::Receiver<u64> {
        let mut held = self.held();
        if !held.has_room_for(channel) {
            // No commit can create this channel any more: its tail stays 0.
            return watch::channel(0).1;
        }
        held.channel(channel).tail()
    }

    fn head(&self, channel: &Name) -> u64 {
        let held = self.held();
        held.channels.get(channel).map_or(0, Channel::head)
    }

    fn sequence_at(
        &self,
        channel: &Name,
        time: Timestamp,
    ) -> BoxFuture<'static, Result<u64, ReadError>> {
        let held = self.held();
        let channel = held.channels.get(channel);
        ready(Ok(channel.map_or(0, |channel| channel.sequence_at(time)))).boxed()
    }

    fn keep(&self, channel: &Name, keep: Keep) {
        let mut held = self.held();
        if held.has_room_for(channel) {
            held.channel(channel).keep(keep);
        }
    }

    fn clean(&self, now: Timestamp) -> BoxFuture<'static, Result<Cleaned, CleanError>> {
        ready(Ok(self.held().clean(now))).boxed()
    }

    fn state(&self) -> BoxFuture<'static, Result<Vec<Bytes>, ReadError>> {
        ready(Ok(self.held().state.clone())).boxed()
    }
}

impl Held {
    fn channel(&mut self, name: &Name) -> &mut Channel {
        self.channels.entry(name.clone()).or_default()
    }

    fn has_room_for(&self, channel: &Name) -> bool {
        self.channels.contains_key(channel) || self.channels.len() < CHANNELS_MAX
    }

    fn commit(&mut self, batch: Batch, bytes_max: usize) -> Result<Vec<u64>, CommitError> {
        let added = self.admit(&batch, bytes_max)?;
        self.bytes = self.bytes.saturating_add(added);
        self.change_state(batch.state);
        let mut sequences = Vec::with_capacity(batch.appends.len());
        let mut grown = Vec::new();
        for append in batch.appends {
            grown.push(append.channel.clone());
            sequences.push(self.channel(&append.channel.clone()).append(append));
        }
        // Only now, so that no reader is woken before the batch is whole.
        for name in grown {
            self.channel(&name).show();
        }
        Ok(sequences)
    }

    /// The bytes that the batch adds.
    fn admit(&self, batch: &Batch, bytes_max: usize) -> Result<usize, CommitError> {
        batch.validate()?;
        let added = batch.bytes();
        let dropped = match &batch.state {
            StateChange::Append(_) | StateChange::Begin(_) => 0,
            StateChange::Replace(_) => self.state_bytes(self.state.len()),
            StateChange::Finish(_) => self.state_bytes(self.begun.unwrap_or(0)),
        };
        if self.bytes.saturating_sub(dropped).saturating_add(added) > bytes_max {
            let reason = format!("memory holds {} of at most {bytes_max} bytes", self.bytes);
            return Err(CommitError::Full {
                reason,
                retry_after: Duration::from_secs(1),
            });
        }
        let mut created: Vec<&Name> = batch.appends.iter().map(|append| &append.channel).collect();
        created.retain(|name| !self.channels.contains_key(*name));
        created.sort_unstable();
        created.dedup();
        if self.channels.len() + created.len() > CHANNELS_MAX {
            let reason = format!(
                "there are {} of at most {CHANNELS_MAX} channels",
                self.channels.len()
            );
            return Err(CommitError::Invalid { reason });
        }
        Ok(added)
    }

    fn change_state(&mut self, change: StateChange) {
        match change {
            StateChange::Append(records) => self.state.extend(records),
            StateChange::Replace(records) => {
                self.drop_state(self.state.len());
                self.begun = None;
                self.state = records;
            }
            StateChange::Begin(records) => {
                self.begun = Some(self.state.len());
                self.state.extend(records);
            }
            StateChange::Finish(records) => {
                let begun = self.begun.take().unwrap_or(0);
                self.drop_state(begun);
                self.state.extend(records);
            }
        }
    }

    /// Bytes of the first records of the state.
    fn state_bytes(&self, count: usize) -> usize {
        self.state.iter().take(count).map(Bytes::len).sum()
    }

    fn drop_state(&mut self, count: usize) {
        self.bytes = self.bytes.saturating_sub(self.state_bytes(count));
        self.state.drain(..count);
    }

    fn read(&self, channel: &Name, from: u64, limit: ReadLimit) -> Vec<Record> {
        let channel = self.channels.get(channel);
        channel.map_or_else(Vec::new, |channel| channel.read(from, limit))
    }

    fn clean(&mut self, now: Timestamp) -> Cleaned {
        let mut all = Cleaned::default();
        #[expect(
            clippy::iter_over_hash_type,
            reason = "sums do not depend on the order"
        )]
        for channel in self.channels.values_mut() {
            let cleaned = channel.clean(now);
            all.records += cleaned.records;
            all.bytes += cleaned.bytes;
        }
        let bytes = usize::try_from(all.bytes).unwrap_or(usize::MAX);
        self.bytes = self.bytes.saturating_sub(bytes);
        all
    }
}
