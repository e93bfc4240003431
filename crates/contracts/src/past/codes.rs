//! Every code of changes, once: the constant that a comparison uses and the list that readers see.

use tidegate_model::{Code, CodeInfo, Severity};

macro_rules! codes {
    ($($name:ident $code:literal $severity:ident $title:literal,)+) => {
        $(pub(super) const $name: CodeInfo =
            CodeInfo { code: Code($code), severity: Severity::$severity, title: $title };)+

        /// Every code of changes, in order. The severity is the usual one: errors are breaking,
        /// warnings risky, notes harmless.
        pub const CODES: &[CodeInfo] = &[$($name),+];
    };
}

codes! {
    SYSTEM_RENAMED "E1001" Warning "system renamed",
    EVENT_REMOVED "E1002" Error "event removed",
    TYPE_CHANGED "E1003" Error "CloudEvents type changed",
    SCHEMA_BREAKS "E1004" Error "schema change that breaks",
    SCHEMA_NOT_PROVED "E1005" Warning "schema change that is not proved",
    FORMAT_CHANGED "E1006" Error "format of a schema changed",
    SCHEMA_REMOVED "E1007" Warning "schema removed",
    SCHEMA_ADDED "E1008" Warning "schema where anything was allowed",
    COMPATIBILITY_LOOSENED "E1009" Warning "compatibility loosened",
    KEY_CHANGED "E1010" Error "key changed",
    RETENTION_SHORTENED "E1011" Warning "retention shortened",
    CLEANUP_CHANGED "E1012" Error "cleanup policy changed",
    BACKLOG_LOWERED "E1013" Warning "producers refused earlier",
    TARGET_LOWERED "E1014" Warning "target lowered",
    SERVICE_REMOVED "E1015" Error "service removed",
    PUBLISHER_REMOVED "E1016" Error "service no longer publishes",
    EMITS_LESS "E1017" Warning "handler no longer emits",
    CONSUMER_REMOVED "E1018" Warning "consumer removed",
    CONSUMER_ADDED "E1019" Warning "new consumer of an old event",
    REQUIRES_MORE "E1020" Warning "consumer requires more",
    DELIVERY_TURNED "E1021" Error "delivery turned between push and pull",
    ENDPOINT_MOVED "E1022" Warning "endpoint moved",
    CAPACITY_LOWERED "E1023" Warning "capacity lowered",
    PROTECTION_LOOSENED "E1024" Warning "protection loosened",
    TIMEOUT_SHORTENED "E1025" Warning "timeout shortened",
    TRANSACTION_CHANGED "E1026" Error "transaction changed",
    ORDER_WEAKENED "E1027" Error "order weakened",
    GUARANTEE_WEAKENED "E1028" Error "guarantee weakened",
    REPLAY_CHANGED "E1029" Warning "replay changed",
    RETRY_WEAKENED "E1030" Warning "retry weakened",
    DEAD_LETTER_REMOVED "E1031" Error "dead letter removed",
    DEAD_LETTER_WEAKENED "E1032" Warning "dead letters kept less",
    DEPENDENCY_REMOVED "E1033" Warning "dependency removed",
    BREAKER_WEAKENED "E1034" Warning "breaker weakened",
    BROKER_CHANGED "E1035" Error "broker changed",
    NEED_DROPPED "E1036" Warning "need of the infrastructure dropped",
    CRITICALITY_LOWERED "E1037" Warning "criticality lowered",
    VERSION_DROPPED "E1038" Warning "version dropped or changed",
    RULES_CHANGED "E1039" Warning "rules of an event changed",

    ACCEPTANCE_STALE "E1051" Warning "acceptance of nothing",
    ACCEPTANCE_EXPIRED "E1052" Warning "acceptance that has expired",
    ACCEPTANCE_UNUSABLE "E1053" Error "acceptance that cannot be used",
    PAST_UNREAD "E1054" Warning "past design that cannot be read as a whole",
    HARMLESS "E1059" Note "change that breaks nothing",
}
