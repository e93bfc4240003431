//! Contracts of producers and consumers.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::ReportFormat;

#[derive(Debug, Args)]
pub(crate) struct Contracts {
    /// The design: a file, or a folder of YAML files
    pub(crate) design: PathBuf,
    /// How to print the matrix of producers, versions and consumers
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, Args)]
pub(crate) struct Impact {
    /// The design: a file, or a folder of YAML files
    pub(crate) design: PathBuf,
    /// The event, or one of its fields: `OrderPlaced`, `OrderPlaced#/customer/id`
    #[arg(value_name = "EVENT[#/FIELD]")]
    pub(crate) what: String,
    /// How to print the impact
    #[arg(long, value_enum, default_value_t = ImpactFormat::Human)]
    pub(crate) format: ImpactFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImpactFormat {
    Human,
    Json,
}
