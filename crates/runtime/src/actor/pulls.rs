//! Pull: who waits for deliveries, and which leases are out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt;
use tidegate_base::limit::PULLS_WAITING_MAX;
use tidegate_base::{ConsumerId, Timestamp};
use tidegate_delivery::{Conclusion, DeliveryStatus, Heard, Input, Outcome, Ticket};
use tidegate_model::closest;
use tokio::sync::oneshot;

use super::Actor;
use super::hear::{Event, Judged, Leased};
use super::search::present_event;
use crate::answer::Answer;
use crate::pull::{PullError, PulledDelivery, SettleError};
use crate::view::Mode;

/// How long a pull looks at least: a delivery is handed out once its start is written, which takes a
/// moment. A pull that finds something is answered as soon as it is there.
const LOOK: Duration = Duration::from_millis(250);

type Reply = oneshot::Sender<Result<Vec<PulledDelivery>, PullError>>;

/// A puller that has settled a delivery and waits for that to be durable.
#[derive(Debug)]
pub(super) struct Settling {
    /// It said that it is done.
    said_done: bool,
    pub(super) reply: oneshot::Sender<Result<(), SettleError>>,
}

/// The pulls of one consumer, first come, first served.
#[derive(Debug, Default)]
pub(super) struct Pulls {
    waiting: VecDeque<Pull>,
    /// Deliveries on their way to a puller.
    arriving: u32,
    /// What the machine was last told.
    wanted: u32,
}

#[derive(Debug)]
struct Pull {
    max: usize,
    ends_at: Timestamp,
    got: Vec<(Ticket, PulledDelivery)>,
    /// When it is answered at the latest, once it has something: those leases are running.
    answer_by: Option<Timestamp>,
    reply: Reply,
}

impl Pulls {
    /// When the first pull ends, or has waited long enough for the rest of what it gets.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        // What is on its way comes first, and wakes by itself.
        let ends = |pull: &Pull| (self.arriving == 0).then_some(pull.ends_at);
        let pulls = self.waiting.iter();
        pulls
            .flat_map(|pull| [ends(pull), pull.answer_by])
            .flatten()
            .min()
    }

    fn missing(&self) -> u32 {
        let missing = self
            .waiting
            .iter()
            .map(|pull| pull.max - pull.got.len())
            .fold(0, usize::saturating_add);
        u32::try_from(missing)
            .unwrap_or(u32::MAX)
            .saturating_sub(self.arriving)
    }
}

impl Actor {
    pub(super) fn pull(&mut self, consumer: ConsumerId, max: usize, wait: Duration, reply: Reply) {
        if let Err(error) = self.may_pull(&consumer) {
            let _left = reply.send(Err(error));
            return;
        }
        let ends_at = self.now() + wait.max(LOOK);
        let pull = Pull {
            max: max.max(1),
            ends_at,
            got: Vec::new(),
            answer_by: None,
            reply,
        };
        self.pulls
            .entry(consumer.clone())
            .or_default()
            .waiting
            .push_back(pull);
        self.tell_wanted(&consumer);
    }

    fn may_pull(&self, consumer: &ConsumerId) -> Result<(), PullError> {
        match self.parts.publisher.mode() {
            Mode::Running => {}
            Mode::Draining => return Err(PullError::Draining),
            Mode::Stopped => return Err(PullError::Stopped),
        }
        let Some(target) = self.targets.get(consumer) else {
            let known: Vec<String> = self
                .parts
                .design
                .consumers()
                .map(|known| known.id().to_string())
                .collect();
            let did_you_mean = closest(&consumer.to_string(), known.iter().map(String::as_str));
            let did_you_mean = did_you_mean.map(str::to_owned);
            return Err(PullError::UnknownConsumer {
                consumer: consumer.clone(),
                did_you_mean,
            });
        };
        if target.endpoint.is_some() {
            return Err(PullError::Pushed {
                consumer: consumer.clone(),
            });
        }
        let waiting = self
            .pulls
            .get(consumer)
            .map_or(0, |pulls| pulls.waiting.len());
        if waiting >= PULLS_WAITING_MAX {
            return Err(PullError::Busy {
                consumer: consumer.clone(),
                waiting,
            });
        }
        Ok(())
    }

    /// Tells the machine how many deliveries are waited for, when that has changed.
    fn tell_wanted(&mut self, consumer: &ConsumerId) {
        let Some(pulls) = self.pulls.get_mut(consumer) else {
            return;
        };
        let wanted = pulls.missing();
        if wanted != pulls.wanted {
            pulls.wanted = wanted;
            let consumer = consumer.clone();
            self.tell(Input::Wanted {
                consumer,
                deliveries: wanted,
            });
        }
    }

    /// A delivery is on its way to a puller; the machine has counted it as handed out.
    pub(super) fn lease_under_way(&mut self, consumer: &ConsumerId) {
        let pulls = self.pulls.entry(consumer.clone()).or_default();
        pulls.arriving += 1;
        pulls.wanted = pulls.wanted.saturating_sub(1);
    }

    /// A delivery on its way to a puller will not arrive.
    pub(super) fn lease_lost(&mut self, consumer: &ConsumerId) {
        if let Some(pulls) = self.pulls.get_mut(consumer) {
            pulls.arriving = pulls.arriving.saturating_sub(1);
        }
    }

    /// A delivery is here: the first puller that still waits and has room gets it.
    pub(super) fn leased(&mut self, leased: Leased) {
        let Leased {
            ticket,
            attempt,
            generation,
            deadline,
            state,
            envelope,
            delivery_id,
        } = leased;
        self.lease_lost(&ticket.consumer);
        let target = self.targets.get(&ticket.consumer);
        let timeout = target.map_or(Duration::ZERO, |target| target.timeout);
        let room = |pull: &&mut Pull| pull.got.len() < pull.max && !pull.reply.is_closed();
        let answer_by = self.now() + LOOK;
        let pulls = self.pulls.entry(ticket.consumer.clone()).or_default();
        match pulls.waiting.iter_mut().find(room) {
            Some(pull) => {
                let lease = write_lease(&ticket);
                let delivery = PulledDelivery {
                    lease,
                    delivery_id,
                    sequence: ticket.sequence,
                    attempt,
                    generation,
                    epoch: ticket.epoch,
                    deadline,
                    timeout,
                    state,
                    envelope,
                };
                pull.answer_by.get_or_insert(answer_by);
                pull.got.push((ticket, delivery));
            }
            None => {
                let outcome = Outcome::Cancelled;
                self.tell(Input::Ended { ticket, outcome });
            }
        }
    }

    /// Answers the pulls that have something, once nothing more is on its way to them or that takes long.
    pub(super) fn answer_pulls(&mut self) {
        let now = self.now();
        let mut returned = Vec::new();
        for pulls in self.pulls.values_mut() {
            let settled = pulls.arriving == 0;
            let mut waiting = VecDeque::new();
            for pull in std::mem::take(&mut pulls.waiting) {
                let full = pull.got.len() >= pull.max;
                let late = pull.answer_by.is_some_and(|by| by <= now);
                if full || late || (settled && !pull.got.is_empty()) {
                    returned.extend(answer(pull));
                } else if !pull.reply.is_closed() {
                    waiting.push_back(pull);
                }
            }
            pulls.waiting = waiting;
        }
        self.hand_back(returned);
        for consumer in self.pulls.keys().cloned().collect::<Vec<_>>() {
            self.tell_wanted(&consumer);
        }
    }

    /// Answers the pulls whose time is over.
    pub(super) fn expire_pulls(&mut self) {
        let now = self.now();
        let mut returned = Vec::new();
        for pulls in self.pulls.values_mut() {
            let (over, waiting) = std::mem::take(&mut pulls.waiting)
                .into_iter()
                .partition(|pull: &Pull| pull.ends_at <= now && pulls.arriving == 0);
            pulls.waiting = waiting;
            returned.extend(over.into_iter().flat_map(answer));
        }
        self.hand_back(returned);
    }

    /// Refuses every pull that waits.
    pub(super) fn refuse_pulls(&mut self, error: &PullError) {
        let mut returned = Vec::new();
        for pulls in self.pulls.values_mut() {
            for pull in std::mem::take(&mut pulls.waiting) {
                returned.extend(pull.got.into_iter().map(|(ticket, _)| ticket));
                let _left = pull.reply.send(Err(error.clone()));
            }
        }
        self.hand_back(returned);
    }

    fn hand_back(&mut self, tickets: Vec<Ticket>) {
        for ticket in tickets {
            self.tell(Input::Ended {
                ticket,
                outcome: Outcome::Cancelled,
            });
        }
    }

    /// Takes in what a puller says about a lease. An end, good or bad, is answered once that is durable.
    pub(super) fn settle(
        &mut self,
        lease: &str,
        answer: Answer,
        reply: oneshot::Sender<Result<(), SettleError>>,
    ) {
        let lease_text = || lease.to_owned();
        if self.parts.publisher.mode() == Mode::Stopped {
            let _left = reply.send(Err(SettleError::Stopped));
            return;
        }
        let pulled = |ticket: &Ticket| {
            self.targets
                .get(&ticket.consumer)
                .is_some_and(|target| target.endpoint.is_none())
        };
        let Some(ticket) = read_lease(lease).filter(pulled) else {
            let _left = reply.send(Err(SettleError::Malformed {
                lease: lease_text(),
            }));
            return;
        };
        let settling = Settling {
            said_done: answer.outcome.is_done(),
            reply,
        };
        if answer.outputs.is_empty() && answer.state.is_none() {
            self.settled(ticket, answer.outcome.into(), settling);
            return;
        }
        let broker = Arc::clone(&self.parts.broker);
        let publisher = Arc::clone(&self.parts.publisher);
        // Its outputs are named after the event that the puller was given.
        let edit = self
            .parts
            .machine
            .edit_of(&ticket.consumer, ticket.sequence);
        let edited = edit.map(|edit| Arc::clone(&edit.event));
        let work = async move {
            let event = present_event(&*broker, &ticket.consumer, ticket.sequence, edited).await;
            // It was read when it was handed out: what ails it now says nothing of the handler, who may say it again.
            let event = match event {
                Ok(Some(event)) => event,
                Ok(None) => return not_taken("its event is gone".to_owned(), settling),
                Err(reason) => return not_taken(reason, settling),
            };
            for output in &answer.outputs {
                if let Err(reason) = publisher.catalog.told_now(output).await {
                    return not_taken(reason, settling);
                }
            }
            let judged = publisher.judge_answer(&ticket.consumer, &event, answer);
            Event::Settled {
                ticket,
                judged,
                settling,
            }
        };
        self.work.push(work.boxed());
    }

    /// Takes in what a puller said, once its outputs are judged.
    pub(super) fn settled(&mut self, ticket: Ticket, judged: Judged, settling: Settling) {
        let heard = self.end(ticket.clone(), judged);
        if heard == Heard::Rejected {
            let lease = write_lease(&ticket);
            let _left = settling.reply.send(Err(SettleError::Stale { lease }));
            return;
        }
        if let Some(drain) = self.drain.as_mut() {
            drain.finished += 1;
        }
        if heard != Heard::Taken {
            self.settling
                .insert((ticket.consumer, ticket.sequence), settling);
            return;
        }
        let (consumer, sequence) = (&ticket.consumer, ticket.sequence);
        let is = self.parts.machine.delivery(consumer, sequence);
        let answer = match is {
            _ if !settling.said_done => Ok(()),
            // There is no room for another letter now: it becomes one as soon as there is.
            Some(DeliveryStatus::Settling) => Err(self.dead_lettered(consumer, sequence)),
            _ => Err(SettleError::NotTaken {
                reason: "the states of its consumer find no room".to_owned(),
            }),
        };
        let _left = settling.reply.send(answer);
    }

    /// Answers a puller once the end of its delivery is durable. One that said it is done must hear that its delivery
    /// is a dead letter instead, as what it publishes or keeps was refused.
    pub(super) fn answer_settling(
        &self,
        consumer: &ConsumerId,
        sequence: u64,
        settling: Settling,
        conclusion: Conclusion,
    ) {
        let answer = match conclusion {
            Conclusion::DeadLettered(_) if settling.said_done => {
                Err(self.dead_lettered(consumer, sequence))
            }
            _ => Ok(()),
        };
        let _left = settling.reply.send(answer);
    }

    fn dead_lettered(&self, consumer: &ConsumerId, sequence: u64) -> SettleError {
        let explained = self.parts.machine.explain(consumer, sequence, self.now());
        let last = explained.and_then(|explained| explained.history.last());
        SettleError::DeadLettered {
            letter: format!("{consumer}/{sequence}"),
            reason: last.map_or_else(String::new, |attempt| attempt.error.clone()),
        }
    }
}

/// Tells a puller that its answer changed nothing; the lease goes on.
fn not_taken(reason: String, settling: Settling) -> Event {
    let _left = settling.reply.send(Err(SettleError::NotTaken { reason }));
    Event::CalledOff
}

/// Sends what a pull got. Returns the tickets of a puller that has left.
fn answer(pull: Pull) -> Vec<Ticket> {
    let (tickets, deliveries): (Vec<Ticket>, Vec<PulledDelivery>) = pull.got.into_iter().unzip();
    match pull.reply.send(Ok(deliveries)) {
        Ok(()) => Vec::new(),
        Err(_left) => tickets,
    }
}

fn write_lease(ticket: &Ticket) -> String {
    let Ticket {
        consumer,
        sequence,
        epoch,
        run,
    } = ticket;
    format!("{consumer}/{sequence}/{epoch}/{run}")
}

fn read_lease(lease: &str) -> Option<Ticket> {
    let (rest, run) = lease.rsplit_once('/')?;
    let (rest, epoch) = rest.rsplit_once('/')?;
    let (consumer, sequence) = rest.rsplit_once('/')?;
    Some(Ticket {
        consumer: consumer.parse().ok()?,
        sequence: sequence.parse().ok()?,
        epoch: epoch.parse().ok()?,
        run: run.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_lease_is_read_back() {
        let consumer = "audit/OrderPlaced".parse().unwrap();
        let ticket = Ticket {
            consumer,
            sequence: 4,
            epoch: 2,
            run: 17,
        };
        assert_eq!(write_lease(&ticket), "audit/OrderPlaced/4/2/17");
        assert_eq!(read_lease(&write_lease(&ticket)), Some(ticket));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = read_lease(&text);
        }
    }
}
