//! The suite: an honest broker passes it, and each way of lying fails it at the promise that is broken.

#![cfg(test)]

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, ready};
use tidegate_base::{Name, Timestamp};
use tidegate_broker::conformance::{Subject, examine, run};
use tidegate_broker::{
    Append, AtomicBatch, Batch, Broker, CleanError, Cleaned, CommitError, Durability, History,
    Keep, MemoryBroker, Promises, ReadError, ReadLimit, Record, Retention, Sequences, StateChange,
    Survives,
};
use tokio::sync::watch;

/// How a broker lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    None,
    /// Takes its place in the queue only when the future is polled.
    Lazy,
    /// Shows records long before the commit is done.
    ShowsEarly,
    /// Shows records only some time after the commit is done.
    ShowsLate,
    /// Shows the records of a batch before its change of the state.
    ShowsHalf,
    /// Returns wrong sequences.
    Misnumbers,
    /// Keeps a part of a refused batch.
    KeepsRefused,
    /// Returns more than the limit allows.
    IgnoresLimits,
    /// Finds nothing by its time.
    MissesTimes,
    /// Finds by its time what was removed.
    FindsRemoved,
    /// Loses headers.
    LosesHeaders,
    /// Adds where it should replace.
    NeverReplaces,
    /// Never wakes who watches a tail.
    SilentTail,
    /// Loses the last record when it is reopened.
    LosesLast,
    /// Loses the state when it is reopened.
    LosesState,
    /// Never finishes an empty batch.
    HangsOnEmpty,
    /// Cleans channels of which nothing was said.
    CleansUnasked,
    /// Removes nothing.
    NeverCleans,
    /// Removes what is not too old.
    RemovesYoung,
    /// Removes all for the size.
    RemovesForSize,
    /// Removes the latest of a key too.
    RemovesLatest,
    /// Removes what is needed.
    RemovesNeeded,
    /// Removes what is pinned.
    RemovesPinned,
    /// Goes by what was said first.
    HearsOnce,
    /// Returns sequences as if nothing had been removed before.
    ReusesSequences,
    /// Says that every channel begins at 0.
    HeadAtZero,
    /// When it is reopened, counts from 0 what is left.
    Renumbers,
}

/// A memory broker whose memory outlives it, and that may lie.
#[derive(Clone, Debug)]
struct Suspect {
    lie: Lie,
    memory: MemoryBroker,
    /// Channels of which something was said.
    said: Arc<Mutex<BTreeSet<Name>>>,
    removed: Arc<AtomicU64>,
}

impl Suspect {
    fn new(lie: Lie, memory: MemoryBroker) -> Self {
        Self {
            lie,
            memory,
            said: Arc::default(),
            removed: Arc::default(),
        }
    }
}

impl Broker for Suspect {
    fn promises(&self) -> Promises {
        let atomic_batch = AtomicBatch::Whole;
        Promises {
            name: "suspect",
            survives: Survives::PowerLoss,
            atomic_batch,
            retention: Retention::Enforced,
            sequences: Sequences::Dense,
        }
    }

    fn commit(
        &self,
        mut batch: Batch,
        durability: Durability,
    ) -> BoxFuture<'static, Result<Vec<u64>, CommitError>> {
        let memory = self.memory.clone();
        match self.lie {
            Lie::Lazy => async move { memory.commit(batch, durability).await }.boxed(),
            Lie::ShowsEarly => {
                let done = memory.commit(batch, durability);
                async {
                    tokio::time::sleep(Duration::from_secs(5)).await;
                    done.await
                }
                .boxed()
            }
            Lie::ShowsLate => {
                let sequences = batch.appends.iter().map(|_| 0).collect();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    memory.commit(batch, durability).await
                });
                ready(Ok(sequences)).boxed()
            }
            Lie::ShowsHalf => {
                let state = std::mem::replace(&mut batch.state, StateChange::NONE);
                let records = memory.commit(batch, durability);
                async move {
                    memory
                        .commit(
                            Batch {
                                appends: vec![],
                                state,
                            },
                            durability,
                        )
                        .await?;
                    records.await
                }
                .boxed()
            }
            Lie::Misnumbers => {
                let done = memory.commit(batch, durability);
                done.map(|done| done.map(|all| all.iter().map(|at| at + 1).collect()))
                    .boxed()
            }
            Lie::KeepsRefused => ready(keep_refused(&memory, batch, durability)).boxed(),
            Lie::LosesHeaders => {
                batch
                    .appends
                    .iter_mut()
                    .for_each(|append| append.headers.clear());
                memory.commit(batch, durability)
            }
            Lie::NeverReplaces => {
                batch.state = StateChange::Append(batch.state.records().to_vec());
                memory.commit(batch, durability)
            }
            Lie::ReusesSequences => {
                let removed = self.removed.load(Ordering::Relaxed);
                let done = memory.commit(batch, durability);
                done.map(move |done| done.map(|all| all.iter().map(|at| at - removed).collect()))
                    .boxed()
            }
            Lie::HangsOnEmpty if batch.appends.is_empty() => std::future::pending().boxed(),
            _ => memory.commit(batch, durability),
        }
    }

    fn read(
        &self,
        channel: &Name,
        from: u64,
        mut limit: ReadLimit,
    ) -> BoxFuture<'static, Result<Vec<Record>, ReadError>> {
        if self.lie == Lie::IgnoresLimits {
            limit = ReadLimit {
                records: usize::MAX,
                bytes: usize::MAX,
            };
        }
        self.memory.read(channel, from, limit)
    }

    fn tail(&self, channel: &Name) -> watch::Receiver<u64> {
        let tail = self.memory.tail(channel);
        if self.lie == Lie::SilentTail {
            let seen = *tail.borrow();
            let (sender, receiver) = watch::channel(seen);
            std::mem::forget(sender);
            return receiver;
        }
        tail
    }

    fn head(&self, channel: &Name) -> u64 {
        match self.lie {
            Lie::HeadAtZero => 0,
            _ => self.memory.head(channel),
        }
    }

    fn sequence_at(
        &self,
        channel: &Name,
        time: Timestamp,
    ) -> BoxFuture<'static, Result<u64, ReadError>> {
        match self.lie {
            Lie::MissesTimes => ready(Ok(*self.memory.tail(channel).borrow())).boxed(),
            Lie::FindsRemoved => {
                let found = self.memory.sequence_at(channel, time);
                let head = self.memory.head(channel);
                found
                    .map(move |at| at.map(|at| if at == head { 0 } else { at }))
                    .boxed()
            }
            _ => self.memory.sequence_at(channel, time),
        }
    }

    fn keep(&self, channel: &Name, mut keep: Keep) {
        let first = self.said.lock().unwrap().insert(channel.clone());
        match self.lie {
            Lie::RemovesYoung if keep.age.is_some() => keep.age = Some(Duration::ZERO),
            Lie::RemovesForSize if keep.bytes.is_some() => keep.bytes = Some(0),
            Lie::RemovesLatest if keep.history == History::LatestPerKey => keep.bytes = Some(0),
            Lie::RemovesNeeded => keep.needed_from = u64::MAX,
            Lie::RemovesPinned => keep.pinned.clear(),
            Lie::HearsOnce if !first => return,
            _ => {}
        }
        self.memory.keep(channel, keep);
    }

    fn clean(&self, now: Timestamp) -> BoxFuture<'static, Result<Cleaned, CleanError>> {
        match self.lie {
            Lie::NeverCleans => return ready(Ok(Cleaned::default())).boxed(),
            Lie::CleansUnasked => {
                for channel in ["a", "b"].map(|name| Name::new(name).unwrap()) {
                    if !self.said.lock().unwrap().contains(&channel) {
                        let keep = Keep {
                            age: Some(Duration::ZERO),
                            needed_from: u64::MAX,
                            ..Keep::ALL
                        };
                        self.memory.keep(&channel, keep);
                    }
                }
            }
            _ => {}
        }
        let cleaned = self.memory.clean(now);
        let removed = Arc::clone(&self.removed);
        cleaned
            .inspect(move |cleaned| {
                let records = cleaned.as_ref().map_or(0, |cleaned| cleaned.records);
                removed.fetch_add(records, Ordering::Relaxed);
            })
            .boxed()
    }

    fn state(&self) -> BoxFuture<'static, Result<Vec<Bytes>, ReadError>> {
        self.memory.state()
    }
}

fn keep_refused(
    memory: &MemoryBroker,
    batch: Batch,
    durability: Durability,
) -> Result<Vec<u64>, CommitError> {
    let first: Vec<Append> = batch.appends.first().cloned().into_iter().collect();
    let done = memory.commit(batch, durability).now_or_never().unwrap();
    if done.is_err() {
        let part = Batch {
            appends: first,
            state: StateChange::NONE,
        };
        let _kept = memory.commit(part, durability);
    }
    done
}

struct Suspects(Lie, std::sync::Mutex<MemoryBroker>);

impl fmt::Debug for Suspects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Subject for Suspects {
    fn make(&self) -> BoxFuture<'_, Arc<dyn Broker>> {
        let memory = MemoryBroker::new();
        *self.1.lock().unwrap() = memory.clone();
        let broker: Arc<dyn Broker> = Arc::new(Suspect::new(self.0, memory));
        ready(broker).boxed()
    }

    fn reopen(&self, broker: Arc<dyn Broker>) -> BoxFuture<'_, Arc<dyn Broker>> {
        let old = self.1.lock().unwrap().clone();
        async move {
            assert_eq!(
                Arc::strong_count(&broker),
                1,
                "the suite holds on to the broker"
            );
            let memory = match self.0 {
                Lie::LosesLast | Lie::LosesState | Lie::Renumbers => {
                    copy_with_loss(&old, self.0).await
                }
                _ => old,
            };
            // A broker that is opened was told nothing yet.
            for channel in ["a", "b"].map(|name| Name::new(name).unwrap()) {
                memory.keep(&channel, Keep::ALL);
            }
            *self.1.lock().unwrap() = memory.clone();
            Arc::new(Suspect::new(self.0, memory)) as Arc<dyn Broker>
        }
        .boxed()
    }
}

async fn copy_with_loss(old: &MemoryBroker, lie: Lie) -> MemoryBroker {
    let copy = MemoryBroker::new();
    let mut appends = Vec::new();
    for channel in ["a", "b"].map(|name| Name::new(name).unwrap()) {
        let all = ReadLimit {
            records: usize::MAX,
            bytes: usize::MAX,
        };
        for record in old.read(&channel, 0, all).await.unwrap() {
            let Record {
                sequence: _,
                key,
                time,
                headers,
                payload,
            } = record;
            appends.push(Append {
                channel: channel.clone(),
                key,
                time,
                headers,
                payload,
            });
        }
    }
    let mut state = StateChange::Append(old.state().await.unwrap());
    match lie {
        Lie::LosesLast => drop(appends.pop()),
        Lie::LosesState => state = StateChange::NONE,
        _ => {}
    }
    copy.commit(Batch { appends, state }, Durability::Durable)
        .await
        .unwrap();
    copy
}

async fn broken(lie: Lie) -> Vec<&'static str> {
    let suspects = Suspects(lie, std::sync::Mutex::default());
    run(&suspects)
        .await
        .into_iter()
        .map(|broken| broken.promise)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_honest_broker_passes() {
    assert_eq!(broken(Lie::None).await, [""; 0]);
}

/// Makes the broker of this crate as it is.
struct Plain;

impl Subject for Plain {
    fn make(&self) -> BoxFuture<'_, Arc<dyn Broker>> {
        let broker: Arc<dyn Broker> = Arc::new(MemoryBroker::new());
        ready(broker).boxed()
    }

    fn reopen(&self, _: Arc<dyn Broker>) -> BoxFuture<'_, Arc<dyn Broker>> {
        unreachable!("it survives nothing")
    }
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_contract() {
    let report = examine(&Plain).await;
    assert_eq!(report.broken(), []);
    let document = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/brokers.md"
    );
    report.document(document.as_ref(), "memory").unwrap();
}

#[tokio::test(start_paused = true)]
async fn each_lie_is_found() {
    let lies = [
        (Lie::Lazy, "commits take effect in the order of the calls"),
        (Lie::Lazy, "dropping the future does not undo the commit"),
        (Lie::ShowsEarly, "nothing is visible before it is done"),
        (Lie::ShowsLate, "a done commit is visible"),
        (Lie::ShowsHalf, "a batch is seen whole or not at all"),
        (
            Lie::Misnumbers,
            "sequences ascend, without gaps where that is promised",
        ),
        (Lie::KeepsRefused, "a refused batch leaves no trace"),
        (
            Lie::IgnoresLimits,
            "a read keeps its limits and makes progress",
        ),
        (Lie::LosesHeaders, "a record comes back as it was"),
        (Lie::MissesTimes, "a record is found by its time"),
        (
            Lie::FindsRemoved,
            "nothing that was removed is found by its time",
        ),
        (
            Lie::NeverReplaces,
            "the state is the last replacement and what was added since",
        ),
        (Lie::SilentTail, "the tail grows and wakes who waits for it"),
        (
            Lie::LosesLast,
            "everything durable is there after reopening",
        ),
        (Lie::LosesLast, "sequences go on after reopening"),
        (
            Lie::LosesState,
            "what was in flight is there whole or not at all",
        ),
        (Lie::HangsOnEmpty, "an empty batch is done"),
        (Lie::CleansUnasked, "nothing goes of which nothing was said"),
        (Lie::NeverCleans, "what is too old goes, what is not stays"),
        (Lie::NeverCleans, "the oldest go while enough bytes stay"),
        (Lie::NeverCleans, "the latest record of each key stays"),
        (Lie::RemovesYoung, "what is too old goes, what is not stays"),
        (Lie::RemovesForSize, "the oldest go while enough bytes stay"),
        (Lie::RemovesLatest, "the latest record of each key stays"),
        (Lie::RemovesNeeded, "what is needed stays"),
        (Lie::RemovesPinned, "what is pinned stays"),
        (
            Lie::RemovesPinned,
            "what was removed stays away after reopening",
        ),
        (Lie::HearsOnce, "what is said last of a channel holds"),
        (Lie::ReusesSequences, "no sequence is used again"),
        (Lie::HeadAtZero, "what is needed stays"),
        (
            Lie::Renumbers,
            "what was removed stays away after reopening",
        ),
        (Lie::Renumbers, "no sequence is used again after reopening"),
    ];
    for (lie, promise) in lies {
        let broken = broken(lie).await;
        assert!(
            broken.contains(&promise),
            "{lie:?} was found to break only {broken:#?}"
        );
    }
}
