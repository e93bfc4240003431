//! A broker in memory that can be out of room, stopped or damaged.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, ready};
use tidegate_base::{Name, Timestamp};
use tidegate_broker::{
    Batch, Broker, CleanError, Cleaned, CommitError, Durability, Keep, MemoryBroker, Promises,
    ReadError, ReadLimit, Record, StateChange,
};
use tokio::sync::watch;

/// Clones share the records and the faults.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultyBroker {
    memory: MemoryBroker,
    faults: Arc<Mutex<Faults>>,
}

#[derive(Debug, Default)]
struct Faults {
    commits: Commits,
    refused: usize,
    damaged: Option<u64>,
    damaged_reads: usize,
    cleans: Cleans,
    cleaned: usize,
    cleaning: usize,
}

/// What becomes of cleans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Cleans {
    #[default]
    Done,
    Failing,
    /// They are done after this time.
    Slow(Duration),
}

/// What becomes of commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Commits {
    #[default]
    Done,
    /// Those of the state find no room, with what goes with it.
    StateFull,
    /// As before, for one commit.
    StateFullOnce,
    /// Those of the state with more bytes find no room, for one commit.
    LargeStateFullOnce(usize),
    /// Those of the state find no room when something goes with it.
    OutputsFull,
    Stopped,
}

/// When to come back to a full broker.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A clean under way: it ends with its process, too.
struct Cleaning(FaultyBroker);

impl Drop for Cleaning {
    fn drop(&mut self) {
        self.0.faults().cleaning -= 1;
    }
}

impl FaultyBroker {
    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap()
    }

    /// What becomes of commits from now on.
    pub(crate) fn commits(&self, commits: Commits) {
        self.faults().commits = commits;
    }

    /// How many commits were refused.
    pub(crate) fn refused(&self) -> usize {
        self.faults().refused
    }

    /// From now on this record of every channel is damaged; `None`: it is repaired.
    pub(crate) fn damage(&self, sequence: Option<u64>) {
        self.faults().damaged = sequence;
    }

    /// What becomes of cleans from now on.
    pub(crate) fn cleans(&self, cleans: Cleans) {
        self.faults().cleans = cleans;
    }

    /// How many cleans were asked for.
    pub(crate) fn cleaned(&self) -> usize {
        self.faults().cleaned
    }

    /// How many reads began at the damaged record.
    pub(crate) fn damaged_reads(&self) -> usize {
        self.faults().damaged_reads
    }
}

impl Broker for FaultyBroker {
    fn promises(&self) -> Promises {
        self.memory.promises()
    }

    fn commit(
        &self,
        batch: Batch,
        durability: Durability,
    ) -> BoxFuture<'static, Result<Vec<u64>, CommitError>> {
        let mut faults = self.faults();
        let (state, outputs) = (batch.state != StateChange::NONE, !batch.appends.is_empty());
        let full = match faults.commits {
            Commits::StateFull | Commits::StateFullOnce => state,
            Commits::LargeStateFullOnce(most) => {
                let records = batch.state.records().iter();
                records.map(Bytes::len).sum::<usize>() > most
            }
            Commits::OutputsFull => state && outputs,
            Commits::Done | Commits::Stopped => false,
        };
        let error = match faults.commits {
            Commits::Stopped => CommitError::Stopped {
                reason: "a sync failed".to_owned(),
            },
            _ if full => CommitError::Full {
                reason: "the disk is full".to_owned(),
                retry_after: RETRY_AFTER,
            },
            _ => return self.memory.commit(batch, durability),
        };
        if matches!(
            faults.commits,
            Commits::StateFullOnce | Commits::LargeStateFullOnce(_)
        ) {
            faults.commits = Commits::Done;
        }
        faults.refused += 1;
        ready(Err(error)).boxed()
    }

    fn read(
        &self,
        channel: &Name,
        from: u64,
        mut limit: ReadLimit,
    ) -> BoxFuture<'static, Result<Vec<Record>, ReadError>> {
        let mut faults = self.faults();
        if let Some(sequence) = faults.damaged {
            if from == sequence {
                faults.damaged_reads += 1;
                assert!(faults.damaged_reads < 1_000, "it reads without end");
                let (channel, reason) = (channel.clone(), "a checksum differs".to_owned());
                return ready(Err(ReadError::Damaged {
                    channel,
                    sequence,
                    reason,
                }))
                .boxed();
            }
            let before = usize::try_from(sequence.saturating_sub(from)).unwrap_or(usize::MAX);
            if before > 0 {
                limit.records = limit.records.min(before);
            }
        }
        self.memory.read(channel, from, limit)
    }

    fn tail(&self, channel: &Name) -> watch::Receiver<u64> {
        self.memory.tail(channel)
    }

    fn head(&self, channel: &Name) -> u64 {
        self.memory.head(channel)
    }

    fn sequence_at(
        &self,
        channel: &Name,
        time: Timestamp,
    ) -> BoxFuture<'static, Result<u64, ReadError>> {
        self.memory.sequence_at(channel, time)
    }

    fn keep(&self, channel: &Name, keep: Keep) {
        self.memory.keep(channel, keep);
    }

    fn clean(&self, now: Timestamp) -> BoxFuture<'static, Result<Cleaned, CleanError>> {
        let mut faults = self.faults();
        faults.cleaned += 1;
        faults.cleaning += 1;
        assert_eq!(faults.cleaning, 1, "two cleans at once");
        let (cleans, broker) = (faults.cleans, self.clone());
        let cleaning = Cleaning(self.clone());
        async move {
            if let Cleans::Slow(time) = cleans {
                tokio::time::sleep(time).await;
            }
            drop(cleaning);
            if cleans == Cleans::Failing {
                let reason = "the disk is full".to_owned();
                return Err(CleanError { reason });
            }
            broker.memory.clean(now).await
        }
        .boxed()
    }

    fn state(&self) -> BoxFuture<'static, Result<Vec<Bytes>, ReadError>> {
        self.memory.state()
    }
}
