//! A shard's journal on a chain of streams, and what reaches the journals of other shards.

use std::fmt;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt, ready};
use tidegate_broker::Survives;
use tidegate_broker_journal::{Entry, Follow, Journal, JournalError, Message};
use tokio::task::JoinHandle;

use crate::RabbitConfig;
use crate::chain::{Chain, place};
use crate::connect::{answered, confirming, connect, delete, short};
use crate::fetch::Fetcher;
use crate::follow::follow;
use crate::queue::Queue;
use crate::root::{self, Looking};
use crate::write::{Place, write};

/// Room for headers and what AMQP adds, in what a server takes by default.
const MESSAGE_BYTES_MAX: usize = (16 << 20) - (64 << 10);

const ENGINE: &str = "RabbitMQ";

/// How often another process may begin a segment first.
const BESIDE_TRIES_MAX: usize = 20;

/// A task that ends with what it works for.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The journal of a shard.
pub(crate) struct StreamJournal {
    config: Arc<RabbitConfig>,
    pub(crate) chain: Arc<Chain>,
    queue: Arc<Queue>,
    fetcher: Arc<Fetcher>,
    _writing: Task,
}

impl fmt::Debug for StreamJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamJournal")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl StreamJournal {
    /// Connects, and reads which segments there are. What a crash has left of removed ones is removed.
    pub(crate) async fn open(config: Arc<RabbitConfig>) -> Result<Self, JournalError> {
        let chain = Arc::new(Chain::default());
        let connection = connect(&config, "opener").await?;
        chain.merge(root::read(&connection, &config).await?);
        if let Some(gone) = chain.root().first.checked_sub(1) {
            let channel = confirming(&connection).await?;
            delete(&channel, &config.segment(gone)).await?;
        }
        drop(answered(connection.close(200, short("opened"))).await);
        let queue = Arc::new(Queue::default());
        let place = Place::Chain(Arc::clone(&chain));
        let writing = tokio::spawn(write(Arc::clone(&config), Arc::clone(&queue), place));
        Ok(Self {
            fetcher: Arc::new(Fetcher::new(Arc::clone(&config))),
            config,
            chain,
            queue,
            _writing: Task(writing),
        })
    }

    /// Appends messages and waits until they were read back: they are before the seal of their segment.
    pub(crate) async fn move_in(&self, messages: Vec<Message>) -> Result<(), JournalError> {
        let mark = crate::chance::random();
        self.chain.expect(mark, messages.len());
        self.queue.push(messages, Some(mark)).await?;
        self.chain.all_came().await;
        Ok(())
    }
}

impl Journal for StreamJournal {
    fn engine(&self) -> &'static str {
        ENGINE
    }

    fn survives(&self) -> Survives {
        Survives::Replicas
    }

    fn message_bytes_max(&self) -> usize {
        MESSAGE_BYTES_MAX
    }

    fn append(&self, messages: Vec<Message>) -> BoxFuture<'static, Result<(), JournalError>> {
        let written = self.queue.push(messages, None);
        async move { written.await.map(drop) }.boxed()
    }

    fn append_beside(
        &self,
        messages: Vec<Message>,
    ) -> BoxFuture<'static, Result<(), JournalError>> {
        let (config, chain) = (Arc::clone(&self.config), Arc::clone(&self.chain));
        let queue = Arc::clone(&self.queue);
        async move { beside(&config, &chain, &queue, messages).await }.boxed()
    }

    fn follow(&self, from: u64) -> Box<dyn Follow> {
        let (config, chain) = (Arc::clone(&self.config), Arc::clone(&self.chain));
        Box::new(follow(config, chain, from))
    }

    fn read(&self, positions: Vec<u64>) -> BoxFuture<'static, Result<Vec<Entry>, JournalError>> {
        if let Some(entries) = self.chain.recall(&positions) {
            return ready(Ok(entries)).boxed();
        }
        let fetcher = Arc::clone(&self.fetcher);
        async move { fetcher.read(positions).await }.boxed()
    }

    fn trim(&self, before: u64) -> BoxFuture<'static, Result<(), JournalError>> {
        let (config, chain) = (Arc::clone(&self.config), Arc::clone(&self.chain));
        async move { trim(&config, &chain, place(before).0).await }.boxed()
    }
}

/// Writes into the last segment, while another process may end it: a message behind its seal would be confirmed and count for
/// nobody. The root says that there is a further segment before the one before is sealed; so if it names none after
/// the message was confirmed, the message is before the seal.
async fn beside(
    config: &RabbitConfig,
    chain: &Chain,
    queue: &Queue,
    messages: Vec<Message>,
) -> Result<(), JournalError> {
    let connection = connect(config, "opener").await?;
    let mut looking = Looking::begin(&connection, config).await?;
    chain.merge(looking.look().await?);
    for _ in 0..BESIDE_TRIES_MAX {
        let segment = queue.push(messages.clone(), None).await?;
        let root = looking.look().await?;
        let last = root.last;
        chain.merge(root);
        if last <= segment {
            drop(answered(connection.close(200, short("written"))).await);
            return Ok(());
        }
    }
    let reason = "another process begins new segments faster than this one can write into them";
    Err(JournalError::Unknown(reason.to_owned()))
}

/// Removes the segments before one, but never the last: first the root says so, then they go, one after the other.
async fn trim(config: &RabbitConfig, chain: &Chain, until: u64) -> Result<(), JournalError> {
    let mut root = chain.root();
    if root.first >= until.min(root.last) {
        return Ok(());
    }
    let connection = connect(config, "trimmer").await?;
    let channel = confirming(&connection).await?;
    while root.first < until.min(root.last) {
        let gone = root.first;
        root.first = gone.saturating_add(1);
        root::write(&channel, config, &root).await?;
        chain.merge(root.clone());
        delete(&channel, &config.segment(gone)).await?;
    }
    drop(answered(connection.close(200, short("trimmed"))).await);
    Ok(())
}

/// The way to another shard's journal: a queue, which its owner moves into it.
pub(crate) struct Post {
    queue: Arc<Queue>,
    name: String,
    _writing: Task,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Post {
    pub(crate) fn open(config: Arc<RabbitConfig>, shard: u32) -> Self {
        let (queue, name) = (Arc::new(Queue::default()), config.arrivals(shard));
        let place = Place::Queue(name.clone());
        let writing = tokio::spawn(write(config, Arc::clone(&queue), place));
        Self {
            queue,
            name,
            _writing: Task(writing),
        }
    }

    fn refusal(&self) -> JournalError {
        JournalError::Refused(format!("`{}` is another shard's", self.name))
    }
}

impl Journal for Post {
    fn engine(&self) -> &'static str {
        ENGINE
    }

    fn survives(&self) -> Survives {
        Survives::Replicas
    }

    fn message_bytes_max(&self) -> usize {
        MESSAGE_BYTES_MAX
    }

    fn append(&self, messages: Vec<Message>) -> BoxFuture<'static, Result<(), JournalError>> {
        let written = self.queue.push(messages, None);
        async move { written.await.map(drop) }.boxed()
    }

    fn follow(&self, _from: u64) -> Box<dyn Follow> {
        Box::new(Nothing(self.refusal()))
    }

    fn read(&self, _positions: Vec<u64>) -> BoxFuture<'static, Result<Vec<Entry>, JournalError>> {
        ready(Err(self.refusal())).boxed()
    }

    fn trim(&self, _before: u64) -> BoxFuture<'static, Result<(), JournalError>> {
        ready(Err(self.refusal())).boxed()
    }
}

/// What is another's cannot be read.
struct Nothing(JournalError);

impl Follow for Nothing {
    fn next(&mut self) -> BoxFuture<'_, Result<Vec<Entry>, JournalError>> {
        ready(Err(self.0.clone())).boxed()
    }
}
