//! A journal in memory that fails as engines do, by a seed: for tests of the broker, and as the model of an engine.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, pending};
use tidegate_base::Random;
use tidegate_broker::Survives;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::broker::lock;
use crate::journal::{Entry, Follow, Journal, JournalError, Message};

/// A list in memory. Clones share it, and fail by themselves.
#[derive(Clone, Debug)]
pub struct MemoryJournal {
    list: Arc<List>,
    faults: Option<Arc<Faulty>>,
}

#[derive(Debug)]
struct List {
    held: Mutex<Held>,
    end: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Held {
    entries: VecDeque<Entry>,
    next: u64,
}

/// How a client of the list fails.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Everything is chosen by it.
    pub seed: u64,
    /// How often something fails, from 0 to 1.
    pub rate: f64,
    /// After so many messages the client is dead: nothing it sends comes, and nothing answers it.
    pub dies_after: u64,
}

#[derive(Debug)]
struct Faulty {
    faults: Faults,
    random: Random,
    drawn: AtomicU64,
    sent: AtomicU64,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Kept,
    KeptTwice,
    Unconfirmed,
    Lost,
    Late,
}

impl Faulty {
    fn bits(&self) -> u64 {
        self.random.bits(self.drawn.fetch_add(1, Ordering::Relaxed))
    }

    fn fails(&self) -> bool {
        let at = self.drawn.fetch_add(1, Ordering::Relaxed);
        self.random.uniform(at) < self.faults.rate
    }

    fn fate(&self) -> Fate {
        if !self.fails() {
            return Fate::Kept;
        }
        match self.bits() % 4 {
            0 => Fate::KeptTwice,
            1 => Fate::Unconfirmed,
            2 => Fate::Lost,
            _ => Fate::Late,
        }
    }

    fn dies(&self) -> bool {
        self.sent.fetch_add(1, Ordering::Relaxed) >= self.faults.dies_after
    }

    async fn pause(&self) {
        let micros = self.bits() % 2_000;
        sleep(Duration::from_micros(micros)).await;
    }
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryJournal {
    /// An empty list whose clients do not fail.
    #[must_use]
    pub fn new() -> Self {
        let list = List {
            held: Mutex::default(),
            end: watch::Sender::new(0),
        };
        Self {
            list: Arc::new(list),
            faults: None,
        }
    }

    /// A client of the same list that fails.
    #[must_use]
    pub fn failing(&self, faults: Faults) -> Self {
        Self {
            list: Arc::clone(&self.list),
            faults: Some(Arc::new(Faulty {
                faults,
                random: Random::new(faults.seed, "journal", "faults"),
                drawn: AtomicU64::new(0),
                sent: AtomicU64::new(0),
            })),
        }
    }

    /// How many entries are left.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held().entries.len()
    }

    /// Whether no entry is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        lock(&self.list.held)
    }

    fn keep(&self, message: Message) {
        let gap = self.faults.as_ref().map_or(0, |faulty| faulty.bits() % 3);
        let mut held = self.held();
        held.next = held.next.saturating_add(gap).saturating_add(1);
        let position = held.next;
        held.entries.push_back(Entry { position, message });
        drop(held);
        self.list.end.send_modify(|end| *end = position);
    }

    async fn put(&self, faulty: &Faulty, messages: Vec<Message>) -> Result<(), JournalError> {
        let unknown = || JournalError::Unknown("the confirmation is lost".to_owned());
        let mut late = Vec::new();
        let mut is_whole = true;
        for message in messages {
            if faulty.dies() {
                return pending().await;
            }
            match faulty.fate() {
                Fate::Kept => self.keep(message),
                Fate::KeptTwice => {
                    self.keep(message.clone());
                    self.keep(message);
                }
                Fate::Unconfirmed => {
                    self.keep(message);
                    is_whole = false;
                }
                Fate::Lost => is_whole = false,
                Fate::Late => late.push(message),
            }
        }
        if !late.is_empty() {
            is_whole = false;
            faulty.pause().await;
            for message in late {
                self.keep(message);
            }
        }
        faulty.pause().await;
        match is_whole {
            true => Ok(()),
            false => Err(unknown()),
        }
    }
}

impl Journal for MemoryJournal {
    fn engine(&self) -> &'static str {
        "memory"
    }

    fn survives(&self) -> Survives {
        // The list outlives its clients.
        Survives::PowerLoss
    }

    fn message_bytes_max(&self) -> usize {
        4 << 20
    }

    fn append(&self, messages: Vec<Message>) -> BoxFuture<'static, Result<(), JournalError>> {
        let this = self.clone();
        match this.faults.clone() {
            None => {
                // At once, so that calls are in order.
                messages.into_iter().for_each(|message| this.keep(message));
                async { Ok(()) }.boxed()
            }
            // Whatever is done with the answer, what was sent is on its way.
            Some(faulty) => {
                let sent = tokio::spawn(async move { this.put(&faulty, messages).await });
                let lost = |_| Err(JournalError::Unknown("the client has ended".to_owned()));
                async move { sent.await.unwrap_or_else(lost) }.boxed()
            }
        }
    }

    fn follow(&self, from: u64) -> Box<dyn Follow> {
        Box::new(Following {
            end: self.list.end.subscribe(),
            journal: self.clone(),
            next: from,
        })
    }

    fn read(&self, positions: Vec<u64>) -> BoxFuture<'static, Result<Vec<Entry>, JournalError>> {
        let held = self.held();
        let find = |position: u64| {
            let at = held
                .entries
                .partition_point(|entry| entry.position < position);
            let found = held.entries.get(at);
            found.filter(|entry| entry.position == position).cloned()
        };
        let found = positions.into_iter().filter_map(find).collect();
        let fails = self.faults.as_ref().is_some_and(|faulty| faulty.fails());
        async move {
            match fails {
                true => Err(JournalError::Unknown("no answer".to_owned())),
                false => Ok(found),
            }
        }
        .boxed()
    }

    fn trim(&self, before: u64) -> BoxFuture<'static, Result<(), JournalError>> {
        let mut held = self.held();
        let gone = held
            .entries
            .partition_point(|entry| entry.position < before);
        // Some may be left for later.
        let left = self.faults.as_ref().map_or(0, |faulty| faulty.bits() % 8);
        let gone = gone.saturating_sub(usize::try_from(left).unwrap_or(usize::MAX));
        held.entries.drain(..gone);
        async { Ok(()) }.boxed()
    }
}

struct Following {
    journal: MemoryJournal,
    end: watch::Receiver<u64>,
    next: u64,
}

/// Entries that are read at once.
const READ_MAX: usize = 100;

impl Follow for Following {
    fn next(&mut self) -> BoxFuture<'_, Result<Vec<Entry>, JournalError>> {
        async move {
            if let Some(faulty) = self.journal.faults.clone() {
                faulty.pause().await;
                if faulty.fails() {
                    return Err(JournalError::Unknown("no answer".to_owned()));
                }
            }
            loop {
                self.end.mark_unchanged();
                let found: Vec<Entry> = {
                    let held = self.journal.held();
                    let first = held
                        .entries
                        .partition_point(|entry| entry.position < self.next);
                    held.entries
                        .range(first..)
                        .take(READ_MAX)
                        .cloned()
                        .collect()
                };
                if let Some(last) = found.last() {
                    self.next = last.position.saturating_add(1);
                    return Ok(found);
                }
                // The list lives as long as this does.
                let _changed = self.end.changed().await;
            }
        }
        .boxed()
    }
}
