//! What a change of each field of the design language may be: the table that readers see, and that
//! a test holds against the language, so that no field is forgotten.

use std::fmt::Write as _;

use tidegate_model::{CodeInfo, Severity};

use super::codes as c;

/// One field of the design language.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Where it is, with `*` for any name: `events.*.retention`.
    pub path: &'static str,
    /// The codes of its changes that are not harmless; none when every change is.
    pub codes: &'static [CodeInfo],
    /// When it is what.
    pub says: &'static str,
}

const fn field(path: &'static str, codes: &'static [CodeInfo], says: &'static str) -> Field {
    Field { path, codes, says }
}

const WORDS: &str = "words for people";
const BY_ITS_FIELDS: &str = "by its fields";

/// Every field of the design language, in the order of its sections.
pub const FIELDS: &[Field] = &[
    field(
        "tidegate",
        &[],
        "another version of the language is another reader's",
    ),
    field("system", &[c::SYSTEM_RENAMED], "another name: risky"),
    field(
        "processes",
        &[c::CRITICALITY_LOWERED],
        "one of high criticality removed: risky",
    ),
    field("processes.*.summary", &[], WORDS),
    field("processes.*.owner", &[], WORDS),
    field(
        "processes.*.criticality",
        &[c::CRITICALITY_LOWERED],
        "lower: risky",
    ),
    field("processes.*.steps", &[], "rules of `check` see to them"),
    field(
        "events",
        &[c::EVENT_REMOVED],
        "one removed that has consumers: breaking; that has publishers alone: risky",
    ),
    field("events.*.type", &[c::TYPE_CHANGED], "another: breaking"),
    field("events.*.summary", &[], WORDS),
    field("events.*.owner", &[], WORDS),
    field(
        "events.*.schema",
        &[
            c::SCHEMA_BREAKS,
            c::SCHEMA_NOT_PROVED,
            c::FORMAT_CHANGED,
            c::SCHEMA_REMOVED,
            c::SCHEMA_ADDED,
        ],
        "not compatible by the mode of before or of now: breaking; not proved: risky; another format: breaking; \
         removed: breaking where old readers must read new events, else risky; where there was none: risky",
    ),
    field("events.*.version", &[], "a name for the newest version"),
    field(
        "events.*.versions",
        &[c::VERSION_DROPPED],
        "one removed that is published: breaking, else risky",
    ),
    field(
        "events.*.versions.*.schema",
        &[c::VERSION_DROPPED],
        "another: risky",
    ),
    field(
        "events.*.rules",
        &[c::RULES_CHANGED],
        "one removed or added: risky",
    ),
    field(
        "events.*.key",
        &[c::KEY_CHANGED],
        "breaking where a consumer keeps its order or the event is compacted, else risky",
    ),
    field(
        "events.*.compatibility",
        &[c::COMPATIBILITY_LOOSENED],
        "a mode that promises less: risky",
    ),
    field(
        "events.*.retention",
        &[c::RETENTION_SHORTENED],
        "shorter: breaking below what a consumer needs, else risky",
    ),
    field(
        "events.*.retention-size",
        &[c::RETENTION_SHORTENED],
        "smaller, or one where there was none: risky",
    ),
    field(
        "events.*.cleanup-policy",
        &[c::CLEANUP_CHANGED],
        "another: breaking",
    ),
    field("events.*.backlog", &[], BY_ITS_FIELDS),
    field(
        "events.*.backlog.events",
        &[c::BACKLOG_LOWERED],
        "lower, or one where there was none: risky",
    ),
    field(
        "events.*.backlog.bytes",
        &[c::BACKLOG_LOWERED],
        "lower, or one where there was none: risky",
    ),
    field(
        "events.*.backlog.age",
        &[c::BACKLOG_LOWERED],
        "lower, or one where there was none: risky",
    ),
    field("events.*.targets", &[], BY_ITS_FIELDS),
    field(
        "events.*.targets.rate",
        &[c::TARGET_LOWERED],
        "lower, or none where there was one: risky",
    ),
    field(
        "events.*.targets.peak",
        &[c::TARGET_LOWERED],
        "lower, or none where there was one: risky",
    ),
    field(
        "events.*.targets.p99",
        &[c::TARGET_LOWERED],
        "higher, or none where there was one: risky",
    ),
    field(
        "events.*.targets.size",
        &[c::TARGET_LOWERED],
        "lower, or none where there was one: risky",
    ),
    field(
        "services",
        &[c::SERVICE_REMOVED],
        "one removed that alone publishes what others consume: breaking, else risky",
    ),
    field("services.*.summary", &[], WORDS),
    field("services.*.owner", &[], WORDS),
    field(
        "services.*.publishes",
        &[c::PUBLISHER_REMOVED],
        "less: breaking when it was the last to publish what others consume, else risky",
    ),
    field(
        "services.*.consumes",
        &[c::CONSUMER_REMOVED, c::CONSUMER_ADDED],
        "one removed: risky; a new one of an event that was there: risky",
    ),
    field(
        "services.*.consumes.*.requires",
        &[c::REQUIRES_MORE],
        "more than the schema of before promised: risky",
    ),
    field(
        "services.*.consumes.*.reads",
        &[],
        "rules of `check` see to it",
    ),
    field("services.*.consumes.*.deliver", &[], BY_ITS_FIELDS),
    field(
        "services.*.consumes.*.deliver.to",
        &[c::DELIVERY_TURNED, c::ENDPOINT_MOVED],
        "from push to pull or back: breaking; another endpoint: risky",
    ),
    field(
        "services.*.consumes.*.deliver.concurrency",
        &[c::CAPACITY_LOWERED],
        "lower: risky",
    ),
    field(
        "services.*.consumes.*.deliver.limit",
        &[],
        "as many as before may run",
    ),
    field(
        "services.*.consumes.*.deliver.rate",
        &[c::CAPACITY_LOWERED, c::PROTECTION_LOOSENED],
        "lower: risky; higher or removed: risky",
    ),
    field(
        "services.*.consumes.*.deliver.burst",
        &[],
        "the rate holds all the same",
    ),
    field(
        "services.*.consumes.*.deliver.timeout",
        &[c::TIMEOUT_SHORTENED],
        "shorter: risky",
    ),
    field(
        "services.*.consumes.*.deliver.handler-time",
        &[],
        "a measure, no promise",
    ),
    field(
        "services.*.consumes.*.deliver.transaction",
        &[c::TRANSACTION_CHANGED],
        "another, or none: breaking; one where there was none: risky",
    ),
    field(
        "services.*.consumes.*.order",
        &[c::ORDER_WEAKENED],
        "weaker: breaking",
    ),
    field(
        "services.*.consumes.*.guarantee",
        &[c::GUARANTEE_WEAKENED],
        "weaker, or of another transaction: breaking",
    ),
    field(
        "services.*.consumes.*.replay",
        &[c::REPLAY_CHANGED],
        "another: risky",
    ),
    field(
        "services.*.consumes.*.needs",
        &[c::PROTECTION_LOOSENED],
        "less, of a dependency that is still there: risky",
    ),
    field("services.*.consumes.*.retry", &[], BY_ITS_FIELDS),
    field(
        "services.*.consumes.*.retry.backoff",
        &[c::RETRY_WEAKENED],
        "all delays together shorter: risky",
    ),
    field(
        "services.*.consumes.*.retry.immediate",
        &[c::RETRY_WEAKENED],
        "all delays together shorter: risky",
    ),
    field(
        "services.*.consumes.*.retry.initial",
        &[c::RETRY_WEAKENED],
        "all delays together shorter: risky",
    ),
    field(
        "services.*.consumes.*.retry.max",
        &[c::RETRY_WEAKENED],
        "all delays together shorter: risky",
    ),
    field(
        "services.*.consumes.*.retry.jitter",
        &[c::PROTECTION_LOOSENED],
        "none: risky",
    ),
    field(
        "services.*.consumes.*.retry.attempts",
        &[c::RETRY_WEAKENED],
        "fewer: risky",
    ),
    field(
        "services.*.consumes.*.retry.age",
        &[c::RETRY_WEAKENED],
        "below all delays together, and shorter: risky",
    ),
    field(
        "services.*.consumes.*.retry.budget",
        &[c::RETRY_WEAKENED, c::PROTECTION_LOOSENED],
        "lower: risky; higher or removed: risky",
    ),
    field(
        "services.*.consumes.*.retry.mode",
        &[c::ORDER_WEAKENED],
        "non-blocking where order is kept: breaking",
    ),
    field("services.*.consumes.*.retry.classes", &[], BY_ITS_FIELDS),
    field(
        "services.*.consumes.*.retry.classes.retryable",
        &[c::RETRY_WEAKENED],
        "fewer attempts, shorter delays, or parked: risky",
    ),
    field(
        "services.*.consumes.*.retry.classes.unavailable",
        &[c::RETRY_WEAKENED],
        "fewer attempts, shorter delays, or parked: risky",
    ),
    field(
        "services.*.consumes.*.retry.classes.timeout",
        &[c::RETRY_WEAKENED],
        "fewer attempts, shorter delays, or parked: risky",
    ),
    field(
        "services.*.consumes.*.retry.classes.overload",
        &[c::RETRY_WEAKENED],
        "one where there was none, fewer attempts, shorter delays, or parked: risky",
    ),
    field(
        "services.*.consumes.*.retry.classes.permanent",
        &[c::RETRY_WEAKENED],
        "removed, fewer attempts, shorter delays, or parked: risky",
    ),
    field(
        "services.*.consumes.*.retry.classes.endpoint-fault",
        &[],
        "`check` refuses any",
    ),
    field(
        "services.*.consumes.*.dead-letter",
        &[c::DEAD_LETTER_REMOVED],
        "removed: breaking",
    ),
    field(
        "services.*.consumes.*.dead-letter.owner",
        &[c::DEAD_LETTER_WEAKENED],
        "removed: risky",
    ),
    field(
        "services.*.consumes.*.dead-letter.retention",
        &[c::DEAD_LETTER_WEAKENED],
        "shorter: risky",
    ),
    field(
        "services.*.consumes.*.dead-letter.followers",
        &[c::ORDER_WEAKENED],
        "`continue` where order is kept: breaking",
    ),
    field(
        "services.*.consumes.*.dead-letter.budget",
        &[c::DEAD_LETTER_WEAKENED, c::PROTECTION_LOOSENED],
        "lower: risky; higher or removed: risky",
    ),
    field(
        "services.*.consumes.*.emits",
        &[c::EMITS_LESS],
        "less of what its service publishes: risky",
    ),
    field(
        "services.*.consumes.*.objective",
        &[c::TARGET_LOWERED],
        "longer: risky",
    ),
    field(
        "dependencies",
        &[c::DEPENDENCY_REMOVED],
        "one removed that consumers needed: risky",
    ),
    field("dependencies.*.summary", &[], WORDS),
    field("dependencies.*.owner", &[], WORDS),
    field(
        "dependencies.*.concurrency",
        &[c::CAPACITY_LOWERED, c::PROTECTION_LOOSENED],
        "lower: risky; higher or removed: risky",
    ),
    field("dependencies.*.breaker", &[], BY_ITS_FIELDS),
    field(
        "dependencies.*.breaker.failure-rate",
        &[c::BREAKER_WEAKENED],
        "higher: risky",
    ),
    field(
        "dependencies.*.breaker.minimum",
        &[c::BREAKER_WEAKENED],
        "higher: risky",
    ),
    field("dependencies.*.breaker.window", &[], "neither is weaker"),
    field(
        "dependencies.*.breaker.open",
        &[c::BREAKER_WEAKENED],
        "shorter: risky",
    ),
    field(
        "dependencies.*.breaker.probes",
        &[c::BREAKER_WEAKENED],
        "more: risky",
    ),
    field("messaging", &[], BY_ITS_FIELDS),
    field(
        "messaging.broker",
        &[c::BROKER_CHANGED],
        "another: breaking",
    ),
    field("messaging.existing", &[], "what there is, no promise"),
    field("messaging.clouds", &[], "where it may run, no promise"),
    field("messaging.requires", &[c::NEED_DROPPED], "less: risky"),
    field("messaging.weights", &[], "of the choice alone"),
];

/// The table as Markdown, for the documentation.
#[must_use]
pub fn fields_table() -> String {
    let mut text = String::from("| field | codes | a change is |\n|---|---|---|\n");
    for Field { path, codes, says } in FIELDS {
        let links = codes
            .iter()
            .map(|info| format!("[{0}](findings/{0}.md)", info.code));
        let links: Vec<String> = links.collect();
        let is_harmless = codes.is_empty() && *says != BY_ITS_FIELDS;
        let says = if is_harmless {
            format!("harmless: {says}")
        } else {
            (*says).to_owned()
        };
        // Writing to a String does not fail.
        let _written = writeln!(text, "| `{path}` | {} | {says} |", links.join(" ")).is_ok();
    }
    text
}

impl Field {
    /// The worst that a change of it may be by the usual severity of its codes.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.codes.iter().map(|info| info.severity).max()
    }
}
