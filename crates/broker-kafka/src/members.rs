//! Which process has which shard: a consumer group on the topic of the state.
//!
//! Nothing is consumed by it. A shard that is asked for is handed over only once its owner says that it works
//! on it no longer; the transactional id makes sure of it where an owner cannot say anything.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use rdkafka::ClientContext;
use rdkafka::TopicPartitionList;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use tidegate_broker::Sharing;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::channel::lock;
use crate::config::KafkaConfig;
use crate::context::{log, note};
use crate::open::OpenError;
use crate::topics::Topics;

/// How long a shard that is asked for may take until it is given up: a drain has to end before.
const RELEASE_TIME_MAX: Duration = Duration::from_secs(30);
/// How long it listens before it looks whether it is to leave.
const LISTEN: Duration = Duration::from_millis(100);

/// A process among those that share the shards of a system.
#[derive(Debug)]
pub struct Members {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    /// What is this process's.
    assigned: watch::Sender<BTreeSet<u32>>,
    /// What it works on.
    held: Mutex<BTreeSet<u32>>,
    released: Condvar,
}

#[derive(Clone, Debug)]
struct Context(Arc<Shared>);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        note(&error, reason);
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(partitions) = rebalance {
            let revoked = shards(partitions);
            self.0.assigned.send_modify(|assigned| {
                assigned.retain(|shard| !revoked.contains(shard));
            });
            // What is lost has another owner already: there is nobody to wait for us.
            if !consumer.assignment_lost() {
                self.0.wait_for_release(&revoked);
            }
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance {
            // Who owns a shard reads its state by itself.
            if let Err(error) = consumer.pause(partitions) {
                tracing::debug!("kafka: {error}");
            }
            let new = shards(partitions);
            self.0
                .assigned
                .send_modify(|assigned| assigned.extend(&new));
        }
    }
}

fn shards(partitions: &TopicPartitionList) -> BTreeSet<u32> {
    let elements = partitions.elements();
    let shards = elements.iter().map(|element| element.partition());
    shards.map(i32::unsigned_abs).collect()
}

impl Shared {
    fn wait_for_release(&self, revoked: &BTreeSet<u32>) {
        let held = lock(&self.held);
        let waited = self
            .released
            .wait_timeout_while(held, RELEASE_TIME_MAX, |held| !held.is_disjoint(revoked));
        let (held, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if !held.is_disjoint(revoked) {
            tracing::warn!("a shard is handed over before its work has ended; that is fenced off");
        }
    }
}

impl Members {
    /// Joins the processes that share the shards of the system. The topic of the state is created, if it is missing.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when the cluster does not answer, or refuses.
    pub async fn join(config: &KafkaConfig) -> Result<Self, OpenError> {
        let (config, runtime) = (config.clone(), Handle::current());
        let joined = spawn_blocking(move || join(&config, runtime)).await;
        joined.unwrap_or_else(|error| Err(OpenError::Thread(error.to_string())))
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
        self.shared.released.notify_all();
    }

    fn leave(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        async move {
            self.stop.store(true, Ordering::Release);
            if let Some(listening) = self.listening.take() {
                let joined = spawn_blocking(move || listening.join());
                drop(joined.await);
            }
        }
        .boxed()
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

fn join(config: &KafkaConfig, runtime: Handle) -> Result<Members, OpenError> {
    let failed = |doing: &'static str| {
        let servers = config.servers.clone();
        move |source: KafkaError| OpenError::Kafka {
            servers,
            doing,
            source,
        }
    };
    let topic = config.state_topic();
    let topics = Topics::new(config, runtime).map_err(failed("connecting"))?;
    topics
        .ensure(&topic)
        .map_err(failed("creating the topic of the state"))?;
    let shared = Arc::new(Shared {
        assigned: watch::Sender::new(BTreeSet::new()),
        held: Mutex::default(),
        released: Condvar::new(),
    });
    let consumer: BaseConsumer<Context> = config
        .member()
        .create_with_context(Context(Arc::clone(&shared)))
        .map_err(failed("joining the other processes"))?;
    consumer
        .subscribe(&[&topic])
        .map_err(failed("joining the other processes"))?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let listening = thread::Builder::new()
        .name("kafka-members".to_owned())
        .spawn(move || listen(&consumer, &stopped));
    let listening = listening.map_err(|error| OpenError::Thread(error.to_string()))?;
    Ok(Members {
        shared,
        stop,
        listening: Some(listening),
    })
}

/// Takes part, until it is to leave; it leaves as the consumer is dropped.
fn listen(consumer: &BaseConsumer<Context>, stop: &AtomicBool) {
    while !stop.load(Ordering::Acquire) {
        if let Some(Err(error)) = consumer.poll(LISTEN) {
            tracing::debug!("kafka: {error}");
        }
    }
    consumer.unsubscribe();
}
