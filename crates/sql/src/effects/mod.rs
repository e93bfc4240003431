//! A handler's change, the note of its delivery and the events that it emits, in one transaction.

mod engine;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use sqlx::{Pool, Transaction};
use thiserror::Error;
use tidegate_base::limit::EMITTED_EVENTS_MAX;
use tidegate_base::{ConsumerId, Envelope, EnvelopeError, output_id};

pub use self::engine::Engine;
use self::engine::{Key, Owner, Stored, whole};
use crate::delivery::Delivery;
use crate::transient::{failure, is_rolled_back, is_transient};

/// Runs handlers so that each delivery changes this database exactly once.
///
/// Only this database: mails, HTTP calls and other databases are repeated when a process ends during a run.
///
/// ```no_run
/// # async fn example(pool: sqlx::PgPool, delivery: tidegate_sql::Delivery) -> Result<(), Box<dyn std::error::Error>> {
/// use tidegate_sql::{Applied, Effects};
///
/// let effects = Effects::new(pool);
/// let applied = effects
///     .apply(&delivery, async |transaction| {
///         sqlx::query("UPDATE stock SET held = held + 1 WHERE article = $1")
///             .bind("A-7")
///             .execute(&mut *transaction)
///             .await?;
///         Ok::<_, sqlx::Error>(Vec::new())
///     })
///     .await?;
/// assert!(matches!(applied, Applied::Done { .. } | Applied::Duplicate));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Effects<D: Engine> {
    pool: Pool<D>,
}

impl<D: Engine> Clone for Effects<D> {
    fn clone(&self) -> Self {
        let pool = self.pool.clone();
        Self { pool }
    }
}

/// How a delivery went that is done with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Its effect has just been committed.
    Done {
        /// The `id`s of the emitted events, in their order.
        outputs: Vec<String>,
    },
    /// An earlier run has had the effect: this one changed nothing, and the handler was not called.
    Duplicate,
}

/// Why a delivery is not done with. Nothing of it is committed, unless it is [`EffectError::Unknown`].
#[derive(Debug, Error)]
pub enum EffectError<E> {
    /// The handler failed; all its changes are rolled back.
    #[error("{0}")]
    Handler(E),
    /// A younger process owns the consumer: stop, do not run it again.
    #[error("epoch {epoch} of `{consumer}` is over: epoch {newest} has begun")]
    Fenced {
        /// The consumer.
        consumer: ConsumerId,
        /// The epoch of this run.
        epoch: u64,
        /// The largest that was seen.
        newest: u64,
    },
    /// The delivery is over for good, and its note may be gone: this run comes from a process that was stopped for long, or
    /// its events were numbered anew. Nobody waits for its answer.
    #[error(
        "no delivery of `{consumer}` below sequence {below} comes again, and this is {position}"
    )]
    Over {
        /// The consumer.
        consumer: ConsumerId,
        /// The delivery's sequence.
        position: u64,
        /// Up to where notes have been collected.
        below: u64,
    },
    /// The connection was lost during COMMIT: the effect was had or not. Run the delivery again to know: the answer is
    /// then [`Applied::Duplicate`] or [`Applied::Done`].
    #[error("nobody knows whether the transaction was committed; run the delivery again: {0}")]
    Unknown(#[source] sqlx::Error),
    /// The database refused, or was away.
    #[error("the transaction was rolled back: {0}")]
    Database(#[source] sqlx::Error),
    /// An emitted event is none.
    #[error("the emitted event {ordinal} is not valid: {problem}")]
    Emitted {
        /// Which one, from zero.
        ordinal: u32,
        /// What is wrong with it.
        problem: EnvelopeError,
    },
    /// The handler emitted more than [`EMITTED_EVENTS_MAX`] events.
    #[error("the handler emitted {0} events; the most is {EMITTED_EVENTS_MAX}")]
    TooMany(usize),
    /// The handler has ended the transaction itself, or has deleted the note of the delivery.
    #[error(
        "the handler ended its transaction itself; it must leave COMMIT and ROLLBACK to its caller"
    )]
    Ended,
    /// Commits may be lost in a power cut, and the delivery would be acknowledged all the same.
    #[error("the connection has `{0}`: commits may be lost in a power cut; set it to FULL")]
    NotDurable(String),
    /// A number of the delivery is larger than a database can hold.
    #[error("the {what} {value} is larger than a database can hold")]
    Large {
        /// Which number.
        what: &'static str,
        /// The number.
        value: u64,
    },
}

impl<E: std::error::Error + 'static> EffectError<E> {
    /// Whether the delivery, run again, may succeed without anybody mending anything. Of a handler's error it is asked
    /// whether an error of the database is among its causes, and passes.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unknown(_) => true,
            Self::Database(error) => is_transient(error),
            Self::Handler(error) => {
                let first: &(dyn std::error::Error + 'static) = error;
                let causes = std::iter::successors(Some(first), |error| error.source());
                causes
                    .filter_map(|error| error.downcast_ref::<sqlx::Error>())
                    .any(is_transient)
            }
            _ => false,
        }
    }
}

/// What kind of failure kept a delivery from being done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectFailure {
    /// Run again, the delivery may succeed: it lost a race, or nobody knows how it went.
    Passing,
    /// The database is away, full or shutting down.
    Away,
    /// The tables, their rights or a setting are not as they must be, or another owner has the consumer: it is the same
    /// for every delivery, and nothing is wrong with this one.
    SetUp,
    /// The handler, or what it emits, is at fault: the same handler fails again.
    Mistake,
    /// The database refused for another reason.
    Other,
}

impl<E> EffectError<E> {
    /// What kind of failure it is; `None` for that of a handler, which only its caller can judge.
    pub fn failure(&self) -> Option<EffectFailure> {
        Some(match self {
            Self::Handler(_) => return None,
            Self::Unknown(_) => EffectFailure::Passing,
            Self::Database(error) => failure(error),
            Self::Fenced { .. } | Self::Over { .. } | Self::NotDurable(_) => EffectFailure::SetUp,
            Self::Emitted { .. } | Self::TooMany(_) | Self::Ended | Self::Large { .. } => {
                EffectFailure::Mistake
            }
        })
    }
}

/// Where a delivery stands before its handler is called.
enum Entered<D: Engine> {
    Fresh(Transaction<'static, D>),
    Duplicate,
}

impl<D: Engine> Effects<D> {
    /// Effects in the database of `pool`, which has the tables of [`POSTGRES`](crate::POSTGRES) or
    /// [`SQLITE`](crate::SQLITE).
    pub fn new(pool: Pool<D>) -> Self {
        Self { pool }
    }

    /// Runs `handler` in a transaction, unless the delivery has had its effect already. What it emits is stored with
    /// its change, and published by a [`Relay`](crate::Relay); an event without an `id` gets its
    /// [`output_id`]; its key is the attribute `partitionkey`.
    ///
    /// Another run of the same delivery at the same time waits for this one; when the future is dropped, everything is
    /// rolled back.
    ///
    /// # Errors
    ///
    /// [`EffectError`]; whether to run it again says [`EffectError::is_retryable`].
    pub async fn apply<E, F>(
        &self,
        delivery: &Delivery,
        handler: F,
    ) -> Result<Applied, EffectError<E>>
    where
        F: AsyncFnOnce(&mut D::Connection) -> Result<Vec<Envelope>, E>,
    {
        let key = Key::new(delivery)?;
        let mut transaction = match self.enter(delivery, &key).await? {
            Entered::Fresh(transaction) => transaction,
            Entered::Duplicate => return Ok(Applied::Duplicate),
        };
        let emitted = handler(&mut transaction)
            .await
            .map_err(EffectError::Handler)?;
        let events = stored(delivery, emitted)?;
        // A handler may pass over a failure that has ended its transaction. Postgres answers the COMMIT of such a one
        // with a rollback and no error, and in SQLite each statement from there on commits by itself. This statement
        // meets it, before an event is stored.
        let outputs = i32::try_from(events.len()).unwrap_or(i32::MAX);
        let noted = D::leave(&mut transaction, &key, outputs).await;
        if !noted.map_err(EffectError::Database)? {
            let owner = D::owner(&mut transaction, &key).await;
            if let Some(owner) = owner.map_err(EffectError::Database)? {
                over(delivery, &key, &owner)?;
            }
            return Err(EffectError::Ended);
        }
        for event in &events {
            let emitted = D::emit(&mut transaction, event).await;
            emitted.map_err(EffectError::Database)?;
        }
        committed(transaction).await?;
        let outputs = events.into_iter().map(|event| event.id).collect();
        Ok(Applied::Done { outputs })
    }

    /// Begins the transaction, refuses an owner that is over, and notes the delivery before anything else is done: a
    /// second run waits there for the end of the first.
    async fn enter<E>(
        &self,
        delivery: &Delivery,
        key: &Key<'_>,
    ) -> Result<Entered<D>, EffectError<E>> {
        let database = EffectError::Database;
        let mut is_raised = false;
        loop {
            let mut transaction = D::open(&self.pool).await.map_err(database)?;
            if let Some(setting) = D::risk(&mut transaction).await.map_err(database)? {
                return Err(EffectError::NotDurable(setting));
            }
            let seen = D::owner(&mut transaction, key).await.map_err(database)?;
            match seen {
                Some(Owner { epoch: newest, .. }) if newest > key.epoch => {
                    return Err(EffectError::Fenced {
                        consumer: delivery.consumer.clone(),
                        epoch: delivery.epoch,
                        newest: u64::try_from(newest).unwrap_or(0),
                    });
                }
                Some(owner) if owner.epoch == key.epoch => over(delivery, key, &owner)?,
                // In a transaction of its own, and so once an epoch: the row's lock would make all deliveries of the
                // consumer wait for the end of this one.
                _ if !is_raised => {
                    transaction.rollback().await.map_err(database)?;
                    D::raise(&self.pool, key).await.map_err(database)?;
                    is_raised = true;
                    continue;
                }
                _ => return Err(EffectError::Database(sqlx::Error::RowNotFound)),
            }
            if D::note(&mut transaction, key).await.map_err(database)? {
                return Ok(Entered::Fresh(transaction));
            }
            // The event has come again under another sequence, perhaps. The note has to stay as long as any of them can.
            if !D::keep(&mut transaction, key).await.map_err(database)? {
                // It was collected since it was met. It was there, so that the delivery is done: it is noted again.
                D::note(&mut transaction, key).await.map_err(database)?;
            }
            committed(transaction).await?;
            return Ok(Entered::Duplicate);
        }
    }

    /// Deletes the notes of deliveries whose sequence is below `below` and whose generation is not above `generation`, in
    /// transactions of at most [`COLLECTED_ROWS_MAX`](tidegate_base::limit::COLLECTED_ROWS_MAX) rows; how many they
    /// were. `below` is the least sequence of the consumer's channel that can still be delivered, and `generation` its
    /// last replay, both as the daemon tells them in one answer: its cursor, its oldest dead letter if that is before, or
    /// what a replay has still to bring. Never a time: a note that goes too early lets an effect be had twice.
    ///
    /// From then on a run of such a delivery is refused ([`EffectError::Over`]). While `below` is less than it was once,
    /// because a replay is under way, nothing is deleted.
    ///
    /// # Errors
    ///
    /// When the database refuses; what is deleted then stays deleted.
    pub async fn collect(
        &self,
        consumer: &ConsumerId,
        below: u64,
        generation: u64,
    ) -> Result<u64, sqlx::Error> {
        let [below, generation] = [below, generation].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        let consumer = consumer.to_string();
        if !D::close(&self.pool, &consumer, below, generation).await? {
            return Ok(0);
        }
        let mut total = 0;
        loop {
            let deleted = D::collect(&self.pool, &consumer, below, generation).await?;
            total += deleted;
            if deleted == 0 {
                return Ok(total);
            }
        }
    }
}

/// Refuses a delivery whose note may have been collected.
fn over<E>(delivery: &Delivery, key: &Key<'_>, owner: &Owner) -> Result<(), EffectError<E>> {
    if key.position >= owner.below || key.generation > owner.generation {
        return Ok(());
    }
    Err(EffectError::Over {
        consumer: delivery.consumer.clone(),
        position: delivery.position,
        below: u64::try_from(owner.below).unwrap_or(0),
    })
}

async fn committed<E, D: Engine>(
    transaction: Transaction<'static, D>,
) -> Result<(), EffectError<E>> {
    transaction.commit().await.map_err(|error| {
        if is_rolled_back(&error) {
            EffectError::Database(error)
        } else {
            EffectError::Unknown(error)
        }
    })
}

/// The emitted events as rows, with their ids.
fn stored<E>(delivery: &Delivery, emitted: Vec<Envelope>) -> Result<Vec<Stored>, EffectError<E>> {
    if emitted.len() > EMITTED_EVENTS_MAX {
        return Err(EffectError::TooMany(emitted.len()));
    }
    let rows = (0_u32..).zip(emitted).map(|(ordinal, mut event)| {
        if event.id.is_empty() {
            event.id = output_id(&delivery.consumer, &delivery.source, &delivery.id, ordinal);
        }
        match event.validate() {
            Ok(()) => Ok(Stored::new(event)),
            Err(problem) => Err(EffectError::Emitted { ordinal, problem }),
        }
    });
    rows.collect()
}

impl<'a> Key<'a> {
    fn new<E>(delivery: &'a Delivery) -> Result<Self, EffectError<E>> {
        Ok(Self {
            consumer: delivery.consumer.to_string(),
            source: &delivery.source,
            id: &delivery.id,
            generation: whole("generation", delivery.generation)?,
            position: whole("position", delivery.position)?,
            epoch: whole("epoch", delivery.epoch)?,
        })
    }
}
