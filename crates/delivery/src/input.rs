//! What happens to the machine, and what it wants done.

use std::sync::Arc;

use tidegate_base::{BreakerName, ConsumerId, Name, Timestamp};

use crate::classes::FailureClass;
use crate::job::{JobPlan, JobTurn};
use crate::outcome::Outcome;
use crate::record::{DeathReason, Edit, EventRef, StateRecord};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The process is up: take over. Nothing is admitted before this has become durable.
    TakeOver,
    /// A channel has records below `tail`.
    Grown {
        /// The channel.
        channel: Name,
        /// One past its last sequence.
        tail: u64,
    },
    /// Retention has removed what is before `head` of a channel, except what somebody needs: a
    /// consumer that knows nothing of the channel yet starts there. Said before [`Input::Grown`].
    Trimmed {
        /// The channel.
        channel: Name,
        /// The first sequence that retention has not passed.
        head: u64,
    },
    /// The answer to [`Effect::Fetch`]: the channel's records from where it asked up to `next`.
    Arrived {
        /// The consumer that asked.
        consumer: ConsumerId,
        /// The records, in order; a sequence that is missing was removed, and counts as settled.
        records: Vec<Arrival>,
        /// Where to go on.
        next: u64,
    },
    /// The answer to [`Effect::Fetch`] when a record cannot be read: the consumer halts.
    ChannelFault {
        /// The consumer that asked.
        consumer: ConsumerId,
        /// What is wrong.
        reason: String,
    },
    /// Everything up to this [`Effect::Persist`] is done in the class asked for.
    Committed {
        /// Its token.
        token: u64,
    },
    /// An attempt ended.
    Ended {
        /// The attempt.
        ticket: Ticket,
        /// How.
        outcome: Outcome,
    },
    /// So many deliveries are asked for by pullers that wait now; it replaces what was wanted before.
    Wanted {
        /// The consumer.
        consumer: ConsumerId,
        /// How many.
        deliveries: u32,
    },
    /// Send dead letters back to the head of their lanes; those that cannot go are passed over.
    Redrive {
        /// The consumer.
        consumer: ConsumerId,
        /// The letters.
        sequences: Vec<u64>,
    },
    /// An operator's command, answered with [`Effect::Obeyed`].
    Command {
        /// To be answered.
        token: u64,
        /// What is to be done.
        command: Command,
    },
    /// Admit nothing more; what runs may finish.
    Drain,
    /// Time has passed.
    Tick,
}

/// What an operator may tell it to do. What is not there, or cannot be, is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Start nothing more of a consumer until it is told to go on; what runs may finish.
    Pause {
        /// The consumer.
        consumer: ConsumerId,
        /// Why, in the operator's words.
        reason: String,
    },
    /// Let a consumer go on that is paused or has halted.
    Resume {
        /// The consumer.
        consumer: ConsumerId,
    },
    /// Hold everything behind a breaker, until it is reset.
    OpenBreaker {
        /// Which.
        breaker: BreakerName,
        /// Why, in the operator's words.
        reason: String,
    },
    /// Let everything behind a breaker flow again, slowly at first.
    ResetBreaker {
        /// Which.
        breaker: BreakerName,
    },
    /// Give dead letters up: what waits behind them goes on.
    Discard {
        /// The consumer.
        consumer: ConsumerId,
        /// The letters.
        sequences: Vec<u64>,
        /// Why, in the operator's words.
        reason: String,
    },
    /// Take discarded letters back: they are dead letters again.
    Restore {
        /// The consumer.
        consumer: ConsumerId,
        /// The letters.
        sequences: Vec<u64>,
    },
    /// Let what a consumer has finished run again, in a new generation. What is not finished stays what
    /// it is. [`Machine::replay_plan`](crate::Machine::replay_plan) says what it would do.
    Replay {
        /// The consumer.
        consumer: ConsumerId,
        /// From this delivery on.
        from: u64,
        /// Up to this one, which is excluded; `None`: to the last.
        until: Option<u64>,
        /// Why, in the operator's words.
        reason: String,
    },
    /// Settle what a consumer has not finished without a run, but for what runs and for letters.
    /// [`Machine::skip_plan`](crate::Machine::skip_plan) says what it would do.
    Skip {
        /// The consumer.
        consumer: ConsumerId,
        /// Up to this delivery, which is excluded.
        until: u64,
        /// Why, in the operator's words.
        reason: String,
    },
    /// Put another event in the place of a dead letter's: it keeps its place, and waits as before.
    Edit {
        /// The consumer.
        consumer: ConsumerId,
        /// The letter.
        sequence: u64,
        /// The version that it must be at.
        version: u64,
        /// The event, and where it comes from.
        edit: Arc<Edit>,
    },
    /// Begin a redrive job, of the number that [`Machine::next_job`](crate::Machine::next_job) says.
    StartJob {
        /// What it is to do.
        plan: Box<JobPlan>,
    },
    /// Pause, resume or cancel a redrive job.
    TurnJob {
        /// The job.
        job: u64,
        /// What to do with it.
        turn: JobTurn,
    },
}

/// One record of a channel, without its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its place in the channel.
    pub sequence: u64,
    /// The event.
    pub event: Arc<EventRef>,
    /// When it was accepted.
    pub accepted: Timestamp,
}

/// One attempt, told from every other one of any process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    /// The consumer.
    pub consumer: ConsumerId,
    /// The delivery.
    pub sequence: u64,
    /// The owner epoch.
    pub epoch: u64,
    /// The number of the start within the epoch.
    pub run: u64,
}

/// How something that happened was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It was; of an end, nothing is to be made durable that waits for it.
    Taken,
    /// It was the end of an attempt that is not running: nothing else was done.
    Rejected,
    /// The next decision makes durable that the delivery is done.
    Done,
    /// The next decision makes durable that the delivery is a dead letter.
    Buried,
}

/// When records count as kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Handed to the operating system: survives the end of the process.
    Written,
    /// Survives the end of the machine's power.
    Durable,
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Keep records, in the order of these effects, and answer [`Input::Committed`].
    Persist {
        /// To be answered.
        token: u64,
        /// When they count as kept.
        class: Class,
        /// The records.
        records: Arc<Vec<StateRecord>>,
    },
    /// Make an attempt and answer [`Input::Ended`].
    Start {
        /// The attempt.
        ticket: Ticket,
        /// From 1, in its redrive round.
        attempt: u32,
        /// The replay that it is of; 0: of none.
        generation: u64,
        /// When it ends at the latest. The machine ends it by itself for pull only.
        deadline: Timestamp,
        /// What the handler keeps for the delivery's key.
        state: Option<Arc<str>>,
    },
    /// Read the consumer's channel and answer [`Input::Arrived`] or [`Input::ChannelFault`].
    Fetch {
        /// The consumer.
        consumer: ConsumerId,
        /// The first sequence.
        from: u64,
        /// Most records.
        limit: usize,
    },
    /// Send [`Input::Tick`] at this time at the latest; it replaces the time asked for before.
    WakeAt(Timestamp),
    /// Something about a delivery is now so, durably in its class.
    Concluded {
        /// The consumer.
        consumer: ConsumerId,
        /// The delivery.
        sequence: u64,
        /// When its event was accepted, or its replay ordered.
        accepted: Timestamp,
        /// What.
        conclusion: Conclusion,
    },
    /// An outcome came for an attempt that is not running: nothing else was done.
    Rejected(Ticket),
    /// A command is carried out, durably.
    Obeyed {
        /// The token of [`Input::Command`].
        token: u64,
    },
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// It is finished.
    Succeeded,
    /// Its event was finished before, so it did not run.
    Duplicate,
    /// An attempt failed; it will be retried.
    Failed {
        /// What kind of failure.
        class: FailureClass,
        /// When it may start again.
        until: Timestamp,
    },
    /// An attempt ended without counting.
    Released(Release),
    /// It is a dead letter.
    DeadLettered(DeathReason),
    /// A dead letter is back in its lane.
    Redriven,
    /// A dead letter is given up.
    Discarded,
    /// A discarded letter is a dead letter again.
    Restored,
    /// An operator has passed over it. Of what was not in memory nothing is said.
    Skipped,
}

/// Why an attempt ended without counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The handler has too much to do.
    Overload,
    /// The endpoint is wrong.
    EndpointFault,
    /// It was called off.
    Cancelled,
    /// It failed while a breaker that it needs was open.
    BreakerOpen,
    /// It had not been sent yet when something closed its way.
    Withdrawn,
}
