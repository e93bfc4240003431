//! The contract, kept by a shard on RabbitMQ.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use thiserror::Error;
use tidegate_base::{Clock, Name, Timestamp};
use tidegate_broker::{
    Batch, Broker, CleanError, Cleaned, CommitError, Durability, Keep, Promises, ReadError,
    ReadLimit, Record, Shard,
};
use tidegate_broker_journal::{Journal, JournalBroker, JournalError, OpenError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::RabbitConfig;
use crate::arrivals;
use crate::connect::{answered, confirming, connect, short};
use crate::export::{Published, export};
use crate::journal::{Post, StreamJournal};

/// How often it is looked whether the shard is still ours.
const LOOK: Duration = Duration::from_millis(200);

/// Why a shard cannot be opened, or its owners cannot be joined.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RabbitError {
    /// RabbitMQ does not answer, or refuses.
    #[error("RabbitMQ: {0}")]
    Server(#[from] JournalError),
    /// The shard cannot be taken over.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The system has another number of shards.
    #[error(
        "the system has another number of shards than {shards} (RabbitMQ: {reason}); write the number that it was begun with into the address, `?shards=N`"
    )]
    Shards {
        /// What the address says.
        shards: u32,
        /// The server's words, which name the number.
        reason: String,
    },
}

/// A shard of a system on RabbitMQ. Cheap to clone; the last clone ends it.
#[derive(Clone, Debug)]
pub struct RabbitBroker {
    inner: JournalBroker,
    published: Arc<Published>,
    working: Arc<Working>,
}

/// What goes on beside the commits. It ends with the shard, and before another process needs it to.
#[derive(Debug)]
struct Working {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Drop for Working {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RabbitBroker {
    /// Takes a shard over: whoever had it before can write no more. What is missing is created.
    ///
    /// # Errors
    ///
    /// [`RabbitError`] when the server does not answer, or refuses.
    pub async fn open(config: RabbitConfig, clock: Arc<dyn Clock>) -> Result<Self, RabbitError> {
        let config = Arc::new(config);
        declare(&config).await?;
        let journal = Arc::new(StreamJournal::open(Arc::clone(&config)).await?);
        let chain = Arc::clone(&journal.chain);
        let of = |shard: u32| -> Arc<dyn Journal> {
            if shard == config.shard {
                return Arc::<StreamJournal>::clone(&journal);
            }
            Arc::new(Post::open(Arc::clone(&config), shard))
        };
        let journals = (0..config.shards).map(of).collect();
        let inner = JournalBroker::open(config.shard, journals).await?;
        let published = Arc::new(Published::new(&config, chain.root().published));
        let exporting = export(
            Arc::clone(&config),
            chain,
            inner.clone(),
            Arc::clone(&published),
        );
        let moving = arrivals::move_in(Arc::clone(&config), journal);
        let sorting = arrivals::sort(config, clock);
        let (stop, mut stopped) = watch::channel(false);
        let owner = inner.clone();
        let task = tokio::spawn(async move {
            let lost = async {
                while owner.stopped().is_none() {
                    sleep(LOOK).await;
                }
            };
            tokio::select! {
                // An error means that nobody has it any more.
                _told = stopped.wait_for(|stop| *stop) => {}
                () = lost => {}
                () = exporting => {}
                () = moving => {}
                () = sorting => {}
            }
        });
        Ok(Self {
            inner,
            published,
            working: Arc::new(Working { stop, task }),
        })
    }
}

impl Shard for RabbitBroker {
    fn stopped(&self) -> Option<String> {
        self.inner.stopped()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async move {
            // What comes from elsewhere waits for the next owner.
            self.working.stop.send_replace(true);
            self.inner.close().await;
        }
        .boxed()
    }
}

/// Creates the queues and exchanges.
pub(crate) async fn declare(config: &RabbitConfig) -> Result<(), RabbitError> {
    let connection = connect(config, "opener").await?;
    let channel = confirming(&connection).await?;
    arrivals::declare(&channel, config).await?;
    drop(answered(connection.close(200, short("opened"))).await);
    Ok(())
}

impl Broker for RabbitBroker {
    fn promises(&self) -> Promises {
        self.inner.promises()
    }

    fn commit(
        &self,
        batch: Batch,
        durability: Durability,
    ) -> BoxFuture<'static, Result<Vec<u64>, CommitError>> {
        self.inner.commit(batch, durability)
    }

    fn read(
        &self,
        channel: &Name,
        from: u64,
        limit: ReadLimit,
    ) -> BoxFuture<'static, Result<Vec<Record>, ReadError>> {
        self.inner.read(channel, from, limit)
    }

    fn tail(&self, channel: &Name) -> watch::Receiver<u64> {
        self.inner.tail(channel)
    }

    fn head(&self, channel: &Name) -> u64 {
        self.inner.head(channel)
    }

    fn sequence_at(
        &self,
        channel: &Name,
        time: Timestamp,
    ) -> BoxFuture<'static, Result<u64, ReadError>> {
        self.inner.sequence_at(channel, time)
    }

    fn keep(&self, channel: &Name, mut keep: Keep) {
        // What is not published yet is needed, of what others are to get.
        if self.published.is_for(channel) {
            keep.needed_from = keep.needed_from.min(self.published.until(channel));
        }
        self.inner.keep(channel, keep);
    }

    fn clean(&self, now: Timestamp) -> BoxFuture<'static, Result<Cleaned, CleanError>> {
        self.inner.clean(now)
    }

    fn state(&self) -> BoxFuture<'static, Result<Vec<Bytes>, ReadError>> {
        self.inner.state()
    }
}
