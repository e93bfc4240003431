//! Which process has which shard: a lock for each, which RabbitMQ frees when the connection of its holder ends.
//!
//! A lock is an exclusive queue. How many processes there are, the consumers of a queue that never has a message
//! tell. Everybody has as many shards as fair; if they do not come out even, some may have one more, and which that
//! are is decided by locks as well. A lock that is lost in silence is no harm: the journal fences its owner off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use lapin::options::{BasicConsumeOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, Consumer};
use tidegate_broker::Sharing;
use tidegate_broker_journal::JournalError;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::RabbitConfig;
use crate::broker::{RabbitError, declare};
use crate::chance::random;
use crate::connect::{
    Backoff, answered, arguments, confirming, connect, declare_queue, failed, is_locked, short,
};
use crate::queue::lock;

/// How often it is looked what is fair.
const LOOK: Duration = Duration::from_secs(1);

/// A process among those that share the shards of a system.
#[derive(Debug)]
pub struct Members {
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    /// What is this process's.
    assigned: watch::Sender<BTreeSet<u32>>,
    /// What it works on.
    held: Mutex<BTreeSet<u32>>,
    released: Notify,
    leave: watch::Sender<bool>,
}

impl Members {
    /// Joins the processes that share the shards of the system. What is missing is created.
    ///
    /// # Errors
    ///
    /// [`RabbitError`] when the server does not answer, or refuses, or the system has another number of shards.
    pub async fn join(config: &RabbitConfig) -> Result<Self, RabbitError> {
        let config = Arc::new(config.clone());
        declare(&config).await?;
        let entered = enter(&config).await?;
        let shared = Arc::new(Shared {
            assigned: watch::Sender::new(BTreeSet::new()),
            held: Mutex::default(),
            released: Notify::new(),
            leave: watch::Sender::new(false),
        });
        let taking = Taking {
            config,
            shared: Arc::clone(&shared),
            locks: BTreeMap::new(),
            extra: None,
        };
        let task = tokio::spawn(taking.live(entered));
        Ok(Self {
            shared,
            task: Some(task),
        })
    }
}

impl Sharing for Members {
    fn assigned(&self) -> watch::Receiver<BTreeSet<u32>> {
        self.shared.assigned.subscribe()
    }

    fn hold(&self, shard: u32) -> bool {
        let mut held = lock(&self.shared.held);
        let is_ours = self.shared.assigned.borrow().contains(&shard);
        if is_ours {
            held.insert(shard);
        }
        is_ours
    }

    fn release(&self, shard: u32) {
        lock(&self.shared.held).remove(&shard);
        self.shared.released.notify_one();
    }

    fn leave(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        async move {
            self.shared.leave.send_replace(true);
            if let Some(task) = self.task.take() {
                drop(task.await);
            }
        }
        .boxed()
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// A connection of one of those that are counted.
struct Entered {
    connection: Arc<Connection>,
    channel: Channel,
    /// It is counted as long as this lives.
    _counted: Consumer,
}

/// Connects and becomes one of those that are counted.
async fn enter(config: &RabbitConfig) -> Result<Entered, RabbitError> {
    let connection = connect(config, "member").await?;
    let channel = confirming(&connection).await?;
    // Nothing is ever put into it. Its limit says how many shards there are, which the server holds everybody to.
    let shards = AMQPValue::LongLongInt(i64::from(config.shards));
    let name = config.members();
    let declared = declare_queue(
        &channel,
        config,
        &name,
        arguments([("x-max-length", shards)]),
    );
    match declared.await {
        Err(JournalError::Refused(reason)) if reason.contains("x-max-length") => {
            let shards = config.shards;
            return Err(RabbitError::Shards { shards, reason });
        }
        declared => declared?,
    }
    let counted = channel.basic_consume(
        short(&name),
        short(""),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let counted = answered(counted).await?;
    Ok(Entered {
        connection,
        channel,
        _counted: counted,
    })
}

struct Taking {
    config: Arc<RabbitConfig>,
    shared: Arc<Shared>,
    /// The channels by which the locks of shards are held.
    locks: BTreeMap<u32, Channel>,
    /// The right to one shard more.
    extra: Option<(u32, Channel)>,
}

impl Taking {
    async fn live(mut self, entered: Entered) {
        let mut backoff = Backoff::new();
        let mut present = Some(entered);
        loop {
            if let Some(entered) = present.take() {
                let session = self.session(&entered.connection, &entered.channel);
                match session.await {
                    Ok(()) => {
                        drop(answered(entered.connection.close(200, short("left"))).await);
                        return;
                    }
                    Err(error) => tracing::debug!("rabbitmq: sharing shards: {error}"),
                }
                // The locks ended with the connection: others may have the shards already.
                self.locks.clear();
                self.extra = None;
                self.shared.assigned.send_replace(BTreeSet::new());
            }
            if *self.shared.leave.borrow() {
                return;
            }
            backoff.pause().await;
            match enter(&self.config).await {
                Ok(entered) => {
                    backoff.reset();
                    present = Some(entered);
                }
                Err(error) => tracing::debug!("rabbitmq: sharing shards: {error}"),
            }
        }
    }

    /// Takes and gives until it is to leave.
    async fn session(
        &mut self,
        connection: &Connection,
        channel: &Channel,
    ) -> Result<(), JournalError> {
        let mut leave = self.shared.leave.subscribe();
        loop {
            if *leave.borrow_and_update() {
                return Ok(());
            }
            self.hand_over().await?;
            let share = self.share(connection, channel).await?;
            self.give(share);
            self.take(connection, share).await?;
            tokio::select! {
                () = sleep(LOOK) => {}
                () = self.shared.released.notified() => {}
                // An error means that nobody has it any more.
                _told = leave.changed() => {}
            }
        }
    }

    /// How many shards this process may have.
    async fn share(
        &mut self,
        connection: &Connection,
        channel: &Channel,
    ) -> Result<usize, JournalError> {
        let passive = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let name = self.config.members();
        let queue = channel.queue_declare(short(&name), passive, FieldTable::default());
        let members = answered(queue).await?.consumer_count().max(1);
        let (each, more) = (self.config.shards / members, self.config.shards % members);
        if let Some((number, channel)) = self.extra.take_if(|(number, _)| *number >= more) {
            free_lock(&channel, &self.config.extra(number)).await?;
        }
        for number in 0..more {
            if self.extra.is_some() {
                break;
            }
            let name = self.config.extra(number);
            self.extra = obtain(connection, &name).await?.map(|held| (number, held));
        }
        let share = each.saturating_add(u32::from(self.extra.is_some()));
        Ok(usize::try_from(share).unwrap_or(usize::MAX))
    }

    /// Asks for what is too much: it is handed over once nobody works on it here.
    fn give(&self, share: usize) {
        let assigned = self.shared.assigned.borrow().clone();
        let surplus = assigned.len().saturating_sub(share);
        if surplus > 0 {
            let kept = assigned.into_iter().take(share).collect();
            self.shared.assigned.send_replace(kept);
            self.shared.released.notify_one();
        }
    }

    /// Frees the locks of what is neither this process's nor worked on any more.
    async fn hand_over(&mut self) -> Result<(), JournalError> {
        let free: Vec<u32> = {
            let (assigned, held) = (self.shared.assigned.borrow(), lock(&self.shared.held));
            let mut locks = self.locks.keys().copied();
            let is_free = |shard: &u32| !assigned.contains(shard) && !held.contains(shard);
            locks.by_ref().filter(is_free).collect()
        };
        for shard in free {
            if let Some(channel) = self.locks.remove(&shard) {
                free_lock(&channel, &self.config.lock(shard)).await?;
            }
        }
        Ok(())
    }

    async fn take(&mut self, connection: &Connection, share: usize) -> Result<(), JournalError> {
        let shards = self.config.shards;
        // Not all from the first on: that many processes do not ask for the same at once.
        let start = u32::try_from(random() % u64::from(shards.max(1))).unwrap_or_default();
        for at in 0..shards {
            // One that is still being handed over counts as well.
            if self.locks.len() >= share {
                break;
            }
            let shard = start.wrapping_add(at) % shards;
            if self.locks.contains_key(&shard) {
                continue;
            }
            let lock = obtain(connection, &self.config.lock(shard)).await?;
            if let Some(channel) = lock {
                self.locks.insert(shard, channel);
                self.shared.assigned.send_modify(|assigned| {
                    assigned.insert(shard);
                });
            }
        }
        Ok(())
    }
}

/// Takes a lock; `None`: another process has it.
async fn obtain(connection: &Connection, name: &str) -> Result<Option<Channel>, JournalError> {
    let channel = answered(connection.create_channel()).await?;
    let options = QueueDeclareOptions {
        exclusive: true,
        ..QueueDeclareOptions::default()
    };
    let declared = channel.queue_declare(short(name), options, FieldTable::default());
    match timeout(Duration::from_secs(10), declared).await {
        Ok(Ok(_)) => Ok(Some(channel)),
        Ok(Err(error)) if is_locked(&error) => Ok(None),
        Ok(Err(error)) => Err(failed(&error)),
        Err(_) => Err(JournalError::Unknown("RabbitMQ does not answer".to_owned())),
    }
}

async fn free_lock(channel: &Channel, name: &str) -> Result<(), JournalError> {
    answered(channel.queue_delete(short(name), QueueDeleteOptions::default())).await?;
    drop(answered(channel.close(200, short("freed"))).await);
    Ok(())
}
