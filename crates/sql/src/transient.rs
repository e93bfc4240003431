//! Which errors of a database pass by themselves.

use sqlx::Error;
use sqlx::error::DatabaseError;

use crate::effects::EffectFailure;

/// Whether the same transaction, run again, may succeed: it lost a race, waited too long, or the database was away.
///
/// In Postgres these are serialization failures and deadlocks (40001, 40P01) and other rollbacks of class 40, locks
/// and statements that took too long (55P03, 57014), lost or refused connections (classes 08, 53, 57), sessions
/// ended while idle (25P03), and a standby that was met in place of the primary (25006). In SQLite, `SQLITE_BUSY` and
/// `SQLITE_LOCKED`.
#[must_use]
pub fn is_transient(error: &Error) -> bool {
    match error {
        Error::Io(_)
        | Error::Tls(_)
        | Error::PoolTimedOut
        | Error::PoolClosed
        | Error::WorkerCrashed
        | Error::BeginFailed => true,
        Error::Database(error) => of_database(error.as_ref()),
        _ => false,
    }
}

fn of_database(error: &dyn DatabaseError) -> bool {
    let Some(code) = error.code() else {
        return false;
    };
    match code.len() {
        // SQLSTATE: two characters of class, three of what.
        5 => {
            let is_class = |class| code.starts_with(class);
            ["08", "40", "53", "57"].into_iter().any(is_class)
                || matches!(&*code, "25006" | "25P03" | "55P03")
        }
        // The result codes of SQLite are numbers below 10,000. Its extended codes have the primary in the low byte.
        _ => code
            .parse::<u32>()
            .is_ok_and(|code| matches!(code & 0xff, 5 | 6)),
    }
}

/// Whether the database has said for certain that the transaction did not commit.
pub(crate) fn is_rolled_back(error: &Error) -> bool {
    let Error::Database(error) = error else {
        return false;
    };
    // A session that is ended or a connection that is lost while it waits for its commit says nothing about it.
    let code = error.code().unwrap_or_default();
    !(code.len() == 5 && (code.starts_with("57") || code.starts_with("08")))
}

/// What kind of failure an error of the database is.
pub(crate) fn failure(error: &Error) -> EffectFailure {
    let Error::Database(of_database) = error else {
        return match is_transient(error) {
            true => EffectFailure::Away,
            false => EffectFailure::Other,
        };
    };
    let code = of_database.code().unwrap_or_default();
    let message = of_database.message();
    let is_class = |class| code.len() == 5 && code.starts_with(class);
    let is_missing = message.starts_with("no such table") || message.contains("no such column");
    match &*code {
        // 42501: no right to it. 42P01 and 42703: no such table or column. 28: not let in. 3D: no such database.
        "42501" | "42P01" | "42703" => EffectFailure::SetUp,
        _ if is_class("28") || is_class("3D") || is_missing => EffectFailure::SetUp,
        "57014" => EffectFailure::Passing,
        "25006" | "25P03" => EffectFailure::Away,
        _ if is_class("08") || is_class("53") || is_class("57") => EffectFailure::Away,
        _ if is_transient(error) => EffectFailure::Passing,
        // SQLite: SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN.
        code if code.len() < 5 => match code.parse::<u32>().unwrap_or(0) & 0xff {
            8 | 10 | 13 | 14 => EffectFailure::Away,
            _ => EffectFailure::Other,
        },
        _ => EffectFailure::Other,
    }
}
