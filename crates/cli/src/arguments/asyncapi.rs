//! Arguments of `tidegate asyncapi` and `tidegate import`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use tidegate_base::parse_duration;

use super::{CheckFormat, Threshold};
use crate::client::DaemonUrl;

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

/// Of files, or of a broker that runs.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(crate) struct ImportAny {
    #[command(subcommand)]
    pub(crate) import: Option<Import>,
    /// A running broker: kafka://HOST:PORT, amqp://HOST:PORT/VHOST or nats://HOST:PORT
    #[arg(long, value_name = "URL")]
    pub(crate) from: Option<String>,
    /// Settings of the broker's client, such as its credentials: lines `name=value`
    #[arg(long, value_name = "FILE", requires = "from")]
    pub(crate) broker_config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// One design of AsyncAPI documents, one document per application
    Asyncapi(ImportAsyncapi),
    /// The events of a running schema registry, with their schemas
    Registry(ImportRegistry),
    /// The queues of RabbitMQ, from an export of its definitions
    Rabbitmq(ImportRabbitmq),
}

#[derive(Debug, Args)]
pub(crate) struct ImportAsyncapi {
    /// Documents of AsyncAPI 2 or 3, in YAML or JSON; files that they refer to are read too
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct ImportRegistry {
    /// The registry, such as http://localhost:8081
    pub(crate) url: DaemonUrl,
    /// A file with USER:PASSWORD for the registry
    #[arg(long, value_name = "FILE")]
    pub(crate) credentials_file: Option<PathBuf>,
    /// How long to wait for each answer
    #[arg(long, value_parser = parse_duration, default_value = "30s")]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct ImportRabbitmq {
    /// The export: `rabbitmqctl export_definitions FILE`, or that of the management console
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Where a design goes, and what it is called.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// Write the design and its schemas into this folder, instead of printing the design
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// The system's name [default: as the documents say, or the folder's name]
    #[arg(long)]
    pub(crate) system: Option<String>,
}
