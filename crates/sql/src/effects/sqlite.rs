//! Effects in SQLite.

use sqlx::{
    Connection, Row, SqlSafeStr, Sqlite, SqliteConnection, SqlitePool, Transaction, query,
    query_scalar,
};
use tidegate_base::limit::COLLECTED_ROWS_MAX;

use super::engine::{Engine, Key, Owner, Stored};

/// `PRAGMA synchronous`: from here on a commit survives a power cut, with a write-ahead log too.
const FULL: i64 = 2;

impl Engine for Sqlite {
    async fn open(pool: &SqlitePool) -> Result<Transaction<'static, Self>, sqlx::Error> {
        // A transaction that only begins to write later fails, instead of waiting, when another has written since.
        let begin = "BEGIN IMMEDIATE".into_sql_str();
        loop {
            let mut connection = pool.acquire().await?;
            if !connection.is_in_transaction() {
                return Transaction::begin(connection, Some(begin)).await;
            }
            // A full disk has rolled an earlier transaction back by itself, and its driver believes that it still runs:
            // this connection can begin none any more.
            connection.close_on_drop();
        }
    }

    async fn risk(connection: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
        let synchronous: i64 = query_scalar("PRAGMA synchronous")
            .fetch_one(connection)
            .await?;
        Ok((synchronous < FULL).then(|| format!("PRAGMA synchronous = {synchronous}")))
    }

    async fn owner(
        connection: &mut SqliteConnection,
        key: &Key<'_>,
    ) -> Result<Option<Owner>, sqlx::Error> {
        let row = query("SELECT epoch, below, generation FROM tidegate_owner WHERE consumer = ?1")
            .bind(&key.consumer)
            .fetch_optional(connection)
            .await?;
        let owner = row.map(|row| {
            Ok(Owner {
                epoch: row.try_get(0)?,
                below: row.try_get(1)?,
                generation: row.try_get(2)?,
            })
        });
        owner.transpose()
    }

    async fn raise(pool: &SqlitePool, key: &Key<'_>) -> Result<(), sqlx::Error> {
        query(
            "INSERT INTO tidegate_owner (consumer, epoch) VALUES (?1, ?2)
             ON CONFLICT (consumer) DO UPDATE SET epoch = max(epoch, excluded.epoch)",
        )
        .bind(&key.consumer)
        .bind(key.epoch)
        .execute(pool)
        .await
        .map(drop)
    }

    async fn note(connection: &mut SqliteConnection, key: &Key<'_>) -> Result<bool, sqlx::Error> {
        let done = query(
            "INSERT INTO tidegate_inbox (consumer, source, id, generation, position, epoch)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (consumer, source, id, generation) DO NOTHING",
        )
        .bind(&key.consumer)
        .bind(key.source)
        .bind(key.id)
        .bind(key.generation)
        .bind(key.position)
        .bind(key.epoch)
        .execute(connection)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn keep(connection: &mut SqliteConnection, key: &Key<'_>) -> Result<bool, sqlx::Error> {
        let done = query(
            "UPDATE tidegate_inbox SET position = max(position, ?5)
             WHERE consumer = ?1 AND source = ?2 AND id = ?3 AND generation = ?4",
        )
        .bind(&key.consumer)
        .bind(key.source)
        .bind(key.id)
        .bind(key.generation)
        .bind(key.position)
        .execute(connection)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn emit(connection: &mut SqliteConnection, event: &Stored) -> Result<(), sqlx::Error> {
        query(
            "INSERT INTO tidegate_outbox (id, source, type, key, time, content_type, data, attributes)
             VALUES (?1, ?2, ?3, ?4, coalesce(?5, strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), ?6, ?7, ?8)
             ON CONFLICT (source, id) DO NOTHING",
        )
        .bind(&event.id)
        .bind(&event.source)
        .bind(&event.event_type)
        .bind(&event.key)
        .bind(&event.time)
        .bind(&event.content_type)
        .bind(&event.data)
        .bind(&event.attributes)
        .execute(connection)
        .await
        .map(drop)
    }

    async fn leave(
        connection: &mut SqliteConnection,
        key: &Key<'_>,
        outputs: i32,
    ) -> Result<bool, sqlx::Error> {
        let done = query(
            "UPDATE tidegate_inbox SET outputs = ?5
             WHERE consumer = ?1 AND source = ?2 AND id = ?3 AND generation = ?4",
        )
        .bind(&key.consumer)
        .bind(key.source)
        .bind(key.id)
        .bind(key.generation)
        .bind(outputs)
        .execute(connection)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn close(
        pool: &SqlitePool,
        consumer: &str,
        below: i64,
        generation: i64,
    ) -> Result<bool, sqlx::Error> {
        // With one writer at a time, whoever writes later has read this.
        let done = query(
            "INSERT INTO tidegate_owner (consumer, epoch, below, generation) VALUES (?1, 0, ?2, ?3)
             ON CONFLICT (consumer) DO UPDATE SET below = excluded.below, generation = excluded.generation
             WHERE tidegate_owner.below <= excluded.below AND tidegate_owner.generation <= excluded.generation",
        )
        .bind(consumer)
        .bind(below)
        .bind(generation)
        .execute(pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn collect(
        pool: &SqlitePool,
        consumer: &str,
        below: i64,
        generation: i64,
    ) -> Result<u64, sqlx::Error> {
        let done = query(
            "DELETE FROM tidegate_inbox
             WHERE (consumer, source, id, generation) IN (
                 SELECT consumer, source, id, generation FROM tidegate_inbox
                 WHERE consumer = ?1 AND position < ?2 AND generation <= ?3 LIMIT ?4)",
        )
        .bind(consumer)
        .bind(below)
        .bind(generation)
        .bind(i64::try_from(COLLECTED_ROWS_MAX).unwrap_or(i64::MAX))
        .execute(pool)
        .await?;
        Ok(done.rows_affected())
    }
}
