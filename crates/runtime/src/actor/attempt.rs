//! Attempts: read the payload, reach the handler, hear how it ended.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt;
use tidegate_base::limit::PAYLOAD_BYTES_MAX;
use tidegate_base::{Clock, Envelope, Timestamp};
use tidegate_broker::{Broker, ReadLimit};
use tidegate_delivery::{Outcome, RetryClass, Ticket};

use super::Actor;
use super::hear::{Event, Leased};
use super::search::present_event;
use crate::caller::{Attempt, Caller};
use crate::stored;

/// How far the clock of a called attempt reaches back: its read counts as part of it.
struct Push {
    ticket: Ticket,
    attempt: u32,
    deadline: Timestamp,
    endpoint: Arc<str>,
    timeout: Duration,
    delivery_id: String,
    edited: Option<Arc<str>>,
}

impl Actor {
    /// Makes an attempt: calls the handler, or hands the delivery to a puller.
    pub(super) fn start(&mut self, ticket: Ticket, attempt: u32, deadline: Timestamp) {
        if attempt > 1 {
            let now = self.now();
            let meter = self.meters.entry(ticket.consumer.clone()).or_default();
            meter.retries_total += 1;
            meter.retries.add(now, 1);
        }
        let broker = Arc::clone(&self.parts.broker);
        let edit = self
            .parts
            .machine
            .edit_of(&ticket.consumer, ticket.sequence);
        let delivery_id = delivery_id(&ticket, edit.map_or(0, |edit| edit.notes.len()));
        let edited = edit.map(|edit| Arc::clone(&edit.event));
        let Some(target) = self.targets.get(&ticket.consumer) else {
            return;
        };
        let Some(endpoint) = target.endpoint.clone() else {
            self.lease_under_way(&ticket.consumer);
            self.work
                .push(lease(broker, ticket, attempt, deadline, (delivery_id, edited)).boxed());
            return;
        };
        let push = Push {
            ticket: ticket.clone(),
            attempt,
            deadline,
            endpoint,
            timeout: target.timeout,
            delivery_id,
            edited,
        };
        let (caller, clock) = (
            Arc::clone(&self.parts.caller),
            Arc::clone(&self.parts.clock),
        );
        let task = tokio::spawn(call(broker, caller, clock, push));
        self.running.insert(ticket, task.abort_handle());
        // A task that was called off has told the machine already.
        self.work
            .push(task.map(|ended| ended.unwrap_or(Event::CalledOff)).boxed());
    }
}

async fn call(
    broker: Arc<dyn Broker>,
    caller: Arc<dyn Caller>,
    clock: Arc<dyn Clock>,
    push: Push,
) -> Event {
    let Push {
        ticket,
        attempt,
        deadline,
        endpoint,
        timeout,
        delivery_id,
        edited,
    } = push;
    let started = clock.now();
    let envelope = match read(&*broker, &ticket, edited).await {
        Ok(Some(envelope)) => Arc::new(envelope),
        Ok(None) => return Event::Gone { ticket },
        Err(reason) => return Event::Unreadable { ticket, reason },
    };
    let attempt = Attempt {
        consumer: ticket.consumer.clone(),
        endpoint,
        envelope,
        delivery_id,
        attempt,
        epoch: ticket.epoch,
        deadline,
        timeout,
    };
    let called = AssertUnwindSafe(async move { caller.call(attempt).await }).catch_unwind();
    let outcome = match tokio::time::timeout(timeout, called).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_panic)) => failed(RetryClass::Retryable, "the handler panicked".to_owned()),
        Err(_elapsed) => {
            let time = tidegate_base::format_duration(timeout);
            failed(RetryClass::Timeout, format!("no answer within {time}"))
        }
    };
    let took = clock.now().since(started);
    Event::Ended {
        ticket,
        outcome,
        took,
    }
}

fn failed(class: RetryClass, error: String) -> Outcome {
    Outcome::Retry {
        class,
        error,
        after: None,
    }
}

async fn lease(
    broker: Arc<dyn Broker>,
    ticket: Ticket,
    attempt: u32,
    deadline: Timestamp,
    (delivery_id, edited): (String, Option<Arc<str>>),
) -> Event {
    match read(&*broker, &ticket, edited).await {
        Ok(Some(envelope)) => Event::Leased(Leased {
            ticket,
            attempt,
            deadline,
            envelope: Arc::new(envelope),
            delivery_id,
        }),
        Ok(None) => Event::Gone { ticket },
        Err(reason) => Event::Unreadable { ticket, reason },
    }
}

/// The event of a delivery, `None` when it was removed, or why it cannot be read.
async fn read(
    broker: &dyn Broker,
    ticket: &Ticket,
    edited: Option<Arc<str>>,
) -> Result<Option<Envelope>, String> {
    present_event(broker, &ticket.consumer, ticket.sequence, edited).await
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

/// The same for every attempt and redrive. An edited event is another one: a handler that has seen the
/// one before must not take it for a repetition.
fn delivery_id(ticket: &Ticket, edits: usize) -> String {
    let id = format!("{}/{}", ticket.consumer, ticket.sequence);
    match edits {
        0 => id,
        edits => format!("{id}/edit-{edits}"),
    }
}
