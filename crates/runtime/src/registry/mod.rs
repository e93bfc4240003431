//! The schema registry of a running system: kept in a channel of its own, on the same log.
//!
//! A change is decided, written durably, applied, and then answered; one at a time. What is read
//! is read from memory. Events of the design are subjects of it, `EVENT-value`, whose schemas and
//! levels are the design's.

mod design;
mod framed;
mod other;
mod schemas;
mod written;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use thiserror::Error;
use tidegate_base::limit::{PAYLOAD_BYTES_MAX, REGISTRY_COMPILED_MAX};
use tidegate_base::{Clock, Name};
use tidegate_broker::{
    Append, Batch, Broker, CommitError, Durability, History, Keep, ReadError, ReadLimit,
    StateChange,
};
use tidegate_compat::Profile;
use tidegate_model::Design;
use tidegate_registry::{
    ApiError, Command, Decided, Done, Index, Judgement, Parsed, Record, Rules, VersionWanted,
    decide, judge, judge_wanted, parse, prepare,
};
use tidegate_registry::{Body, Listed};

pub(crate) use framed::{Framed, SCHEMA_ID};
pub use other::{FoundSchema, Missing, OtherRegistry, SchemaSource, SourceError};
pub(crate) use schemas::Schemas;
pub use written::WrittenError;

/// The channel that holds what is registered. No event of a design may be called so.
pub const REGISTRY_CHANNEL: &str = "tidegate.registry";

/// Longest time in which two schemas are compared.
const COMPARE_LIMIT: Duration = Duration::from_secs(5);

/// The registry. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    index: RwLock<Index>,
    /// Held while a change is decided and written: the next one sees it.
    turn: tokio::sync::Mutex<()>,
    broker: Arc<dyn Broker>,
    clock: Arc<dyn Clock>,
    channel: Name,
    /// Schemas that payloads have named, by their numbers.
    compiled: Mutex<HashMap<u32, Arc<Parsed>>>,
}

/// Why the registry cannot be opened.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The design has an event with the name of the registry's channel.
    #[error(
        "event `{REGISTRY_CHANNEL}` of the design has the name of the registry's own channel: rename it"
    )]
    Name,
    /// What is registered cannot be read.
    #[error("the schema registry cannot be read: {0}")]
    Read(#[source] ReadError),
    /// A record is not one that this version knows.
    #[error("record {sequence} of channel `{REGISTRY_CHANNEL}` cannot be understood: {reason}")]
    Record {
        /// Its place in the channel.
        sequence: u64,
        /// What is wrong.
        reason: String,
    },
    /// The design's schemas cannot be written.
    #[error("the design's schemas cannot be registered: {0}")]
    Write(ApiError),
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

impl Registry {
    /// Reads what is registered on `broker`, and registers the schemas of `design` that are new.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] when it cannot be read, or not be written.
    pub async fn open(
        design: &Design,
        broker: Arc<dyn Broker>,
        clock: Arc<dyn Clock>,
        profile: Profile,
    ) -> Result<Self, RegistryError> {
        let channel = Name::new(REGISTRY_CHANNEL).map_err(|_| RegistryError::Name)?;
        if design.events.contains_key(&channel) {
            return Err(RegistryError::Name);
        }
        let mut index = Index::default();
        index.rules = Rules {
            profile,
            governed: design::governed(design),
            ..Rules::default()
        };
        load(&*broker, &channel, &mut index).await?;
        // Each record says all of one thing: of those with one key the last is enough.
        broker.keep(
            &channel,
            Keep {
                age: None,
                bytes: None,
                history: History::LatestPerKey,
                needed_from: u64::MAX,
                pinned: Vec::new(),
            },
        );
        let registry = Self {
            inner: Arc::new(Inner {
                index: RwLock::new(index),
                turn: tokio::sync::Mutex::default(),
                broker,
                clock,
                channel,
                compiled: Mutex::default(),
            }),
        };
        design::register(&registry, design)
            .await
            .map_err(RegistryError::Write)?;
        Ok(registry)
    }

    /// What is registered now.
    pub fn index(&self) -> RwLockReadGuard<'_, Index> {
        // Records are applied whole, so a panic elsewhere leaves nothing half done.
        let index = self.inner.index.read();
        index.unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is registered; returns once that is durable. Changes are made one after the
    /// other, also those whose askers have gone.
    ///
    /// # Errors
    ///
    /// [`ApiError`] when it is refused, or cannot be written.
    pub async fn change(&self, command: Command) -> Result<Done, ApiError> {
        self.change_saying(command).await.map(|(done, _)| done)
    }

    /// As [`Registry::change`], with what the change breaks that was made nevertheless.
    async fn change_saying(&self, command: Command) -> Result<(Done, Option<Judgement>), ApiError> {
        let registry = self.clone();
        let task = tokio::spawn(async move { registry.change_alone(command).await });
        let ended = |_| ApiError::new(50001, "the change came to no end");
        task.await.map_err(ended)?
    }

    async fn change_alone(&self, command: Command) -> Result<(Done, Option<Judgement>), ApiError> {
        let _turn = self.inner.turn.lock().await;
        let Decided {
            done,
            records,
            broken,
        } = self
            .beside(move |registry, keep_going| decide(&registry.index(), command, keep_going))
            .await?;
        self.write(records).await?;
        Ok((done, broken))
    }

    /// Whether a schema may be the next version of a subject; or how it stands to one version.
    ///
    /// # Errors
    ///
    /// [`ApiError`] when there is no such version, or the schema is none.
    pub async fn judge(
        &self,
        subject: String,
        wanted: Option<VersionWanted>,
        body: Body,
        normalize: bool,
    ) -> Result<Judgement, ApiError> {
        self.beside(move |registry, keep_going| {
            let index = registry.index();
            if let Some(wanted) = wanted {
                index.version(&subject, wanted, Listed::Live)?;
            }
            let prepared = prepare(&index, body, normalize, Listed::Live)?;
            match wanted {
                Some(wanted) => judge_wanted(&index, &subject, wanted, &prepared, keep_going),
                None => judge(&index, &subject, &prepared, true, keep_going),
            }
        })
        .await
    }

    /// Asks what takes long on a thread of its own.
    ///
    /// # Errors
    ///
    /// Those of what is asked.
    pub async fn beside<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Self, &dyn Fn() -> bool) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let registry = self.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let clock = Arc::clone(&registry.inner.clock);
            let begun = clock.now();
            ask(&registry, &|| clock.now().since(begun) < COMPARE_LIMIT)
        });
        let ended = |_| ApiError::new(50001, "the schemas could not be compared");
        asked.await.map_err(ended)?
    }

    async fn write(&self, records: Vec<Record>) -> Result<(), ApiError> {
        if records.is_empty() {
            return Ok(());
        }
        let now = self.inner.clock.now();
        let append = |record: &Record| {
            let payload = serde_json::to_vec(record).map_err(|error| {
                ApiError::new(50001, format!("the record cannot be written: {error}"))
            })?;
            Ok(Append {
                channel: self.inner.channel.clone(),
                key: Some(record.key()),
                time: now,
                headers: Vec::new(),
                payload: payload.into(),
            })
        };
        let appends: Result<Vec<Append>, ApiError> = records.iter().map(append).collect();
        let batch = Batch {
            appends: appends?,
            state: StateChange::NONE,
        };
        let commit = self.inner.broker.commit(batch, Durability::Durable);
        commit.await.map_err(|error| match error {
            CommitError::Full { .. } => ApiError::new(42902, error.to_string()),
            CommitError::Invalid { .. } => ApiError::new(42209, error.to_string()),
            CommitError::Stopped { .. } => ApiError::new(50001, error.to_string()),
        })?;
        let index = self.inner.index.write();
        let mut index = index.unwrap_or_else(PoisonError::into_inner);
        for record in records {
            index.apply(record);
        }
        Ok(())
    }

    /// The schema with this number, compiled.
    pub(crate) fn compiled(&self, id: u32) -> Result<Arc<Parsed>, ApiError> {
        let body = self.index().by_id(id)?;
        let lock = || {
            let compiled = self.inner.compiled.lock();
            compiled.unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(known) = lock().get(&id) {
            return Ok(Arc::clone(known));
        }
        let parsed = Arc::new(parse(&self.index(), &body)?);
        let mut compiled = lock();
        if compiled.len() >= REGISTRY_COMPILED_MAX {
            compiled.clear();
        }
        compiled.insert(id, Arc::clone(&parsed));
        Ok(parsed)
    }

    fn in_force(&self, subject: String, id: u32) {
        let index = self.inner.index.write();
        let mut index = index.unwrap_or_else(PoisonError::into_inner);
        index.rules.in_force.insert(subject, id);
    }
}

async fn load(broker: &dyn Broker, channel: &Name, index: &mut Index) -> Result<(), RegistryError> {
    let limit = ReadLimit {
        records: 1_000,
        bytes: 16 * PAYLOAD_BYTES_MAX,
    };
    let mut from = broker.head(channel);
    loop {
        let read = broker.read(channel, from, limit).await;
        let records = read.map_err(RegistryError::Read)?;
        let Some(last) = records.last() else {
            return Ok(());
        };
        from = last.sequence + 1;
        for record in &records {
            let read = serde_json::from_slice(&record.payload);
            index.apply(read.map_err(|error| RegistryError::Record {
                sequence: record.sequence,
                reason: error.to_string(),
            })?);
        }
    }
}
