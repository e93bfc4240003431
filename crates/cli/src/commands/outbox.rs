//! `tidegate outbox`: the tables, the rows, and what is to become of refused ones.

use serde_json::json;
use tidegate_sql::{
    Change, Filter, Listed, Outbox as _, OutboxError, PostgresOutbox, RowState, SqliteOutbox,
    Status,
};

use crate::arguments::operate::AnswerFormat;
use crate::arguments::outbox::{
    Database, Engine, Outbox, OutboxList, OutboxRetry, OutboxSql, OutboxStatus, State,
};
use crate::commands::outbox_relay;
use crate::commands::select::pretty;
use crate::design_files::{read_text, unreadable};
use crate::exit::{Exit, Failure, Kind};
use crate::table::{Cell, Side, Tone, facts, seconds, table};
use crate::terminal::{self, say, shown};

/// Largest file with a URL, in bytes.
const URL_BYTES_MAX: usize = 8_192;
/// Widest reason in a table.
const REASON_WIDTH: usize = 60;
/// Rows that are retried at once when all are.
const RETRIED_AT_ONCE: u32 = 1_000;

/// An outbox in one of the databases.
pub(super) enum Opened {
    Postgres(Box<PostgresOutbox>),
    Sqlite(Box<SqliteOutbox>),
}

/// Does the same with either database.
macro_rules! with {
    ($opened:expr, $outbox:pat => $done:expr) => {
        match $opened {
            Opened::Postgres($outbox) => $done,
            Opened::Sqlite($outbox) => $done,
        }
    };
}
pub(super) use with;

pub(crate) fn run(command: &Outbox) -> Result<Exit, Failure> {
    match command {
        Outbox::Sql(arguments) => sql(arguments),
        Outbox::Relay(arguments) => outbox_relay::run(arguments),
        Outbox::Status(arguments) => status(arguments),
        Outbox::List(arguments) => list(arguments),
        Outbox::Retry(arguments) if arguments.all => retry_all(arguments),
        Outbox::Retry(arguments) => change(
            &arguments.database,
            &arguments.ids,
            &Change::Retry,
            arguments.format,
        ),
        Outbox::Skip(arguments) => {
            let reason = arguments.reason.clone();
            let skip = Change::Skip { reason };
            change(&arguments.database, &arguments.ids, &skip, arguments.format)
        }
    }
}

fn sql(arguments: &OutboxSql) -> Result<Exit, Failure> {
    terminal::print(match arguments.database {
        Engine::Postgres => tidegate_sql::POSTGRES,
        Engine::Sqlite => tidegate_sql::SQLITE,
    })?;
    Ok(Exit::Yes)
}

/// The outbox that the arguments or the environment name. Nothing is connected yet.
pub(super) fn open(database: &Database) -> Result<Opened, Failure> {
    let url = match &database.database_url_file {
        Some(file) => read_text(file, URL_BYTES_MAX).map_err(|error| unreadable(file, &error))?,
        None => url_of_environment()?,
    };
    let url = url.trim();
    // It is never printed: it may hold a password.
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => PostgresOutbox::from_url(url)
            .map(|outbox| Opened::Postgres(Box::new(outbox)))
            .map_err(|error| failed(&error)),
        Some("sqlite") => SqliteOutbox::from_url(url)
            .map(|outbox| Opened::Sqlite(Box::new(outbox)))
            .map_err(|error| failed(&error)),
        _ => Err(Failure::configuration(
            "the database's URL begins with neither postgres:// nor sqlite://",
        )),
    }
}

fn url_of_environment() -> Result<String, Failure> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the environment is read"
    )]
    let url = std::env::var("TIDEGATE_DATABASE_URL");
    url.map_err(|_| {
        Failure::configuration("no database is named").hint(
            "set TIDEGATE_DATABASE_URL, or write the URL into a file and name it with --database-url-file FILE",
        )
    })
}

/// What a database that does not answer means for the exit code.
pub(super) fn failed(error: &OutboxError) -> Failure {
    let kind = match error {
        OutboxError::Unreachable(_) | OutboxError::Late(_) => Kind::Unreachable,
        OutboxError::NotAllowed(_) => Kind::NotAllowed,
        _ => Kind::Configuration,
    };
    let failure = Failure::new(kind, shown(&error.to_string()));
    match error {
        OutboxError::NoTables(_) => failure
            .hint("make its tables with the script that `tidegate outbox sql --database …` prints"),
        _ => failure,
    }
}

/// Runs a question to a database.
fn asked<T>(question: impl Future<Output = Result<T, OutboxError>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::caused(Kind::Configuration, &error))?;
    runtime.block_on(question).map_err(|error| failed(&error))
}

fn status(arguments: &OutboxStatus) -> Result<Exit, Failure> {
    let opened = open(&arguments.database)?;
    let status = with!(opened, mut outbox => asked(async { outbox.status().await }))?;
    terminal::print(&match arguments.format {
        AnswerFormat::Human => told(&status),
        AnswerFormat::Json => pretty(&json!(status)),
    })?;
    Ok(if status.refused > 0 {
        Exit::No
    } else {
        Exit::Yes
    })
}

fn told(status: &Status) -> String {
    let waits = status.oldest_new_seconds.map(seconds);
    let relay = if status.relay { "runs" } else { "does not run" };
    let mut text = facts(&[
        ("relay", Some(relay.to_owned())),
        ("new", Some(status.new.to_string())),
        ("oldest waits", waits),
        ("held", Some(status.held.to_string())),
        ("refused", Some(status.refused.to_string())),
        ("sent, kept", Some(status.sent.to_string())),
        ("skipped, kept", Some(status.skipped.to_string())),
    ]);
    for warning in &status.warnings {
        text.push_str(&format!("warning: {}\n", shown(warning)));
    }
    text
}

fn list(arguments: &OutboxList) -> Result<Exit, Failure> {
    let filter = Filter {
        state: arguments.state.map(|state| match state {
            State::New => RowState::New,
            State::Held => RowState::Held,
            State::Sent => RowState::Sent,
            State::Refused => RowState::Refused,
            State::Skipped => RowState::Skipped,
        }),
        after: arguments.after,
        limit: arguments.limit,
    };
    let opened = open(&arguments.database)?;
    let rows = with!(opened, mut outbox => asked(async { outbox.list(&filter).await }))?;
    match arguments.format {
        AnswerFormat::Json => terminal::print(&pretty(&json!({ "rows": rows })))?,
        AnswerFormat::Human if rows.is_empty() => say("no rows"),
        AnswerFormat::Human => terminal::print(&listed(&rows, terminal::paints_stdout()))?,
    }
    Ok(if rows.is_empty() { Exit::No } else { Exit::Yes })
}

fn listed(rows: &[Listed], paint: bool) -> String {
    let heads = [
        ("id", Side::Right),
        ("state", Side::Left),
        ("type", Side::Left),
        ("key", Side::Left),
        ("event", Side::Left),
        ("time", Side::Left),
        ("reason", Side::Left),
    ];
    let cells = rows.iter().map(|row| {
        let tone = match row.state {
            RowState::New => Tone::Plain,
            RowState::Sent => Tone::Good,
            RowState::Held | RowState::Skipped => Tone::Poor,
            RowState::Refused => Tone::Bad,
        };
        [
            Cell::new(&row.number.to_string()),
            Cell::toned(row.state.as_str(), tone),
            Cell::new(&row.event_type),
            Cell::new(row.key.as_deref().unwrap_or("-")),
            Cell::new(&format!("{} {}", row.source, row.id)),
            Cell::new(&row.time),
            Cell::cut(row.reason.as_deref().unwrap_or("-"), REASON_WIDTH),
        ]
    });
    table(heads, cells, paint)
}

fn change(
    database: &Database,
    ids: &[i64],
    change: &Change,
    format: AnswerFormat,
) -> Result<Exit, Failure> {
    let opened = open(database)?;
    let changed = with!(opened, mut outbox => asked(async { outbox.change(ids, change).await }))?;
    let unchanged: Vec<i64> = ids
        .iter()
        .copied()
        .filter(|id| !changed.contains(id))
        .collect();
    let done = match change {
        Change::Retry => "retried",
        Change::Skip { .. } => "skipped",
    };
    match format {
        AnswerFormat::Json => {
            terminal::print(&pretty(&json!({ done: changed, "unchanged": unchanged })))?;
        }
        AnswerFormat::Human => {
            if !changed.is_empty() {
                terminal::print(&format!("{done}: {}", joined(&changed)))?;
            }
            if !unchanged.is_empty() {
                say(&format!(
                    "not refused, and left alone: {}",
                    joined(&unchanged)
                ));
            }
        }
    }
    Ok(match (changed.is_empty(), unchanged.is_empty()) {
        (_, true) => Exit::Yes,
        (true, false) => Exit::No,
        (false, false) => Exit::Partly,
    })
}

/// Retries whatever is refused, oldest first. One that is refused again meanwhile is not retried twice.
fn retry_all(arguments: &OutboxRetry) -> Result<Exit, Failure> {
    let opened = open(&arguments.database)?;
    let retried = with!(opened, mut outbox => asked(async {
        let mut retried = Vec::new();
        let mut filter = Filter {
            state: Some(RowState::Refused),
            after: 0,
            limit: RETRIED_AT_ONCE,
        };
        loop {
            let rows = outbox.list(&filter).await?;
            let numbers: Vec<i64> = rows.iter().map(|row| row.number).collect();
            let Some(last) = numbers.last() else {
                return Ok(retried);
            };
            filter.after = *last;
            retried.extend(outbox.change(&numbers, &Change::Retry).await?);
        }
    }))?;
    match arguments.format {
        AnswerFormat::Json => {
            terminal::print(&pretty(&json!({ "retried": retried, "unchanged": [] })))?;
        }
        AnswerFormat::Human if retried.is_empty() => say("no row is refused"),
        AnswerFormat::Human => terminal::print(&format!("retried: {} rows", retried.len()))?,
    }
    Ok(match retried.is_empty() {
        true => Exit::No,
        false => Exit::Yes,
    })
}

fn joined(numbers: &[i64]) -> String {
    let words: Vec<String> = numbers.iter().map(i64::to_string).collect();
    words.join(", ")
}
