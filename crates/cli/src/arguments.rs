//! The command line, as written.

pub(crate) mod asyncapi;
pub(crate) mod contracts;
pub(crate) mod estate;
pub(crate) mod event;
pub(crate) mod letters;
pub(crate) mod operate;
pub(crate) mod outbox;
pub(crate) mod past;
pub(crate) mod schema;
pub(crate) mod size;
pub(crate) mod types;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tidegate_base::{Bytes, Name, Ratio, parse_duration};
use tidegate_discover::Supposition;

use self::operate::{Breaker, Consumer, Dlq, Why};
use crate::client::DaemonUrl;

/// From the traces of today's system to a running, measured, event-driven one.
#[derive(Debug, Parser)]
#[command(
    name = "tidegate",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 yes · 1 ran, and the answer is no · 2 usage or configuration · \
                  3 unreachable · 4 not allowed · 5 partly done"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented starting design
    Init(Init),
    /// Check a design: every finding with its place and the next step
    Check(Check),
    /// Hold what consumers rely on against what producers may send, version by version
    Contracts(contracts::Contracts),
    /// Say who reads an event or one of its fields, and who breaks if it changes
    Impact(contracts::Impact),
    /// Explain the code of a finding
    Explain(Explain),
    /// Show what of recorded traces or process logs could become events
    Discover(Discover),
    /// Choose the messaging infrastructure for a design, with reasons
    Select(Select),
    /// Say how much a design needs: partitions, workers, brokers, disk, and how long a catch-up takes
    Size(size::Size),
    /// Simulate a design: backlog and latency of each consumer
    Simulate(Simulate),
    /// Write artefacts from a design
    #[command(subcommand)]
    Generate(Generate),
    /// Validate AsyncAPI documents
    #[command(subcommand)]
    Asyncapi(asyncapi::Asyncapi),
    /// Make a design of AsyncAPI documents, of a schema registry or of a broker
    Import(asyncapi::ImportAny),
    /// Run a design on the embedded log, with the console
    Run(Run),
    /// Run the checkout example with recorded traffic and injected faults
    Demo(Demo),
    /// Measure a design on the embedded log against its targets
    Bench(Bench),
    /// Verify, dump or repair a log that is not running
    #[command(subcommand)]
    Log(Log),
    /// List, redrive, discard or export the dead letters of a running daemon
    #[command(subcommand)]
    Dlq(Box<Dlq>),
    /// Show, pause, resume, replay or skip the consumers of a running daemon
    #[command(subcommand)]
    Consumer(Consumer),
    /// Show, open or reset the breakers of a running daemon
    #[command(subcommand)]
    Breaker(Breaker),
    /// Say where an event is at each of its consumers, and what it waits for
    Why(Why),
    /// Publish from a table of a service's database, and see to what was refused
    #[command(subcommand)]
    Outbox(outbox::Outbox),
    /// Compare versions of a schema, with the event that breaks; hold events against one
    #[command(subcommand)]
    Schema(schema::Schema),
    /// Hold events in files against CloudEvents 1.0
    #[command(subcommand)]
    Event(event::Event),
    /// Say what has to be made or changed on a broker for a design; with --apply, do it
    Apply(estate::Apply),
    /// Say where a broker is not as a design wants it: exit code 1 when it is not
    Drift(estate::Drift),
    /// Say what the settings of a broker really promise to each consumer, and what to change
    Doctor(estate::Doctor),
    /// Hold brokers against a design
    #[command(subcommand)]
    Broker(estate::Broker),
    /// Say how far behind readers of a broker are, in messages and in seconds
    Lag(estate::LagOf),
    /// Read the dead letters that others have left on a broker
    #[command(subcommand)]
    DeadLetters(estate::DeadLetters),
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder to write the design into
    #[arg(default_value = ".")]
    pub(crate) folder: PathBuf,
    /// The system's name [default: the folder's name]
    #[arg(long)]
    pub(crate) system: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The design: a file, or a folder of YAML files
    pub(crate) design: PathBuf,
    /// How to print the findings
    #[arg(long, value_enum, default_value_t = CheckFormat::Human)]
    pub(crate) format: CheckFormat,
    /// The least severity that fails the check
    #[arg(long, value_enum, default_value_t = Threshold::Error)]
    pub(crate) fail_on: Threshold,
    #[command(flatten)]
    pub(crate) past: past::Past,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum CheckFormat {
    Human,
    Json,
    Sarif,
    Junit,
    Github,
    Markdown,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Threshold {
    Error,
    Warning,
    Note,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The code, such as E0301; without it, every code with its title
    pub(crate) code: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Discover {
    /// Captures of traces, as OTLP (JSON, JSON lines, protobuf), Jaeger JSON, Zipkin v2 or CSV,
    /// plain, gzip or zstd; or process logs, as XES, OCEL 2.0 (JSON, XML, SQLite) or CSV: told by
    /// content. Files, folders, patterns, or `-` for standard input
    #[arg(required_unless_present = "diff")]
    pub(crate) files: Vec<PathBuf>,
    /// Compare two captures, or two process logs: what became slower, and where
    #[arg(long, num_args = 2, value_names = ["BEFORE", "AFTER"], conflicts_with_all = ["files", "draft"])]
    pub(crate) diff: Vec<PathBuf>,
    /// The columns of tables. With one span a row: `trace=HEADER,span=HEADER,parent=…,service=…,
    /// operation=…,start=HEADER:UNIT,duration=HEADER:UNIT,status=…` with the units s, ms, us and ns;
    /// or `alibaba`. Of a process log: `case=HEADER,activity=HEADER,start=…,end=…,resource=…`, also
    /// `enabled`, `lifecycle`, and `object-type` for the cases of an object-centric log
    #[arg(long, value_name = "COLUMNS")]
    pub(crate) columns: Option<String>,
    /// The most memory for spans that wait for the rest of their traces; what is more goes through
    /// temporary files [default: 192 MiB]
    #[arg(long, value_name = "BYTES", value_parser = Bytes::parse)]
    pub(crate) memory: Option<Bytes>,
    /// Take no word of an operation as evidence for a change
    #[arg(long)]
    pub(crate) no_vocabulary: bool,
    /// How long a caller is busy publishing an event
    #[arg(long, value_name = "DURATION", default_value = "2ms", value_parser = parse_duration)]
    pub(crate) publish_time: Duration,
    /// Requests that take longer take too long [default: their 95th percentile]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) slo: Option<Duration>,
    /// How many requests a caller handles at once; tells what less waiting saves in its queue
    /// [default: as many as are busy four fifths of the time]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) workers: Option<u32>,
    /// What if these calls were made otherwise: `async:SERVICE/OPERATION`, `parallel:…` (without waiting
    /// for the call before it), `remove:…` or `slow=20ms:…`; without an operation, all calls of the service. Can be
    /// given several times, each answered by itself
    #[arg(long, value_name = "CHANGE:CALLS", conflicts_with = "diff")]
    pub(crate) what_if: Vec<Supposition>,
    /// Write a draft design with the measured volumes into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) draft: Option<PathBuf>,
    /// The system's name in the draft [default: the folder's name]
    #[arg(long, requires = "draft")]
    pub(crate) system: Option<String>,
    /// How to print the report
    #[arg(long, value_enum, default_value_t = DiscoverFormat::Human)]
    pub(crate) format: DiscoverFormat,
    /// Write the report into this file instead
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// The activity with which a case of a process log ends for who waits for it
    #[arg(long, value_name = "ACTIVITY")]
    pub(crate) visible_end: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiscoverFormat {
    Human,
    Json,
    Markdown,
    Html,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    Human,
    Json,
    Markdown,
}

#[derive(Debug, Args)]
pub(crate) struct Select {
    /// The design: a file, or a folder of YAML files
    pub(crate) design: PathBuf,
    /// How to print the selection; markdown is a decision record (MADR)
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// The design: a file, or a folder of YAML files
    pub(crate) design: PathBuf,
    /// How much time to simulate
    #[arg(long, value_parser = parse_duration, default_value = "10m")]
    pub(crate) duration: Duration,
    /// The share of attempts that fail and are retried
    #[arg(long, value_parser = Ratio::parse, default_value = "0%")]
    pub(crate) failures: Ratio,
    /// A dependency that is down: NAME@FROM+LENGTH, such as payments-api@2m+30s
    #[arg(long, value_name = "OUTAGE")]
    pub(crate) outage: Vec<String>,
    /// Take arrivals and handler times from a recording [default: those of the design, varying as in
    /// a recording.jsonl beside it]
    #[arg(long, value_name = "FILE")]
    pub(crate) recording: Option<PathBuf>,
    /// Where the random numbers start: the same seed gives the same result
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Generate {
    /// An AsyncAPI 3.0 document
    Asyncapi(Asyncapi),
    /// A Mermaid flowchart
    Mermaid(Mermaid),
    /// Types of the events in Rust, for serde
    Rust(types::Types),
    /// Types of the events in TypeScript
    Typescript(types::Types),
    /// Types of the events in Java 17: records
    Java(types::JavaTypes),
    /// Types of the events in Python 3.11: data classes
    Python(types::Types),
    /// A script that makes the topics with Kafka's own tools
    KafkaTopics(estate::KafkaTopics),
    /// Topics and users as resources of Kubernetes, for Strimzi
    Strimzi(estate::Strimzi),
    /// Definitions for `rabbitmqctl import_definitions`
    RabbitmqDefinitions(estate::RabbitmqDefinitions),
    /// Configurations of the stream and its consumers, for `nats stream add --config`
    Nats(estate::NatsFiles),
}

#[derive(Debug, Args)]
pub(crate) struct Asyncapi {
    /// The design: a file, or a folder of YAML files
    pub(crate) design: PathBuf,
    /// Only this service's view of the system
    #[arg(long, conflicts_with = "out")]
    pub(crate) service: Option<String>,
    /// Write one document a service into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// The version of AsyncAPI
    #[arg(long, value_enum, default_value_t = AsyncapiVersion::V3_0)]
    pub(crate) spec: AsyncapiVersion,
    /// The notation of the document
    #[arg(long, value_enum, default_value_t = DocumentFormat::Yaml)]
    pub(crate) format: DocumentFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AsyncapiVersion {
    #[value(name = "3.0")]
    V3_0,
    #[value(name = "3.1")]
    V3_1,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DocumentFormat {
    Yaml,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Mermaid {
    /// The design: a file, or a folder of YAML files
    pub(crate) design: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The design: a file, or a folder of YAML files
    pub(crate) design: PathBuf,
    #[command(flatten)]
    pub(crate) serve: Serve,
    /// Where the log is kept
    #[arg(long, value_name = "DIR", default_value = "tidegate-data")]
    pub(crate) data: PathBuf,
    /// Run on this broker instead of the embedded log:
    /// `kafka://HOST:PORT[,HOST:PORT…][?prefix=P&partitions=N&replication=N]`,
    /// `nats://HOST:PORT[,HOST:PORT…][?prefix=P&shards=N&replicas=N]` or
    /// `amqp://HOST[:PORT][,HOST…][/VHOST][?prefix=P&shards=N&replicas=N]`
    #[arg(long, value_name = "URL")]
    pub(crate) broker: Option<String>,
    /// Settings of the broker's client, such as those of TLS and SASL: lines `name=value`
    #[arg(long, value_name = "FILE", requires = "broker")]
    pub(crate) broker_config: Option<PathBuf>,
    /// Who publishes: nobody; a recording beside the design; or a generator at the target rates.
    /// With traffic, stand-in services take the place of the consumers
    #[arg(long, value_enum, default_value_t = Traffic::None)]
    pub(crate) traffic: Traffic,
    /// The recording to play [default: recording.jsonl beside the design]
    #[arg(long, value_name = "FILE")]
    pub(crate) recording: Option<PathBuf>,
    /// A story of faults for the stand-in services
    #[arg(long, value_name = "FILE")]
    pub(crate) scenario: Option<PathBuf>,
    /// How much faster than recorded, or the factor of the target rates
    #[arg(long, default_value_t = 1.0, value_parser = parse_speed)]
    pub(crate) speed: f64,
    /// By whose rules the schema registry compares schemas
    #[arg(long = "registry", value_name = "RULES", value_enum, default_value_t = RegistryRules::Confluent)]
    pub(crate) registry_rules: RegistryRules,
    /// The schema registry in which records of the broker name their schemas, such as
    /// http://localhost:8081: their payloads are read with those, and consumers get them as JSON
    #[arg(long, value_name = "URL", requires = "broker")]
    pub(crate) registry_url: Option<DaemonUrl>,
    /// A file with USER:PASSWORD for that registry
    #[arg(long, value_name = "FILE", requires = "registry_url")]
    pub(crate) registry_credentials_file: Option<PathBuf>,
    /// Whether what is published here is written to the broker as that registry's clients do
    #[arg(long, value_name = "MODE", value_enum, default_value_t = WireFormat::Read, requires = "registry_url")]
    pub(crate) wire_format: WireFormat,
    /// Receive traces over HTTP, and say at `/v1/discover` what those of the last 15 minutes show
    #[arg(
        long,
        value_name = "ADDRESS",
        value_parser = parse_listen,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "127.0.0.1:4318"
    )]
    pub(crate) otlp_http: Option<SocketAddr>,
    /// The same over gRPC
    #[arg(
        long,
        value_name = "ADDRESS",
        value_parser = parse_listen,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "127.0.0.1:4317"
    )]
    pub(crate) otlp_grpc: Option<SocketAddr>,
}

/// What is done about the wire format of schema registries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum WireFormat {
    /// It is read; what is published here is written as it came
    #[default]
    Read,
    /// What is published is written so as well, with schemas that are registered already
    Write,
    /// The same, and schemas that are missing are registered first
    Register,
}

/// By whose rules the schema registry compares schemas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum RegistryRules {
    // As the Confluent Schema Registry answers; what events do is said as well.
    #[default]
    Confluent,
    // By what readers do with every event that a writer may write.
    Exact,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen; beyond this machine only with a token
    #[arg(
        long,
        value_name = "ADDRESS",
        value_parser = parse_listen,
        default_value = "127.0.0.1:7070"
    )]
    pub(crate) listen: SocketAddr,
    /// The file with the token that requests must carry
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Traffic {
    None,
    Recorded,
    Synthetic,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    #[command(flatten)]
    pub(crate) serve: Serve,
    /// Keep the log here instead of in a temporary folder
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// The design: a file, or a folder of YAML files
    pub(crate) design: PathBuf,
    /// How long to measure, after the warm-up
    #[arg(long, value_parser = parse_duration, default_value = "10s")]
    pub(crate) duration: Duration,
    /// How long to warm up
    #[arg(long, value_parser = parse_duration, default_value = "2s")]
    pub(crate) warm_up: Duration,
    /// The factor of the target rates
    #[arg(long, default_value_t = 1.0, value_parser = parse_speed)]
    pub(crate) load: f64,
    /// Keep the log here instead of in a temporary folder: what is measured is this disk
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Log {
    /// Read every byte of a log, and say what it holds and what is damaged
    Verify(LogVerify),
    /// Print every record of a log, also of a damaged one
    Dump(LogDump),
    /// Write damaged segments anew with all that is whole, and keep the damaged files aside
    Repair(LogRepair),
}

#[derive(Debug, Args)]
pub(crate) struct LogVerify {
    /// Where the log is kept, such as tidegate-data
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// How to print the report
    #[arg(long, value_enum, default_value_t = LogFormat::Human)]
    pub(crate) format: LogFormat,
}

#[derive(Debug, Args)]
pub(crate) struct LogDump {
    /// Where the log is kept, such as tidegate-data
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// Only the records of this channel
    #[arg(long, value_name = "NAME")]
    pub(crate) channel: Option<Name>,
    /// From this position on
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    pub(crate) from: u64,
    /// Before this position
    #[arg(long, value_name = "POSITION")]
    pub(crate) to: Option<u64>,
    /// No more than this many records
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// How to print records; json is one object a line
    #[arg(long, value_enum, default_value_t = LogFormat::Human)]
    pub(crate) format: LogFormat,
}

#[derive(Debug, Args)]
pub(crate) struct LogRepair {
    /// Where the log is kept, such as tidegate-data
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// Say what would be done, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How to print what was done
    #[arg(long, value_enum, default_value_t = LogFormat::Human)]
    pub(crate) format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Human,
    Json,
}

/// An address and a port; `localhost` is 127.0.0.1.
fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let numeric = text
        .strip_prefix("localhost:")
        .map(|port| format!("127.0.0.1:{port}"));
    let numeric = numeric.as_deref().unwrap_or(text);
    numeric
        .parse()
        .map_err(|_| format!("`{text}` is not ADDRESS:PORT, such as 127.0.0.1:7070"))
}

fn parse_speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text
        .parse()
        .map_err(|_| format!("`{text}` is not a number"))?;
    if (0.001..=1_000.0).contains(&speed) {
        Ok(speed)
    } else {
        Err(format!("{speed} is outside 0.001 to 1000"))
    }
}
