//! The words of the language for the values of its closed lists, each with what it means.

use std::fmt;

use crate::design::{
    Backoff, CleanupPolicy, Compatibility, Criticality, FailureClass, FieldType, Followers,
    Guarantee, Jitter, Limit, Order, Presence, Replay, RetryMode, Then, Transaction,
};

/// An allowed word with what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The word, as a design writes it.
    pub word: &'static str,
    /// What it means, in one sentence.
    pub summary: &'static str,
}

/// A value that a design writes as one word of a closed list.
pub trait Word: Copy + 'static {
    /// Every allowed word, in the order of the documentation.
    const CHOICES: &'static [Choice];

    /// The value that `word` stands for; `None` when it is not one of the list.
    fn from_word(word: &str) -> Option<Self>;

    /// The word for this value.
    fn word(self) -> &'static str;
}

macro_rules! words {
    ($type:ident { $($variant:ident $word:literal $summary:literal,)+ }) => {
        impl Word for $type {
            const CHOICES: &'static [Choice] =
                &[$(Choice { word: $word, summary: $summary }),+];

            fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }

            fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }
    };
}

words!(Criticality {
    Low "low" "Its loss is an inconvenience.",
    Medium "medium" "Its loss is felt.",
    High "high" "Its loss costs money or trust.",
});

words!(Compatibility {
    None "none" "Anything goes.",
    Backward "backward" "New readers read what the last version wrote.",
    BackwardTransitive "backward-transitive" "New readers read what every version wrote.",
    Forward "forward" "Readers of the last version read what the new one writes.",
    ForwardTransitive "forward-transitive" "Readers of every version read what the new one writes.",
    Full "full" "Backward and forward.",
    FullTransitive "full-transitive" "Backward and forward against every version.",
});

words!(CleanupPolicy {
    Delete "delete" "Events go by their age and by the size of all of them.",
    Compact "compact" "An event goes when a later one has its key, whatever its age.",
});

words!(Transaction {
    Postgres "postgres" "A transaction of PostgreSQL handed to a Rust handler.",
    Sqlite "sqlite" "A transaction of SQLite handed to a Rust handler.",
    Log "log" "A batch of the embedded log.",
    Kafka "kafka" "A Kafka transaction.",
});

words!(Limit {
    Fixed "fixed" "As many as `concurrency` says.",
    Adaptive "adaptive" "As many as the handler takes without a queue, at most `concurrency`.",
});

words!(Order {
    None "none" "No delivery waits for another.",
    Key "key" "Deliveries with the same key keep their order.",
    Total "total" "All deliveries keep their order.",
});

words!(Guarantee {
    AtLeastOnce "at-least-once" "Never lost once accepted; may run more than once.",
    Deduplicated "deduplicated"
        "A run recorded as done is never repeated; a crash during a run can repeat it.",
    ExactlyOnceEffect "exactly-once-effect"
        "The handler's change, the inbox row and the emitted events commit in one transaction.",
    KafkaTransaction "kafka-transaction" "Consume and produce in one Kafka transaction.",
});

words!(Replay {
    Allowed "allowed" "What is finished may run again, in a new generation.",
    Refused "refused" "What is finished never runs again.",
});

words!(Backoff {
    Constant "constant" "Always `initial`.",
    Linear "linear" "`initial` times the number of failed attempts.",
    Exponential "exponential" "Doubles after each failed attempt.",
});

words!(Jitter {
    None "none" "Nothing is left to chance.",
    Full "full" "Uniform from zero to the delay.",
    Equal "equal" "Uniform in the upper half of the delay.",
    Decorrelated "decorrelated" "Uniform from `initial` to three times the previous delay.",
});

words!(RetryMode {
    Blocking "blocking" "The key waits, other keys flow: order is kept.",
    NonBlocking "non-blocking" "Nothing waits: order is lost, as with retry topics.",
});

words!(FailureClass {
    Retryable "retryable" "The handler failed.",
    Unavailable "unavailable" "It, or what it needs, could not be reached.",
    Timeout "timeout" "No answer came in time.",
    Overload "overload" "The handler has too much to do.",
    Permanent "permanent" "The handler said that it can never succeed.",
    EndpointFault "endpoint-fault" "The endpoint is wrong.",
});

words!(Then {
    Retry "retry" "It is retried, as long as it may.",
    Park "park" "It is a dead letter at once.",
});

words!(Followers {
    Wait "wait" "They wait behind it until it is redriven or discarded.",
    Continue "continue" "They go on.",
});

words!(Presence {
    Always "always" "Every event has it.",
    Optional "optional" "An event may be without it.",
});

words!(FieldType {
    String "string" "A text.",
    Number "number" "Any number.",
    Integer "integer" "A whole number.",
    Boolean "boolean" "True or false.",
    Object "object" "Fields.",
    Array "array" "Items.",
});
