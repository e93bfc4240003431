//! Every code of what a doctor finds on a broker.

use tidegate_model::{Code, CodeInfo, Severity};

macro_rules! codes {
    ($($name:ident $code:literal $severity:ident $title:literal,)+) => {
        $(pub(crate) const $name: CodeInfo =
            CodeInfo { code: Code($code), severity: Severity::$severity, title: $title };)+

        /// Every code, in order. The severity is the usual one: a milder case may weigh less.
        pub const CODES: &[CodeInfo] = &[$($name),+];
    };
}

codes! {
    NOT_THERE "E1101" Error "not on the broker",
    ONE_COPY "E1102" Warning "lost with one machine",
    FEW_ACKNOWLEDGE "E1103" Warning "acknowledged by too few",
    UNCLEAN_LEADER "E1104" Error "a server that lacks events may lead",
    RETENTION_SHORT "E1105" Error "removed before the design allows it",
    NO_SERVER_MAY_FAIL "E1106" Warning "one server down stops publishing",
    CLEANUP_DIFFERS "E1107" Error "removed by another rule",
    PARTITIONS_FEW "E1108" Warning "fewer partitions than are needed",
    MESSAGE_TOO_LARGE "E1109" Error "events larger than the broker takes",
    OUT_OF_SYNC "E1110" Warning "a copy is behind",
    NOT_DURABLE "E1111" Error "gone after a restart",
    GIVEN_UP_EARLY "E1112" Error "given up before the design says",
    GIVEN_UP_SILENTLY "E1113" Error "given up and dropped",
    LETTERS_MAY_BE_LOST "E1114" Warning "dead letters may be lost",
    FULL_DROPS "E1115" Error "dropped when it is full",
    TAKEN_AWAY "E1116" Error "taken away while it runs",
    EXPIRES "E1117" Error "unfinished messages expire",
    ORDER_NOT_KEPT "E1118" Error "order that is not kept",
    NOT_SYNCED "E1119" Warning "acknowledged before it is on disk",
    NOT_ACKNOWLEDGED "E1120" Error "done before it is handled",
    DUPLICATES_SHORT "E1121" Note "repeats recognised for a short time",
}
