//! What operators ask of and do to an outbox in PostgreSQL.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row, query, query_as, query_scalar};

use super::postgres::TIME_FORMAT;
use super::{Change, Filter, Listed, OutboxError, RowState, Status};

/// Whether row `o` waits: a row of its key that goes before it was refused.
macro_rules! is_held {
    () => {
        "EXISTS (SELECT FROM tidegate_outbox r WHERE r.state = 'refused' AND r.key = o.key
                AND (coalesce(r.position, 9223372036854775807), r.number)
                  < (coalesce(o.position, 9223372036854775807), o.number))"
    };
}
pub(super) use is_held;

pub(super) async fn status(session: &mut PgConnection) -> Result<Status, OutboxError> {
    let row = query(concat!(
        "SELECT count(*) FILTER (WHERE state = 'new' AND NOT is_held) AS new,
                count(*) FILTER (WHERE state = 'new' AND is_held) AS held,
                count(*) FILTER (WHERE state = 'refused') AS refused,
                count(*) FILTER (WHERE state = 'sent') AS sent,
                count(*) FILTER (WHERE state = 'skipped') AS skipped,
                extract(epoch FROM now() - min(changed_at) FILTER (WHERE state = 'new' AND NOT is_held))::float8
                    AS oldest
         FROM (SELECT state, changed_at,
                      ",
        is_held!(),
        " AS is_held
               FROM tidegate_outbox o) AS rows",
    ))
    .fetch_one(&mut *session)
    .await?;
    let relay = query_scalar(
        "SELECT EXISTS (SELECT FROM pg_locks
                        WHERE locktype = 'advisory' AND granted AND classid = 1413760071 AND objsubid = 2
                          AND objid = 'tidegate_outbox'::regclass::oid
                          AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
    )
    .fetch_one(&mut *session)
    .await?;
    Ok(Status {
        new: row.try_get("new")?,
        held: row.try_get("held")?,
        refused: row.try_get("refused")?,
        sent: row.try_get("sent")?,
        skipped: row.try_get("skipped")?,
        oldest_new_seconds: row.try_get("oldest")?,
        relay,
        warnings: warnings(session).await?,
    })
}

/// What no longer is as the script has made it.
async fn warnings(session: &mut PgConnection) -> Result<Vec<String>, OutboxError> {
    let enabled: Vec<(String, bool)> = query_as(
        "SELECT tgname::text, tgenabled <> 'D' FROM pg_trigger
         WHERE tgrelid = 'tidegate_outbox'::regclass AND NOT tgisinternal",
    )
    .fetch_all(&mut *session)
    .await?;
    let (cache, last, most): (i64, Option<i64>, Option<i64>) = query_as(
        "SELECT cache_size, last_value, (SELECT max(position) FROM tidegate_outbox WHERE state = 'new')
         FROM pg_sequences WHERE format('%I.%I', schemaname, sequencename)::regclass
                                 = 'tidegate_outbox_position'::regclass",
    )
    .fetch_one(&mut *session)
    .await?;
    let is_on = |name: &str| enabled.iter().any(|(other, on)| other == name && *on);
    let mut warnings = Vec::new();
    if !is_on("tidegate_outbox_place") {
        warnings.push(
            "the trigger tidegate_outbox_place is absent or disabled: rows are published in the order of their \
             numbers, which need not be that of their commits; run the script of `tidegate outbox sql` again"
                .to_owned(),
        );
    }
    if !is_on("tidegate_outbox_wake") {
        warnings.push(
            "the trigger tidegate_outbox_wake is absent or disabled: the relay looks for rows once in its poll interval"
                .to_owned(),
        );
    }
    if cache > 1 {
        warnings.push(format!(
            "the sequence tidegate_outbox_position hands out {cache} positions at a time, out of order: ALTER SEQUENCE \
             tidegate_outbox_position CACHE 1"
        ));
    }
    if most > last {
        warnings.push(
            "rows have positions that the sequence tidegate_outbox_position has not reached, as after a copy without \
             it: SELECT setval('tidegate_outbox_position', (SELECT max(position) FROM tidegate_outbox))"
                .to_owned(),
        );
    }
    Ok(warnings)
}

pub(super) async fn list(
    session: &mut PgConnection,
    filter: &Filter,
) -> Result<Vec<Listed>, OutboxError> {
    let rows = query(concat!(
        "SELECT * FROM (
             SELECT number, id, source, type, key, to_char(time AT TIME ZONE 'UTC', $4) AS time, reason,
                    to_char(changed_at AT TIME ZONE 'UTC', $4) AS changed_at,
                    coalesce(octet_length(data), 0)::bigint AS data_bytes,
                    CASE WHEN state = 'new' AND ",
        is_held!(),
        "
                         THEN 'held' ELSE state END AS state
             FROM tidegate_outbox o WHERE number > $2) AS rows
         WHERE $1::text IS NULL OR state = $1
         ORDER BY number LIMIT $3",
    ))
    .bind(filter.state.map(RowState::as_str))
    .bind(filter.after)
    .bind(i64::from(filter.limit))
    .bind(TIME_FORMAT)
    .fetch_all(session)
    .await?;
    rows.iter().map(listed).collect()
}

fn listed(row: &PgRow) -> Result<Listed, OutboxError> {
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
    session: &mut PgConnection,
    numbers: &[i64],
    change: &Change,
) -> Result<Vec<i64>, OutboxError> {
    let (state, reason) = change.written();
    // What an operator is told has been done is done for good, whatever the relay's own notes may be.
    let mut transaction = sqlx::Connection::begin(session).await?;
    query("SET LOCAL synchronous_commit = on")
        .execute(&mut *transaction)
        .await?;
    let changed = query_scalar(
        "UPDATE tidegate_outbox
         SET state = $2, changed_at = now(),
             reason = CASE WHEN $3::text IS NOT NULL THEN $3 || ' (refused: ' || coalesce(reason, '') || ')' END
         WHERE number = ANY ($1) AND state = 'refused' RETURNING number",
    )
    .bind(numbers)
    .bind(state)
    .bind(reason)
    .fetch_all(&mut *transaction)
    .await?;
    query("NOTIFY tidegate_outbox")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(changed)
}
