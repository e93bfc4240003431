//! What a database has to do for an effect, in its own SQL.

use std::future::Future;

use serde_json::{Map, Value};
use sqlx::{Database, Pool, Transaction};
use tidegate_base::Envelope;

use super::EffectError;

/// A delivery as a row holds it.
#[derive(Debug)]
pub struct Key<'a> {
    pub(super) consumer: String,
    pub(super) source: &'a str,
    pub(super) id: &'a str,
    pub(super) generation: i64,
    pub(super) position: i64,
    pub(super) epoch: i64,
}

/// What is known of a consumer.
#[derive(Debug)]
pub struct Owner {
    /// The largest epoch that has run it.
    pub(super) epoch: i64,
    /// Notes below this position, and not of a later generation than the next, may be gone.
    pub(super) below: i64,
    pub(super) generation: i64,
}

/// An emitted event as a row holds it.
#[derive(Debug)]
pub struct Stored {
    pub(super) id: String,
    pub(super) source: String,
    pub(super) event_type: String,
    pub(super) key: Option<String>,
    pub(super) time: Option<String>,
    pub(super) content_type: String,
    pub(super) data: Option<Vec<u8>>,
    /// A JSON object.
    pub(super) attributes: String,
}

impl Stored {
    pub(super) fn new(mut event: Envelope) -> Self {
        let key = event.extensions.remove("partitionkey");
        let more = [
            ("subject", event.subject),
            ("dataschema", event.data_schema),
        ];
        let mut attributes: Map<String, Value> = more
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?))))
            .collect();
        let extensions = event.extensions.into_iter();
        attributes.extend(extensions.map(|(name, value)| (name, Value::from(value))));
        Self {
            id: event.id,
            source: event.source,
            event_type: event.event_type,
            key,
            time: event.time,
            content_type: event
                .data_content_type
                .unwrap_or_else(|| "application/json".to_owned()),
            data: event.data.map(|data| data.to_vec()),
            attributes: Value::Object(attributes).to_string(),
        }
    }
}

/// A number as databases hold it: signed.
pub(super) fn whole<E>(what: &'static str, value: u64) -> Result<i64, EffectError<E>> {
    i64::try_from(value).map_err(|_| EffectError::Large { what, value })
}

/// A database that effects can be had in: `sqlx::Postgres` and `sqlx::Sqlite`.
pub trait Engine: Database + sealed::Sealed {
    /// Begins a transaction that may write.
    #[doc(hidden)]
    fn open(
        pool: &Pool<Self>,
    ) -> impl Future<Output = Result<Transaction<'static, Self>, sqlx::Error>> + Send;

    /// Makes the commit durable, or says which setting keeps it from that.
    #[doc(hidden)]
    fn risk(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Option<String>, sqlx::Error>> + Send;

    /// What is known of the consumer.
    #[doc(hidden)]
    fn owner(
        connection: &mut Self::Connection,
        key: &Key<'_>,
    ) -> impl Future<Output = Result<Option<Owner>, sqlx::Error>> + Send;

    /// Makes the epoch known, unless a larger one is.
    #[doc(hidden)]
    fn raise(
        pool: &Pool<Self>,
        key: &Key<'_>,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Notes the delivery; `false` when it is noted already. Waits for a transaction that has noted it.
    #[doc(hidden)]
    fn note(
        connection: &mut Self::Connection,
        key: &Key<'_>,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// Raises the position of the note; `false` when there is none.
    #[doc(hidden)]
    fn keep(
        connection: &mut Self::Connection,
        key: &Key<'_>,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// Stores an event. One with its identity that is there stays: only a replay meets it.
    #[doc(hidden)]
    fn emit(
        connection: &mut Self::Connection,
        event: &Stored,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Completes the note; `false` when there is none, or when it has been collected meanwhile.
    #[doc(hidden)]
    fn leave(
        connection: &mut Self::Connection,
        key: &Key<'_>,
        outputs: i32,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// Refuses from now on what is below a position and not of a later generation; `false` when more was refused before.
    #[doc(hidden)]
    fn close(
        pool: &Pool<Self>,
        consumer: &str,
        below: i64,
        generation: i64,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// Deletes some notes of what is refused; how many.
    #[doc(hidden)]
    fn collect(
        pool: &Pool<Self>,
        consumer: &str,
        below: i64,
        generation: i64,
    ) -> impl Future<Output = Result<u64, sqlx::Error>> + Send;
}

mod sealed {
    pub trait Sealed {}
    #[cfg(feature = "postgres")]
    impl Sealed for sqlx::Postgres {}
    #[cfg(feature = "sqlite")]
    impl Sealed for sqlx::Sqlite {}
}
