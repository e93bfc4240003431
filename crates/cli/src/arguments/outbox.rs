//! The commands about an outbox in a service's database, as written.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use tidegate_base::parse_duration;

use super::operate::{AnswerFormat, Asked, parse_reason};

#[derive(Debug, Subcommand)]
pub(crate) enum Outbox {
    /// Print the script that makes the tables; it may be run again
    Sql(OutboxSql),
    /// Publish what is committed in an outbox to a daemon, until interrupted
    Relay(OutboxRelay),
    /// Show how an outbox does: what waits, what was refused, whether a relay runs
    Status(OutboxStatus),
    /// List the rows of an outbox, oldest first
    List(OutboxList),
    /// Publish refused rows again, in their old place
    Retry(OutboxRetry),
    /// Give refused rows up, with a reason: what waits behind them goes on
    Skip(OutboxSkip),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    Postgres,
    Sqlite,
}

#[derive(Debug, Args)]
pub(crate) struct OutboxSql {
    /// Which database the tables are for
    #[arg(long, value_enum)]
    pub(crate) database: Engine,
}

/// Which database. Its URL may hold a password: every user of the machine can read a command line.
#[derive(Debug, Args)]
pub(crate) struct Database {
    /// The file with the database's URL: postgres://… or sqlite://… [default: the environment's
    /// TIDEGATE_DATABASE_URL]
    #[arg(long, value_name = "FILE")]
    pub(crate) database_url_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct OutboxRelay {
    #[command(flatten)]
    pub(crate) database: Database,
    /// How often rows are looked for when the database does not say that there are any
    #[arg(long, value_parser = parse_duration, default_value = "1s")]
    pub(crate) poll: Duration,
    /// Most events that are published at once
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=1_000),
        default_value_t = 500
    )]
    pub(crate) batch: u16,
    /// How long published rows are kept to be looked at
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "1d")]
    pub(crate) keep: Duration,
    /// How many published rows are kept at most
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) keep_rows: u64,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Args)]
pub(crate) struct OutboxStatus {
    #[command(flatten)]
    pub(crate) database: Database,
    /// How to print the status
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    New,
    Held,
    Sent,
    Refused,
    Skipped,
}

#[derive(Debug, Args)]
pub(crate) struct OutboxList {
    #[command(flatten)]
    pub(crate) database: Database,
    /// Only rows in this state
    #[arg(long, value_enum)]
    pub(crate) state: Option<State>,
    /// No more than this many
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=1_000),
        default_value_t = 100
    )]
    pub(crate) limit: u32,
    /// Those behind this row: the last of the page before
    #[arg(long, value_name = "ID", default_value_t = 0)]
    pub(crate) after: i64,
    /// How to print the rows
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

#[derive(Debug, Args)]
pub(crate) struct OutboxRetry {
    /// These rows, as `outbox list` numbers them
    #[arg(value_name = "ID", required_unless_present = "all")]
    pub(crate) ids: Vec<i64>,
    /// Every row that is refused
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) database: Database,
    /// How to print what was done
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

#[derive(Debug, Args)]
pub(crate) struct OutboxSkip {
    /// These rows, as `outbox list` numbers them
    #[arg(value_name = "ID", required = true)]
    pub(crate) ids: Vec<i64>,
    /// Why nothing is to come of them; it is kept with them
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) database: Database,
    /// How to print what was done
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}
