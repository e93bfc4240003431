//! Every code of the rules, once: the constant that a rule uses and the list that readers see.

use tidegate_model::{Code, CodeInfo, Severity};

macro_rules! codes {
    ($($name:ident $code:literal $severity:ident $title:literal,)+) => {
        $(pub(crate) const $name: CodeInfo =
            CodeInfo { code: Code($code), severity: Severity::$severity, title: $title };)+

        /// Every code of the rules, in order. The severity is the usual one: a rule may weigh a
        /// milder case less.
        pub const CODES: &[CodeInfo] = &[$($name),+];
    };
}

codes! {
    UNKNOWN_EVENT "E0201" Error "unknown event",
    UNKNOWN_STEP "E0202" Error "process step is not a service",
    UNKNOWN_DEPENDENCY "E0203" Error "unknown dependency",
    NEVER_PUBLISHED "E0204" Warning "event published by no one",
    NEVER_CONSUMED "E0205" Note "event consumed by no one",
    UNUSED_DEPENDENCY "E0206" Warning "unused dependency",
    IDLE_SERVICE "E0207" Warning "service without events",
    EMITS_UNPUBLISHED "E0208" Error "handler emits what its service does not publish",
    SERVICE_WITHOUT_OWNER "E0209" Note "service without owner",
    PROCESS_WITHOUT_OWNER "E0210" Warning "critical process without owner",
    SHARED_EVENT_WITHOUT_OWNER "E0211" Note "event of several publishers without owner",
    EVENT_WITHOUT_SUMMARY "E0212" Note "event without summary",
    DISCONNECTED_STEP "E0213" Warning "process step not connected by events",
    DUPLICATE_EVENT_TYPE "E0214" Error "two events with one CloudEvents type",
    ALIKE_NAMES "E0215" Warning "names that look alike",
    PLAIN_HTTP "E0216" Warning "plain HTTP to another machine",
    ENDPOINT_CONFLICT "E0217" Warning "one endpoint with conflicting limits",
    UNKNOWN_CRITERION "E0218" Warning "unknown criterion",
    EVENT_CYCLE "E0219" Warning "events that lead back to themselves",

    HORIZON_BEYOND_RETENTION "E0301" Error "retry horizon beyond retention",
    GUARANTEE_UNREACHABLE "E0302" Error "guarantee that the handler cannot reach",
    ORDER_WITH_NON_BLOCKING "E0303" Error "order with non-blocking retry",
    ORDER_WITHOUT_KEY "E0304" Error "order by a key that the event does not have",
    TOTAL_ORDER_CONCURRENCY "E0305" Warning "total order with concurrency",
    NO_DEAD_LETTER "E0306" Warning "consumer without dead letter",
    DEAD_LETTER_WITHOUT_OWNER "E0307" Warning "dead letter that no one looks after",
    DEAD_LETTER_RETENTION "E0308" Warning "dead letters kept shorter than events",
    TIMEOUT_BELOW_HANDLER_TIME "E0309" Error "timeout below handler time",
    BREAKER_WINDOW_BELOW_TIMEOUT "E0310" Warning "breaker window below the timeout",
    RETRY_SLOWER_THAN_TIMEOUT "E0311" Note "first retry delay above the timeout",
    DUPLICATES_ON_CRITICAL_PROCESS "E0312" Warning "duplicates on a critical process",
    OBJECTIVE_BEYOND_RETENTION "E0313" Error "objective beyond retention",
    RETRY_WITHOUT_BUDGET "E0314" Warning "retry without budget at a high rate",
    KEY_HELD_BEYOND_OBJECTIVE "E0315" Warning "key held longer than the objective",
    BREAKER_NEVER_OPENS "E0316" Warning "breaker that never opens",
    BREAKER_OPEN_BEYOND_OBJECTIVE "E0317" Warning "breaker open longer than the objective",
    BREAKER_OPEN_BEYOND_RETENTION "E0318" Error "breaker open longer than retention",
    RETRY_AMPLIFICATION "E0319" Warning "retries multiply along a chain",
    AGE_BELOW_FIRST_RETRY "E0320" Warning "no retry before the age limit",
    ORDER_LOST_AT_DEAD_LETTER "E0321" Note "order given up at a dead letter",
    COMPACTION_WITHOUT_KEY "E0322" Error "compaction by a key that the event does not have",
    ENDPOINT_FAULT_RULE "E0323" Error "rule for faults of an endpoint",
    OUTAGE_MAKES_DEAD_LETTERS "E0324" Warning "outage that makes dead letters",
    BACKLOG_IN_A_CYCLE "E0331" Warning "back-pressure in a cycle",
    BACKLOG_TOO_LOW "E0332" Warning "backlog limit below what is normal",
    ADAPTIVE_PULL "E0333" Warning "adaptive limit of a consumer that pulls",
    BURST_WITHOUT_RATE "E0334" Warning "burst without rate",

    CONCURRENCY_TOO_LOW "E0401" Error "peak rate out of reach",
    TOTAL_ORDER_TOO_SLOW "E0402" Error "peak rate out of reach in total order",
    HOTTEST_KEY "E0403" Note "bound on the busiest key",
    P99_BELOW_HANDLER_TIME "E0404" Error "p99 target below handler time",
    P99_BELOW_FIRST_RETRY "E0405" Note "p99 target without room for a retry",
    PAYLOAD_TOO_LARGE "E0406" Error "payload target above the limit",
    NO_ROOM_FOR_RETRIES "E0407" Warning "no room for retries at the peak",
    SLOW_RECOVERY "E0408" Note "slow recovery at the peak",
    RATE_BELOW_TARGET "E0411" Error "rate limit below the rate of the event",

    EVENT_WITHOUT_SCHEMA "E0501" Warning "event without schema",
    SCHEMA_INVALID "E0502" Error "invalid schema",
    // E0503 was for schemas that were not validated: all are now, and a code is never used again.
    KEY_NOT_DECLARED "E0504" Error "key that the schema does not declare",
    KEY_NOT_REQUIRED "E0505" Warning "key that the schema does not require",
    FIELD_NOT_DECLARED "E0506" Error "required field that the schema does not declare",
    FIELD_NOT_REQUIRED "E0507" Warning "required field that the schema leaves optional",
}
