//! Taking a shard over.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use rdkafka::error::KafkaError;
use thiserror::Error;
use tidegate_base::Name;
use tokio::runtime::Handle;

use crate::broker::{Inner, KafkaBroker};
use crate::channel::Channel;
use crate::config::KafkaConfig;
use crate::fetch::Fetcher;
use crate::follow::Follower;
use crate::topics::Topics;
use crate::write::Writer;

/// Why a shard cannot be taken over.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The cluster does not answer, or refuses.
    #[error("Kafka at {servers}: {doing}: {source}")]
    Kafka {
        /// Where it was asked.
        servers: String,
        /// What was asked.
        doing: &'static str,
        /// The library's words.
        source: KafkaError,
    },
    /// The shard does not exist.
    #[error("there is no shard {shard}: the topics of the system have {shards} partitions at most")]
    Shard {
        /// The shard.
        shard: i32,
        /// How many there are.
        shards: i32,
    },
    /// A thread cannot be started, or was ended.
    #[error("{0}")]
    Thread(String),
}

/// Opens a shard; it blocks.
pub(crate) fn open(config: &KafkaConfig, runtime: &Handle) -> Result<KafkaBroker, OpenError> {
    let failed = |doing: &'static str| {
        let servers = config.servers.clone();
        move |source: KafkaError| OpenError::Kafka {
            servers,
            doing,
            source,
        }
    };
    let topics = Topics::new(config, runtime.clone()).map_err(failed("connecting"))?;
    // From here on nobody else writes to the shard; what it was about to write is committed or given up.
    let (producer, deliveries) =
        Writer::producer(config).map_err(failed("taking the shard over"))?;
    // Only now: its former owner may have created some meanwhile.
    let channels = prepare(config, &topics)?;
    let stop = Arc::new(AtomicBool::new(false));
    let followed: Vec<Arc<Channel>> = channels
        .values()
        .filter(|channel| channel.is_in(config.shard))
        .cloned()
        .collect();
    let follower =
        Follower::new(config, &followed).map_err(failed("reading the ends of the channels"))?;
    let following = follower.run(Arc::clone(&stop)).map_err(thread)?;
    let fetching =
        Fetcher::start(config, Arc::clone(&stop)).map_err(failed("connecting a reader"))?;
    for channel in &followed {
        let (low, _) = topics
            .watermarks(&channel.topic, config.shard)
            .map_err(failed("asking where the channels begin"))?;
        let found = runtime.block_on(fetching.head(Arc::clone(channel), low));
        found.map_err(|error| OpenError::Thread(error.to_string()))?;
    }
    let topics = Arc::new(topics);
    let writer = Writer {
        producer,
        deliveries,
        topics: Arc::clone(&topics),
        following,
        runtime: runtime.clone(),
        state_topic: config.state_topic(),
        shard: config.shard,
        stalled: Arc::default(),
        owner: owner(),
        begun_at: AtomicU64::new(u64::MAX),
    };
    let writing = writer.run().map_err(thread)?;
    Ok(KafkaBroker::of(Inner::new(
        config.clone(),
        channels,
        topics,
        writing,
        fetching,
        stop,
    )))
}

#[expect(clippy::needless_pass_by_value, reason = "it is mapped over an error")]
fn thread(error: std::io::Error) -> OpenError {
    OpenError::Thread(format!("a thread is not started: {error}"))
}

/// Creates what is missing. Returns the channels that there are.
fn prepare(
    config: &KafkaConfig,
    topics: &Topics,
) -> Result<HashMap<Name, Arc<Channel>>, OpenError> {
    let kafka = |doing| {
        move |source| OpenError::Kafka {
            servers: config.servers.clone(),
            doing,
            source,
        }
    };
    let known = topics.list().map_err(kafka("asking for its topics"))?;
    let state = config.state_topic();
    let wanted = config.channels.iter().map(|(name, _)| config.topic(name));
    let missing: Vec<String> = wanted
        .chain([state.clone()])
        .filter(|topic| !known.contains_key(topic))
        .collect();
    // A topic that is added later has as many partitions as those that are there.
    let partitions = known.get(&state).copied().unwrap_or(config.partitions);
    if !missing.is_empty() {
        topics
            .create(&missing, partitions)
            .map_err(kafka("creating topics"))?;
    }
    let mut known = topics.list().map_err(kafka("asking for its topics"))?;
    for topic in missing
        .iter()
        .filter(|topic| !known.contains_key(*topic))
        .cloned()
        .collect::<Vec<_>>()
    {
        let partitions = topics.ensure(&topic).map_err(kafka("creating topics"))?;
        known.insert(topic, partitions);
    }
    let shards = known.get(&state).copied().unwrap_or_default();
    if config.shard >= shards {
        let shard = config.shard;
        return Err(OpenError::Shard { shard, shards });
    }
    for topic in &missing {
        if known
            .get(topic)
            .is_some_and(|partitions| config.shard < *partitions)
        {
            let settled = topics.settle(topic, config.shard);
            settled.map_err(kafka("waiting for topics"))?;
        }
    }
    Ok(channels(config, &known))
}

/// The channels of the system, and with a prefix whatever else is there of it.
fn channels(config: &KafkaConfig, known: &HashMap<String, i32>) -> HashMap<Name, Arc<Channel>> {
    let mut names: HashMap<Name, String> = config.channels.iter().cloned().collect();
    if !config.prefix.is_empty() {
        let others = known.keys().filter_map(|topic| {
            let name = topic.strip_prefix(&config.prefix)?;
            let name = Name::new(name).ok()?;
            (*topic != config.state_topic()).then_some(name)
        });
        for name in others {
            let event_type = name.to_string();
            names.entry(name).or_insert(event_type);
        }
    }
    let channel = |(name, event_type): (Name, String)| {
        let topic = config.topic(&name);
        let partitions = known.get(&topic).copied().unwrap_or_default();
        let channel = Channel::new(name.clone(), topic, event_type, partitions);
        (name, Arc::new(channel))
    };
    names.into_iter().map(channel).collect()
}

/// What no other owner of a shard is called.
fn owner() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}
