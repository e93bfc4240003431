//! Arguments of `tidegate asyncapi` and `tidegate import`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{CheckFormat, Threshold};

#[derive(Debug, Subcommand)]
pub(crate) enum Asyncapi {
    /// Say what is wrong with AsyncAPI documents: every finding with its place and the next step
    Validate(Validate),
}

#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// Documents of AsyncAPI 2 or 3, in YAML or JSON; files that they refer to are read too
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// How to print the findings
    #[arg(long, value_enum, default_value_t = CheckFormat::Human)]
    pub(crate) format: CheckFormat,
    /// The least severity that fails the validation
    #[arg(long, value_enum, default_value_t = Threshold::Error)]
    pub(crate) fail_on: Threshold,
}
