//! A design, resolved: every default filled in, every quantity typed, every element with its place.
//!
//! References are *not* guaranteed to resolve: a rule reports them, so lookups return `Option`.

mod contract;
mod retry;

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;
use tidegate_base::{Bytes, ConsumerId, Name, Rate, Ratio};

use crate::finding::Place;

pub use contract::{EventVersion, FieldType, NEWEST, Presence, Requirement, Rule};
pub use retry::{Backoff, ClassRule, FailureClass, Jitter, Retry, RetryMode, Then};

/// A value with the place where it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// A whole system of events, services and dependencies.
#[derive(Clone, Debug)]
pub struct Design {
    /// The system's name.
    pub system: Located<Name>,
    /// The business's processes, by name.
    pub processes: IndexMap<Name, Process>,
    /// Events, by name.
    pub events: IndexMap<Name, Event>,
    /// Services, by name.
    pub services: IndexMap<Name, Service>,
    /// What handlers depend on, by name; breakers are scoped to these.
    pub dependencies: IndexMap<Name, Dependency>,
    /// What the messaging infrastructure must be or do.
    pub messaging: Messaging,
}

/// A business process: the stakeholder's words for a chain of services.
#[derive(Clone, Debug)]
pub struct Process {
    /// Where it is written.
    pub place: Place,
    /// One sentence.
    pub summary: Option<String>,
    /// Who answers for it.
    pub owner: Option<Located<String>>,
    /// How much the business depends on it.
    pub criticality: Criticality,
    /// Its services, in order.
    pub steps: Vec<Located<Name>>,
}

/// How much the business depends on something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Criticality {
    /// Its loss is an inconvenience.
    Low,
    /// The default.
    #[default]
    Medium,
    /// Its loss costs money or trust.
    High,
}

/// A fact that happened, which services publish and consume.
#[derive(Clone, Debug)]
pub struct Event {
    /// Where it is written.
    pub place: Place,
    /// The CloudEvents `type`; the event's name unless the design says otherwise.
    pub event_type: String,
    /// What happened, in one sentence.
    pub summary: Option<String>,
    /// Who answers for its meaning.
    pub owner: Option<Located<String>>,
    /// The schema of its payload.
    pub schema: Option<Schema>,
    /// What `schema` is called among the versions; see [`Event::newest`].
    pub version: Option<Located<Name>>,
    /// Older schemas by name, the oldest first.
    pub versions: IndexMap<Name, EventVersion>,
    /// What every event keeps beyond its schema.
    pub rules: Vec<Rule>,
    /// Whether a schema is written and none is to be had, of which there is a finding.
    pub is_schema_refused: bool,
    /// A JSON pointer into the payload; events with the same value keep their order.
    pub key: Option<Located<String>>,
    /// How its schema may change.
    pub compatibility: Compatibility,
    /// How long it is kept.
    pub retention: Located<Duration>,
    /// The oldest go when more than so much is kept; `None`: whatever the size.
    pub retention_size: Option<Located<Bytes>>,
    /// What goes in the end.
    pub cleanup_policy: Located<CleanupPolicy>,
    /// When it is refused to its producers; `None`: at the limits of the runtime only.
    pub backlog: Option<Backlog>,
    /// What the business expects of it.
    pub targets: Targets,
}

/// The schema of a payload.
#[derive(Clone, Debug)]
pub struct Schema {
    /// Where it is referred to, or written inline.
    pub place: Place,
    /// The format, from the file name.
    pub format: SchemaFormat,
    /// The path as written, relative to the design file; `None` when written inline.
    pub file: Option<String>,
    /// The text, once read; `None` when the file could not be read (which is a finding).
    pub text: Option<String>,
    /// Of Protobuf, the files that it imports, by the names in `import`; those that could not be
    /// read are absent.
    pub imports: BTreeMap<String, String>,
    /// Of a JSON Schema that refers to other files, what `text` was put together from.
    pub bundle: Option<Bundle>,
}

/// What a JSON Schema was put together from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The schema's own text, as it is written.
    pub written: String,
    /// The files that were put into it.
    pub parts: Vec<Part>,
}

/// A file that was put into a JSON Schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it is in the whole: a JSON pointer.
    pub pointer: String,
    /// Its path, relative to the folder of the design file.
    pub file: String,
    /// Its text, as JSON.
    pub text: String,
}

impl Schema {
    /// The path of the file without the name of a message.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        let file = self.file.as_deref()?;
        Some(file.split('#').next().unwrap_or(file))
    }

    /// The message that an event is, of Protobuf.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.file
            .as_deref()?
            .split_once('#')
            .map(|(_, message)| message)
    }

    /// The folder of the file as written, with its `/`; empty for the design's own.
    #[must_use]
    pub fn folder(&self) -> &str {
        let path = self.path().unwrap_or_default();
        let end = path.rfind('/').map_or(0, |slash| slash + 1);
        path.get(..end).unwrap_or_default()
    }

    /// Every file of a Protobuf schema by the name under which others import it: its own by that
    /// within its folder.
    #[must_use]
    pub fn sources(&self) -> BTreeMap<String, String> {
        let mut sources = self.imports.clone();
        let name = self.path().and_then(|path| path.rsplit('/').next());
        if let (Some(name), Some(text)) = (name, &self.text) {
            sources.insert(name.to_owned(), text.clone());
        }
        sources
    }
}

/// The languages of schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SchemaFormat {
    /// JSON Schema (`.json`, `.yaml`).
    JsonSchema,
    /// Avro (`.avsc`).
    Avro,
    /// Protocol Buffers (`.proto#Message`).
    Protobuf,
}

/// How a schema may change: the seven modes of schema registries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compatibility {
    /// Anything goes.
    None,
    /// New readers read what the last version wrote. The default.
    #[default]
    Backward,
    /// New readers read what every version wrote.
    BackwardTransitive,
    /// Readers of the last version read what the new one writes.
    Forward,
    /// Readers of every version read what the new one writes.
    ForwardTransitive,
    /// Backward and forward.
    Full,
    /// Backward and forward against every version.
    FullTransitive,
}

/// What goes of the events of a type in the end, in Kafka's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CleanupPolicy {
    /// What is older than `retention` or beyond `retention-size`. The default.
    #[default]
    Delete,
    /// What has a later event with its key, whatever its age; `retention` and `retention-size` say
    /// nothing.
    Compact,
}

/// How far behind the slowest consumer of an event may be; each absent limit does not limit.
#[derive(Clone, Debug)]
pub struct Backlog {
    /// Where it is written.
    pub place: Place,
    /// Most events that a consumer has not finished.
    pub events: Option<Located<u32>>,
    /// Most bytes of their payloads.
    pub bytes: Option<Located<Bytes>>,
    /// The age of the oldest of them.
    pub age: Option<Located<Duration>>,
}

/// Measurable targets; each absent one is not checked.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// Where they are written.
    pub place: Option<Place>,
    /// The usual rate.
    pub rate: Option<Rate>,
    /// The highest rate; the usual rate when absent.
    pub peak: Option<Rate>,
    /// From acceptance to the end of handling, 99th percentile, in each consumer.
    pub p99: Option<Duration>,
    /// The usual size of a payload.
    pub size: Option<Bytes>,
}

impl Targets {
    /// The peak rate, or the usual rate when no peak is given.
    #[must_use]
    pub fn peak_or_rate(&self) -> Option<Rate> {
        self.peak.or(self.rate)
    }
}

/// A service: what it publishes and what it consumes.
#[derive(Clone, Debug)]
pub struct Service {
    /// Where it is written.
    pub place: Place,
    /// One sentence.
    pub summary: Option<String>,
    /// Who answers for it.
    pub owner: Option<Located<String>>,
    /// The events that it publishes.
    pub publishes: Vec<Located<Name>>,
    /// The versions in which it publishes an event, where the design says so.
    pub publishes_versions: IndexMap<Name, Vec<Located<Name>>>,
    /// The events that it consumes, by event.
    pub consumes: IndexMap<Name, Consume>,
}

/// One service's side of the contract for one event.
#[derive(Clone, Debug)]
pub struct Consume {
    /// Where it is written.
    pub place: Place,
    /// The fields that the consumer relies on.
    pub requires: Vec<Requirement>,
    /// The rules that it relies on.
    pub rules: Vec<Rule>,
    /// The version that it was built to read; `None`: the newest.
    pub reads: Option<Located<Name>>,
    /// How a delivery reaches the handler.
    pub deliver: Deliver,
    /// Which deliveries may not overtake each other.
    pub order: Located<Order>,
    /// What is promised about repetition and loss.
    pub guarantee: Located<Guarantee>,
    /// Whether an operator may have finished events run again.
    pub replay: Replay,
    /// The dependencies that the handler calls.
    pub needs: Vec<Located<Name>>,
    /// What happens after a failure that may pass.
    pub retry: Retry,
    /// Where a delivery goes that cannot succeed.
    pub dead_letter: Option<DeadLetter>,
    /// The events that this handler publishes; `None`: any that its service publishes.
    pub emits: Option<Vec<Located<Name>>>,
    /// How far behind, in time, is still fine.
    pub objective: Located<Duration>,
}

/// How a delivery reaches the handler.
#[derive(Clone, Debug)]
pub struct Deliver {
    /// Where it is written; the consumer's place when absent.
    pub place: Place,
    /// The HTTP endpoint to push to; `None`: the consumer pulls.
    pub to: Option<Located<String>>,
    /// Most deliveries that run at the same time: the bulkhead.
    pub concurrency: Located<u32>,
    /// Whether fewer run when measured times say so.
    pub limit: Located<Limit>,
    /// Most attempts that start in a time; `None`: no limit.
    pub rate: Option<Located<Rate>>,
    /// Most attempts that start at once; `None`: what suits the rate.
    pub burst: Option<Located<u32>>,
    /// How long one attempt may take; for pull, how long a lease lasts.
    pub timeout: Located<Duration>,
    /// How long one attempt takes on average, as declared or measured.
    pub handler_time: Option<Located<Duration>>,
    /// The database whose transaction holds effect, inbox row and emitted events together.
    pub transaction: Option<Located<Transaction>>,
}

/// How many deliveries run at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limit {
    /// As many as `concurrency` says. The default.
    #[default]
    Fixed,
    /// As many as the handler takes without a queue, found out from how long it takes.
    Adaptive,
}

/// A store in which a handler's effect and its inbox row commit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// A transaction of PostgreSQL handed to a Rust handler.
    Postgres,
    /// A transaction of SQLite handed to a Rust handler.
    Sqlite,
    /// A batch of the embedded log.
    Log,
    /// A Kafka transaction.
    Kafka,
}

/// Which deliveries of a consumer may not overtake each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// None keeps its order.
    None,
    /// Those with the same key. The default where the event has a key.
    #[default]
    Key,
    /// All.
    Total,
}

/// What is promised about repetition and loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guarantee {
    /// Never lost once accepted; may run more than once. The default.
    #[default]
    AtLeastOnce,
    /// A run recorded as done is never repeated; a crash during a run can repeat it.
    Deduplicated,
    /// The handler's change, the inbox row and the emitted events commit in one transaction.
    ExactlyOnceEffect,
    /// Consume and produce in one Kafka transaction.
    KafkaTransaction,
}

/// Whether an operator may have finished events run again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replay {
    /// What is finished may run again, in a new generation.
    #[default]
    Allowed,
    /// What is finished never runs again. The default where effects happen exactly once.
    Refused,
}

/// Where a delivery goes that cannot succeed.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// Where it is written.
    pub place: Place,
    /// Who looks after it.
    pub owner: Option<Located<String>>,
    /// How long it is kept.
    pub retention: Located<Duration>,
    /// What becomes of later deliveries with the same key.
    pub followers: Followers,
    /// Dead letters as a share of deliveries that succeed; `None`: no budget.
    pub budget: Option<Located<Ratio>>,
}

/// What becomes of later deliveries with the key of a dead letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Followers {
    /// They wait behind it until it is redriven or discarded. The default where order is kept.
    #[default]
    Wait,
    /// They go on.
    Continue,
}

/// Something that handlers depend on.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// Where it is written.
    pub place: Place,
    /// One sentence.
    pub summary: Option<String>,
    /// Who answers for it.
    pub owner: Option<Located<String>>,
    /// Most attempts at the same time of all that need it; `None`: no limit.
    pub concurrency: Option<Located<u32>>,
    /// When to stop calling it.
    pub breaker: Breaker,
}

/// When deliveries that need a dependency are held, and for how long.
#[derive(Clone, Debug)]
pub struct Breaker {
    /// Where it is written; the dependency's place when absent.
    pub place: Place,
    /// The share of unavailable, timed-out and overloaded calls that opens it.
    pub failure_rate: Located<Ratio>,
    /// The fewest calls in the window before it may open.
    pub minimum: Located<u32>,
    /// How far back calls count.
    pub window: Located<Duration>,
    /// How long it stays open before it probes.
    pub open: Located<Duration>,
    /// Most probes at the same time while half open.
    pub probes: Located<u32>,
}

/// What the messaging infrastructure must be or do; everything is optional.
#[derive(Clone, Debug, Default)]
pub struct Messaging {
    /// Where it is written.
    pub place: Option<Place>,
    /// The one chosen: `embedded`, `kafka`, `rabbitmq`, `nats`.
    pub broker: Option<Located<String>>,
    /// What already runs: names of the fact table, such as `kafka` or `postgres`.
    pub existing: Vec<Located<String>>,
    /// Where it may run: `self-hosted`, `aws`, `gcp`, `azure`; empty: anywhere.
    pub clouds: Vec<Located<String>>,
    /// Hard needs beyond what the design implies, such as `replay`, `priority`, `delay`.
    pub requires: Vec<Located<String>>,
    /// How much each criterion weighs; absent ones weigh as the tool's default.
    pub weights: IndexMap<String, Located<f64>>,
}

/// One consumer with what it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct ConsumerRef<'a> {
    /// The service's name.
    pub service_name: &'a Name,
    /// The service.
    pub service: &'a Service,
    /// The event's name.
    pub event_name: &'a Name,
    /// Its side of the contract.
    pub consume: &'a Consume,
}

impl ConsumerRef<'_> {
    /// The consumer's identity.
    #[must_use]
    pub fn id(&self) -> ConsumerId {
        ConsumerId {
            service: self.service_name.clone(),
            event: self.event_name.clone(),
        }
    }

    /// The consumer as a path in the design.
    #[must_use]
    pub fn path(&self) -> String {
        format!(
            "services.{}.consumes.{}",
            self.service_name, self.event_name
        )
    }

    /// The events that its handler publishes.
    pub fn emitted(&self) -> impl Iterator<Item = &Located<Name>> {
        self.consume
            .emits
            .as_ref()
            .unwrap_or(&self.service.publishes)
            .iter()
    }
}

impl Design {
    /// Every consumer, in the order written.
    pub fn consumers(&self) -> impl Iterator<Item = ConsumerRef<'_>> {
        self.services.iter().flat_map(|(service_name, service)| {
            service
                .consumes
                .iter()
                .map(move |(event_name, consume)| ConsumerRef {
                    service_name,
                    service,
                    event_name,
                    consume,
                })
        })
    }

    /// The names of the services that publish `event`, in the order written.
    pub fn publishers<'a>(&'a self, event: &'a Name) -> impl Iterator<Item = &'a Name> {
        self.services
            .iter()
            .filter(move |(_, service)| service.publishes.iter().any(|p| p.value == *event))
            .map(|(name, _)| name)
    }
}
