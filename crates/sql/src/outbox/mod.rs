//! The table of events to be published, as a relay and an operator need it.

#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "postgres")]
mod postgres_operate;
mod row;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
#[cfg(feature = "sqlite")]
mod sqlite_operate;

use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use thiserror::Error;

pub use self::row::Pending;
use crate::transient::is_transient;

/// An outbox in a database. A value holds its connections; [`Outbox::claim`] opens them.
pub trait Outbox: Send {
    /// Connects where nothing is connected, and takes the right to publish, which one relay of the outbox has at a
    /// time; whether it has it now. It is lost with the connection.
    fn claim(&mut self) -> impl Future<Output = Result<bool, OutboxError>> + Send;

    /// Rows to publish, in the order of publishing: at most `events`, and at most `bytes` unless it is one row. Rows
    /// whose key is held are left out.
    fn pending(
        &mut self,
        events: usize,
        bytes: usize,
    ) -> impl Future<Output = Result<Vec<Pending>, OutboxError>> + Send;

    /// Notes that the rows with these numbers have been taken.
    fn mark_sent(
        &mut self,
        numbers: &[i64],
    ) -> impl Future<Output = Result<(), OutboxError>> + Send;

    /// Notes that a row can never be published, and why: its key is held from now on.
    fn mark_refused(
        &mut self,
        number: i64,
        reason: &str,
    ) -> impl Future<Output = Result<(), OutboxError>> + Send;

    /// Deletes some of what is over and needs not be kept; how many rows.
    fn clean(&mut self, kept: &Kept) -> impl Future<Output = Result<u64, OutboxError>> + Send;

    /// Waits until there may be something new, at most so long.
    fn wait(&mut self, at_most: Duration) -> impl Future<Output = ()> + Send;

    /// Lets go of connections and of the right to publish.
    fn close(&mut self) -> impl Future<Output = ()> + Send;

    /// How the outbox does. It may be asked without a claim, as all that follows.
    fn status(&mut self) -> impl Future<Output = Result<Status, OutboxError>> + Send;

    /// Rows, oldest first.
    fn list(
        &mut self,
        filter: &Filter,
    ) -> impl Future<Output = Result<Vec<Listed>, OutboxError>> + Send;

    /// Changes refused rows; the numbers of those that were.
    fn change(
        &mut self,
        numbers: &[i64],
        change: &Change,
    ) -> impl Future<Output = Result<Vec<i64>, OutboxError>> + Send;
}

/// How much of what is over is kept for people to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// No row longer than this.
    pub age: Duration,
    /// No more rows than this, however young.
    pub rows: u64,
}

/// What an operator does with refused rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// They are published again, in their old place.
    Retry,
    /// They are given up, for this reason: what waits behind goes on.
    Skip {
        /// Why.
        reason: String,
    },
}

impl Change {
    /// The state that rows get, and the reason that is noted.
    fn written(&self) -> (&str, Option<&str>) {
        match self {
            Self::Retry => ("new", None),
            Self::Skip { reason } => ("skipped", Some(reason)),
        }
    }
}

/// Which rows are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Only those in this state.
    pub state: Option<RowState>,
    /// Only those with a larger number.
    pub after: i64,
    /// No more than this many.
    pub limit: u32,
}

/// The state of a row, as people are told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RowState {
    /// It is published next.
    New,
    /// It waits behind a refused row of its key.
    Held,
    /// The daemon has it.
    Sent,
    /// The daemon will never take it as it is.
    Refused,
    /// An operator has given it up.
    Skipped,
}

impl RowState {
    /// The state as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Held => "held",
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::Skipped => "skipped",
        }
    }

    fn of(text: &str) -> Self {
        match text {
            "held" => Self::Held,
            "sent" => Self::Sent,
            "refused" => Self::Refused,
            "skipped" => Self::Skipped,
            _ => Self::New,
        }
    }
}

/// A row, as people are told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its name.
    pub number: i64,
    /// CloudEvents `id`.
    pub id: String,
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `type`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Its key.
    pub key: Option<String>,
    /// CloudEvents `time`.
    pub time: String,
    /// Its state.
    pub state: RowState,
    /// Why it was refused or skipped.
    pub reason: Option<String>,
    /// When its state changed.
    pub changed_at: String,
    /// The size of its payload.
    pub data_bytes: i64,
}

/// How an outbox does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Rows that can be published.
    pub new: i64,
    /// Rows that wait behind a refused one of their key.
    pub held: i64,
    /// Rows that will never be published as they are.
    pub refused: i64,
    /// Rows that were published and are kept.
    pub sent: i64,
    /// Rows that were given up and are kept.
    pub skipped: i64,
    /// How long the oldest row has waited that can be published, in seconds.
    pub oldest_new_seconds: Option<f64>,
    /// Whether a relay has the right to publish.
    pub relay: bool,
    /// What is wrong with the tables.
    pub warnings: Vec<String>,
}

/// Why an outbox does not answer.
#[derive(Debug, Error)]
pub enum OutboxError {
    /// The URL is none of such a database.
    #[error("the database's URL is wrong: {0}")]
    Url(#[source] sqlx::Error),
    /// The database is not there.
    #[error("cannot reach the database: {0}")]
    Unreachable(#[source] sqlx::Error),
    /// It has not answered in time.
    #[error("the database did not answer within {} s", .0.as_secs())]
    Late(Duration),
    /// The database does not let this user in, or not do this.
    #[error("the database does not allow it: {0}")]
    NotAllowed(#[source] sqlx::Error),
    /// The tables are not there.
    #[error("the database has no outbox: {0}")]
    NoTables(#[source] sqlx::Error),
    /// The right to publish was not asked for, or is lost.
    #[error("the right to publish is lost")]
    NotClaimed,
    /// Something else.
    #[error("the database refused: {0}")]
    Database(#[source] sqlx::Error),
    /// The file that keeps a second relay away cannot be used.
    #[error("cannot lock `{file}`: {cause}")]
    Lock {
        /// The file.
        file: String,
        /// Why not.
        cause: std::io::Error,
    },
}

impl From<sqlx::Error> for OutboxError {
    fn from(error: sqlx::Error) -> Self {
        let code = match &error {
            sqlx::Error::Database(error) => error.code().unwrap_or_default().into_owned(),
            _ => String::new(),
        };
        let no_table = |error: &sqlx::Error| {
            let sqlx::Error::Database(error) = error else {
                return false;
            };
            error.message().starts_with("no such table")
        };
        match code.as_str() {
            "42P01" | "42703" => Self::NoTables(error),
            _ if no_table(&error) => Self::NoTables(error),
            "42501" | "28000" | "28P01" => Self::NotAllowed(error),
            _ if is_transient(&error) => Self::Unreachable(error),
            _ => Self::Database(error),
        }
    }
}
