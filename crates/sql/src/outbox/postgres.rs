//! The outbox in PostgreSQL.

use std::time::Duration;

use futures_util::FutureExt;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions, PgRow};
use sqlx::{ConnectOptions, Connection, PgConnection, Row, query, query_scalar};
use tidegate_base::limit::{
    ATTRIBUTE_BYTES_MAX, COLLECTED_ROWS_MAX, EXTENSIONS_MAX, PAYLOAD_BYTES_MAX,
};

use super::postgres_operate::is_held;
use super::row::Columns;
use super::{Change, Filter, Kept, Listed, Outbox, OutboxError, Pending, Status, postgres_operate};

/// What the trigger notifies.
const CHANNEL: &str = "tidegate_outbox";
/// How long a connection that listens is given to come back, before rows are looked for again.
const LISTEN_LIMIT: Duration = Duration::from_secs(5);
/// How often rows are looked for while nothing listens.
const DEAF_POLL: Duration = Duration::from_secs(1);

/// A date-time as events have it.
pub(super) const TIME_FORMAT: &str = r#"YYYY-MM-DD"T"HH24:MI:SS.US"Z""#;

/// The outbox in a PostgreSQL database, in the first schema of the connection's `search_path` that has one.
///
/// It needs two sessions of its own: a pooler that shares them between clients takes the lock away.
#[derive(Debug)]
pub struct PostgresOutbox {
    options: PgConnectOptions,
    /// Holds the lock, and does everything that needs it: with the session both are gone. A relay that has lost the
    /// right to publish can note nothing any more.
    session: Option<PgConnection>,
    is_leader: bool,
    /// A connection of its own, since this one comes back by itself, without the lock.
    listener: Option<PgListener>,
}

impl PostgresOutbox {
    /// The outbox of the database that `options` connect to. Nothing is connected yet.
    #[must_use]
    pub fn new(options: PgConnectOptions) -> Self {
        let options = options
            .application_name("tidegate-relay")
            .disable_statement_logging();
        Self {
            options,
            session: None,
            is_leader: false,
            listener: None,
        }
    }

    /// The outbox of the database at a URL such as `postgres://user:password@host/database`.
    ///
    /// # Errors
    ///
    /// When it is no such URL.
    pub fn from_url(url: &str) -> Result<Self, OutboxError> {
        let options = url.parse().map_err(OutboxError::Url)?;
        Ok(Self::new(options))
    }

    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let mut session = PgConnection::connect_with(&self.options).await?;
        // A server that does not notice that this process is gone keeps its lock: by default for two hours. What this
        // session commits may be lost: a row is then published or refused once more.
        sqlx::raw_sql(
            "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;
             SET statement_timeout = '30s'; SET lock_timeout = '10s'; SET synchronous_commit = off",
        )
        .execute(&mut session)
        .await?;
        Ok(session)
    }

    pub(super) async fn session(&mut self) -> Result<&mut PgConnection, OutboxError> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.connect().await?,
        };
        Ok(self.session.insert(session))
    }

    fn claimed(&mut self) -> Result<&mut PgConnection, OutboxError> {
        match (&mut self.session, self.is_leader) {
            (Some(session), true) => Ok(session),
            _ => Err(OutboxError::NotClaimed),
        }
    }

    async fn listen(&mut self) -> Result<(), sqlx::Error> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(LISTEN_LIMIT)
            .connect_lazy_with(self.options.clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        self.listener = Some(listener);
        Ok(())
    }
}

impl Outbox for PostgresOutbox {
    async fn claim(&mut self) -> Result<bool, OutboxError> {
        if self.is_leader {
            return Ok(true);
        }
        let session = self.session().await?;
        // The second number is the table's, so that each schema has a relay of its own.
        let is_leader = query_scalar(
            "SELECT pg_try_advisory_lock(1413760071, ('tidegate_outbox'::regclass::oid)::bigint::bit(32)::int)",
        )
        .fetch_one(session)
        .await?;
        self.is_leader = is_leader;
        if is_leader && self.listener.is_none() {
            // Before rows are looked for: what is committed after that look is notified.
            self.listen().await?;
        }
        Ok(is_leader)
    }

    async fn pending(&mut self, events: usize, bytes: usize) -> Result<Vec<Pending>, OutboxError> {
        let session = self.claimed()?;
        // No row is passed over, whenever it was committed: what is asked for is a state, not what lies behind a cursor.
        let rows = query(concat!(
            "WITH next AS MATERIALIZED (
                 SELECT number, row_number() OVER place AS place, sum(size) OVER place AS total,
                        size > $4 AS is_too_large
                 FROM (SELECT number, position,
                              coalesce(octet_length(data), 0) + octet_length(attributes::text) AS size
                       FROM tidegate_outbox o
                       WHERE state = 'new'
                         AND NOT ",
            is_held!(),
            "
                       ORDER BY position, number LIMIT $1) AS first
                 WINDOW place AS (ORDER BY position, number))
             SELECT o.number, o.id, o.source, o.type, o.key, to_char(o.time AT TIME ZONE 'UTC', $3) AS time,
                    o.content_type, n.is_too_large,
                    CASE WHEN NOT n.is_too_large THEN o.attributes::text END AS attributes,
                    CASE WHEN NOT n.is_too_large THEN o.data END AS data
             FROM next n JOIN tidegate_outbox o USING (number)
             WHERE n.place = 1 OR n.total <= $2
             ORDER BY n.place",
        ))
        .bind(i64::try_from(events).unwrap_or(i64::MAX))
        .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
        .bind(TIME_FORMAT)
        .bind(size_max())
        .fetch_all(session)
        .await?;
        rows.iter().map(pending).collect()
    }

    async fn mark_sent(&mut self, numbers: &[i64]) -> Result<(), OutboxError> {
        let session = self.claimed()?;
        query(
            "UPDATE tidegate_outbox SET state = 'sent', changed_at = now()
             WHERE number = ANY ($1) AND state = 'new'",
        )
        .bind(numbers)
        .execute(session)
        .await?;
        Ok(())
    }

    async fn mark_refused(&mut self, number: i64, reason: &str) -> Result<(), OutboxError> {
        let session = self.claimed()?;
        query(
            "UPDATE tidegate_outbox SET state = 'refused', reason = $2, changed_at = now()
             WHERE number = $1 AND state = 'new'",
        )
        .bind(number)
        .bind(reason)
        .execute(session)
        .await?;
        Ok(())
    }

    async fn clean(&mut self, kept: &Kept) -> Result<u64, OutboxError> {
        let session = self.claimed()?;
        let done = query(
            "DELETE FROM tidegate_outbox WHERE state IN ('sent', 'skipped') AND number IN (
                 SELECT number FROM tidegate_outbox
                 WHERE state IN ('sent', 'skipped')
                   AND (changed_at < now() - make_interval(secs => $1)
                        OR changed_at < (SELECT changed_at FROM tidegate_outbox
                                         WHERE state IN ('sent', 'skipped')
                                         ORDER BY changed_at DESC OFFSET $2 LIMIT 1))
                 ORDER BY changed_at LIMIT $3)",
        )
        .bind(kept.age.as_secs_f64())
        .bind(i64::try_from(kept.rows).unwrap_or(i64::MAX))
        .bind(i64::try_from(COLLECTED_ROWS_MAX).unwrap_or(i64::MAX))
        .execute(session)
        .await?;
        Ok(done.rows_affected())
    }

    async fn wait(&mut self, at_most: Duration) {
        let Some(listener) = &mut self.listener else {
            if self.listen().await.is_err() {
                tokio::time::sleep(at_most.min(DEAF_POLL)).await;
            }
            // What came meanwhile was not heard.
            return;
        };
        match tokio::time::timeout(at_most, listener.try_recv()).await {
            // Many commits are one look.
            Ok(Ok(Some(_))) => while let Some(Ok(Some(_))) = listener.try_recv().now_or_never() {},
            Ok(Ok(None) | Err(_)) => self.listener = None,
            Err(_) => {}
        }
    }

    async fn close(&mut self) {
        self.is_leader = false;
        self.listener = None;
        if let Some(session) = self.session.take() {
            // The lock goes with the session in any case; a goodbye lets it go at once.
            let goodbye = tokio::time::timeout(Duration::from_secs(1), session.close());
            let _said = goodbye.await.is_ok();
        }
    }

    async fn status(&mut self) -> Result<Status, OutboxError> {
        postgres_operate::status(self.session().await?).await
    }

    async fn list(&mut self, filter: &Filter) -> Result<Vec<Listed>, OutboxError> {
        postgres_operate::list(self.session().await?, filter).await
    }

    async fn change(&mut self, numbers: &[i64], change: &Change) -> Result<Vec<i64>, OutboxError> {
        postgres_operate::change(self.session().await?, numbers, change).await
    }
}

/// More bytes than any event can have in its payload and its attributes.
pub(super) fn size_max() -> i64 {
    let most = PAYLOAD_BYTES_MAX + EXTENSIONS_MAX * ATTRIBUTE_BYTES_MAX;
    i64::try_from(most).unwrap_or(i64::MAX)
}

/// A row that cannot be read, such as one with text that is none, is one that can never be published.
fn pending(row: &PgRow) -> Result<Pending, OutboxError> {
    let number = row.try_get("number")?;
    let columns = columns(number, row).map(Columns::read);
    Ok(columns.unwrap_or_else(|error| Pending {
        number,
        key: row.try_get("key").unwrap_or_default(),
        event: Err(error.to_string()),
    }))
}

fn columns(number: i64, row: &PgRow) -> Result<Columns, sqlx::Error> {
    Ok(Columns {
        number,
        id: row.try_get("id")?,
        source: row.try_get("source")?,
        event_type: row.try_get("type")?,
        key: row.try_get("key")?,
        time: row.try_get("time")?,
        content_type: row.try_get("content_type")?,
        attributes: row.try_get("attributes")?,
        data: row.try_get("data")?,
        is_too_large: row.try_get("is_too_large")?,
    })
}
