//! Publishing every event of a shard to the exchange of its system, at least once, in the order of its channel.
//!
//! `mandatory` is not asked for: an event that no other service has a queue for is no error. How far it has come the
//! root of the shard says; what was published after that was written is published again, with the same identity.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{join_all, select_all};
use tidegate_base::Name;
use tidegate_broker::{Broker, ReadLimit};
use tidegate_broker_journal::{JournalBroker, JournalError};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::RabbitConfig;
use crate::chain::Chain;
use crate::connect::{Backoff, confirming, connect};
use crate::convert;
use crate::publish::{self, ANYWHERE};
use crate::queue::lock;
use crate::root;

/// What is published together.
const TOGETHER: ReadLimit = ReadLimit {
    records: 256,
    bytes: 1 << 20,
};
/// How often it is written how far it has come.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// How far the events of a shard were published: one past the last, for each channel.
#[derive(Debug)]
pub(crate) struct Published(Mutex<BTreeMap<Name, u64>>);

impl Published {
    /// Of these channels, as far as it is known.
    pub(crate) fn new(config: &RabbitConfig, mut published: BTreeMap<Name, u64>) -> Self {
        for (name, _) in &config.channels {
            published.entry(name.clone()).or_default();
        }
        Self(Mutex::new(published))
    }

    /// Whether the events of a channel are published at all.
    pub(crate) fn is_for(&self, channel: &Name) -> bool {
        lock(&self.0).contains_key(channel)
    }

    /// One past the last event of a channel that was published and is noted.
    pub(crate) fn until(&self, channel: &Name) -> u64 {
        lock(&self.0).get(channel).copied().unwrap_or_default()
    }
}

/// Publishes until it is ended.
pub(crate) async fn export(
    config: Arc<RabbitConfig>,
    chain: Arc<Chain>,
    broker: JournalBroker,
    published: Arc<Published>,
) {
    let mut tails: Vec<(Name, watch::Receiver<u64>)> = Vec::new();
    for (name, _) in &config.channels {
        tails.push((name.clone(), broker.tail(name)));
    }
    if tails.is_empty() {
        return;
    }
    let at = lock(&published.0).clone();
    let mut exporter = Exporter {
        at,
        config,
        chain,
        broker,
        published,
        tails,
        is_noted: true,
    };
    let mut backoff = Backoff::new();
    loop {
        if let Err(error) = exporter.session(&mut backoff).await {
            tracing::debug!("rabbitmq: publishing events: {error}");
        }
        backoff.pause().await;
    }
}

struct Exporter {
    config: Arc<RabbitConfig>,
    chain: Arc<Chain>,
    broker: JournalBroker,
    published: Arc<Published>,
    tails: Vec<(Name, watch::Receiver<u64>)>,
    at: BTreeMap<Name, u64>,
    is_noted: bool,
}

impl Exporter {
    async fn session(&mut self, backoff: &mut Backoff) -> Result<(), JournalError> {
        let connection = connect(&self.config, "publisher").await?;
        let channel = confirming(&connection).await?;
        let mut noted = Instant::now();
        loop {
            let mut is_idle = true;
            for at in 0..self.tails.len() {
                is_idle &= !self.publish(&channel, at).await?;
            }
            if !self.is_noted && (is_idle || noted.elapsed() >= NOTE_EVERY) {
                self.note(&channel).await?;
                noted = Instant::now();
                backoff.reset();
            }
            if is_idle {
                self.wait(&channel).await?;
            }
        }
    }

    /// Publishes some of a channel. Returns whether there was something.
    async fn publish(&mut self, channel: &lapin::Channel, at: usize) -> Result<bool, JournalError> {
        let Some((name, tail)) = self.tails.get_mut(at) else {
            return Ok(false);
        };
        let from = self.at.get(name).copied().unwrap_or_default();
        if *tail.borrow_and_update() <= from {
            return Ok(false);
        }
        let unreadable =
            |error: tidegate_broker::ReadError| JournalError::Unknown(error.to_string());
        let read = self.broker.read(name, from, TOGETHER).await;
        let records = read.map_err(unreadable)?;
        let Some(last) = records.last() else {
            return Ok(false);
        };
        let next = last.sequence.saturating_add(1);
        let exchange = self.config.exchange();
        let mut sent = Vec::with_capacity(records.len());
        for record in records {
            let content = (record.payload.clone(), convert::public(&record));
            let to = (exchange.as_str(), name.as_str());
            sent.push(publish::begin(channel, to, ANYWHERE, content).await);
        }
        let confirmed: Result<(), JournalError> = join_all(sent).await.into_iter().collect();
        confirmed?;
        self.at.insert(name.clone(), next);
        self.is_noted = false;
        Ok(true)
    }

    async fn note(&mut self, channel: &lapin::Channel) -> Result<(), JournalError> {
        let mut root = self.chain.root();
        root.published.clone_from(&self.at);
        root::write(channel, &self.config, &root).await?;
        lock(&self.published.0).clone_from(&self.at);
        self.is_noted = true;
        Ok(())
    }

    /// Waits for further events.
    async fn wait(&mut self, channel: &lapin::Channel) -> Result<(), JournalError> {
        let changes = self
            .tails
            .iter_mut()
            .map(|(_, tail)| Box::pin(tail.changed()));
        // Now and then it is looked whether the connection lives.
        let changed = timeout(Duration::from_secs(5), select_all(changes)).await;
        let ended = |reason: &str| Err(JournalError::Unknown(reason.to_owned()));
        match changed {
            Ok((Err(_), ..)) => ended("the shard has ended"),
            Ok(_) | Err(_) if channel.status().connected() => Ok(()),
            Ok(_) | Err(_) => ended("the connection has ended"),
        }
    }
}
