//! Which dead letters a command is for, and what is done with them in jobs and edits.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tidegate_base::{Clock, ConsumerId, Name, Rate, Ratio, Timestamp, parse_duration};
use tidegate_runtime::{Condition, TokioClock};

use super::operate::{AnswerFormat, Asked, Order, parse_reason};

/// Dead letters that have something in common.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Filter {
    /// Only those of this consumer
    #[arg(long, value_name = "SERVICE/EVENT")]
    pub(crate) consumer: Option<ConsumerId>,
    /// Only those of this event
    #[arg(long, value_name = "NAME")]
    event: Option<Name>,
    /// Only those with this cause, as `dlq groups` names it
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    group: Option<String>,
    /// Only those with this partition key
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    key: Option<String>,
    /// Only those with this text in the last error
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    error: Option<String>,
    /// Only those that are dead for this reason
    #[arg(long, value_enum)]
    death: Option<Death>,
    /// Only those with this in the payload: /POINTER=VALUE, /POINTER!=VALUE, or /POINTER for what is
    /// there; several must all hold
    #[arg(long, value_name = "CONDITION", value_parser = parse_condition)]
    r#where: Vec<String>,
    /// Only those dead since then: RFC 3339, or how long ago, such as 2h
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    dead_from: Option<Moment>,
    /// Only those dead before then
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    dead_until: Option<Moment>,
    /// Only those accepted since then
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    accepted_from: Option<Moment>,
    /// Only those accepted before then
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    accepted_until: Option<Moment>,
    /// Only those that were redriven so often at least
    #[arg(long, value_name = "N")]
    redrives_min: Option<u32>,
    /// Only those that were redriven so often at most
    #[arg(long, value_name = "N")]
    redrives_max: Option<u32>,
}

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Death {
    Permanent,
    Exhausted,
    Expired,
    Crash,
    Rule,
}

impl Filter {
    /// Whether events have to be read for it.
    pub(crate) fn looks_into_payloads(&self) -> bool {
        !self.r#where.is_empty()
    }

    /// The fields as the daemon reads them, in a query or in a body.
    pub(crate) fn fields(&self) -> Vec<(&'static str, Value)> {
        let death = self.death.map(|death| match death {
            Death::Permanent => "permanent",
            Death::Exhausted => "exhausted",
            Death::Expired => "expired",
            Death::Crash => "crash",
            Death::Rule => "rule",
        });
        let moment = |moment: Option<Moment>| moment.map(|moment| json!(moment.0));
        let fields = [
            ("consumer", self.consumer.as_ref().map(|c| json!(c))),
            ("event", self.event.as_ref().map(|event| json!(event))),
            ("group", self.group.as_ref().map(|group| json!(group))),
            ("key", self.key.as_ref().map(|key| json!(key))),
            ("error", self.error.as_ref().map(|error| json!(error))),
            ("death", death.map(|death| json!(death))),
            ("dead_from", moment(self.dead_from)),
            ("dead_until", moment(self.dead_until)),
            ("accepted_from", moment(self.accepted_from)),
            ("accepted_until", moment(self.accepted_until)),
            ("redrives_min", self.redrives_min.map(|n| json!(n))),
            ("redrives_max", self.redrives_max.map(|n| json!(n))),
        ];
        let fields = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        fields
            .chain(self.r#where.iter().map(|one| ("where", json!(one))))
            .collect()
    }
}

/// Dead letters by name, or all that have something in common.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// These dead letters: SERVICE/EVENT/SEQUENCE
    #[arg(
        value_name = "ID",
        required_unless_present = "Filter",
        conflicts_with = "Filter"
    )]
    ids: Vec<LetterId>,
    #[command(flatten)]
    filter: Filter,
}

impl Selection {
    /// The selection as the daemon reads it.
    pub(crate) fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        if !self.ids.is_empty() {
            body.insert("ids".to_owned(), json!(names(&self.ids)));
        }
        for (name, value) in self.filter.fields() {
            if name == "where" {
                let all = body.entry(name).or_insert_with(|| json!([]));
                if let Some(all) = all.as_array_mut() {
                    all.push(value);
                }
            } else {
                body.insert(name.to_owned(), value);
            }
        }
        body
    }
}

pub(crate) fn names(ids: &[LetterId]) -> Vec<String> {
    ids.iter().map(LetterId::to_string).collect()
}

/// How letters go back as a job.
#[derive(Debug, Args)]
pub(crate) struct JobOptions {
    /// Send them as a job that the daemon goes on with by itself: at a rate, few at first, and no more
    /// when they fail again
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) job: bool,
    /// How many letters go at most
    #[arg(long, requires = "job", value_parser = parse_rate, default_value = "10/s")]
    pub(crate) rate: Rate,
    /// Whether it goes in steps of 1, 2, 5, 10, … letters, each after the verdicts on the one before
    #[arg(long, requires = "job", value_enum, default_value_t = Switch::On)]
    pub(crate) canary: Switch,
    /// The share of failures at which it stops, once there are ten verdicts
    #[arg(long, requires = "job", value_name = "SHARE", value_parser = parse_share, default_value = "10%")]
    pub(crate) max_failures: Ratio,
    /// What it is for; it is kept with the job
    #[arg(long, requires = "job", value_name = "TEXT", value_parser = parse_reason)]
    pub(crate) note: Option<String>,
    /// Wait for its end, and say how far it is
    #[arg(long, requires = "job")]
    pub(crate) watch: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

#[derive(Debug, Args)]
pub(crate) struct DlqJobs {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// How to print the jobs; json is the daemon's own answer
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DlqJob {
    /// Show a redrive job, and what became of its letters
    Show(DlqJobShow),
    /// Let a redrive job send nothing more until it is resumed
    Pause(DlqJobTurn),
    /// Let a redrive job go on that is paused or has stopped
    Resume(DlqJobTurn),
    /// Let a redrive job send nothing more for good; what was sent runs on
    Cancel(DlqJobTurn),
}

#[derive(Debug, Args)]
pub(crate) struct DlqJobShow {
    /// The job's number
    #[arg(value_name = "JOB")]
    pub(crate) job: u64,
    /// Wait for its end, and say how far it is
    #[arg(long)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// How to print the job; json is the daemon's own answer
    #[arg(long, value_enum, default_value_t = AnswerFormat::Human)]
    pub(crate) format: AnswerFormat,
}

#[derive(Debug, Args)]
pub(crate) struct DlqJobTurn {
    /// The job's number
    #[arg(value_name = "JOB")]
    pub(crate) job: u64,
    #[command(flatten)]
    pub(crate) order: Order,
}

#[derive(Debug, Args)]
pub(crate) struct DlqEdit {
    /// The dead letter: SERVICE/EVENT/SEQUENCE
    pub(crate) id: LetterId,
    /// The new payload: a file, or - for standard input. Without this and --patch the payload is opened
    /// in the editor that VISUAL or EDITOR names
    #[arg(long, value_name = "FILE", conflicts_with = "patch")]
    pub(crate) data: Option<PathBuf>,
    /// Changes of the payload: a JSON merge patch (RFC 7386) when the file holds an object, a JSON patch
    /// (RFC 6902) when it holds an array
    #[arg(long, value_name = "FILE")]
    pub(crate) patch: Option<PathBuf>,
    /// Why; it is kept with the letter
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    pub(crate) reason: String,
    /// Who edits; it is kept with the letter
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true)]
    pub(crate) by: Option<String>,
    /// The id of the edited event [default: one that follows from the letter and the number of its
    /// edits]
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) event_id: Option<String>,
    /// Send it back at once, if the edit is taken
    #[arg(long)]
    pub(crate) redrive: bool,
    #[command(flatten)]
    pub(crate) order: Order,
}

/// The name of a dead letter: `service/event/sequence`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct LetterId {
    consumer: ConsumerId,
    sequence: u64,
}

impl FromStr for LetterId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once('/').and_then(|(consumer, sequence)| {
            Some(Self {
                consumer: consumer.parse().ok()?,
                sequence: sequence.parse().ok()?,
            })
        });
        parts
            .ok_or_else(|| "it is not SERVICE/EVENT/SEQUENCE, such as billing/OrderPlaced/7".into())
    }
}

impl TryFrom<String> for LetterId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl std::fmt::Display for LetterId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.consumer, self.sequence)
    }
}

fn parse_condition(text: &str) -> Result<String, String> {
    text.parse::<Condition>().map(|_| text.to_owned())
}

fn parse_rate(text: &str) -> Result<Rate, String> {
    Rate::parse(text).map_err(|error| error.to_string())
}

fn parse_share(text: &str) -> Result<Ratio, String> {
    Ratio::parse(text).map_err(|error| error.to_string())
}

/// A time, or how long ago it was.
fn parse_moment(text: &str) -> Result<Moment, String> {
    if let Some(time) = Timestamp::parse_rfc3339(text) {
        return Ok(Moment(time.millis()));
    }
    let ago = parse_duration(text).map_err(
        |_| "it is neither a time such as 2026-11-27T20:30:00Z nor how long ago, such as 2h",
    )?;
    let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
    Ok(Moment(TokioClock::new().now().millis().saturating_sub(ago)))
}
