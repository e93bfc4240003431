//! Effects in PostgreSQL.

use sqlx::{PgConnection, PgPool, Postgres, Row, Transaction, query, query_scalar};
use tidegate_base::limit::COLLECTED_ROWS_MAX;

use super::engine::{Engine, Key, Owner, Stored};

impl Engine for Postgres {
    async fn open(pool: &PgPool) -> Result<Transaction<'static, Self>, sqlx::Error> {
        pool.begin().await
    }

    async fn risk(_: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
        // `owner` sees to it in its statement: a round trip less.
        Ok(None)
    }

    async fn owner(
        connection: &mut PgConnection,
        key: &Key<'_>,
    ) -> Result<Option<Owner>, sqlx::Error> {
        // A commit that is lost in a power cut after the delivery was acknowledged would be an effect never had. Only
        // `off` allows that: a stronger setting stays as it is.
        let row = query(
            "SELECT epoch, below, generation,
                    CASE current_setting('synchronous_commit')
                         WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END
             FROM (VALUES (1)) AS one LEFT JOIN tidegate_owner ON consumer = $1",
        )
        .bind(&key.consumer)
        .fetch_one(connection)
        .await?;
        let Some(epoch) = row.try_get(0)? else {
            return Ok(None);
        };
        let (below, generation) = (row.try_get(1)?, row.try_get(2)?);
        Ok(Some(Owner {
            epoch,
            below,
            generation,
        }))
    }

    async fn raise(pool: &PgPool, key: &Key<'_>) -> Result<(), sqlx::Error> {
        query(
            "INSERT INTO tidegate_owner (consumer, epoch) VALUES ($1, $2)
             ON CONFLICT (consumer) DO UPDATE SET epoch = excluded.epoch
             WHERE tidegate_owner.epoch < excluded.epoch",
        )
        .bind(&key.consumer)
        .bind(key.epoch)
        .execute(pool)
        .await
        .map(drop)
    }

    async fn note(connection: &mut PgConnection, key: &Key<'_>) -> Result<bool, sqlx::Error> {
        let done = query(
            "INSERT INTO tidegate_inbox (consumer, source, id, generation, position, epoch)
             VALUES ($1, $2, $3, $4, $5, $6)
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

    async fn keep(connection: &mut PgConnection, key: &Key<'_>) -> Result<bool, sqlx::Error> {
        let done = query(
            "UPDATE tidegate_inbox SET position = greatest(position, $5)
             WHERE consumer = $1 AND source = $2 AND id = $3 AND generation = $4",
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

    async fn emit(connection: &mut PgConnection, event: &Stored) -> Result<(), sqlx::Error> {
        query(
            "INSERT INTO tidegate_outbox (id, source, type, key, time, content_type, data, attributes)
             VALUES ($1, $2, $3, $4, coalesce($5::text::timestamptz, now()), $6, $7, $8::text::jsonb)
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
        connection: &mut PgConnection,
        key: &Key<'_>,
        outputs: i32,
    ) -> Result<bool, sqlx::Error> {
        // The note of an earlier run may have been collected after `owner` and before this one was made: this statement
        // sees that, as it comes after the note.
        let done = query(
            "UPDATE tidegate_inbox SET outputs = $5
             WHERE consumer = $1 AND source = $2 AND id = $3 AND generation = $4
               AND NOT EXISTS (SELECT 1 FROM tidegate_owner AS o
                               WHERE o.consumer = $1 AND o.below > $6 AND o.generation >= $4)",
        )
        .bind(&key.consumer)
        .bind(key.source)
        .bind(key.id)
        .bind(key.generation)
        .bind(outputs)
        .bind(key.position)
        .execute(connection)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn close(
        pool: &PgPool,
        consumer: &str,
        below: i64,
        generation: i64,
    ) -> Result<bool, sqlx::Error> {
        let done = query(
            "INSERT INTO tidegate_owner (consumer, epoch, below, generation) VALUES ($1, 0, $2, $3)
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
        pool: &PgPool,
        consumer: &str,
        below: i64,
        generation: i64,
    ) -> Result<u64, sqlx::Error> {
        // The position is asked twice: a duplicate may raise it while this waits for the row.
        let deleted: i64 = query_scalar(
            "WITH gone AS (
                 DELETE FROM tidegate_inbox
                 WHERE ctid = ANY (ARRAY (SELECT ctid FROM tidegate_inbox
                                          WHERE consumer = $1 AND position < $2 AND generation <= $3 LIMIT $4))
                   AND position < $2
                 RETURNING 1)
             SELECT count(*) FROM gone",
        )
        .bind(consumer)
        .bind(below)
        .bind(generation)
        .bind(i64::try_from(COLLECTED_ROWS_MAX).unwrap_or(i64::MAX))
        .fetch_one(pool)
        .await?;
        Ok(deleted.unsigned_abs())
    }
}
