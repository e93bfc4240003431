//! The end: nothing new, what runs may finish, everything is written.

use std::time::Duration;

use tidegate_base::Timestamp;
use tidegate_delivery::{Input, Outcome, Ticket};
use tokio::sync::oneshot;

use super::Actor;
use crate::pull::{PullError, SettleError};
use crate::runtime::DrainReport;
use crate::view::Mode;

/// A drain under way.
#[derive(Debug)]
pub(super) struct Drain {
    began: Timestamp,
    pub(super) ends_at: Timestamp,
    /// Attempts that ended since it began.
    pub(super) finished: u64,
    cancelled: u64,
    stage: Stage,
    replies: Vec<oneshot::Sender<DrainReport>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Attempts run.
    Finishing,
    /// Its time is over: only commits that are under way are waited for.
    Ending,
    /// The last state is being written.
    Writing,
    /// Nothing is left to do.
    Done,
}

impl Actor {
    pub(super) fn start_drain(&mut self, limit: Duration, reply: oneshot::Sender<DrainReport>) {
        let now = self.now();
        match &mut self.drain {
            Some(drain) => {
                if drain.stage == Stage::Finishing {
                    drain.ends_at = drain.ends_at.min(now + limit);
                }
                drain.replies.push(reply);
            }
            None => {
                self.parts.publisher.enter(Mode::Draining);
                self.drain = Some(Drain {
                    began: now,
                    ends_at: now + limit,
                    finished: 0,
                    cancelled: 0,
                    stage: Stage::Finishing,
                    replies: vec![reply],
                });
                self.tell(Input::Drain);
                self.refuse_pulls(&PullError::Draining);
                self.show();
            }
        }
    }

    /// Goes on with a drain as far as it can go now.
    pub(super) fn drain_on(&mut self) {
        let now = self.now();
        let Some(drain) = &mut self.drain else {
            return;
        };
        let stopped = self.parts.publisher.mode() == Mode::Stopped;
        let over = now >= drain.ends_at;
        let quiet = self.parts.machine.is_quiet() && self.commits.under_way == 0;
        match drain.stage {
            Stage::Finishing | Stage::Ending if quiet || stopped => {
                drain.stage = if stopped { Stage::Done } else { Stage::Writing };
                drain.ends_at = Timestamp::from_nanos(u64::MAX);
                if !stopped {
                    self.checkpoint();
                }
            }
            Stage::Finishing if over => {
                drain.stage = Stage::Ending;
                drain.ends_at = Timestamp::from_nanos(u64::MAX);
                self.call_off();
            }
            Stage::Writing if self.commits.under_way == 0 || stopped => drain.stage = Stage::Done,
            Stage::Finishing | Stage::Ending | Stage::Writing | Stage::Done => {}
        }
        self.answer_drain(now);
    }

    /// Whether a commit that is refused at a limit is not tried again: a drain must end.
    pub(super) fn is_out_of_time(&self) -> bool {
        let ending = |drain: &Drain| drain.stage != Stage::Finishing;
        self.drain.as_ref().is_some_and(ending)
    }

    fn answer_drain(&mut self, now: Timestamp) {
        let consumers: Vec<_> = self.parts.design.consumers().map(|c| c.id()).collect();
        let statuses = consumers
            .iter()
            .filter_map(|id| self.parts.machine.status(id, now));
        let Some(drain) = self
            .drain
            .as_mut()
            .filter(|drain| drain.stage == Stage::Done)
        else {
            return;
        };
        if drain.replies.is_empty() {
            return;
        }
        let report = DrainReport {
            finished: drain.finished,
            cancelled: drain.cancelled,
            backlog: statuses.map(|status| status.backlog).sum(),
            took: now.since(drain.began),
        };
        for reply in drain.replies.drain(..) {
            let _left = reply.send(report.clone());
        }
    }

    /// Calls off every attempt that still runs; none of them counts.
    fn call_off(&mut self) {
        let mut tickets: Vec<Ticket> = self.parts.machine.running();
        tickets.sort();
        self.attempts.call_off();
        for ticket in tickets {
            if let Some(drain) = &mut self.drain {
                drain.cancelled += 1;
            }
            self.tell(Input::Ended {
                ticket,
                outcome: Outcome::Cancelled,
            });
        }
    }

    /// The state can no longer be written: nothing starts, and everyone who waits is told.
    pub(super) fn stop(&mut self) {
        self.parts.publisher.enter(Mode::Stopped);
        self.tell(Input::Drain);
        self.refuse_pulls(&PullError::Stopped);
        for (_, settling) in std::mem::take(&mut self.settling) {
            let _left = settling.reply.send(Err(SettleError::Stopped));
        }
        for pending in std::mem::take(&mut self.redrives) {
            pending.refuse();
        }
        self.operators.give_up();
        self.show();
    }
}
