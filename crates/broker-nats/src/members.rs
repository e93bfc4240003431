//! Which process has which shard: agreed upon in a key-value bucket.
//!
//! Each process writes its own key every two seconds. One whose key does not change for ten seconds, by the clock of
//! whoever looks, is gone, and its shards are taken. No clock is compared with another one. Whoever was taken for
//! gone and is not, is fenced off by the journal.

mod table;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream::kv::{Entry, Operation, Store, Watch};
use async_nats::jetstream::stream::{Config as StreamConfig, DiscardPolicy};
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::StreamExt;
use tidegate_broker::Sharing;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use self::table::{Decision, Table};
use crate::session::{OpenError, Session};
use crate::subject;

/// How often a process says that it lives, and looks who does.
const TICK: Duration = Duration::from_secs(1);
/// How long a request may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(3);
/// How long it may take to leave.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(5);

/// A process among those that share the shards of a system.
#[derive(Debug)]
pub struct Members {
    shared: Arc<Shared>,
    ending: watch::Sender<bool>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    /// What is this process's.
    assigned: watch::Sender<BTreeSet<u32>>,
    /// What it works on.
    held: Mutex<BTreeSet<u32>>,
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_assigned(&self, mine: BTreeSet<u32>) {
        self.assigned.send_if_modified(|assigned| {
            let is_new = *assigned != mine;
            *assigned = mine;
            is_new
        });
    }
}

impl Members {
    /// Joins the processes that share the shards of the system. The bucket is created, if it is missing.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when the server does not answer, or refuses.
    pub async fn join(session: &Session) -> Result<Self, OpenError> {
        let store = bucket(session).await?;
        let shared = Arc::new(Shared {
            assigned: watch::Sender::new(BTreeSet::new()),
            held: Mutex::default(),
        });
        let (ending, ended) = watch::channel(false);
        let id = session.context.client().new_inbox();
        let id: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
        let member = Member {
            store,
            table: Table::new(id, session.shards()),
            shared: Arc::clone(&shared),
            ended,
        };
        let listening = Some(tokio::spawn(member.live()));
        Ok(Self {
            shared,
            ending,
            listening,
        })
    }
}

impl Sharing for Members {
    fn assigned(&self) -> watch::Receiver<BTreeSet<u32>> {
        self.shared.assigned.subscribe()
    }

    fn hold(&self, shard: u32) -> bool {
        let mut held = self.shared.held();
        let is_ours = self.shared.assigned.borrow().contains(&shard);
        if is_ours {
            held.insert(shard);
        }
        is_ours
    }

    fn release(&self, shard: u32) {
        self.shared.held().remove(&shard);
    }

    fn leave(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        async move {
            self.ending.send_replace(true);
            if let Some(mut listening) = self.listening.take()
                && timeout(LEAVE_TIME_MAX, &mut listening).await.is_err()
            {
                listening.abort();
            }
        }
        .boxed()
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        // Without a word, as when a process is killed: the others find out.
        if let Some(listening) = &self.listening {
            listening.abort();
        }
    }
}

/// The bucket in which it is agreed; created, if it is missing.
async fn bucket(session: &Session) -> Result<Store, OpenError> {
    let (config, context) = (&session.config, &session.context);
    let bucket = subject::bucket(config);
    if let Ok(store) = context.get_key_value(&bucket).await {
        return Ok(store);
    }
    // As the client's library would, which first asks older servers for what they do not answer.
    let stream = StreamConfig {
        name: format!("KV_{bucket}"),
        description: Some(format!("who has which shard of {}", config.system)),
        subjects: vec![format!("$KV.{bucket}.>")],
        max_messages_per_subject: 1,
        max_messages: -1,
        max_bytes: -1,
        discard: DiscardPolicy::New,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        num_replicas: config.replicas,
        ..StreamConfig::default()
    };
    let created = context.create_stream(stream).await;
    created.map_err(|error| session.failed("creating a bucket", &error))?;
    let store = context.get_key_value(&bucket).await;
    store.map_err(|error| session.failed("asking for a bucket", &error))
}

struct Member {
    store: Store,
    table: Table,
    shared: Arc<Shared>,
    ended: watch::Receiver<bool>,
}

impl Member {
    async fn live(mut self) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut entries: Option<Watch> = None;
        let mut ended = self.ended.clone();
        loop {
            if entries.is_none() {
                let watched = timeout(ANSWER_TIME_MAX, self.store.watch_with_history(">")).await;
                entries = watched.ok().and_then(Result::ok);
            }
            tokio::select! {
                biased;
                () = async { drop(ended.wait_for(|ended| *ended).await) } => return self.leave().await,
                _now = tick.tick() => {
                    if !self.act().await {
                        entries = None;
                    }
                }
                entry = next(&mut entries) => match entry {
                    Some(entry) => self.note(entry),
                    None => entries = None,
                },
            }
        }
    }

    fn note(&mut self, entry: Entry) {
        let value = match entry.operation {
            Operation::Put => String::from_utf8_lossy(&entry.value).into_owned(),
            Operation::Delete | Operation::Purge => String::new(),
        };
        let is_there = entry.operation == Operation::Put;
        let now = Instant::now();
        self.table
            .note(&entry.key, value, is_there, entry.revision, now);
    }

    /// Says that it lives, and takes and gives what it should. Returns whether what it is told is fresh.
    async fn act(&mut self) -> bool {
        let key = self.table.own_key();
        let said = timeout(
            ANSWER_TIME_MAX,
            self.store.put(key, Bytes::from_static(b"1")),
        )
        .await;
        let now = Instant::now();
        if matches!(said, Ok(Ok(_))) {
            self.table.said(now);
        }
        let held = self.shared.held().clone();
        let decisions = self.table.decide(&held, now);
        self.shared.set_assigned(self.table.mine(now));
        for decision in decisions {
            self.carry_out(decision).await;
        }
        self.shared.set_assigned(self.table.mine(Instant::now()));
        if let Some(key) = self.table.forgotten(now) {
            // Whatever has become of it is of no use to anybody.
            drop(timeout(ANSWER_TIME_MAX, self.store.purge(key)).await);
        }
        self.table.is_fresh(now)
    }

    async fn carry_out(&mut self, decision: Decision) {
        let Decision {
            key,
            value,
            revision,
        } = decision;
        let bytes = Bytes::from(value.clone());
        // Where another one was first, that is told by what comes.
        let written = timeout(ANSWER_TIME_MAX, async {
            match revision {
                Some(revision) => self.store.update(&key, bytes, revision).await.ok(),
                None => self.store.create(&key, bytes).await.ok(),
            }
        });
        if let Ok(Some(revision)) = written.await {
            self.table.note(&key, value, true, revision, Instant::now());
        }
    }

    async fn leave(mut self) {
        self.shared.set_assigned(BTreeSet::new());
        for decision in self.table.free_all() {
            self.carry_out(decision).await;
        }
        drop(timeout(ANSWER_TIME_MAX, self.store.purge(self.table.own_key())).await);
    }
}

/// The next change; nothing comes while nothing is watched.
async fn next(entries: &mut Option<Watch>) -> Option<Entry> {
    match entries {
        Some(watch) => watch.next().await?.ok(),
        None => std::future::pending().await,
    }
}
