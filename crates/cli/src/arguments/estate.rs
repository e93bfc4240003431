//! The commands about brokers that run already, as written.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Threshold;
use super::operate::AnswerFormat;

/// Which broker.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// The broker: `kafka://HOST:PORT[,…]`, `amqp://HOST[:PORT]/VHOST` (asked by its management
    /// plugin, `?management=HOST:PORT`) or `nats://HOST:PORT[,…]`; what is made there, by
    /// `?prefix=P&replicas=N`, of Kafka `?prefix=P&partitions=N&replication=N`
    #[arg(long, value_name = "URL")]
    pub(crate) broker: String,
    /// Settings of the broker's client, such as those of TLS, and credentials: lines `name=value`
    #[arg(long, value_name = "FILE")]
    pub(crate) broker_config: Option<PathBuf>,
}

/// Who reads and writes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum UsedBy {
    /// Services, with clients of the broker
    Clients,
    /// `tidegate run --broker`
    Runtime,
}

#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// The design: a file, or a folder of YAML files
    pub(crate) design: PathBuf,
    #[command(flatten)]
    pub(crate) at: At,
    /// Make the changes; without it they are only said
    #[arg(long)]
    pub(crate) apply: bool,
    /// Make the destructive changes of this topic, queue, stream or consumer too
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm: Vec<String>,
    /// Who reads and writes there [default: of Kafka, runtime where the state of the system is;
    /// otherwise clients]
    #[arg(long = "for", value_enum)]
    pub(crate) used_by: Option<UsedBy>,
    /// How to print the plan
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

#[derive(Debug, Args)]
pub(crate) struct Drift {
    /// The design: a file, or a folder of YAML files
    pub(crate) design: PathBuf,
    #[command(flatten)]
    pub(crate) at: At,
    /// Who reads and writes there [default: of Kafka, runtime where the state of the system is;
    /// otherwise clients]
    #[arg(long = "for", value_enum)]
    pub(crate) used_by: Option<UsedBy>,
    /// How to print the difference
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The design: a file, or a folder of YAML files
    pub(crate) design: PathBuf,
    #[command(flatten)]
    pub(crate) at: At,
    /// Who reads and writes there [default: of Kafka, runtime where the state of the system is;
    /// otherwise clients]
    #[arg(long = "for", value_enum)]
    pub(crate) used_by: Option<UsedBy>,
    /// The least severity that fails
    #[arg(long, value_enum, default_value_t = Threshold::Error)]
    pub(crate) fail_on: Threshold,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Broker {
    /// Say what each broker does by itself for the promises of a design, and what is lost
    Compare(Compare),
}

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// The design: a file, or a folder of YAML files
    pub(crate) design: PathBuf,
    /// How to print the table
    #[arg(long, value_enum, default_value_t = CompareFormat::Human)]
    pub(crate) format: CompareFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompareFormat {
    Human,
    Json,
    Markdown,
}

#[derive(Debug, Args)]
pub(crate) struct LagOf {
    /// Only this group of Kafka, queue of RabbitMQ, or consumer of NATS (`STREAM/CONSUMER`)
    pub(crate) reader: Option<String>,
    #[command(flatten)]
    pub(crate) at: At,
    /// How to print how far behind they are
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// Read the first messages of a topic, queue or stream as dead letters of Spring, Kafka Connect,
    /// NServiceBus, MassTransit or RabbitMQ; nobody's place is moved
    Read(ReadLetters),
}

#[derive(Debug, Args)]
pub(crate) struct ReadLetters {
    /// The topic, queue or stream
    pub(crate) source: String,
    #[command(flatten)]
    pub(crate) at: At,
    /// No more than this many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) limit: u16,
    /// How to print them
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

/// What a design does not say.
#[derive(Debug, Args)]
pub(crate) struct Made {
    /// What names begin with
    #[arg(
        long,
        value_name = "PREFIX",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) prefix: String,
    /// Copies of everything [default: 3 on Kafka; else as the broker says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=99))]
    pub(crate) replication: Option<u32>,
}

/// What a design does not say of topics.
#[derive(Debug, Args)]
pub(crate) struct MadeTopics {
    #[command(flatten)]
    pub(crate) made: Made,
    /// Partitions of every topic [default: as many as the targets need]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) partitions: Option<u32>,
    /// Who reads and writes there
    #[arg(long = "for", value_enum, default_value_t = UsedBy::Clients)]
    pub(crate) used_by: UsedBy,
}

#[derive(Debug, Args)]
pub(crate) struct KafkaTopics {
    /// The design: a file, or a folder of YAML files
    pub(crate) design: PathBuf,
    #[command(flatten)]
    pub(crate) topics: MadeTopics,
}

#[derive(Debug, Args)]
pub(crate) struct Strimzi {
    /// The design: a file, or a folder of YAML files
    pub(crate) design: PathBuf,
    #[command(flatten)]
    pub(crate) topics: MadeTopics,
    /// The name of the `Kafka` resource
    #[arg(long, value_name = "NAME", default_value = "kafka")]
    pub(crate) cluster: String,
}

#[derive(Debug, Args)]
pub(crate) struct RabbitmqDefinitions {
    /// The design: a file, or a folder of YAML files
    pub(crate) design: PathBuf,
    #[command(flatten)]
    pub(crate) made: Made,
    /// The virtual host
    #[arg(long, value_name = "NAME", default_value = "/")]
    pub(crate) vhost: String,
}

#[derive(Debug, Args)]
pub(crate) struct NatsFiles {
    /// The design: a file, or a folder of YAML files
    pub(crate) design: PathBuf,
    #[command(flatten)]
    pub(crate) made: Made,
    /// Write a file for the stream and for each consumer into this folder; otherwise they are printed
    /// as one document
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}
