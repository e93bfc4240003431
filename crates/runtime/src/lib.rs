//! Deliveries driven by I/O: publish, push, pull, retry, hold, dead-letter, drain.
//!
//! [`Runtime`] is a cheap handle. Behind it the *actor* alone owns the delivery
//! machine: it turns what happens into inputs, and effects into
//! commits, reads and attempts. The runtime names no broker and knows no HTTP: it is given a
//! [`Broker`](tidegate_broker::Broker) and a [`Caller`].

mod actor;
mod answer;
mod attention;
mod backlog;
mod caller;
mod catalog;
mod checkpoint;
mod clock;
mod command;
mod dead_letter;
mod edit;
mod hand;
mod journal;
mod letter_filter;
mod meter;
mod operate;
mod outputs;
mod plan;
mod publish;
mod publisher;
mod pull;
mod recent;
mod redrive;
mod registry;
mod runtime;
mod seek;
mod settings;
mod situation;
mod stored;
mod together;
pub mod view;
mod why;
mod wire;

pub use answer::Answer;
pub use caller::{Attempt, Caller};
pub use clock::TokioClock;
pub use dead_letter::{
    DeadLetterFilter, DeadLetterPage, LettersError, LettersReport, LettersSelection,
};
pub use edit::{EditError, EditRequest, Edited};
pub use letter_filter::{Condition, LetterFilter};
pub use operate::OperateError;
pub use publish::{Accept, Accepted, Behind, Measure, Problem, PublishError, SchemaViolation};
pub use pull::{PullError, PulledDelivery, SettleError};
pub use redrive::{
    InvalidLetter, JobBegun, JobError, JobRequest, RedriveDetail, RedriveLetterView, RedriveView,
    Rehearsal,
};
pub use registry::{
    FoundSchema, Missing, OtherRegistry, REGISTRY_CHANNEL, Registry, RegistryError, SchemaSource,
    SourceError, WrittenError,
};
pub use runtime::{DrainReport, Runtime, StartError};
pub use seek::{ReplayWatermark, SeekAction, SeekReport, SeekRequest, SeekTo, SeekToError};
pub use settings::Settings;
pub use tidegate_delivery::{
    Command, EditRefusal, JobRefusal, JobTurn, KeyState, Outcome, RetryClass, StopRule,
};
pub use why::{Why, WhyBehind, WhyDelivery, WhyEvent, WhyGate, WhyOrder};
