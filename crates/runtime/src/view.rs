//! What the running system looks like: the snapshot behind the console, `/v1/state` and the metrics.
//!
//! The JSON of these types is a stable interface: fields may be added, never renamed or removed
//! within `tidegate/state/v1`. Rates are over the last ten seconds. Seconds and milliseconds are floats.

use serde::Serialize;
use tidegate_base::{BreakerName, ConsumerId, Name};

/// The whole system at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct SystemView {
    /// Always `tidegate/state/v1`.
    pub schema: &'static str,
    /// The design's name.
    pub system: Name,
    /// When this was taken, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// How long the runtime has been up.
    pub uptime_seconds: f64,
    /// What the broker is called.
    pub broker: &'static str,
    /// Whether it takes events.
    pub mode: Mode,
    /// Sums over all consumers and events.
    pub totals: TotalsView,
    /// What needs attention, worst first; each a sentence with cause and next step.
    pub attention: Vec<Attention>,
    /// Services, in the order of the design.
    pub services: Vec<ServiceView>,
    /// Events, in the order of the design.
    pub events: Vec<EventView>,
    /// Consumers, in the order of the design.
    pub consumers: Vec<ConsumerView>,
    /// Dependencies with their breakers, in the order of the design; then consumers that need none, each with its
    /// own.
    pub dependencies: Vec<DependencyView>,
}

/// Whether the system takes events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It does.
    Running,
    /// It finishes what runs and takes nothing new.
    Draining,
    /// The writer has stopped; reads go on.
    Stopped,
}

/// Sums over all consumers and events.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct TotalsView {
    /// Events accepted a second.
    pub in_per_second: f64,
    /// Deliveries finished a second.
    pub out_per_second: f64,
    /// Retries a second.
    pub retries_per_second: f64,
    /// Deliveries not finished.
    pub backlog: u64,
    /// Deliveries running now.
    pub in_flight: u64,
    /// Dead letters waiting for a decision.
    pub dead_letters: u64,
}

/// One thing that needs attention.
#[derive(Clone, Debug, Serialize)]
pub struct Attention {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// What, why and what to do.
    pub sentence: String,
    /// What kind of thing `name` names: `consumer`, `dependency`, `dead-letters`, `event`, `registry`,
    /// `system`.
    pub kind: &'static str,
    /// The consumer or dependency.
    pub name: String,
    /// Since when, milliseconds since the Unix epoch.
    pub since_ms: u64,
}

/// A service and its edges.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceView {
    /// Its name.
    pub name: Name,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The events that it publishes.
    pub publishes: Vec<Name>,
    /// The events that it consumes.
    pub consumes: Vec<Name>,
}

/// An event and its channel.
#[derive(Clone, Debug, Serialize)]
pub struct EventView {
    /// Its name.
    pub name: Name,
    /// One sentence.
    pub summary: Option<String>,
    /// Events accepted since the channel exists.
    pub accepted_total: u64,
    /// Events refused since start, by their JSON Schema or for a key that is missing. Payloads of
    /// events with an Avro or Protobuf schema, or none, are accepted as they are.
    pub invalid_total: u64,
    /// Events accepted a second.
    pub in_per_second: f64,
    /// Set while it is refused to its producers, because a consumer is too far behind.
    pub backlog_limit: Option<BacklogView>,
    /// Batches refused since start because a consumer was too far behind, by what was reached.
    pub refused_total: RefusedView,
}

/// Which consumer is too far behind for more of an event to be taken.
#[derive(Clone, Debug, Serialize)]
pub struct BacklogView {
    /// The consumer.
    pub consumer: ConsumerId,
    /// What is reached: `events`, `bytes`, `age`.
    pub limit: &'static str,
    /// How far behind it is, in a sentence.
    pub reason: String,
    /// When producers are told to try again.
    pub retry_after_seconds: f64,
    /// Since when, milliseconds since the Unix epoch.
    pub since_ms: u64,
}

/// Refused batches by what was reached.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct RefusedView {
    /// The limit of events.
    pub events: u64,
    /// The limit of bytes.
    pub bytes: u64,
    /// The limit of age.
    pub age: u64,
}

/// A consumer.
#[derive(Clone, Debug, Serialize)]
pub struct ConsumerView {
    /// `service/event`.
    pub id: ConsumerId,
    /// The service.
    pub service: Name,
    /// The event.
    pub event: Name,
    /// How it does, in a word.
    pub state: ConsumerState,
    /// Since when, milliseconds since the Unix epoch.
    pub state_since_ms: u64,
    /// Why, in a sentence: the limiting factor.
    pub reason: String,
    /// `push` or `pull`.
    pub mode: &'static str,
    /// Age of the oldest delivery that is not finished; 0 when there is none. Dead letters, and
    /// deliveries that wait behind one, do not count: they wait for a decision.
    pub lag_seconds: f64,
    /// How far behind is still fine.
    pub objective_seconds: f64,
    /// Deliveries not finished.
    pub backlog: u64,
    /// Time until the backlog is gone at the present rates, but for what is scheduled; `null`: never at this
    /// rate.
    pub drain_seconds: Option<f64>,
    /// Deliveries running now.
    pub in_flight: u64,
    /// Most that may run at the same time.
    pub concurrency: u64,
    /// Most that run at the same time now: `concurrency`, or less when that adapts.
    pub limit: u64,
    /// The mean time of an unloaded handler as an adaptive limit has measured it; `null` without one.
    pub no_load_ms: Option<f64>,
    /// Deliveries that wait for a retry.
    pub waiting_retry: u64,
    /// Deliveries of events for later that are not due yet; part of `backlog`.
    pub scheduled: u64,
    /// Deliveries that could run but are held, by a breaker or a key before them.
    pub held: u64,
    /// What holds them: `breaker payments-api`, `dependency payments-api`, `rate`, `key`, `paused`; `null`
    /// when nothing does.
    pub held_by: Option<String>,
    /// Events that arrive a second.
    pub in_per_second: f64,
    /// Deliveries finished a second.
    pub out_per_second: f64,
    /// Retries a second.
    pub retries_per_second: f64,
    /// Failed attempts a second.
    pub failures_per_second: f64,
    /// Handler time, median of the last minute; `null` when nothing ran.
    pub handler_p50_ms: Option<f64>,
    /// Handler time, 99th percentile of the last minute.
    pub handler_p99_ms: Option<f64>,
    /// Acceptance to done, 99th percentile of the last minute.
    pub transit_p99_ms: Option<f64>,
    /// Deliveries that succeeded since start.
    pub succeeded_total: u64,
    /// Attempts that failed since start.
    pub failed_total: u64,
    /// Retries since start.
    pub retries_total: u64,
    /// Deliveries that became dead letters since start.
    pub dead_lettered_total: u64,
    /// Dead letters that wait for a decision.
    pub dead_letters: u64,
    /// Deliveries that wait behind dead letters of their keys; not in `backlog` and `lag_seconds`.
    pub followers: u64,
    /// The dependencies that it needs.
    pub needs: Vec<Name>,
    /// Set while an operator has paused it.
    pub paused: Option<PauseView>,
    /// Set while what it has finished runs again.
    pub replaying: Option<ReplayingView>,
}

/// A replay that is under way.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayingView {
    /// Its number, which its deliveries carry.
    pub generation: u64,
    /// In the operator's words.
    pub reason: String,
    /// Since when, milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// Deliveries that are still to run, of all replays under way.
    pub deliveries: u64,
    /// As how many separate ranges of the channel.
    pub ranges: u64,
}

/// How a consumer does, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsumerState {
    /// Within its objective.
    Ok,
    /// Nothing to do.
    Idle,
    /// Beyond its objective, and the backlog shrinks.
    CatchingUp,
    /// Beyond its objective, and the backlog does not shrink.
    FallingBehind,
    /// Held: by an open breaker, by an operator, or because its handler has asked for time.
    Held,
    /// Stopped by a fault of its endpoint or of its dead-letter limit.
    Halted,
    /// There is a backlog, nothing runs and nothing holds it: for pull, nobody pulls.
    Stalled,
}

/// A dependency and its breaker, or a consumer's own breaker.
#[derive(Clone, Debug, Serialize)]
pub struct DependencyView {
    /// Its name, or the consumer: `service/event`.
    pub name: BreakerName,
    /// It is the breaker of one consumer, whose `needs` name none.
    pub own: bool,
    /// `closed`, `open` or `half-open`.
    pub state: &'static str,
    /// Since when, milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// When it probes, milliseconds since the Unix epoch; `null` unless open.
    pub probes_at_ms: Option<u64>,
    /// Calls in the window.
    pub calls: u64,
    /// The share of them that failed.
    pub failure_rate: f64,
    /// The share at which it opens.
    pub threshold: f64,
    /// How often it has opened since start.
    pub opened_total: u64,
    /// Set while an operator holds it open.
    pub forced: Option<PauseView>,
    /// Attempts at the same time of all that need it, now; 0 when they are not limited.
    pub in_flight: u64,
    /// The most; `null` when they are not limited.
    pub concurrency: Option<u64>,
    /// The consumers that need it.
    pub consumers: Vec<ConsumerId>,
}

/// A dead letter in a list.
#[derive(Clone, Debug, Serialize)]
pub struct DeadLetterView {
    /// `service/event/sequence`.
    pub id: String,
    /// The consumer that could not handle it.
    pub consumer: ConsumerId,
    /// The event's `id`.
    pub event_id: String,
    /// The event's `source`.
    pub source: String,
    /// Its partition key.
    pub key: Option<String>,
    /// Why: `permanent`, `exhausted`, `expired`, `crash`, `rule`.
    pub reason: &'static str,
    /// The last error.
    pub error: String,
    /// Dead letters with the same cause share it.
    pub group: String,
    /// Attempts made.
    pub attempts: u32,
    /// How often it was redriven.
    pub redrives: u32,
    /// How often its event was edited.
    pub edits: u64,
    /// Grows with every redrive and every edit: an edit names the version that it is for.
    pub version: u64,
    /// Later deliveries of the same key that wait behind it.
    pub followers: u64,
    /// When it was accepted, milliseconds since the Unix epoch.
    pub accepted_ms: u64,
    /// When it became a dead letter, milliseconds since the Unix epoch.
    pub dead_ms: u64,
    /// Set when it was given up and can be taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discarded: Option<DiscardView>,
}

/// Why a dead letter was given up.
#[derive(Clone, Debug, Serialize)]
pub struct DiscardView {
    /// In the operator's words.
    pub reason: String,
    /// When, milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// One edit of a dead letter.
#[derive(Clone, Debug, Serialize)]
pub struct EditView {
    /// The `id` of the event that was replaced.
    pub replaced: String,
    /// Why, in the operator's words.
    pub reason: String,
    /// Who, if they said so.
    pub by: Option<String>,
    /// When, milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// Why an operator has stopped something.
#[derive(Clone, Debug, Serialize)]
pub struct PauseView {
    /// In the operator's words.
    pub reason: String,
    /// Since when, milliseconds since the Unix epoch.
    pub since_ms: u64,
}

/// Dead letters with one cause.
#[derive(Clone, Debug, Serialize)]
pub struct DeadLetterGroup {
    /// What they share.
    pub group: String,
    /// The consumer.
    pub consumer: ConsumerId,
    /// Why.
    pub reason: &'static str,
    /// The error, with the parts that vary taken out.
    pub error: String,
    /// How many.
    pub count: u64,
    /// The first, milliseconds since the Unix epoch.
    pub first_ms: u64,
    /// The last, milliseconds since the Unix epoch.
    pub last_ms: u64,
}

/// One attempt of a delivery.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptView {
    /// From 1.
    pub attempt: u32,
    /// When it started, milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// How long it took; `null` when it never ended.
    pub duration_ms: Option<f64>,
    /// `done`, `retryable`, `unavailable`, `timeout`, `overload`, `permanent`, `endpoint-fault`, `crash`.
    pub outcome: &'static str,
    /// What the handler said.
    pub error: Option<String>,
    /// What the design says of this class of failures, when it says something: `park`, `retry`, or how many of its own
    /// attempts are used up, such as `2 of 3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// A dead letter in full.
#[derive(Clone, Debug, Serialize)]
pub struct DeadLetterDetail {
    /// What the list shows.
    #[serde(flatten)]
    pub letter: DeadLetterView,
    /// The event that is delivered, in the CloudEvents JSON format.
    pub event: serde_json::Value,
    /// The event as it was published, when an operator has put another one in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<serde_json::Value>,
    /// The edits, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edited: Vec<EditView>,
    /// Its attempts, oldest first; the middle of a long history is left out.
    pub history: Vec<AttemptView>,
}
