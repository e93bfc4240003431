//! The commands about events in files, as written.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum Event {
    /// Hold events against CloudEvents 1.0: what is wrong, and where
    Validate(EventValidate),
}

#[derive(Debug, Args)]
pub(crate) struct EventValidate {
    /// Files with events in the JSON format: one, a batch, or one a line; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// How to print the answer
    #[arg(long, value_enum, default_value_t = EventFormat::Human)]
    pub(crate) format: EventFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EventFormat {
    Human,
    Json,
}
