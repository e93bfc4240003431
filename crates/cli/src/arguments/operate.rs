//! The commands that ask a running daemon, as written.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use tidegate_base::{ConsumerId, Name, parse_duration};

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
    pub(crate) asked: Asked,
    /// How to print what was done; json is the daemon's own answer
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

#[derive(Debug, Args)]
pub(crate) struct ConsumerResume {
    /// The consumer
    #[arg(value_name = "SERVICE/EVENT")]
    pub(crate) consumer: ConsumerId,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// How to print what was done; json is the daemon's own answer
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Breaker {
    /// List the dependencies, and whether the breaker of each is open
    List(StateQuery),
    /// Open a breaker: hold what needs the dependency until it is reset
    Open(BreakerOpen),
    /// Close a breaker, and forget the failures that it has counted
    Reset(BreakerReset),
}

#[derive(Debug, Args)]
pub(crate) struct BreakerOpen {
    /// The dependency
    #[arg(value_name = "NAME")]
    pub(crate) dependency: Name,
    /// Why, for those who see it open
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// How to print what was done; json is the daemon's own answer
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

#[derive(Debug, Args)]
pub(crate) struct BreakerReset {
    /// The dependency
    #[arg(value_name = "NAME")]
    pub(crate) dependency: Name,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// How to print what was done; json is the daemon's own answer
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

fn parse_reason(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("it is empty".to_owned()),
        1..=REASON_BYTES_MAX => Ok(text.to_owned()),
        bytes => Err(format!(
            "it has {bytes} bytes; the most is {REASON_BYTES_MAX}"
        )),
    }
}
