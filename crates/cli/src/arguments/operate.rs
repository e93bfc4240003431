//! The commands that ask a running daemon, as written.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};
use tidegate_base::{BreakerName, ConsumerId, parse_duration};

use super::letters::{DlqEdit, DlqJob, DlqJobs, Filter, JobOptions, LetterId, Selection};
use crate::client::DaemonUrl;

/// Longest reason of an order, in bytes: as long as the daemon keeps it.
const REASON_BYTES_MAX: usize = 1_000;

/// Which daemon is asked, and how its answer is printed.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    /// Where the daemon answers; http or https
    #[arg(
        long,
        value_name = "URL",
        env = "TIDEGATE_URL",
        hide_env_values = true,
        default_value = "http://127.0.0.1:7070"
    )]
    pub(crate) url: DaemonUrl,
    /// The file with the daemon's token
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// How long to wait for each answer
    #[arg(long, value_parser = parse_duration, default_value = "30s")]
    pub(crate) timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AnswerFormat {
    Human,
    Json,
}

/// Which daemon is told to do something, and how it says what was done.
#[derive(Debug, Args)]
pub(crate) struct Order {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// How to print what was done; json is the daemon's own answer
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Dlq {
    /// List dead letters, oldest event first
    List(DlqList),
    /// List the causes of dead letters, most frequent first
    Groups(DlqGroups),
    /// Show a dead letter in full: its event and every attempt
    Show(DlqShow),
    /// Send dead letters back to the head of their lanes, at once or as a job
    Redrive(DlqRedrive),
    /// List the redrive jobs, latest first
    Jobs(DlqJobs),
    /// Show, pause, resume or cancel a redrive job
    #[command(subcommand)]
    Job(DlqJob),
    /// Put another payload in the place of a dead letter's
    Edit(DlqEdit),
    /// Give dead letters up, with a reason; `restore` takes it back
    Discard(DlqDiscard),
    /// Make dead letters again of discarded ones
    Restore(DlqRestore),
    /// Print every dead letter in full, one JSON object a line
    Export(DlqExport),
}

#[derive(Debug, Args)]
pub(crate) struct DlqList {
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Those that were discarded, instead of those that wait
    #[arg(long)]
    pub(crate) discarded: bool,
    /// No more than this many
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..=1_000),
        default_value_t = 100
    )]
    pub(crate) limit: u64,
    /// Those behind this one: the last of the page before
    #[arg(long, value_name = "ID")]
    pub(crate) after: Option<LetterId>,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// How to print the page; json is the daemon's own answer
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

#[derive(Debug, Args)]
pub(crate) struct DlqGroups {
    #[command(flatten)]
    pub(crate) filter: Filter,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// How to print the causes
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

#[derive(Debug, Args)]
pub(crate) struct DlqShow {
    /// The dead letter: SERVICE/EVENT/SEQUENCE
    pub(crate) id: LetterId,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// How to print the dead letter; json is the daemon's own answer
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

#[derive(Debug, Args)]
pub(crate) struct DlqRedrive {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Say what would go back and what no longer keeps the design, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) job: JobOptions,
    #[command(flatten)]
    pub(crate) order: Order,
}

#[derive(Debug, Args)]
pub(crate) struct DlqDiscard {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Why nothing is to come of them; it is kept with them
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) order: Order,
}

#[derive(Debug, Args)]
pub(crate) struct DlqRestore {
    /// These discarded dead letters: SERVICE/EVENT/SEQUENCE
    #[arg(value_name = "ID", required = true)]
    pub(crate) ids: Vec<LetterId>,
    #[command(flatten)]
    pub(crate) order: Order,
}

#[derive(Debug, Args)]
pub(crate) struct DlqExport {
    #[command(flatten)]
    pub(crate) filter: Filter,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Consumer {
    /// List the consumers, and how each does
    List(StateQuery),
    /// Show how a consumer does, and why
    Show(ConsumerShow),
    /// Hold the deliveries of a consumer until it is resumed
    Pause(ConsumerPause),
    /// Let the deliveries of a paused consumer go on
    Resume(ConsumerResume),
    /// Run again what a consumer has finished, or skip what it has not
    Seek(ConsumerSeek),
}

#[derive(Debug, Args)]
pub(crate) struct StateQuery {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// How to print the list; json is that part of the daemon's state
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

#[derive(Debug, Args)]
pub(crate) struct ConsumerShow {
    /// The consumer
    #[arg(value_name = "SERVICE/EVENT")]
    pub(crate) consumer: ConsumerId,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// How to print the consumer; json is that part of the daemon's state
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

#[derive(Debug, Args)]
pub(crate) struct ConsumerPause {
    /// The consumer
    #[arg(value_name = "SERVICE/EVENT")]
    pub(crate) consumer: ConsumerId,
    /// Why, for those who see it paused
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) order: Order,
}

#[derive(Debug, Args)]
pub(crate) struct ConsumerResume {
    /// The consumer
    #[arg(value_name = "SERVICE/EVENT")]
    pub(crate) consumer: ConsumerId,
    #[command(flatten)]
    pub(crate) order: Order,
}

#[derive(Debug, Args)]
pub(crate) struct ConsumerSeek {
    /// The consumer
    #[arg(value_name = "SERVICE/EVENT")]
    pub(crate) consumer: ConsumerId,
    /// Where to: earliest, latest, a sequence or a time such as 2026-11-27T08:00:00Z. Back: what it has
    /// finished from there on runs again. Forward: what it has not finished before there is skipped
    #[arg(long, value_name = "PLACE")]
    pub(crate) to: SeekTo,
    /// Run again only what is before this place, wherever the consumer is
    #[arg(long, value_name = "PLACE")]
    pub(crate) until: Option<SeekTo>,
    /// Why; it is kept with the deliveries
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    pub(crate) reason: String,
    /// Say how many deliveries would run again or be skipped, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Skip deliveries: they never run
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// How to print what was done; json is the daemon's own answer
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

/// A place in a channel, as the daemon reads it.
#[derive(Clone, Debug)]
pub(crate) struct SeekTo(pub(crate) String);

impl FromStr for SeekTo {
    type Err = tidegate_runtime::SeekToError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<tidegate_runtime::SeekTo>()?;
        Ok(Self(text.to_owned()))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Breaker {
    /// List the dependencies and the consumers that need none, and whether the breaker of each is open
    List(StateQuery),
    /// Open a breaker: hold what is behind it until it is reset
    Open(BreakerOpen),
    /// Close a breaker, and forget the failures that it has counted
    Reset(BreakerReset),
}

#[derive(Debug, Args)]
pub(crate) struct BreakerOpen {
    /// The dependency, or a consumer that names none, SERVICE/EVENT
    #[arg(value_name = "NAME")]
    pub(crate) breaker: BreakerName,
    /// Why, for those who see it open
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) order: Order,
}

#[derive(Debug, Args)]
pub(crate) struct BreakerReset {
    /// The dependency, or a consumer that names none, SERVICE/EVENT
    #[arg(value_name = "NAME")]
    pub(crate) breaker: BreakerName,
    #[command(flatten)]
    pub(crate) order: Order,
}

#[derive(Debug, Args)]
pub(crate) struct Why {
    /// The event's `id`, or a delivery of it as lists name it: SERVICE/EVENT/SEQUENCE
    #[arg(value_name = "EVENT_ID", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) event: String,
    /// The event's `source`, where several have events of this `id`
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) source: Option<String>,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// How to print the answer; json is the daemon's own
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

pub(super) fn parse_reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    match text.len() {
        0 => Err("it is empty".to_owned()),
        1..=REASON_BYTES_MAX => Ok(text.to_owned()),
        bytes => Err(format!(
            "it has {bytes} bytes; the most is {REASON_BYTES_MAX}"
        )),
    }
}
