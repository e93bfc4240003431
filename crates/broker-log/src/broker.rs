//! The contract, kept by the log.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, ready};
use tidegate_base::limit::CHANNELS_MAX;
use tidegate_base::{Name, Timestamp};
use tidegate_broker::{
    AtomicBatch, Batch, Broker, CleanError, Cleaned, CommitError, Durability, Keep, Promises,
    ReadError, ReadLimit, Record, Retention, Sequences, Survives,
};
use tidegate_log::{Log, OpenError, Options, Placed, Recovery};
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;

use crate::convert::{self, commit_error, read_error, to_log};

/// A broker on a log in a directory of this machine. Cheap to clone; the last clone closes the log.
#[derive(Clone, Debug)]
pub struct LogBroker {
    log: Arc<Log>,
    tails: Arc<Mutex<HashMap<Name, watch::Sender<u64>>>>,
}

impl LogBroker {
    /// Opens the log in `directory`, or starts one there. Returns what was found with it. Reads the
    /// last segment, so it may take a moment: call it before the runtime starts.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when another process has it open, when it is damaged, or when the directory
    /// cannot be used.
    pub fn open(directory: &Path, options: Options) -> Result<(Self, Recovery), OpenError> {
        let (log, recovery) = Log::open(directory, options)?;
        Ok((
            Self {
                log: Arc::new(log),
                tails: Arc::default(),
            },
            recovery,
        ))
    }

    /// Refuses further commits, and returns once what is queued is written and durable. Reads go on.
    pub async fn close(&self) {
        let log = Arc::clone(&self.log);
        // It fails only when this runtime ends; the log closes then as it is dropped.
        drop(spawn_blocking(move || log.close()).await);
    }

    /// Why the log takes no more; `None` while it does.
    #[must_use]
    pub fn stopped(&self) -> Option<String> {
        self.log.stopped()
    }
}

impl Broker for LogBroker {
    fn promises(&self) -> Promises {
        Promises {
            name: "embedded log",
            survives: Survives::PowerLoss,
            atomic_batch: AtomicBatch::Whole,
            retention: Retention::Enforced,
            sequences: Sequences::Dense,
        }
    }

    fn commit(
        &self,
        batch: Batch,
        durability: Durability,
    ) -> BoxFuture<'static, Result<Vec<u64>, CommitError>> {
        if let Err(error) = batch.validate() {
            return ready(Err(error)).boxed();
        }
        let (sender, receiver) = oneshot::channel();
        self.log
            .append(to_log(batch), convert::class(durability), move |result| {
                // Nobody may be waiting any more: that does not undo the commit.
                drop(sender.send(result));
            });
        let wait = async move {
            let result = receiver.await.map_err(|_| CommitError::Stopped {
                reason: "the writer has ended".to_owned(),
            })?;
            result
                .map(|placed: Placed| placed.sequences.into_vec())
                .map_err(commit_error)
        };
        wait.boxed()
    }

    fn read(
        &self,
        channel: &Name,
        from: u64,
        limit: ReadLimit,
    ) -> BoxFuture<'static, Result<Vec<Record>, ReadError>> {
        if self.log.is_recent(channel, from) {
            return ready(read(&self.log, channel, from, limit)).boxed();
        }
        let (log, channel) = (Arc::clone(&self.log), channel.clone());
        let name = channel.clone();
        let wait = async move {
            let read = spawn_blocking(move || read(&log, &name, from, limit)).await;
            read.unwrap_or_else(|error| {
                Err(ReadError::Unreadable {
                    channel,
                    reason: error.to_string(),
                })
            })
        };
        wait.boxed()
    }

    fn tail(&self, channel: &Name) -> watch::Receiver<u64> {
        let mut tails = self.tails.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tail) = tails.get(channel) {
            return tail.subscribe();
        }
        let (sender, receiver) = watch::channel(0);
        if tails.len() < CHANNELS_MAX {
            tails.insert(channel.clone(), sender.clone());
            self.log.follow(channel, move |tail| {
                sender.send_if_modified(|seen| std::mem::replace(seen, tail) != tail);
            });
        }
        receiver
    }

    fn head(&self, channel: &Name) -> u64 {
        head(&self.log, channel)
    }

    fn sequence_at(
        &self,
        channel: &Name,
        time: Timestamp,
    ) -> BoxFuture<'static, Result<u64, ReadError>> {
        let (log, name) = (Arc::clone(&self.log), channel.clone());
        let wait = async move {
            let channel = name.clone();
            let found = spawn_blocking(move || log.sequence_at(&channel, time)).await;
            match found {
                Ok(found) => found.map_err(|error| read_error(&name, 0, error)),
                Err(error) => Err(ReadError::Unreadable {
                    channel: name,
                    reason: error.to_string(),
                }),
            }
        };
        wait.boxed()
    }

    fn keep(&self, channel: &Name, keep: Keep) {
        self.log.keep(channel, convert::keep(keep));
    }

    fn clean(&self, now: Timestamp) -> BoxFuture<'static, Result<Cleaned, CleanError>> {
        let log = Arc::clone(&self.log);
        let wait = async move {
            match spawn_blocking(move || log.clean(now)).await {
                Ok(Ok(cleaned)) => Ok(convert::cleaned(cleaned)),
                Ok(Err(error)) => Err(convert::clean_error(&error)),
                Err(error) => Err(convert::clean_error(&error)),
            }
        };
        wait.boxed()
    }

    fn state(&self) -> BoxFuture<'static, Result<Vec<Bytes>, ReadError>> {
        let log = Arc::clone(&self.log);
        let wait = async move {
            match spawn_blocking(move || log.state()).await {
                Ok(state) => state.map_err(|error| ReadError::State {
                    reason: error.to_string(),
                }),
                Err(error) => Err(ReadError::State {
                    reason: error.to_string(),
                }),
            }
        };
        wait.boxed()
    }
}

fn read(log: &Log, channel: &Name, from: u64, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
    let ReadLimit { records, bytes } = limit;
    let records = log
        .read(channel, from, tidegate_log::ReadLimit { records, bytes })
        .map_err(|error| read_error(channel, from, error))?;
    Ok(records.into_iter().map(convert::from_log).collect())
}

/// The first record that retention has left: compaction may have removed the one at the head.
fn head(log: &Log, channel: &Name) -> u64 {
    let head = log.head(channel);
    let one = tidegate_log::ReadLimit {
        records: 1,
        bytes: 0,
    };
    match log.read(channel, head, one) {
        Ok(records) => records
            .first()
            .map_or_else(|| log.tail(channel), |first| first.sequence),
        // It is told when it is read.
        Err(_) => head,
    }
}
