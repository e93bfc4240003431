//! What a design is checked against, as written.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tidegate_base::parse_duration;

use super::schema::{OpenContent, Rules};

#[derive(Debug, Args)]
#[command(next_help_heading = "Against the past")]
pub(crate) struct Past {
    /// Find every change that breaks against what the design was: a git ref (`origin/main`, or
    /// `main:old/design.yaml` when it was elsewhere), a folder or a file. Given again: versions
    /// before that one, the newest first, for schemas in a transitive mode
    #[arg(long, value_name = "REF|PATH")]
    pub(crate) against: Vec<String>,
    /// Show the changes that break nothing too
    #[arg(long, requires = "against")]
    pub(crate) harmless: bool,
    /// A YAML file of changes that are accepted, each with its reason and its last day
    #[arg(long, value_name = "FILE", requires = "against")]
    pub(crate) accept: Option<PathBuf>,
    /// By whose rules schemas are compared, where their format has them; else by the exact ones
    #[arg(long, value_enum, default_value_t = Rules::Exact, requires = "against")]
    pub(crate) profile: Rules,
    /// What is taken of names that an open JSON Schema does not declare: a writer may send them, or
    /// they are reserved and it never does
    #[arg(long, value_enum, default_value_t = OpenContent::Exact, requires = "against")]
    pub(crate) open_content: OpenContent,
    /// How long schemas may be compared; what is not decided by then is not proved
    #[arg(long, value_parser = parse_duration, default_value = "30s", requires = "against")]
    pub(crate) deadline: Duration,
}
