//! The outbox in SQLite.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection, query, query_scalar};
use tidegate_base::limit::{
    ATTRIBUTE_BYTES_MAX, COLLECTED_ROWS_MAX, EXTENSIONS_MAX, PAYLOAD_BYTES_MAX,
};

use super::row::Columns;
use super::sqlite_operate::is_held;
use super::{Change, Filter, Kept, Listed, Outbox, OutboxError, Pending, Status, sqlite_operate};

/// How often it is asked whether somebody has written. It reads a counter in shared memory.
const WATCH: Duration = Duration::from_millis(50);
/// How long a writer that is busy is waited for.
const BUSY_LIMIT: Duration = Duration::from_secs(10);

/// The outbox in a SQLite file.
#[derive(Debug)]
pub struct SqliteOutbox {
    options: SqliteConnectOptions,
    session: Option<SqliteConnection>,
    /// Its lock is the right to publish. The system lets it go when the process ends, however it does.
    lock: Option<File>,
    /// The counter of others' commits when rows were last looked for.
    version: Option<i64>,
}

impl SqliteOutbox {
    /// The outbox in the file that `options` name. Nothing is opened yet. The file is not created. A relay locks a
    /// file beside it, with `-relay` behind the name.
    #[must_use]
    pub fn new(options: SqliteConnectOptions) -> Self {
        let options = options
            .busy_timeout(BUSY_LIMIT)
            .synchronous(SqliteSynchronous::Full)
            .create_if_missing(false)
            .disable_statement_logging();
        Self {
            options,
            session: None,
            lock: None,
            version: None,
        }
    }

    /// The outbox of the file at a URL such as `sqlite://service.db`.
    ///
    /// # Errors
    ///
    /// When it is no such URL.
    pub fn from_url(url: &str) -> Result<Self, OutboxError> {
        let options = url.parse().map_err(OutboxError::Url)?;
        Ok(Self::new(options))
    }

    async fn session(&mut self) -> Result<&mut SqliteConnection, OutboxError> {
        let session = match self.session.take() {
            Some(session) => session,
            None => SqliteConnection::connect_with(&self.options).await?,
        };
        Ok(self.session.insert(session))
    }

    fn claimed(&mut self) -> Result<&mut SqliteConnection, OutboxError> {
        match (&mut self.session, &self.lock) {
            (Some(session), Some(_)) => Ok(session),
            _ => Err(OutboxError::NotClaimed),
        }
    }

    /// The file whose lock is the right to publish.
    fn lock_path(&self) -> PathBuf {
        let mut name = self.options.get_filename().as_os_str().to_owned();
        name.push("-relay");
        PathBuf::from(name)
    }

    /// The lock, when nobody has it.
    fn try_lock(&self) -> Result<Option<File>, OutboxError> {
        let path = self.lock_path();
        let wrong = |cause| OutboxError::Lock {
            file: path.display().to_string(),
            cause,
        };
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(wrong)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(wrong(cause)),
        }
    }

    /// The counter of commits by other connections.
    async fn counter(&mut self) -> Result<i64, OutboxError> {
        let session = self.session().await?;
        Ok(query_scalar("PRAGMA data_version")
            .fetch_one(session)
            .await?)
    }
}

impl Outbox for SqliteOutbox {
    async fn claim(&mut self) -> Result<bool, OutboxError> {
        if self.lock.is_some() {
            return Ok(true);
        }
        let session = self.session().await?;
        // Whether there is an outbox at all, before anybody waits for the right to publish from it.
        query("SELECT 1 FROM tidegate_outbox LIMIT 1")
            .fetch_optional(session)
            .await?;
        self.lock = self.try_lock()?;
        Ok(self.lock.is_some())
    }

    async fn pending(&mut self, events: usize, bytes: usize) -> Result<Vec<Pending>, OutboxError> {
        // Before the look: what is committed after it changes the counter.
        self.version = Some(self.counter().await?);
        let session = self.claimed()?;
        let rows = query(concat!(
            "WITH next AS MATERIALIZED (
                 SELECT number, row_number() OVER place AS place, sum(size) OVER place AS total,
                        size > ?3 AS is_too_large
                 FROM (SELECT number, coalesce(length(CAST(data AS BLOB)), 0) + length(CAST(attributes AS BLOB)) AS size
                       FROM tidegate_outbox o
                       WHERE state = 'new'
                         AND NOT ",
            is_held!(),
            "
                       ORDER BY number LIMIT ?1)
                 WINDOW place AS (ORDER BY number))
             SELECT o.number, o.id, o.source, o.type, o.key, CAST(o.time AS TEXT) AS time, o.content_type,
                    n.is_too_large,
                    CASE WHEN NOT n.is_too_large THEN o.attributes END AS attributes,
                    CASE WHEN NOT n.is_too_large THEN CAST(o.data AS BLOB) END AS data
             FROM next n JOIN tidegate_outbox o USING (number)
             WHERE n.place = 1 OR n.total <= ?2
             ORDER BY n.place",
        ))
        .bind(i64::try_from(events).unwrap_or(i64::MAX))
        .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
        .bind(size_max())
        .fetch_all(session)
        .await?;
        rows.iter().map(pending).collect()
    }

    async fn mark_sent(&mut self, numbers: &[i64]) -> Result<(), OutboxError> {
        let session = self.claimed()?;
        let numbers = serde_json::Value::from(numbers).to_string();
        query(
            "UPDATE tidegate_outbox SET state = 'sent', changed_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
             WHERE state = 'new' AND number IN (SELECT value FROM json_each(?1))",
        )
        .bind(numbers)
        .execute(session)
        .await?;
        Ok(())
    }

    async fn mark_refused(&mut self, number: i64, reason: &str) -> Result<(), OutboxError> {
        let session = self.claimed()?;
        query(
            "UPDATE tidegate_outbox
             SET state = 'refused', reason = ?2, changed_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
             WHERE number = ?1 AND state = 'new'",
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
                   AND (changed_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-' || ?1 || ' seconds')
                        OR changed_at < (SELECT changed_at FROM tidegate_outbox
                                         WHERE state IN ('sent', 'skipped')
                                         ORDER BY changed_at DESC LIMIT 1 OFFSET ?2))
                 ORDER BY changed_at LIMIT ?3)",
        )
        .bind(i64::try_from(kept.age.as_secs()).unwrap_or(i64::MAX))
        .bind(i64::try_from(kept.rows).unwrap_or(i64::MAX))
        .bind(i64::try_from(COLLECTED_ROWS_MAX).unwrap_or(i64::MAX))
        .execute(session)
        .await?;
        Ok(done.rows_affected())
    }

    async fn wait(&mut self, at_most: Duration) {
        let end = tokio::time::Instant::now() + at_most;
        while tokio::time::Instant::now() < end {
            match self.counter().await {
                Ok(version) if Some(version) == self.version => {}
                // A look says what is wrong, if anything is.
                Ok(_) | Err(_) => return,
            }
            tokio::time::sleep_until(end.min(tokio::time::Instant::now() + WATCH)).await;
        }
    }

    async fn close(&mut self) {
        self.lock = None;
        if let Some(session) = self.session.take() {
            let _closed = session.close().await.is_ok();
        }
    }

    async fn status(&mut self) -> Result<Status, OutboxError> {
        self.session().await?;
        // Whoever only asks makes no file, which might then be another user's than the relay's.
        let has_file = self.lock_path().exists();
        let relay = self.lock.is_some() || has_file && self.try_lock()?.is_none();
        sqlite_operate::status(self.session().await?, relay).await
    }

    async fn list(&mut self, filter: &Filter) -> Result<Vec<Listed>, OutboxError> {
        sqlite_operate::list(self.session().await?, filter).await
    }

    async fn change(&mut self, numbers: &[i64], change: &Change) -> Result<Vec<i64>, OutboxError> {
        sqlite_operate::change(self.session().await?, numbers, change).await
    }
}

/// More bytes than any event can have in its payload and its attributes.
fn size_max() -> i64 {
    let most = PAYLOAD_BYTES_MAX + EXTENSIONS_MAX * ATTRIBUTE_BYTES_MAX;
    i64::try_from(most).unwrap_or(i64::MAX)
}

/// A row that cannot be read, such as one with text that is none, is one that can never be published.
fn pending(row: &SqliteRow) -> Result<Pending, OutboxError> {
    let number = row.try_get("number")?;
    let columns = columns(number, row).map(Columns::read);
    Ok(columns.unwrap_or_else(|error| Pending {
        number,
        key: row.try_get("key").unwrap_or_default(),
        event: Err(error.to_string()),
    }))
}

fn columns(number: i64, row: &SqliteRow) -> Result<Columns, sqlx::Error> {
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
