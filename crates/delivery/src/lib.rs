//! Delivery decisions: a pure state machine of lanes, retries, breakers and dead letters.
//!
//! A *delivery* is one event on its way to one consumer. Those of a consumer that may not overtake
//! each other form a *lane*. [`Machine::step`] takes an [`Input`] and answers with [`Effect`]s; it
//! does no I/O, reads no clock and draws no random numbers of its own. What must outlive the
//! process leaves as [`StateRecord`]s, and [`Machine::restore`] takes them up again.

mod adaptive;
mod breaker;
mod budget;
mod classes;
mod config;
mod consumer;
mod cursor;
mod ended;
mod identity;
mod input;
mod job;
mod machine;
pub mod mutant;
mod needed;
mod outbox;
mod outcome;
mod random;
mod ranges;
mod rate;
mod record;
mod retry;
mod sequences;
mod share;
mod shared;

pub use adaptive::{AdaptiveLimit, Load};
pub use breaker::{Breaker, BreakerRecord, BreakerStatus, Gate, Period, Verdict};
pub use budget::Budget;
pub use classes::{
    AppliedRule, ClassCounts, ClassRule, ClassRules, FailureClass, Fate, OwnRetry, Tally,
};
pub use config::{
    ConsumerConfig, DependencyConfig, FlowConfig, Followers, Mode, Order, RateConfig, Repetition,
    SystemConfig,
};
pub use consumer::{
    ConsumerStatus, DeadLetter, DeliveryStatus, EditRefusal, Explanation, Failing, Obstacle,
    RedriveRefusal, Replaying, RestoreRefusal, SeekPlan, SeekRefusal,
};
pub use cursor::Cursor;
pub use ended::{End, EndedDelivery, Provenance, SeekOrder};
pub use identity::{Identity, fingerprint, normalise};
pub use input::{Arrival, Class, Command, Conclusion, Effect, Heard, Input, Release, Ticket};
pub use job::{
    Job, JobCounts, JobLetter, JobPlan, JobProgress, JobRecord, JobRefusal, JobState, JobTurn,
    Skip, StopRule,
};
pub use machine::Machine;
pub use needed::Needed;
pub use outcome::{KeyState, Outcome, RetryClass};
pub use random::Draws;
pub use rate::RateLimit;
pub use record::{
    AttemptOutcome, AttemptRecord, Company, Death, DeathReason, Discard, Edit, EditNote, EventRef,
    Halt, HaltCause, Hold, KeptDelivery, Pause, Progress, RecordError, Standing, StateRecord,
};
pub use retry::{Backoff, Decision, Jitter, RetryMode, RetryPolicy};
