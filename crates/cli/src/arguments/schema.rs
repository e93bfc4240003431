//! The commands about schemas, as written.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use tidegate_base::parse_duration;
use tidegate_compat::json::{self, Draft};
use tidegate_compat::{Format, Mode, Profile};

#[derive(Debug, Subcommand)]
pub(crate) enum Schema {
    /// Say whether a new version of a schema goes with those before it, with the event that breaks
    Compat(Compat),
    /// Check that a file is a schema, and hold events against it
    Validate(Validate),
    /// List the fields of a schema: types, which are required, and what else is said of them
    Show(Show),
}

#[derive(Debug, Args)]
pub(crate) struct Compat {
    /// The versions, the oldest first and the new one last: schemas, or answers of a registry
    #[arg(required = true, num_args = 2.., value_name = "SCHEMA")]
    pub(crate) schemas: Vec<PathBuf>,
    /// What the schemas are written in
    #[arg(long, value_enum, default_value_t = Type::Json)]
    pub(crate) r#type: Type,
    /// Which versions must read the events of which: NONE, BACKWARD, FORWARD, FULL, and each of the
    /// last three with _TRANSITIVE
    #[arg(long, value_parser = parse_mode, default_value = "BACKWARD")]
    pub(crate) mode: Mode,
    /// By whose rules: exact is what a reader does with events, the others agree with a peer
    #[arg(long, value_enum, default_value_t = Rules::Exact)]
    pub(crate) profile: Rules,
    /// What is taken of names that an open object does not declare: a writer may send them, or
    /// they are reserved and it never does
    #[arg(long, value_enum, default_value_t = OpenContent::Exact)]
    pub(crate) open_content: OpenContent,
    /// How strict the registry is set whose rules are taken
    #[arg(long, value_enum, default_value_t = Policy::Strict)]
    pub(crate) policy: Policy,
    /// Compare only versions with the same value of this property of their metadata
    #[arg(long, value_name = "PROPERTY")]
    pub(crate) group: Option<String>,
    /// The message of an event, by its full name; without it every message is compared. Protobuf alone
    #[arg(long, value_name = "NAME")]
    pub(crate) message: Option<String>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// How long the comparison may take; what is not decided by then is not proved
    #[arg(long, value_parser = parse_duration, default_value = "30s")]
    pub(crate) deadline: Duration,
    /// How to print the verdict
    #[arg(long, value_enum, default_value_t = SchemaFormat::Human)]
    pub(crate) format: SchemaFormat,
}

#[derive(Debug, Args)]
pub(crate) struct Validate {
    #[command(flatten)]
    pub(crate) subject: Subject,
    /// Files with events as JSON: one value, or one a line
    #[arg(value_name = "EVENT")]
    pub(crate) events: Vec<PathBuf>,
    /// How to print the answer
    #[arg(long, value_enum, default_value_t = SchemaFormat::Human)]
    pub(crate) format: SchemaFormat,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(crate) subject: Subject,
    /// How to print the fields
    #[arg(long, value_enum, default_value_t = SchemaFormat::Human)]
    pub(crate) format: SchemaFormat,
}

/// One schema, and how it is read.
#[derive(Debug, Args)]
pub(crate) struct Subject {
    /// The schema, or the answer of a registry
    pub(crate) schema: PathBuf,
    /// What it is written in; by default as the name of the file ends: .avsc, .proto, or else json
    #[arg(long, value_enum)]
    pub(crate) r#type: Option<Type>,
    /// The message of an event; needed where the file has more than one. Protobuf alone
    #[arg(long, value_name = "NAME")]
    pub(crate) message: Option<String>,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// How schemas are read.
#[derive(Debug, Args)]
pub(crate) struct Reading {
    /// A document that schemas refer to and that does not lie beside them, by its name: FILE, or NAME=FILE
    #[arg(long = "reference", value_name = "[NAME=]FILE", value_parser = parse_reference)]
    pub(crate) references: Vec<Reference>,
    /// The draft of a JSON Schema that names none: 4, 6, 7, 2019-09 or 2020-12
    #[arg(long, value_parser = parse_draft, default_value = "2020-12")]
    pub(crate) draft: Draft,
}

#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Type {
    Json,
    Avro,
    Protobuf,
}

impl From<Type> for Format {
    fn from(given: Type) -> Self {
        match given {
            Type::Json => Self::Json,
            Type::Avro => Self::Avro,
            Type::Protobuf => Self::Protobuf,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Rules {
    Exact,
    Confluent,
    BufWire,
    BufWireJson,
}

impl From<Rules> for Profile {
    fn from(given: Rules) -> Self {
        match given {
            Rules::Exact => Self::Exact,
            Rules::Confluent => Self::Confluent,
            Rules::BufWire => Self::BufWire,
            Rules::BufWireJson => Self::BufWireJson,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum OpenContent {
    Exact,
    Reserved,
}

impl From<OpenContent> for json::OpenContent {
    fn from(given: OpenContent) -> Self {
        match given {
            OpenContent::Exact => Self::Exact,
            OpenContent::Reserved => Self::Reserved,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Policy {
    Strict,
    Lenient,
}

impl From<Policy> for json::Policy {
    fn from(given: Policy) -> Self {
        match given {
            Policy::Strict => Self::Strict,
            Policy::Lenient => Self::Lenient,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaFormat {
    Human,
    Json,
}

fn parse_mode(text: &str) -> Result<Mode, String> {
    Mode::from_str(text).map_err(|_| {
        let names: Vec<&str> = Mode::ALL.into_iter().map(Mode::name).collect();
        format!("write one of {}", names.join(", "))
    })
}

fn parse_draft(text: &str) -> Result<Draft, String> {
    Draft::from_str(text).map_err(|_| {
        let names: Vec<&str> = Draft::ALL.into_iter().map(Draft::name).collect();
        format!("write one of {}", names.join(", "))
    })
}

fn parse_reference(text: &str) -> Result<Reference, String> {
    // A name may be a URI, in which `=` is rare; a file that has one is written with a name.
    let (name, file) = text.split_once('=').unwrap_or((text, text));
    if name.is_empty() || file.is_empty() {
        return Err("write FILE, or NAME=FILE".to_owned());
    }
    Ok(Reference {
        name: name.to_owned(),
        file: PathBuf::from(file),
    })
}
