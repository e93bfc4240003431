//! What a handle asks of the actor.

use std::time::Duration;

use tidegate_base::ConsumerId;
use tidegate_delivery::Outcome;
use tokio::sync::oneshot;

use crate::dead_letter::{
    DeadLetterFilter, DeadLetterPage, RedriveError, RedriveReport, RedriveSelection,
};
use crate::pull::{PullError, PulledDelivery, SettleError};
use crate::runtime::DrainReport;
use crate::view::DeadLetterDetail;

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
        outcome: Outcome,
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
        selection: RedriveSelection,
        reply: oneshot::Sender<Result<RedriveReport, RedriveError>>,
    },
    Drain {
        limit: Duration,
        reply: oneshot::Sender<DrainReport>,
    },
}
