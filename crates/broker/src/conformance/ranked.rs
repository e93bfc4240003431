//! A broker whose sequences have gaps, seen without them: the checks count records, and hold every broker to
//! the same. By the way it holds such a broker to sequences that ascend.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use tidegate_base::{Name, Timestamp};
use tokio::sync::watch;

use super::Subject;
use super::scene::ALL;
use crate::{
    Batch, Broker, CleanError, Cleaned, CommitError, Durability, Keep, Promises, ReadError,
    ReadLimit, Record, Sequences,
};

/// A subject whose brokers are seen by the ranks of their records.
pub(super) struct RankedSubject<'a> {
    subject: &'a dyn Subject,
    last: Mutex<Option<Ranked>>,
}

impl<'a> RankedSubject<'a> {
    pub(super) fn new(subject: &'a dyn Subject) -> Self {
        Self {
            subject,
            last: Mutex::default(),
        }
    }

    fn keep(&self, ranked: Ranked) -> Arc<dyn Broker> {
        *lock(&self.last) = Some(ranked.clone());
        Arc::new(ranked)
    }
}

impl Subject for RankedSubject<'_> {
    fn make(&self) -> BoxFuture<'_, Arc<dyn Broker>> {
        async move {
            lock(&self.last).take();
            let inner = self.subject.make().await;
            match inner.promises().sequences {
                Sequences::Dense => inner,
                Sequences::Ascending => self.keep(Ranked::new(inner, BTreeMap::new())),
            }
        }
        .boxed()
    }

    fn reopen(&self, broker: Arc<dyn Broker>) -> BoxFuture<'_, Arc<dyn Broker>> {
        async move {
            let Some(ranked) = lock(&self.last).take() else {
                return self.subject.reopen(broker).await;
            };
            drop(broker);
            let (inner, known) = ranked.into_inner();
            let inner = self.subject.reopen(inner).await;
            let ranked = Ranked::new(inner, known);
            let names: Vec<Name> = lock(&ranked.shared.channels).keys().cloned().collect();
            for name in names {
                ranked.settled(&name).await;
            }
            self.keep(ranked)
        }
        .boxed()
    }
}

/// The sequences of a channel's records, removed ones included: a rank is a place in it.
#[derive(Debug)]
struct Ranks {
    sequences: Mutex<Vec<u64>>,
    /// How many there are.
    count: watch::Sender<u64>,
    /// The tail of the broker up to which they are all known.
    known: watch::Sender<u64>,
}

#[derive(Debug)]
struct Shared {
    inner: Arc<dyn Broker>,
    channels: Mutex<BTreeMap<Name, Arc<Ranks>>>,
}

#[derive(Clone, Debug)]
struct Ranked {
    shared: Arc<Shared>,
    /// The tasks end with the last of these.
    _alive: watch::Receiver<()>,
    ending: Arc<watch::Sender<()>>,
}

impl Ranked {
    fn new(inner: Arc<dyn Broker>, known: BTreeMap<Name, Vec<u64>>) -> Self {
        let (ending, alive) = watch::channel(());
        let ranked = Self {
            shared: Arc::new(Shared {
                inner,
                channels: Mutex::default(),
            }),
            _alive: alive,
            ending: Arc::new(ending),
        };
        for (name, sequences) in known {
            ranked.follow(&name, sequences);
        }
        ranked
    }

    /// The broker and what is known of it; the broker may not be used elsewhere any more.
    fn into_inner(self) -> (Arc<dyn Broker>, BTreeMap<Name, Vec<u64>>) {
        let channels = std::mem::take(&mut *lock(&self.shared.channels));
        let known = channels
            .into_iter()
            .map(|(name, ranks)| (name, lock(&ranks.sequences).clone()));
        let known = known.collect();
        (Arc::clone(&self.shared.inner), known)
    }

    fn ranks(&self, name: &Name) -> Arc<Ranks> {
        if let Some(ranks) = lock(&self.shared.channels).get(name) {
            return Arc::clone(ranks);
        }
        self.follow(name, Vec::new())
    }

    fn follow(&self, name: &Name, sequences: Vec<u64>) -> Arc<Ranks> {
        let count = sequences.len() as u64;
        let known = sequences.last().map_or(0, |last| last + 1);
        let ranks = Arc::new(Ranks {
            sequences: Mutex::new(sequences),
            count: watch::Sender::new(count),
            known: watch::Sender::new(known),
        });
        lock(&self.shared.channels).insert(name.clone(), Arc::clone(&ranks));
        let tail = self.shared.inner.tail(name);
        let (broker, name) = (Arc::downgrade(&self.shared.inner), name.clone());
        let mut ended = self.ending.subscribe();
        let followed = Arc::clone(&ranks);
        tokio::spawn(async move {
            tokio::select! {
                () = learn(&broker, &name, tail, &followed) => {}
                _ended = ended.changed() => {}
            }
        });
        ranks
    }

    /// Waits until everything is known that the broker shows now.
    async fn settled(&self, name: &Name) -> Arc<Ranks> {
        let ranks = self.ranks(name);
        let tail = *self.shared.inner.tail(name).borrow();
        let mut known = ranks.known.subscribe();
        let _ended = known.wait_for(|known| *known >= tail).await;
        ranks
    }
}

/// Learns of records as the tail grows.
async fn learn(
    broker: &std::sync::Weak<dyn Broker>,
    name: &Name,
    mut tail: watch::Receiver<u64>,
    ranks: &Ranks,
) {
    loop {
        let until = *tail.borrow_and_update();
        let mut next = lock(&ranks.sequences).last().map_or(0, |last| last + 1);
        while next < until {
            let Some(broker) = broker.upgrade() else {
                return;
            };
            let read = broker.read(name, next, ALL);
            drop(broker);
            let Ok(records) = read.await else { return };
            let Some(last) = records.last() else { break };
            next = last.sequence + 1;
            let mut sequences = lock(&ranks.sequences);
            sequences.extend(records.iter().map(|record| record.sequence));
        }
        let count = lock(&ranks.sequences).len() as u64;
        ranks
            .count
            .send_if_modified(|seen| std::mem::replace(seen, count) != count);
        ranks.known.send_replace(until);
        if tail.changed().await.is_err() {
            return;
        }
    }
}

impl Ranks {
    /// The sequence at a rank; beyond the last one, as far beyond.
    fn sequence(&self, rank: u64) -> u64 {
        let sequences = lock(&self.sequences);
        let index = usize::try_from(rank).unwrap_or(usize::MAX);
        match sequences.get(index) {
            Some(sequence) => *sequence,
            None => {
                let beyond = rank.saturating_sub(sequences.len() as u64);
                let next = sequences.last().map_or(0, |last| last + 1);
                next.saturating_add(beyond)
            }
        }
    }

    /// How many records come before a sequence.
    fn rank(&self, sequence: u64) -> u64 {
        let sequences = lock(&self.sequences);
        sequences.partition_point(|known| *known < sequence) as u64
    }

    fn ascends(&self) -> bool {
        lock(&self.sequences).is_sorted_by(|one, next| one < next)
    }
}

impl Broker for Ranked {
    fn promises(&self) -> Promises {
        self.shared.inner.promises()
    }

    fn commit(
        &self,
        batch: Batch,
        durability: Durability,
    ) -> BoxFuture<'static, Result<Vec<u64>, CommitError>> {
        let names: Vec<Name> = batch.appends.iter().map(|a| a.channel.clone()).collect();
        for name in &names {
            self.ranks(name);
        }
        let commit = self.shared.inner.commit(batch, durability);
        let this = self.clone();
        async move {
            let sequences = commit.await?;
            let mut placed = Vec::with_capacity(sequences.len());
            for (name, sequence) in names.iter().zip(sequences) {
                let ranks = this.ranks(name);
                let mut known = ranks.known.subscribe();
                let _ended = known.wait_for(|known| *known > sequence).await;
                let rank = ranks.rank(sequence);
                // Where the sequence is none, or they do not ascend, no check can go on as if nothing was.
                let found = ranks.sequence(rank) == sequence && ranks.ascends();
                placed.push(if found { rank } else { u64::MAX });
            }
            Ok(placed)
        }
        .boxed()
    }

    fn read(
        &self,
        channel: &Name,
        from: u64,
        limit: ReadLimit,
    ) -> BoxFuture<'static, Result<Vec<Record>, ReadError>> {
        let (this, channel) = (self.clone(), channel.clone());
        async move {
            let ranks = this.settled(&channel).await;
            let from = ranks.sequence(from);
            let read = this.shared.inner.read(&channel, from, limit).await?;
            let ranks = this.settled(&channel).await;
            let ranked = read.into_iter().map(|record| Record {
                sequence: ranks.rank(record.sequence),
                ..record
            });
            Ok(ranked.collect())
        }
        .boxed()
    }

    fn tail(&self, channel: &Name) -> watch::Receiver<u64> {
        self.ranks(channel).count.subscribe()
    }

    fn head(&self, channel: &Name) -> u64 {
        let head = self.shared.inner.head(channel);
        self.ranks(channel).rank(head)
    }

    fn sequence_at(
        &self,
        channel: &Name,
        time: Timestamp,
    ) -> BoxFuture<'static, Result<u64, ReadError>> {
        let (this, channel) = (self.clone(), channel.clone());
        async move {
            let found = this.shared.inner.sequence_at(&channel, time).await?;
            Ok(this.settled(&channel).await.rank(found))
        }
        .boxed()
    }

    fn keep(&self, channel: &Name, keep: Keep) {
        let ranks = self.ranks(channel);
        let pinned = keep.pinned.iter().map(|rank| ranks.sequence(*rank));
        let keep = Keep {
            needed_from: ranks.sequence(keep.needed_from),
            pinned: pinned.collect(),
            ..keep
        };
        self.shared.inner.keep(channel, keep);
    }

    fn clean(&self, now: Timestamp) -> BoxFuture<'static, Result<Cleaned, CleanError>> {
        let this = self.clone();
        async move {
            let heads = || -> Vec<(u64, u64)> {
                let channels = lock(&this.shared.channels);
                let head = |(name, ranks): (&Name, &Arc<Ranks>)| {
                    let head = this.shared.inner.head(name);
                    (head, ranks.rank(head))
                };
                channels.iter().map(head).collect()
            };
            let sum = |heads: Vec<(u64, u64)>| {
                let add = |(a, b): (u64, u64), (c, d): (u64, u64)| (a + c, b + d);
                heads.into_iter().fold((0, 0), add)
            };
            let (before, ranked_before) = sum(heads());
            let cleaned = this.shared.inner.clean(now).await?;
            let (after, ranked_after) = sum(heads());
            if cleaned.records != after - before {
                let reason = format!(
                    "{} sequences are said to be gone, the heads moved by {}",
                    cleaned.records,
                    after - before
                );
                return Err(CleanError { reason });
            }
            Ok(Cleaned {
                records: ranked_after - ranked_before,
                ..cleaned
            })
        }
        .boxed()
    }

    fn state(&self) -> BoxFuture<'static, Result<Vec<Bytes>, ReadError>> {
        self.shared.inner.state()
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
