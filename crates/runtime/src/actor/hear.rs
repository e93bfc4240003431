//! What comes back to the actor.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt;
use tidegate_base::limit::PAYLOAD_BYTES_MAX;
use tidegate_base::{ConsumerId, Envelope, Name, Timestamp};
use tidegate_broker::{
    Append, CleanError, Cleaned, CommitError, Durability, ReadError, ReadLimit, Record,
};
use tidegate_delivery::{DeliveryStatus, Heard, Input, Machine, Outcome, Ticket};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::Actor;
use super::commit::Pile;
use super::edits::JudgedEdit;
use super::pulls::Settling;
use crate::publish::Problem;
use crate::stored::Read;
use crate::view::DeadLetterDetail;
use crate::why::Why;

/// The end of something that the actor began.
pub(super) enum Event {
    Committed {
        pile: Box<Pile>,
        durability: Durability,
        result: Result<(), CommitError>,
    },
    Checkpointed(Result<(), CommitError>),
    Fetched {
        consumer: ConsumerId,
        from: u64,
        result: Result<Vec<Read>, ReadError>,
    },
    Grown {
        channel: Name,
        tail: watch::Receiver<u64>,
    },
    Ended {
        ticket: Ticket,
        judged: Judged,
        took: Duration,
    },
    Unreadable {
        ticket: Ticket,
        reason: String,
    },
    /// The record of a delivery was removed.
    Gone {
        ticket: Ticket,
    },
    /// The payload of a delivery cannot be read with the schema that it names.
    Unusable {
        ticket: Ticket,
        problem: Problem,
    },
    /// The registry that has the schema of a delivery, or of what its handler publishes, does not answer.
    Unknown {
        ticket: Ticket,
    },
    Leased(Leased),
    /// A puller has settled a delivery, with outputs.
    Settled {
        ticket: Ticket,
        judged: Judged,
        settling: Settling,
    },
    Cleaned(Result<Cleaned, CleanError>),
    Detailed {
        detail: Box<DeadLetterDetail>,
        reply: oneshot::Sender<Option<DeadLetterDetail>>,
    },
    /// An edit of a dead letter.
    EditJudged(Box<JudgedEdit>),
    Sought {
        found: Option<(Name, Record)>,
        reply: oneshot::Sender<Option<Why>>,
    },
    /// Where an operator wants a consumer, as sequences.
    Placed(super::seek::Placed),
    /// It was called off; what had to be done about it is done.
    CalledOff,
}

/// How an attempt ended, with what is published together with that: valid, and ready to be stored.
pub(crate) struct Judged {
    pub(crate) outcome: Outcome,
    pub(crate) outputs: Vec<Append>,
}

impl From<Outcome> for Judged {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            outputs: Vec::new(),
        }
    }
}

/// A delivery to be handed to a puller.
pub(super) struct Leased {
    pub(super) ticket: Ticket,
    pub(super) attempt: u32,
    pub(super) generation: u64,
    pub(super) deadline: Timestamp,
    pub(super) state: Option<Arc<str>>,
    pub(super) envelope: Arc<Envelope>,
    pub(super) delivery_id: String,
}

/// Whether a delivery is about to need its record.
fn starts_soon(machine: &Machine, consumer: &ConsumerId, sequence: u64) -> bool {
    matches!(
        machine.delivery(consumer, sequence),
        Some(DeliveryStatus::Ready | DeliveryStatus::Running)
    )
}

impl Actor {
    pub(super) fn hear(&mut self, event: Event) {
        match event {
            Event::Committed {
                pile,
                durability,
                result,
            } => {
                self.committed(*pile, durability, result);
            }
            Event::Checkpointed(result) => self.checkpointed(result),
            Event::Fetched {
                consumer,
                from,
                result,
            } => self.fetched(consumer, from, result),
            Event::Grown { channel, mut tail } => {
                let records = *tail.borrow_and_update();
                self.grown(channel, records, tail);
            }
            Event::Ended {
                ticket,
                judged,
                took,
            } => self.ended(ticket, judged, took),
            Event::Unreadable { ticket, reason } => self.unreadable(ticket, reason),
            Event::Gone { ticket } => self.gone(ticket),
            Event::Unusable { ticket, problem } => self.unusable(ticket, &problem),
            Event::Unknown { ticket } => self.unknown(ticket),
            Event::Leased(leased) => self.leased(leased),
            Event::Settled {
                ticket,
                judged,
                settling,
            } => self.settled(ticket, judged, settling),
            Event::Cleaned(result) => self.cleaned(result),
            Event::Detailed { detail, reply } => {
                let _left = reply.send(Some(*detail));
            }
            Event::EditJudged(judged) => self.edit_judged(*judged),
            Event::Sought { found, reply } => self.sought(found, reply),
            Event::Placed(placed) => self.placed(placed),
            Event::CalledOff => {}
        }
    }

    /// Tells the machine that a channel has grown, and watches it further.
    pub(super) fn grown(&mut self, channel: Name, tail: u64, mut watched: watch::Receiver<u64>) {
        let before = self.portrait.note_tail(&channel, tail);
        if let Some(added) = before.map(|before| tail.saturating_sub(before)) {
            let now = self.now();
            self.arrivals
                .entry(channel.clone())
                .or_default()
                .add(now, added);
        }
        self.tell(Input::Grown {
            channel: channel.clone(),
            tail,
        });
        let next = async move {
            match watched.changed().await {
                Ok(()) => Event::Grown {
                    channel,
                    tail: watched,
                },
                Err(_) => Event::CalledOff,
            }
        };
        self.work.push(next.boxed());
    }

    pub(super) fn fetch(&mut self, consumer: ConsumerId, from: u64, limit: usize) {
        let limit = ReadLimit {
            records: limit.max(1),
            bytes: 4 * PAYLOAD_BYTES_MAX,
        };
        let broker = Arc::clone(&self.parts.broker);
        let channel = consumer.event.clone();
        let publisher = Arc::clone(&self.parts.publisher);
        // On a task of its own: what was read is made ready beside the actor and not by it. It ends with the actor,
        // since it may wait for a registry of schemas.
        let mut read = JoinSet::new();
        read.spawn(async move {
            let records = broker.read(&channel, from, limit).await?;
            let catalog = &publisher.catalog;
            if !catalog.asks_others() {
                return Ok(records.into_iter().map(Read::of).collect());
            }
            let mut read = Vec::with_capacity(records.len());
            for record in records {
                let next = Read::of(record);
                // What stands before one that waits does not wait with it.
                if !read.is_empty() && !catalog.is_told(&next.envelope) {
                    break;
                }
                read.push(next.presented(catalog).await);
            }
            Ok(read)
        });
        let work = async move {
            let unreadable = |reason: String| {
                Err(ReadError::Unreadable {
                    channel: consumer.event.clone(),
                    reason,
                })
            };
            let result = match read.join_next().await {
                Some(Ok(result)) => result,
                Some(Err(error)) => unreadable(error.to_string()),
                None => unreadable("nothing was read".to_owned()),
            };
            Event::Fetched {
                consumer,
                from,
                result,
            }
        };
        self.work.push(work.boxed());
    }

    fn fetched(&mut self, consumer: ConsumerId, from: u64, result: Result<Vec<Read>, ReadError>) {
        match result {
            Ok(records) => {
                // Where none is left, retention has passed.
                let head = || self.parts.broker.head(&consumer.event);
                let next = records.last().map_or_else(head, |last| last.sequence + 1);
                if next <= from {
                    let reason = format!(
                        "channel `{}` has no record from sequence {from} on, though retention has not passed it",
                        consumer.event
                    );
                    self.tell(Input::ChannelFault { consumer, reason });
                    return;
                }
                let sizes = records.iter().map(|r| (r.sequence, r.payload_bytes));
                self.parts.publisher.note_read(&consumer.event, sizes);
                let arrivals = records.iter().map(Read::arrival).collect();
                self.tell(Input::Arrived {
                    consumer: consumer.clone(),
                    records: arrivals,
                    next,
                });
                // What is for later, or was finished before, would only take the room of what starts now.
                let machine = &self.parts.machine;
                let soon = records.into_iter().filter(|r| {
                    let is_now = r.event.not_before.is_none() && !r.is_unusable;
                    // One that runs already came from the state, and needs no record any more.
                    let status = machine.delivery(&consumer, r.sequence);
                    is_now && status == Some(DeliveryStatus::Ready)
                });
                self.at_hand.keep(&consumer, soon);
            }
            Err(error) => {
                self.tell(Input::ChannelFault {
                    consumer,
                    reason: error.to_string(),
                });
            }
        }
    }

    /// What a consumer that was sent back or on has put back into its channel is read again when it is its turn,
    /// or never.
    pub(super) fn free_hand(&mut self, consumer: &ConsumerId) {
        let machine = &self.parts.machine;
        let starts = |sequence| starts_soon(machine, consumer, sequence);
        self.at_hand.retain(consumer, starts);
    }

    fn ended(&mut self, ticket: Ticket, judged: Judged, took: Duration) {
        let now = self.now();
        self.meter(&ticket.consumer).handler.add(now, took);
        if let Some(drain) = &mut self.drain {
            drain.finished += 1;
        }
        self.end(ticket, judged);
    }

    /// Tells the machine how an attempt ended. Unless it is done, nothing is published.
    pub(super) fn end(&mut self, ticket: Ticket, judged: Judged) -> Heard {
        let Judged { outcome, outputs } = judged;
        if !outputs.is_empty() && self.commits.is_crowded_by(&outputs) {
            self.carry_out_decided();
        }
        let publishes = (!outputs.is_empty()).then(|| (ticket.consumer.clone(), ticket.sequence));
        let heard = self.tell(Input::Ended { ticket, outcome });
        // Only with the record that it is done, which is decided next and nothing has taken yet.
        if let Some((consumer, sequence)) = publishes
            && heard == Heard::Done
        {
            self.commits.publish_with(consumer, sequence, outputs);
        }
        heard
    }

    /// Retention has removed the record of a delivery. That happens only to one that the state has
    /// kept while the design did not have its consumer: nobody can do it any more.
    fn gone(&mut self, ticket: Ticket) {
        self.lease_lost(&ticket.consumer);
        let error =
            "the event is gone: retention removed it while the design did not have its consumer";
        let outcome = Outcome::Refused {
            error: error.to_owned(),
        };
        self.tell(Input::Ended { ticket, outcome });
    }

    /// No attempt could read the payload of a delivery: it is a dead letter, as where a handler refuses it.
    fn unusable(&mut self, ticket: Ticket, problem: &Problem) {
        self.lease_lost(&ticket.consumer);
        let outcome = Outcome::Refused {
            error: problem.to_string(),
        };
        self.tell(Input::Ended { ticket, outcome });
    }

    /// Nothing can be said of the payload of a delivery yet: the attempt does not count, and comes again.
    fn unknown(&mut self, ticket: Ticket) {
        self.lease_lost(&ticket.consumer);
        self.tell(Input::Ended {
            ticket,
            outcome: Outcome::Cancelled,
        });
    }

    /// The record of a delivery cannot be read: the attempt does not count, the consumer halts.
    fn unreadable(&mut self, ticket: Ticket, reason: String) {
        self.lease_lost(&ticket.consumer);
        let consumer = ticket.consumer.clone();
        self.tell(Input::ChannelFault { consumer, reason });
        self.tell(Input::Ended {
            ticket,
            outcome: Outcome::Cancelled,
        });
    }
}
