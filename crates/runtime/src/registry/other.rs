//! A schema registry that others keep: the records of a broker name schemas that are there.
//!
//! A schema never changes, so what was told once is kept. Whether the registry answers says nothing of
//! a payload: while it does not, whoever reads waits, and it is asked again by one of those who wait.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use indexmap::IndexMap;
use serde_json::Value;
use thiserror::Error;
use tidegate_base::limit::REGISTRY_COMPILED_MAX;
use tidegate_base::{Clock, Envelope, Timestamp, format_duration};
use tidegate_registry::{Body, Parsed, parse_with};
use tidegate_schema::EventSchema;
use tidegate_schema::wire::SchemaId;
use tokio::time::{Instant, sleep_until};

use super::framed::{Framed, problem};
use crate::publish::Problem;

/// How long a registry that does not answer is left alone at first, and at most.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// How long it is believed that there is no such schema: it may be registered meanwhile.
const ABSENT: Duration = Duration::from_secs(10);
/// How long a producer waits for the registry.
const PRODUCER_LIMIT: Duration = Duration::from_secs(5);

/// Asks a registry.
pub trait SchemaSource: Send + Sync + fmt::Debug {
    /// The schema with this id. It should end within seconds.
    fn schema(&self, id: SchemaId) -> BoxFuture<'static, Result<FoundSchema, SourceError>>;

    /// The number and the version of a schema in a subject, where it is one; it becomes one first, if that is asked.
    fn version(
        &self,
        subject: String,
        body: Body,
        missing: Missing,
    ) -> BoxFuture<'static, Result<Option<(u32, u32)>, SourceError>>;
}

/// What is done about a schema that a registry does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing.
    Leave,
    /// It is registered.
    Register,
}

/// A schema as a registry tells it.
#[derive(Clone, Debug)]
pub struct FoundSchema {
    /// The schema itself.
    pub body: Body,
    /// The schemas that it uses, by the names that it calls them, what is used before what uses it.
    pub used: Vec<(String, String)>,
}

/// Why a registry tells no schema, or takes none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SourceError {
    /// It has none with this id, or not all that the schema uses; or it refuses one.
    #[error("{0}")]
    Refused(String),
    /// It does not answer as a registry does: nothing is known of the schema.
    #[error("{0}")]
    Away(String),
}

/// The registry, with what it has told. Cheap to clone.
#[derive(Clone)]
pub struct OtherRegistry {
    inner: Arc<Inner>,
}

struct Inner {
    source: Arc<dyn SchemaSource>,
    clock: Arc<dyn Clock>,
    /// In the order in which it was told.
    told: Mutex<IndexMap<SchemaId, Told>>,
    away: Mutex<Option<Away>>,
    /// Held by the one who asks.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
enum Told {
    Schema(Arc<Parsed>),
    /// There is none that can be read, and until when that is believed.
    Unusable(String, Instant),
}

/// Since when the registry does not answer, and when it is asked again.
#[derive(Clone, Debug)]
struct Away {
    since: Timestamp,
    reason: String,
    pause: Duration,
    next: Instant,
}

impl fmt::Debug for OtherRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtherRegistry")
            .field("source", &self.inner.source)
            .finish_non_exhaustive()
    }
}

/// Nothing can panic while it is held, but a lock is not worth a panic either.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OtherRegistry {
    /// A registry that has told nothing yet.
    #[must_use]
    pub fn new(source: Arc<dyn SchemaSource>, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner: Arc::new(Inner {
                source,
                clock,
                told: Mutex::default(),
                away: Mutex::default(),
                turn: tokio::sync::Mutex::default(),
            }),
        }
    }

    /// Since when it does not answer, and why; `None` while it does.
    pub(crate) fn away(&self) -> Option<(Timestamp, String)> {
        let away = lock(&self.inner.away);
        away.as_ref().map(|away| (away.since, away.reason.clone()))
    }

    /// Has the registry tell a schema, and waits as long as it does not answer.
    pub(crate) async fn wait_for(&self, id: SchemaId) {
        while !self.is_told(id) {
            let next = lock(&self.inner.away).as_ref().map(|away| away.next);
            if let Some(next) = next {
                sleep_until(next).await;
            }
            let _again = self.ask_beside(id).await;
        }
    }

    /// Asks on a task of its own, one at a time: whoever stops waiting does not stop the answer.
    async fn ask_beside(&self, id: SchemaId) -> Result<(), String> {
        let asked = self.clone();
        let asking = tokio::spawn(async move {
            let _turn = asked.inner.turn.lock().await;
            if asked.is_told(id) {
                return Ok(());
            }
            // It is left alone for a while; then it is asked by whoever comes first.
            let away = lock(&asked.inner.away).clone();
            match away.filter(|away| Instant::now() < away.next) {
                Some(away) => Err(away.reason),
                None => asked.ask(id).await,
            }
        });
        asking.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// Has the registry tell a schema, for a producer, who can try again.
    ///
    /// # Errors
    ///
    /// Why it does not answer.
    pub(crate) async fn told_now(&self, id: SchemaId) -> Result<(), String> {
        if self.is_told(id) {
            return Ok(());
        }
        let late = |_| {
            let limit = format_duration(PRODUCER_LIMIT);
            Err(format!("there is no answer within {limit}"))
        };
        tokio::time::timeout(PRODUCER_LIMIT, self.ask_beside(id))
            .await
            .unwrap_or_else(late)
    }

    /// Reads a payload with the schema that it names; `None` when the registry has not told it.
    pub(crate) fn read_framed(
        &self,
        framed: Framed,
        envelope: &Envelope,
        design: Option<&EventSchema>,
        older: &[EventSchema],
    ) -> Option<Result<Value, Problem>> {
        let (id, rest) = match framed.named(envelope) {
            Ok(named) => named,
            Err(problem) => return Some(Err(problem)),
        };
        let shown = id.to_string();
        Some(match self.told(id)? {
            Told::Schema(schema) => rest.read(&schema, &shown, design, older),
            Told::Unusable(reason, _) => Err(problem(&shown, &reason)),
        })
    }

    fn told(&self, id: SchemaId) -> Option<Told> {
        let told = lock(&self.inner.told).get(&id).cloned();
        told.filter(|told| match told {
            Told::Schema(_) => true,
            Told::Unusable(_, until) => Instant::now() < *until,
        })
    }

    pub(crate) fn is_told(&self, id: SchemaId) -> bool {
        self.told(id).is_some()
    }

    async fn ask(&self, id: SchemaId) -> Result<(), String> {
        let unusable = |reason| Told::Unusable(reason, Instant::now() + ABSENT);
        let told = match self.inner.source.schema(id).await {
            Ok(found) => match parse_with(&found.body, &found.used) {
                Ok(parsed) => Told::Schema(Arc::new(parsed)),
                Err(error) => unusable(error.to_string()),
            },
            Err(SourceError::Refused(reason)) => unusable(reason),
            Err(SourceError::Away(reason)) => {
                self.note_away(&reason);
                return Err(reason);
            }
        };
        self.note_answer();
        let mut all = lock(&self.inner.told);
        if all.len() >= REGISTRY_COMPILED_MAX {
            all.shift_remove_index(0);
        }
        all.insert(id, told);
        Ok(())
    }

    /// The number and the version of a schema in a subject, as [`SchemaSource::version`]. It is waited for as long as
    /// the registry does not answer.
    pub(super) async fn version(
        &self,
        subject: &str,
        body: &Body,
        missing: Missing,
    ) -> Result<Option<(u32, u32)>, String> {
        let _turn = self.inner.turn.lock().await;
        loop {
            let source = &self.inner.source;
            let found = source.version(subject.to_owned(), body.clone(), missing);
            match found.await {
                Err(SourceError::Away(reason)) => {
                    self.note_away(&reason);
                    let next = lock(&self.inner.away).as_ref().map(|away| away.next);
                    sleep_until(next.unwrap_or_else(Instant::now)).await;
                }
                Err(SourceError::Refused(reason)) => return Err(reason),
                Ok(found) => {
                    self.note_answer();
                    return Ok(found);
                }
            }
        }
    }

    fn note_away(&self, reason: &str) {
        let mut away = lock(&self.inner.away);
        let pause = away.as_ref().map_or(PAUSE_MIN, |away| away.pause * 2);
        let pause = pause.min(PAUSE_MAX);
        // At first, and then as seldom as it is asked at the end.
        if away.is_none() || pause == PAUSE_MAX {
            tracing::warn!(
                "the schema registry tells no schemas: {reason}; records that name one wait, and it is asked again in {}",
                format_duration(pause)
            );
        }
        let since = away.as_ref().map(|away| away.since);
        *away = Some(Away {
            since: since.unwrap_or_else(|| self.inner.clock.now()),
            reason: reason.to_owned(),
            pause,
            next: Instant::now() + pause,
        });
    }

    fn note_answer(&self) {
        if let Some(away) = lock(&self.inner.away).take() {
            let time = self.inner.clock.now().since(away.since);
            let time = format_duration(Duration::from_secs(time.as_secs()));
            tracing::info!("the schema registry answers again, after {time}");
        }
    }
}
