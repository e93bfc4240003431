//! What a handle asks of the actor.

use std::time::Duration;

use tidegate_base::ConsumerId;
use tidegate_delivery::JobTurn;
use tokio::sync::oneshot;

use crate::answer::Answer;
use crate::dead_letter::{
    DeadLetterFilter, DeadLetterPage, LettersError, LettersReport, LettersSelection,
};
use crate::edit::{EditError, EditRequest, Edited};
use crate::operate::OperateError;
use crate::pull::{PullError, PulledDelivery, SettleError};
use crate::redrive::{JobBegun, JobError, JobRequest, RedriveDetail, RedriveView, Rehearsal};
use crate::runtime::DrainReport;
use crate::seek::{ReplayWatermark, SeekReport, SeekRequest};
use crate::view::DeadLetterDetail;
use crate::why::Why;

/// One question or order; the answer goes to `reply`, or nowhere when the asker has left.
#[derive(Debug)]
pub(crate) enum Command {
    Pull {
        consumer: ConsumerId,
        max: usize,
        wait: Duration,
        reply: oneshot::Sender<Result<Vec<PulledDelivery>, PullError>>,
    },
    Settle {
        lease: String,
        answer: Answer,
        reply: oneshot::Sender<Result<(), SettleError>>,
    },
    DeadLetters {
        filter: DeadLetterFilter,
        reply: oneshot::Sender<DeadLetterPage>,
    },
    DeadLetter {
        id: String,
        reply: oneshot::Sender<Option<DeadLetterDetail>>,
    },
    Redrive {
        selection: LettersSelection,
        reply: oneshot::Sender<Result<LettersReport, LettersError>>,
    },
    Discard {
        selection: LettersSelection,
        reason: String,
        reply: oneshot::Sender<Result<LettersReport, LettersError>>,
    },
    Restore {
        ids: Vec<String>,
        reply: oneshot::Sender<Result<LettersReport, LettersError>>,
    },
    Why {
        id: String,
        source: Option<String>,
        reply: oneshot::Sender<Option<Why>>,
    },
    Operate {
        command: tidegate_delivery::Command,
        reply: oneshot::Sender<Result<(), OperateError>>,
    },
    Seek {
        request: SeekRequest,
        reply: oneshot::Sender<Result<SeekReport, OperateError>>,
    },
    ReplayWatermark {
        consumer: ConsumerId,
        reply: oneshot::Sender<Option<ReplayWatermark>>,
    },
    Rehearse {
        ids: Vec<String>,
        reply: oneshot::Sender<Result<Rehearsal, LettersError>>,
    },
    NameLetters {
        selection: LettersSelection,
        reply: oneshot::Sender<Result<Vec<String>, LettersError>>,
    },
    StartJob {
        request: JobRequest,
        reply: oneshot::Sender<Result<JobBegun, JobError>>,
    },
    TurnJob {
        job: u64,
        turn: JobTurn,
        reply: oneshot::Sender<Result<RedriveView, JobError>>,
    },
    Jobs {
        reply: oneshot::Sender<Vec<RedriveView>>,
    },
    Job {
        job: u64,
        reply: oneshot::Sender<Option<RedriveDetail>>,
    },
    Edit {
        request: EditRequest,
        reply: oneshot::Sender<Result<Edited, EditError>>,
    },
    Drain {
        limit: Duration,
        reply: oneshot::Sender<DrainReport>,
    },
}
