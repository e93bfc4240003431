//! Attempts: read the payload, reach the handler, hear how it ended.

use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tidegate_base::limit::PAYLOAD_BYTES_MAX;
use tidegate_base::{Clock, Envelope, Timestamp};
use tidegate_broker::{Broker, ReadLimit};
use tidegate_delivery::{Outcome, RetryClass, Ticket};

use super::attempts::Call;
use super::hear::{Event, Leased};
use super::search::present_event;
use super::{Actor, Parts};
use crate::answer::Answer;
use crate::caller::{Attempt, Caller};
use crate::catalog::Presented;
use crate::publish::Problem;
use crate::publisher::Publisher;
use crate::stored;

/// Digits of the largest sequence.
const SEQUENCE_DIGITS_MAX: usize = 20;

/// How long an attempt waits for a registry of schemas: then it is put back and begins again.
const LEARN_LIMIT: Duration = Duration::from_secs(10);

/// How far the clock of a called attempt reaches back: its read counts as part of it.
struct Push {
    ticket: Ticket,
    attempt: u32,
    generation: u64,
    deadline: Timestamp,
    endpoint: Arc<str>,
    timeout: Duration,
    state: Option<Arc<str>>,
    /// How often its event was edited.
    edits: usize,
}

/// What a call needs of the system.
pub(super) struct Reach {
    broker: Arc<dyn Broker>,
    caller: Arc<dyn Caller>,
    clock: Arc<dyn Clock>,
    publisher: Arc<Publisher>,
}

impl Reach {
    pub(super) fn of(parts: &Parts) -> Self {
        Self {
            broker: Arc::clone(&parts.broker),
            caller: Arc::clone(&parts.caller),
            clock: Arc::clone(&parts.clock),
            publisher: Arc::clone(&parts.publisher),
        }
    }
}

impl Actor {
    /// Makes an attempt: calls the handler, or hands the delivery to a puller.
    pub(super) fn start(
        &mut self,
        ticket: Ticket,
        attempt: u32,
        generation: u64,
        deadline: Timestamp,
        state: Option<Arc<str>>,
    ) {
        if attempt > 1 {
            let now = self.now();
            let meter = self.meter(&ticket.consumer);
            meter.retries_total += 1;
            meter.retries.add(now, 1);
        }
        let edit = self
            .parts
            .machine
            .edit_of(&ticket.consumer, ticket.sequence);
        let edits = edit.map_or(0, |edit| edit.notes.len());
        let source = EventSource {
            edited: edit.map(|edit| Arc::clone(&edit.event)),
            at_hand: self.at_hand.take(&ticket.consumer, ticket.sequence),
        };
        let Some(target) = self.targets.get(&ticket.consumer) else {
            return;
        };
        let timeout = target.timeout;
        let Some(endpoint) = target.endpoint.clone() else {
            self.lease_under_way(&ticket.consumer);
            let delivery_id = delivery_id(&ticket, generation, edits);
            let reach = Arc::clone(&self.reach);
            let handed_out = (state, delivery_id);
            let lease = async move {
                match source.read(&reach, &ticket, timeout).await {
                    Ok(event) => lease(event, ticket, attempt, generation, deadline, handed_out),
                    Err(why) => why.event(ticket),
                }
            };
            self.work.push(lease.boxed());
            return;
        };
        let push = Push {
            ticket: ticket.clone(),
            attempt,
            generation,
            deadline,
            endpoint,
            timeout,
            state,
            edits,
        };
        let reach = Arc::clone(&self.reach);
        let of = ticket.clone();
        // The call is made within what is boxed: outside, its large future would be copied into it.
        let ended = async move {
            let called = AssertUnwindSafe(call(source, reach, push)).catch_unwind();
            called.await.unwrap_or_else(|_panic| panicked(of))
        };
        let ended = ended.boxed();
        self.attempts.add(Call { ticket, ended });
    }
}

/// How an attempt ends when something else than the handler panics: others are called with it.
fn panicked(ticket: Ticket) -> Event {
    Event::Ended {
        ticket,
        judged: failed(RetryClass::Retryable, "the attempt panicked".to_owned()).into(),
        took: Duration::ZERO,
    }
}

async fn call(source: EventSource, reach: Arc<Reach>, push: Push) -> Event {
    let Push {
        ticket,
        attempt,
        generation,
        deadline,
        endpoint,
        timeout,
        state,
        edits,
    } = push;
    let started = reach.clock.now();
    // What is seldom needed stands in boxes of its own: each attempt that is about to start takes its place in memory.
    let envelope = match source.at_hand {
        Some(envelope) if source.edited.is_none() => envelope,
        _ => match Box::pin(source.read(&reach, &ticket, timeout)).await {
            Ok(envelope) => envelope,
            Err(why) => return why.event(ticket),
        },
    };
    let event = Arc::clone(&envelope);
    let attempt = Attempt {
        consumer: ticket.consumer.clone(),
        endpoint,
        envelope,
        delivery_id: delivery_id(&ticket, generation, edits),
        sequence: ticket.sequence,
        attempt,
        state,
        generation,
        epoch: ticket.epoch,
        deadline,
        timeout,
    };
    let answer = match catch_unwind(AssertUnwindSafe(|| reach.caller.call(attempt))) {
        Ok(called) => answer(called, timeout).await,
        Err(_panic) => handler_panicked(),
    };
    let took = reach.clock.now().since(started);
    let publisher = &reach.publisher;
    // An end whose outputs cannot be judged yet is none: the handler has to say it again.
    if answer.outcome.is_done()
        && !answer.outputs.is_empty()
        && Box::pin(tokio::time::timeout(
            LEARN_LIMIT,
            publisher.learn_outputs(&answer),
        ))
        .await
        .is_err()
    {
        return Event::Unknown { ticket };
    }
    let judged = publisher.judge_answer(&ticket.consumer, &event, answer);
    Event::Ended {
        ticket,
        judged,
        took,
    }
}

/// What the handler answers, in time.
async fn answer(called: BoxFuture<'static, Answer>, timeout: Duration) -> Answer {
    let mut called = AssertUnwindSafe(called).catch_unwind();
    // One that answers at once needs no timer.
    let first = std::future::poll_fn(|context| Poll::Ready(called.poll_unpin(context)));
    let answered = match first.await {
        Poll::Ready(answered) => Ok(answered),
        Poll::Pending => Box::pin(tokio::time::timeout(timeout, called)).await,
    };
    match answered {
        Ok(Ok(answer)) => answer,
        Ok(Err(_panic)) => handler_panicked(),
        Err(_elapsed) => {
            let time = tidegate_base::format_duration(timeout);
            failed(RetryClass::Timeout, format!("no answer within {time}")).into()
        }
    }
}

fn handler_panicked() -> Answer {
    failed(RetryClass::Retryable, "the handler panicked".to_owned()).into()
}

fn failed(class: RetryClass, error: String) -> Outcome {
    Outcome::Retry {
        class,
        error,
        after: None,
    }
}

fn lease(
    envelope: Arc<Envelope>,
    ticket: Ticket,
    attempt: u32,
    generation: u64,
    deadline: Timestamp,
    (state, delivery_id): (Option<Arc<str>>, String),
) -> Event {
    Event::Leased(Leased {
        ticket,
        attempt,
        generation,
        deadline,
        state,
        envelope,
        delivery_id,
    })
}

/// Why an attempt has no event.
enum NoEvent {
    /// It was removed.
    Gone,
    /// Its record cannot be read.
    Unreadable(String),
    /// Its payload cannot be read with the schema that it names.
    Unusable(Problem),
    /// The registry that has that schema does not answer.
    Unknown,
}

impl NoEvent {
    /// What the actor hears.
    fn event(self, ticket: Ticket) -> Event {
        match self {
            Self::Gone => Event::Gone { ticket },
            Self::Unreadable(reason) => Event::Unreadable { ticket, reason },
            Self::Unusable(problem) => Event::Unusable { ticket, problem },
            Self::Unknown => Event::Unknown { ticket },
        }
    }
}

/// From where the event of an attempt comes: it was edited, or read with its channel, or is read now.
struct EventSource {
    edited: Option<Arc<str>>,
    at_hand: Option<Arc<Envelope>>,
}

impl EventSource {
    /// The event of a delivery that has so much time, or why there is none.
    async fn read(
        self,
        reach: &Reach,
        ticket: &Ticket,
        time: Duration,
    ) -> Result<Arc<Envelope>, NoEvent> {
        let edited = match (self.edited, self.at_hand) {
            (None, Some(envelope)) => return Ok(envelope),
            (edited, _) => edited,
        };
        let (consumer, sequence) = (&ticket.consumer, ticket.sequence);
        let event = present_event(&*reach.broker, consumer, sequence, edited).await;
        let event = event.map_err(NoEvent::Unreadable)?.ok_or(NoEvent::Gone)?;
        // The time of a lease is already running.
        let limit = LEARN_LIMIT.min(time / 2);
        let presented = reach.publisher.catalog.presented(event);
        match tokio::time::timeout(limit, presented).await {
            Ok(Presented::Event(event)) => Ok(Arc::new(event)),
            Ok(Presented::Unusable(problem)) => Err(NoEvent::Unusable(problem)),
            Err(_elapsed) => Err(NoEvent::Unknown),
        }
    }
}

/// The event at `sequence` of `channel`, `None` when it was removed, or why it cannot be read.
pub(super) async fn read_event(
    broker: &dyn Broker,
    channel: &tidegate_base::Name,
    sequence: u64,
) -> Result<Option<Envelope>, String> {
    let limit = ReadLimit {
        records: 1,
        bytes: PAYLOAD_BYTES_MAX,
    };
    match broker.read(channel, sequence, limit).await {
        Ok(records) => Ok(records
            .into_iter()
            .find(|record| record.sequence == sequence)
            .map(stored::envelope)),
        Err(error) => Err(error.to_string()),
    }
}

/// The same for every attempt and redrive; that of a replay is another. So is that of an edited event: a
/// handler that has seen the one before must not take it for a repetition.
fn delivery_id(ticket: &Ticket, generation: u64, edits: usize) -> String {
    let Ticket {
        consumer, sequence, ..
    } = ticket;
    // Made for every attempt: in one piece.
    let names = consumer.service.as_str().len() + consumer.event.as_str().len();
    let mut id = String::with_capacity(names + 2 + SEQUENCE_DIGITS_MAX);
    id.push_str(consumer.service.as_str());
    id.push('/');
    id.push_str(consumer.event.as_str());
    id.push('/');
    // Writing to a string has no way to fail.
    let _written = write!(id, "{sequence}");
    if generation > 0 {
        id += &format!("/replay-{generation}");
    }
    if edits > 0 {
        id += &format!("/edit-{edits}");
    }
    id
}
