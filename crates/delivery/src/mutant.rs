//! Faults that can be built in, so that a test shows that the simulator would find them.
//!
//! Without the feature `mutants` the question is a constant and nothing of this is in the program.

use crate::outcome::{Outcome, RetryClass};

/// A fault that the simulator must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A delivery is finished, and its lane free, before that is kept.
    AckBeforeCommit,
    /// That a delivery is done is written and not durable.
    DoneNotDurable,
    /// A dead letter is written and not durable.
    LetterNotDurable,
    /// A new epoch is written and not durable.
    EpochNotDurable,
    /// A process takes over with the epoch of the one before.
    EpochNotRaised,
    /// Attempts start before the takeover is durable.
    StartsUnowned,
    /// An outcome of any epoch is taken for one of this epoch.
    EpochNotChecked,
    /// An outcome of an earlier attempt is taken for one of the attempt that runs.
    RunNotChecked,
    /// An attempt is sent without a record of its start.
    StartNotRecorded,
    /// The end of the process while a suspect ran alone is not counted.
    CrashNotCounted,
    /// Others start while a suspect runs.
    SuspectNotAlone,
    /// More attempts run at the same time than may.
    ConcurrencyNotAsked,
    /// An open breaker lets deliveries through.
    OpenBreakerAdmits,
    /// A failure while a breaker is open counts against the delivery.
    OpenBreakerBurnsAttempts,
    /// A half-open breaker lets any number through.
    ProbesUnlimited,
    /// What failed before probes although something else could.
    ProbeThatFailed,
    /// A breaker that an operator holds open probes after a restart.
    ForcedBreakerForgotten,
    /// A clock that goes back keeps a breaker open for longer than designed.
    OpenTimeUnbounded,
    /// A retry starts without a token of the budget.
    RetryBudgetNotAsked,
    /// A dead letter is made without a token of the budget.
    LetterBudgetNotAsked,
    /// More dead letters are made than may be.
    LetterRoomNotAsked,
    /// What waits for a token to become a dead letter lets its consumer go on once there is room.
    CondemnedNotHalted,
    /// The next delivery of a lane runs while the one before waits for its retry.
    RetryReleasesLane,
    /// A retry does not wait for its time.
    RetryTooEarly,
    /// What a handler asks for with a failure is not honoured.
    RetryAfterIgnored,
    /// A clock that goes back keeps a retry waiting for longer than was ever asked for.
    RetryTimeUnbounded,
    /// A restart forgets how often a delivery failed.
    FailuresForgotten,
    /// A delivery is retried although its attempts are used up.
    AttemptsUnbounded,
    /// An overload counts against the delivery.
    OverloadBurnsAttempt,
    /// An overload does not hold the consumer for as long as it asked.
    OverloadNotHeld,
    /// A restart forgets for how long a handler asked to be left alone.
    HoldForgotten,
    /// An endpoint fault makes a dead letter.
    EndpointFaultBuries,
    /// An attempt that was called off counts.
    CancellationCounts,
    /// What waits behind a dead letter goes on.
    LetterReleasesLane,
    /// A redriven letter goes behind the newer ones of its lane.
    RedriveBehindNewer,
    /// Everything behind a discarded letter may run at once.
    DiscardForgetsOrder,
    /// A follower counts as settled before the state keeps it.
    FollowerSettledEarly,
    /// The state keeps a follower ahead of one that the channel would bring again.
    FollowerAheadOfChannel,
    /// The cursor passes everything before a delivery that is done.
    CursorPassesLive,
    /// Finished events are forgotten after a time.
    DedupByClock,
    /// An event runs while it runs under another sequence.
    TwinsBeside,
    /// A checkpoint leaves out what is still being recorded.
    CheckpointForgets,
    /// A pause is not kept.
    PauseNotKept,
    /// A command is answered before it is durable.
    CommandObeyedEarly,
    /// Retention may remove the events of dead letters.
    LettersNotNeeded,
    /// A lease does not end by itself.
    LeaseNeverEnds,
    /// What a replay is to run again is written and not durable.
    ReplayNotDurable,
    /// A replay is read before it is kept.
    ReplayReadEarly,
    /// A replay takes up what is not finished.
    ReplayTakesLive,
    /// What is newer than a replay goes before it.
    ReplayOvertaken,
    /// What another generation has finished counts as finished.
    GenerationNotInKey,
    /// A skip is written and not durable.
    SkipNotDurable,
    /// A skip settles what runs.
    SkipSettlesRunning,
    /// A job does not wait for the verdicts on a step.
    JobStepNotWaited,
    /// A job sends letters to a consumer that takes nothing.
    JobDoorNotAsked,
    /// A job sends a letter back behind another one of its key.
    JobOvertakes,
    /// A job does not hear that its letter was passed over.
    JobDeafToSkips,
    /// After a restart a job takes a letter that it did not send for one that failed again.
    JobRoundNotAsked,
    /// A checkpoint leaves out the jobs.
    JobsNotInCheckpoint,
    /// A letter is edited although it has changed since it was looked at.
    EditVersionNotAsked,
    /// An edit is written and not durable.
    EditNotDurable,
    /// A redriven letter has the event of its channel again.
    EditLostByRedrive,
    /// What an edited event has replaced is not recognised.
    EditedTwinRuns,
    /// The state of a key is recorded beside the end of its delivery, and not with it.
    StateBesideEnd,
    /// A checkpoint leaves out the states of keys.
    StateNotRestored,
    /// Finished events are forgotten that the channel may still bring.
    InboxForgetsWanted,
    /// A start that is withdrawn costs a token of its rate.
    WithdrawalKeepsToken,
    /// A start that is withdrawn keeps its places.
    WithdrawalKeepsPlace,
    /// More starts than the rate allows.
    RateNotAsked,
    /// An event for later runs as soon as it is read.
    ScheduleIgnored,
    /// An event for later that the state keeps runs as soon as the process has started.
    ScheduleForgotten,
    /// What has run waits for its time once more when the clock was set back.
    ScheduledTwice,
    /// Others of its key wait for an event for later.
    ScheduledHoldsLane,
    /// An event for later goes behind the newer ones of its lane once it is due.
    ScheduledOvertaken,
    /// An event for much later stays in the window.
    ScheduledInWindow,
    /// An event for much later stays in the window once what was before it is done.
    ScheduledBehindStays,
    /// What was for later stays in the channel when one that went before it becomes a dead letter.
    OvertakenStays,
    /// What a design says of a class of failures is not asked.
    ClassRuleIgnored,
    /// The attempts of one class are used up by failures of others.
    ClassCountsAll,
    /// A restart forgets in which ways a delivery failed.
    ClassCountsForgotten,
    /// A failure that a rule parks is parked while a breaker is open, too.
    ParkedInOutage,
}

impl Mutant {
    /// Every one.
    pub const ALL: [Self; 81] = [
        Self::AckBeforeCommit,
        Self::DoneNotDurable,
        Self::LetterNotDurable,
        Self::EpochNotDurable,
        Self::EpochNotRaised,
        Self::StartsUnowned,
        Self::EpochNotChecked,
        Self::RunNotChecked,
        Self::StartNotRecorded,
        Self::CrashNotCounted,
        Self::SuspectNotAlone,
        Self::ConcurrencyNotAsked,
        Self::OpenBreakerAdmits,
        Self::OpenBreakerBurnsAttempts,
        Self::ProbesUnlimited,
        Self::ProbeThatFailed,
        Self::ForcedBreakerForgotten,
        Self::OpenTimeUnbounded,
        Self::RetryBudgetNotAsked,
        Self::LetterBudgetNotAsked,
        Self::LetterRoomNotAsked,
        Self::CondemnedNotHalted,
        Self::RetryReleasesLane,
        Self::RetryTooEarly,
        Self::RetryAfterIgnored,
        Self::RetryTimeUnbounded,
        Self::FailuresForgotten,
        Self::AttemptsUnbounded,
        Self::OverloadBurnsAttempt,
        Self::OverloadNotHeld,
        Self::HoldForgotten,
        Self::EndpointFaultBuries,
        Self::CancellationCounts,
        Self::LetterReleasesLane,
        Self::RedriveBehindNewer,
        Self::DiscardForgetsOrder,
        Self::FollowerSettledEarly,
        Self::FollowerAheadOfChannel,
        Self::CursorPassesLive,
        Self::DedupByClock,
        Self::TwinsBeside,
        Self::CheckpointForgets,
        Self::PauseNotKept,
        Self::CommandObeyedEarly,
        Self::LettersNotNeeded,
        Self::LeaseNeverEnds,
        Self::ReplayNotDurable,
        Self::ReplayReadEarly,
        Self::ReplayTakesLive,
        Self::ReplayOvertaken,
        Self::GenerationNotInKey,
        Self::SkipNotDurable,
        Self::SkipSettlesRunning,
        Self::JobStepNotWaited,
        Self::JobDoorNotAsked,
        Self::JobOvertakes,
        Self::JobDeafToSkips,
        Self::JobRoundNotAsked,
        Self::JobsNotInCheckpoint,
        Self::EditVersionNotAsked,
        Self::EditNotDurable,
        Self::EditLostByRedrive,
        Self::EditedTwinRuns,
        Self::StateBesideEnd,
        Self::StateNotRestored,
        Self::InboxForgetsWanted,
        Self::WithdrawalKeepsToken,
        Self::WithdrawalKeepsPlace,
        Self::RateNotAsked,
        Self::ScheduleIgnored,
        Self::ScheduleForgotten,
        Self::ScheduledTwice,
        Self::ScheduledHoldsLane,
        Self::ScheduledOvertaken,
        Self::ScheduledInWindow,
        Self::ScheduledBehindStays,
        Self::OvertakenStays,
        Self::ClassRuleIgnored,
        Self::ClassCountsAll,
        Self::ClassCountsForgotten,
        Self::ParkedInOutage,
    ];
}

/// The outcome as a fault that is built in takes it.
pub(crate) fn mistaken(outcome: Outcome) -> Outcome {
    let failed = |error: String| Outcome::Retry {
        class: RetryClass::Retryable,
        error,
        after: None,
    };
    match outcome {
        Outcome::Overload { error, .. } if is(Mutant::OverloadBurnsAttempt) => failed(error),
        Outcome::EndpointFault { error } if is(Mutant::EndpointFaultBuries) => {
            Outcome::Refused { error }
        }
        Outcome::Cancelled if is(Mutant::CancellationCounts) => failed(String::new()),
        outcome => outcome,
    }
}

#[cfg(feature = "mutants")]
mod built_in {
    use std::cell::Cell;

    use super::Mutant;

    thread_local! {
        static BUILT_IN: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Builds `mutant` into all machines that this thread steps, or into none.
    pub fn build_in(mutant: Option<Mutant>) {
        BUILT_IN.set(mutant);
    }

    pub(crate) fn is(mutant: Mutant) -> bool {
        BUILT_IN.get() == Some(mutant)
    }
}

#[cfg(feature = "mutants")]
pub use built_in::build_in;
#[cfg(feature = "mutants")]
pub(crate) use built_in::is;

/// Whether the fault is built in: never.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub(crate) const fn is(_mutant: Mutant) -> bool {
    false
}
