//! Process logs from the file system: which files are some, and object-centric ones in a database.

use std::fs;
use std::io::{self, Read, Write as _};
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use tidegate_base::limit::{LOG_EVENTS_MAX, LOG_FILE_BYTES_MAX, LOG_RELATIONS_MAX};
use tidegate_trace::process::{
    self, Columns, EventLog, EventRow, LogFormat, OcelRows, START_BYTES, read_log, sniff,
    sniff_start,
};

use crate::captures;
use crate::design_files::{read_bytes, unreadable};
use crate::exit::Failure;

/// Whether the file is a process log, by its first bytes. What cannot be read is none: who reads
/// it says why.
pub(crate) fn is_log(path: &Path, columns: &Columns) -> bool {
    start(path).is_some_and(|start| sniff_start(&start, columns).is_some())
}

/// What to do with a file that is nearly a process log.
pub(crate) fn hint(path: &Path) -> Option<String> {
    process::hint(&start(path)?)
}

/// The first bytes of a file, or of standard input; `None` when they cannot be read, or only once.
fn start(path: &Path) -> Option<Vec<u8>> {
    if captures::is_stdin(path) {
        return captures::start_of_stdin(START_BYTES).ok();
    }
    let file = fs::File::open(path).ok()?;
    file.metadata().ok().filter(fs::Metadata::is_file)?;
    let mut start = Vec::new();
    let most = u64::try_from(START_BYTES).unwrap_or(u64::MAX);
    file.take(most).read_to_end(&mut start).ok()?;
    Some(start)
}

/// Reads one process log.
///
/// # Errors
///
/// When it cannot be read, or is not one.
pub(crate) fn read(path: &Path, columns: &Columns) -> Result<EventLog, Failure> {
    if captures::is_stdin(path) {
        return read_stdin(columns);
    }
    let bytes = read_bytes(path, LOG_FILE_BYTES_MAX).map_err(|error| unreadable(path, &error))?;
    let name = path.display().to_string();
    let log = if sniff(&bytes, columns) == Some(LogFormat::OcelSqlite) {
        drop(bytes);
        let rows = database(path)?;
        rows.into_log(&name, LogFormat::OcelSqlite, columns)
    } else {
        read_log(&name, &bytes, columns)
    };
    log.map_err(|error| Failure::configuration(error.to_string()))
}

/// Reads the process log on standard input; a database goes through a temporary file.
fn read_stdin(columns: &Columns) -> Result<EventLog, Failure> {
    const NAME: &str = "standard input";
    let failed = |error: io::Error| Failure::configuration(format!("{NAME}: {error}"));
    let most = u64::try_from(LOG_FILE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let mut input = captures::stdin().take(most.saturating_add(1));
    input.read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > LOG_FILE_BYTES_MAX {
        let message = format!("{NAME}: more than {LOG_FILE_BYTES_MAX} bytes");
        return Err(Failure::configuration(message).hint("split the log by time"));
    }
    let log = if sniff(&bytes, columns) == Some(LogFormat::OcelSqlite) {
        let mut file = tempfile::NamedTempFile::new().map_err(failed)?;
        file.write_all(&bytes).map_err(failed)?;
        drop(bytes);
        database(file.path())?.into_log(NAME, LogFormat::OcelSqlite, columns)
    } else {
        read_log(NAME, &bytes, columns)
    };
    log.map_err(|error| Failure::configuration(error.to_string()))
}

/// The rows of an OCEL 2.0 database.
fn database(path: &Path) -> Result<OcelRows, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::configuration(format!("cannot start a runtime: {error}")))?;
    runtime.block_on(rows(path)).map_err(|error| {
        let message = format!("{}: not an OCEL 2.0 database: {error}", path.display());
        Failure::configuration(message).hint(
            "it needs the tables event, object, event_object and event_map_type, and one table \
             for each event type; export it again",
        )
    })
}

async fn rows(path: &Path) -> Result<OcelRows, String> {
    let words = |error: sqlx::Error| error.to_string();
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .immutable(true)
        .disable_statement_logging()
        .connect()
        .await
        .map_err(words)?;
    let read = tables(&mut connection).await;
    connection.close().await.map_err(words)?;
    read
}

async fn tables(connection: &mut SqliteConnection) -> Result<OcelRows, String> {
    let words = |error: sqlx::Error| error.to_string();
    let mut rows = OcelRows::default();
    let objects = sqlx::query("SELECT ocel_id, ocel_type FROM object ORDER BY ocel_id")
        .fetch_all(&mut *connection)
        .await
        .map_err(words)?;
    for row in objects {
        rows.objects.push((text(&row, 0)?, text(&row, 1)?));
    }
    let types = sqlx::query("SELECT ocel_type, ocel_type_map FROM event_map_type ORDER BY 1")
        .fetch_all(&mut *connection)
        .await
        .map_err(words)?;
    for row in types {
        let (kind, map) = (text(&row, 0)?, text(&row, 1)?);
        events(connection, &kind, &map, &mut rows).await?;
    }
    rows.events.sort_by(|a, b| a.id.cmp(&b.id));
    let most = i64::try_from(LOG_RELATIONS_MAX)
        .unwrap_or(i64::MAX)
        .saturating_add(1);
    let relations =
        sqlx::query("SELECT ocel_event_id, ocel_object_id FROM event_object ORDER BY 1, 2 LIMIT ?")
            .bind(most)
            .fetch_all(&mut *connection)
            .await
            .map_err(words)?;
    for row in relations {
        let (event, object) = (text(&row, 0)?, text(&row, 1)?);
        let place = rows
            .events
            .binary_search_by(|known| known.id.as_str().cmp(&event));
        match place.ok().and_then(|place| rows.events.get_mut(place)) {
            Some(known) => known.objects.push(object),
            None => {
                return Err(format!(
                    "`event_object` names the event `{event}`, which is in no table"
                ));
            }
        }
    }
    Ok(rows)
}

/// The events of one type: its table has the time, and who did it where a column says so.
async fn events(
    connection: &mut SqliteConnection,
    kind: &str,
    map: &str,
    rows: &mut OcelRows,
) -> Result<(), String> {
    let words = |error: sqlx::Error| error.to_string();
    let table = format!("event_{map}").replace('"', "\"\"");
    let columns = sqlx::query("SELECT name FROM pragma_table_info(?)")
        .bind(format!("event_{map}"))
        .fetch_all(&mut *connection)
        .await
        .map_err(words)?;
    let mut has_resource = false;
    for column in columns {
        has_resource |= text(&column, 0)? == "resource";
    }
    let resource = if has_resource { "\"resource\"" } else { "NULL" };
    // The name of the table is of the database itself, and quoted.
    let query = format!("SELECT ocel_id, ocel_time, {resource} FROM \"{table}\" ORDER BY ocel_id");
    let found = sqlx::query(AssertSqlSafe(query))
        .fetch_all(&mut *connection)
        .await
        .map_err(words)?;
    if rows.events.len() + found.len() > LOG_EVENTS_MAX {
        return Err(format!(
            "more than {LOG_EVENTS_MAX} events; split the log by time"
        ));
    }
    for row in found {
        rows.events.push(EventRow {
            id: text(&row, 0)?,
            kind: kind.to_owned(),
            time: text(&row, 1)?,
            resource: row.try_get::<Option<String>, _>(2).unwrap_or_default(),
            objects: Vec::new(),
            line: 0,
        });
    }
    Ok(())
}

/// A column as text, whatever SQLite keeps it as.
fn text(row: &sqlx::sqlite::SqliteRow, column: usize) -> Result<String, String> {
    if let Ok(text) = row.try_get_unchecked::<String, _>(column) {
        return Ok(text);
    }
    let number = row.try_get_unchecked::<i64, _>(column);
    number
        .map(|number| number.to_string())
        .map_err(|error| error.to_string())
}
