//! What operators ask of and do to an outbox in SQLite.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, query, query_scalar};

use super::{Change, Filter, Listed, OutboxError, RowState, Status};

/// Whether row `o` waits: a row of its key that goes before it was refused.
macro_rules! is_held {
    () => {
        "EXISTS (SELECT 1 FROM tidegate_outbox r WHERE r.state = 'refused' AND r.key = o.key AND r.number < o.number)"
    };
}
pub(super) use is_held;

pub(super) async fn status(
    session: &mut SqliteConnection,
    relay: bool,
) -> Result<Status, OutboxError> {
    let row = query(concat!(
        "SELECT count(*) FILTER (WHERE state = 'new' AND NOT is_held) AS new,
                count(*) FILTER (WHERE state = 'new' AND is_held) AS held,
                count(*) FILTER (WHERE state = 'refused') AS refused,
                count(*) FILTER (WHERE state = 'sent') AS sent,
                count(*) FILTER (WHERE state = 'skipped') AS skipped,
                CAST((julianday('now') - julianday(min(changed_at) FILTER (WHERE state = 'new' AND NOT is_held)))
                     * 86400.0 AS REAL) AS oldest
         FROM (SELECT state, changed_at,
                      ",
        is_held!(),
        " AS is_held
               FROM tidegate_outbox o)",
    ))
    .fetch_one(&mut *session)
    .await?;
    let journal: String = query_scalar("PRAGMA journal_mode")
        .fetch_one(session)
        .await?;
    let mut warnings = Vec::new();
    if journal != "wal" {
        warnings.push(format!(
            "the journal mode is {journal}: the relay and the service wait for each other; run the script of `tidegate \
             outbox sql` again"
        ));
    }
    let oldest: Option<f64> = row.try_get("oldest")?;
    Ok(Status {
        new: row.try_get("new")?,
        held: row.try_get("held")?,
        refused: row.try_get("refused")?,
        sent: row.try_get("sent")?,
        skipped: row.try_get("skipped")?,
        oldest_new_seconds: oldest.map(|seconds| seconds.max(0.0)),
        relay,
        warnings,
    })
}

pub(super) async fn list(
    session: &mut SqliteConnection,
    filter: &Filter,
) -> Result<Vec<Listed>, OutboxError> {
    let rows = query(concat!(
        "SELECT * FROM (
             SELECT number, id, source, type, key, CAST(time AS TEXT) AS time, reason,
                    CAST(changed_at AS TEXT) AS changed_at, coalesce(length(CAST(data AS BLOB)), 0) AS data_bytes,
                    CASE WHEN state = 'new' AND ",
        is_held!(),
        "
                         THEN 'held' ELSE state END AS state
             FROM tidegate_outbox o WHERE number > ?2)
         WHERE ?1 IS NULL OR state = ?1
         ORDER BY number LIMIT ?3",
    ))
    .bind(filter.state.map(RowState::as_str))
    .bind(filter.after)
    .bind(i64::from(filter.limit))
    .fetch_all(session)
    .await?;
    rows.iter().map(listed).collect()
}

fn listed(row: &SqliteRow) -> Result<Listed, OutboxError> {
    Ok(Listed {
        number: row.try_get("number")?,
        id: row.try_get("id")?,
        source: row.try_get("source")?,
        event_type: row.try_get("type")?,
        key: row.try_get("key")?,
        time: row.try_get("time")?,
        state: RowState::of(row.try_get("state")?),
        reason: row.try_get("reason")?,
        changed_at: row.try_get("changed_at")?,
        data_bytes: row.try_get("data_bytes")?,
    })
}

pub(super) async fn change(
    session: &mut SqliteConnection,
    numbers: &[i64],
    change: &Change,
) -> Result<Vec<i64>, OutboxError> {
    let (state, reason) = change.written();
    let numbers = serde_json::Value::from(numbers).to_string();
    let changed = query_scalar(
        "UPDATE tidegate_outbox
         SET state = ?2, changed_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
             reason = CASE WHEN ?3 IS NOT NULL THEN ?3 || ' (refused: ' || coalesce(reason, '') || ')' END
         WHERE state = 'refused' AND number IN (SELECT value FROM json_each(?1)) RETURNING number",
    )
    .bind(numbers)
    .bind(state)
    .bind(reason)
    .fetch_all(session)
    .await?;
    Ok(changed)
}
