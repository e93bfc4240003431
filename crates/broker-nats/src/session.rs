//! A connection, and the streams of a system on it.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_nats::jetstream::context::{ContextBuilder, GetStreamError, GetStreamErrorKind};
use async_nats::jetstream::stream::{
    Config as StreamConfig, DiscardPolicy, Info, RetentionPolicy, StorageType,
};
use async_nats::jetstream::{Context, ErrorCode};
use thiserror::Error;
use tidegate_broker_journal::{Journal, JournalBroker};

use crate::config::{NatsConfig, REQUEST_TIME_MAX};
use crate::journal::NatsJournal;
use crate::subject;

/// Messages that wait for their confirmation.
const UNCONFIRMED_MAX: usize = 16_384;
/// How long it is tried to connect.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(15);

/// Why a system cannot be reached, or a shard not be taken over.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The server does not answer, or refuses.
    #[error("NATS at {servers}: {doing}: {reason}")]
    Nats {
        /// Where it was asked.
        servers: String,
        /// What was asked.
        doing: &'static str,
        /// Its words.
        reason: String,
    },
    /// A stream that is there already cannot be what is promised.
    #[error("stream `{stream}` {reason}")]
    Stream {
        /// Its name.
        stream: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// The shard cannot be taken over.
    #[error(transparent)]
    Shard(#[from] tidegate_broker_journal::OpenError),
}

/// A system on NATS, whose shards can be opened. Cheap to clone.
#[derive(Clone)]
pub struct Session {
    pub(crate) context: Context,
    pub(crate) config: Arc<NatsConfig>,
    shards: u32,
    /// Of every shard: each is passed events by all.
    journals: Arc<OnceLock<Vec<Arc<dyn Journal>>>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("config", &self.config)
            .field("shards", &self.shards)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Connects, and creates the streams of the system that are missing.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when the server does not answer or refuses, or when a stream is there that loses messages.
    pub async fn connect(config: NatsConfig) -> Result<Self, OpenError> {
        let failed = |doing: &'static str, reason: String| OpenError::Nats {
            servers: config.place(),
            doing,
            reason,
        };
        let options = config.options().await;
        let options =
            options.map_err(|error| failed("reading the credentials", error.to_string()))?;
        let connected = tokio::time::timeout(CONNECT_TIME_MAX, options.connect(config.addresses()));
        let client = match connected.await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => return Err(failed("connecting", error.to_string())),
            Err(_) => return Err(failed("connecting", "it does not answer".to_owned())),
        };
        let context = ContextBuilder::new()
            .timeout(REQUEST_TIME_MAX)
            .ack_timeout(REQUEST_TIME_MAX)
            .max_ack_inflight(UNCONFIRMED_MAX)
            .build(client);
        let mut session = Self {
            context,
            shards: config.shards.unwrap_or(1),
            config: Arc::new(config),
            journals: Arc::default(),
        };
        session.ensure().await?;
        Ok(session)
    }

    /// How many shards the system has.
    #[must_use]
    pub fn shards(&self) -> u32 {
        self.shards
    }

    /// Takes a shard over: whoever had it before can write no more.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when the server does not answer, or refuses.
    pub async fn open(&self, shard: u32) -> Result<JournalBroker, OpenError> {
        Ok(JournalBroker::open(shard, self.journals()).await?)
    }

    /// The journals of all shards.
    #[must_use]
    pub fn journals(&self) -> Vec<Arc<dyn Journal>> {
        let journal = |shard| -> Arc<dyn Journal> { Arc::new(NatsJournal::new(self, shard)) };
        let journals = || (0..self.shards).map(journal).collect();
        self.journals.get_or_init(journals).clone()
    }

    pub(crate) fn failed(&self, doing: &'static str, error: &dyn std::error::Error) -> OpenError {
        OpenError::Nats {
            servers: self.config.place(),
            doing,
            reason: error.to_string(),
        }
    }

    async fn ensure(&mut self) -> Result<(), OpenError> {
        if let Some(first) = self.info(0).await? {
            let shards = shards_of(&first);
            match (self.config.shards, shards) {
                (Some(asked), Some(there)) if asked != there => {
                    return Err(OpenError::Stream {
                        stream: first.config.name,
                        reason: format!(
                            "is of a system of {there} shards, and the address says {asked}: keys would change their shard. Leave `shards` out"
                        ),
                    });
                }
                (_, Some(there)) => self.shards = there,
                (_, None) => {
                    return Err(OpenError::Stream {
                        stream: first.config.name,
                        reason: "is not one of Tidegate's: choose another `prefix`".to_owned(),
                    });
                }
            }
        }
        for shard in 0..self.shards {
            let info = match self.info(shard).await? {
                Some(info) => info,
                None => self.create(shard).await?,
            };
            if let Some(reason) = loses(&info.config) {
                let stream = info.config.name;
                return Err(OpenError::Stream { stream, reason });
            }
        }
        Ok(())
    }

    async fn info(&self, shard: u32) -> Result<Option<Info>, OpenError> {
        let name = subject::stream(&self.config, shard);
        match self.context.get_stream(name).await {
            Ok(stream) => Ok(Some(stream.cached_info().clone())),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.failed("asking for its streams", &error)),
        }
    }

    async fn create(&self, shard: u32) -> Result<Info, OpenError> {
        let (config, shards) = (&self.config, self.shards);
        let system = &config.system;
        let stream = StreamConfig {
            name: subject::stream(config, shard),
            description: Some(format!(
                "{}{shard} of {shards} of {system}, kept by Tidegate",
                SHARD
            )),
            subjects: vec![format!("{}>", subject::root(config, shard))],
            retention: RetentionPolicy::Limits,
            storage: StorageType::File,
            num_replicas: config.replicas,
            // A full stream refuses, and drops nothing.
            discard: DiscardPolicy::New,
            max_messages: -1,
            max_bytes: -1,
            max_messages_per_subject: -1,
            allow_direct: true,
            ..StreamConfig::default()
        };
        let created = self.context.create_stream(stream).await;
        let created = created.map_err(|error| self.failed("creating a stream", &error))?;
        Ok(created.cached_info().clone())
    }
}

const SHARD: &str = "shard ";

/// Of how many shards a stream is one; `None`: it is none of ours.
fn shards_of(info: &Info) -> Option<u32> {
    let description = info.config.description.as_deref()?;
    let (_shard, rest) = description.strip_prefix(SHARD)?.split_once(" of ")?;
    let (shards, _system) = rest.split_once(" of ")?;
    shards.parse().ok()
}

/// Why a stream would lose what it has confirmed.
fn loses(config: &StreamConfig) -> Option<String> {
    let drops_old = config.discard == DiscardPolicy::Old;
    let wrong = if config.retention != RetentionPolicy::Limits {
        "removes what was acknowledged: set its retention to `limits`"
    } else if !config.max_age.is_zero() {
        "removes what is old, needed or not: set its `max_age` to 0"
    } else if config.max_messages_per_subject > 0 {
        "removes messages by subject: set `max_msgs_per_subject` to -1"
    } else if drops_old && (config.max_bytes > 0 || config.max_messages > 0) {
        "drops old messages when it is full: set `discard` to `new`"
    } else if config.storage != StorageType::File {
        "lies in memory: create it with file storage"
    } else if config.no_ack {
        "confirms nothing: set `no_ack` to false"
    } else {
        return None;
    };
    Some(wrong.to_owned())
}

fn is_absent(error: &GetStreamError) -> bool {
    match error.kind() {
        GetStreamErrorKind::JetStream(error) => error.error_code() == ErrorCode::STREAM_NOT_FOUND,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_loses_messages_is_told() {
        let fine = || StreamConfig {
            discard: DiscardPolicy::New,
            ..StreamConfig::default()
        };
        assert_eq!(loses(&fine()), None);
        for (config, word) in [
            (
                StreamConfig {
                    retention: RetentionPolicy::WorkQueue,
                    ..fine()
                },
                "retention",
            ),
            (
                StreamConfig {
                    max_age: Duration::from_secs(1),
                    ..fine()
                },
                "max_age",
            ),
            (
                StreamConfig {
                    max_messages_per_subject: 5,
                    ..fine()
                },
                "max_msgs_per_subject",
            ),
            (
                StreamConfig {
                    max_bytes: 5,
                    discard: DiscardPolicy::Old,
                    ..fine()
                },
                "discard",
            ),
            (
                StreamConfig {
                    storage: StorageType::Memory,
                    ..fine()
                },
                "memory",
            ),
            (
                StreamConfig {
                    no_ack: true,
                    ..fine()
                },
                "no_ack",
            ),
        ] {
            assert!(
                loses(&config).is_some_and(|said| said.contains(word)),
                "{word}"
            );
        }
    }
}
