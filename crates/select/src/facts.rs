//! The fact table: what each option can do, as dated data with sources.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tidegate_base::Timestamp;

/// The facts that come with the program.
const BUNDLED: &str = include_str!("facts.json");
/// The only version of the table that this reads.
const SCHEMA: &str = "tidegate/facts/v1";
/// A day, in nanoseconds.
const DAY_NS: u64 = 86_400_000_000_000;

/// A checked table of options and facts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Always `tidegate/facts/v1`.
    pub schema: String,
    /// After how many days a fact may no longer be true.
    pub expires_after_days: u32,
    /// What can be chosen.
    pub options: Vec<MessagingOption>,
    /// At most one for each option and criterion.
    pub facts: Vec<Fact>,
}

/// A messaging infrastructure that can be chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessagingOption {
    /// Its id, such as `rabbitmq-quorum`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Other names by which a design may call it.
    pub aliases: Vec<String>,
    /// Where it runs.
    pub runs: Runs,
    /// The protocols that clients speak with it.
    pub protocols: Vec<String>,
}

impl MessagingOption {
    /// Whether `name` means this option.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        self.id.eq_ignore_ascii_case(name)
            || self
                .aliases
                .iter()
                .any(|alias| alias.eq_ignore_ascii_case(name))
    }
}

/// Where an option runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runs {
    /// Software: on any machine, rented or owned.
    Software,
    /// Only as a service of Amazon Web Services.
    Aws,
    /// Only as a service of Google Cloud.
    Gcp,
    /// Only as a service of Microsoft Azure.
    Azure,
}

/// One thing that is known of one option.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// Of which option.
    pub option: String,
    /// About what.
    pub criterion: Criterion,
    /// How much, or whether.
    pub value: Value,
    /// What a number counts.
    pub unit: String,
    /// How binding it is.
    pub kind: Kind,
    /// How it came to be known.
    pub confidence: Confidence,
    /// Where it is written.
    pub source: String,
    /// When it was so: `2026-11-23`, `2022-07` or `2020`.
    pub as_of: String,
    /// The conditions under which it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The value of a fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// It can or it cannot.
    Flag(bool),
    /// So much, in the fact's unit.
    Number(f64),
    /// In words.
    Text(String),
}

/// How binding a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It cannot be exceeded.
    HardLimit,
    /// It can be changed, by configuration or on request.
    Default,
    /// Its makers advise it.
    Guideline,
    /// Its makers, or their competitors, measured it.
    VendorBenchmark,
    /// Somebody else measured it.
    ThirdParty,
    /// Commonly known, without a source at hand.
    GeneralKnowledge,
}

/// How a fact came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// Read in its source.
    Read,
    /// Commonly known: verify before you rely on it.
    GeneralKnowledge,
    /// Heard once: decides nothing.
    Unverified,
}

/// What facts are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Criterion {
    /// The largest message.
    MessageBytes,
    /// Messages a second, all channels together.
    RateTotal,
    /// Messages a second of one channel.
    RatePerChannel,
    /// Messages a second of one key.
    RatePerKey,
    /// Bytes a second, all channels together.
    BytesTotal,
    /// Bytes a second of one key.
    BytesPerKey,
    /// Deliveries a second, all consumers together.
    DeliveriesTotal,
    /// How many channels, with their consumers.
    Channels,
    /// How many consumers.
    Consumers,
    /// Deliveries of one consumer that may run at the same time.
    InFlight,
    /// Messages that may wait for one consumer.
    Backlog,
    /// How long a message may wait, in seconds.
    Retention,
    /// The longest delay of a message, in seconds.
    DelayMax,
    /// Messages with one key keep their order.
    OrderPerKey,
    /// What was consumed can be read again.
    Replay,
    /// A message can be made to wait.
    Delay,
    /// A message can overtake others.
    Priority,
    /// It sets aside by itself what cannot be delivered.
    DeadLetter,
    /// It notices a message that was sent twice.
    Deduplication,
    /// Consume and produce in one Kafka transaction.
    KafkaTransactions,
    /// On disk before it is acknowledged.
    FsyncBeforeAcknowledge,
    /// Acknowledged messages outlive the loss of a machine.
    SurvivesNodeLoss,
    /// Its licence is one of the Open Source Initiative's.
    OpenSource,
    /// How much work it is to run.
    Operations,
    /// End to end, in seconds, under the load of the source: an anchor, not comparable.
    Latency,
    /// Bytes a second of one partition.
    BytesPerPartition,
    /// Bytes a second that one node takes in.
    BytesPerNode,
    /// Messages a second that one node takes in.
    RatePerNode,
    /// Deliveries a second of one node.
    DeliveriesPerNode,
    /// Replicas of partitions on one node.
    PartitionsPerNode,
    /// Replicated streams and consumers on one node.
    AssetsPerNode,
    /// Bytes a second that one core takes in.
    BytesPerCore,
    /// Replicas of partitions on one core.
    PartitionsPerCore,
    /// Bytes of memory for one core.
    MemoryPerCore,
    /// Bytes of memory for one replica of a partition.
    MemoryPerPartition,
    /// Bytes of memory for one message that waits.
    MemoryPerMessage,
    /// Bytes of memory that one node has at least.
    MemoryPerNode,
    /// Bytes of memory for one byte that is kept, where memory keeps it.
    MemoryFactor,
    /// How long one fsync takes, in seconds.
    SyncTime,
    /// Messages that one fsync covers.
    MessagesPerSync,
    /// What one message takes beside the fsync, in seconds.
    MessageTime,
    /// The most copies.
    ReplicasMax,
    /// Messages a second that one unit of capacity takes in.
    RatePerUnit,
    /// Bytes a second that one unit of capacity takes in.
    BytesPerUnit,
    /// Deliveries a second of one unit of capacity.
    DeliveriesPerUnit,
    /// Bytes a second that one unit of capacity gives out.
    BytesOutPerUnit,
    /// The most units of capacity.
    UnitsMax,
}

impl Criterion {
    /// Whether its facts are numbers, flags or words.
    fn accepts(self, value: &Value) -> bool {
        use Criterion as C;
        match (self, value) {
            (C::Operations, Value::Text(text)) => crate::criteria::effort(text).is_some(),
            (
                C::OrderPerKey
                | C::Replay
                | C::Delay
                | C::Priority
                | C::DeadLetter
                | C::Deduplication
                | C::KafkaTransactions
                | C::FsyncBeforeAcknowledge
                | C::SurvivesNodeLoss
                | C::OpenSource,
                value,
            ) => matches!(value, Value::Flag(_)),
            (C::Operations, _) => false,
            (_, value) => matches!(value, Value::Number(n) if n.is_finite() && *n > 0.0),
        }
    }
}

/// Why a text is not a table of facts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FactsError {
    /// Not JSON of the right form.
    #[error("the facts cannot be read: {0}")]
    Form(String),
    /// Another version.
    #[error("the facts are `{0}`; `{SCHEMA}` is read")]
    Schema(String),
    /// A fact of an option that is not in the table.
    #[error("a fact is about `{0}`, which is not among the options")]
    Option(String),
    /// A value of the wrong kind, or not positive.
    #[error("the fact about `{criterion}` of `{option}` has a value that it cannot have")]
    Value {
        /// The option.
        option: String,
        /// The criterion.
        criterion: String,
    },
    /// Two facts about the same thing.
    #[error("`{criterion}` of `{option}` is given twice")]
    Twice {
        /// The option.
        option: String,
        /// The criterion.
        criterion: String,
    },
    /// A date that is none.
    #[error("`{0}` is not a date such as `2026-11-23`, `2022-07` or `2020`")]
    Date(String),
}

impl Facts {
    /// The facts that come with the program.
    ///
    /// # Errors
    ///
    /// Never, as a test makes sure.
    pub fn bundled() -> Result<Self, FactsError> {
        Self::parse(BUNDLED)
    }

    /// Reads and checks a table of facts.
    ///
    /// # Errors
    ///
    /// [`FactsError`] at the first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, FactsError> {
        let facts: Self =
            serde_json::from_str(text).map_err(|error| FactsError::Form(error.to_string()))?;
        if facts.schema != SCHEMA {
            return Err(FactsError::Schema(facts.schema));
        }
        for (place, fact) in facts.facts.iter().enumerate() {
            let names = || (fact.option.clone(), name_of(fact.criterion));
            if !facts.options.iter().any(|option| option.id == fact.option) {
                return Err(FactsError::Option(fact.option.clone()));
            }
            if !fact.criterion.accepts(&fact.value) {
                let (option, criterion) = names();
                return Err(FactsError::Value { option, criterion });
            }
            let same =
                |other: &Fact| other.option == fact.option && other.criterion == fact.criterion;
            if facts.facts.iter().take(place).any(same) {
                let (option, criterion) = names();
                return Err(FactsError::Twice { option, criterion });
            }
            if fact.date().is_none() {
                return Err(FactsError::Date(fact.as_of.clone()));
            }
        }
        Ok(facts)
    }

    /// This table with the facts of `newer` in the place of its own, and its further options added.
    #[must_use]
    pub fn overridden_by(mut self, newer: Self) -> Self {
        self.facts.retain(|old| {
            !newer
                .facts
                .iter()
                .any(|n| n.option == old.option && n.criterion == old.criterion)
        });
        self.options
            .retain(|old| !newer.options.iter().any(|n| n.id == old.id));
        self.options.extend(newer.options);
        self.facts.extend(newer.facts);
        self
    }

    /// What is known about `criterion` of `option`.
    #[must_use]
    pub fn of(&self, option: &str, criterion: Criterion) -> Option<&Fact> {
        self.facts
            .iter()
            .find(|fact| fact.option == option && fact.criterion == criterion)
    }

    /// Whether `option` can do `criterion`, when that is known.
    #[must_use]
    pub fn flag(&self, option: &str, criterion: Criterion) -> Option<bool> {
        match self
            .of(option, criterion)
            .filter(|fact| fact.decides())?
            .value
        {
            Value::Flag(flag) => Some(flag),
            Value::Number(_) | Value::Text(_) => None,
        }
    }

    /// Whether a fact is older than the table allows at `today`.
    #[must_use]
    pub fn is_expired(&self, fact: &Fact, today: Timestamp) -> bool {
        let allowed = u64::from(self.expires_after_days).saturating_mul(DAY_NS);
        fact.date()
            .is_none_or(|date| today.nanos().saturating_sub(date.nanos()) > allowed)
    }
}

impl Fact {
    /// Whether a decision may rest on it.
    #[must_use]
    pub fn decides(&self) -> bool {
        self.confidence != Confidence::Unverified
    }

    /// The first moment of its date.
    fn date(&self) -> Option<Timestamp> {
        let day = match self.as_of.len() {
            4 => format!("{}-01-01", self.as_of),
            7 => format!("{}-01", self.as_of),
            _ => self.as_of.clone(),
        };
        Timestamp::parse_rfc3339(&format!("{day}T00:00:00Z"))
    }
}

/// The name of a criterion, as the table writes it.
#[must_use]
pub fn name_of(criterion: Criterion) -> String {
    match serde_json::to_value(criterion) {
        Ok(serde_json::Value::String(name)) => name,
        _ => format!("{criterion:?}"),
    }
}
