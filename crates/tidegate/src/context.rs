//! What a handler knows of the delivery that it handles.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tidegate_base::{ConsumerId, Envelope, output_id};
use tidegate_runtime::{Answer, Outcome as Ended};
use tokio::time::Instant;

use crate::app::{App, Inner};
use crate::outcome::{Done, Outcome};
use crate::publication::{Publication, TRACE_PARENT};
use crate::request::{CAUSATION, CORRELATION, REPLY_TO};

/// One event to be handled: the request of the tower service that every handler is.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub(crate) context: Context,
    pub(crate) shared: Arc<SharedValues>,
}

impl Delivery {
    /// What is known of it, the event included.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }

    /// The same delivery for another run: what an earlier run wanted to publish is not published.
    pub(crate) fn again(&self) -> Self {
        Self {
            context: Context {
                facts: Arc::clone(&self.context.facts),
                outputs: Arc::default(),
            },
            shared: Arc::clone(&self.shared),
        }
    }
}

/// What a handler knows of the delivery that it handles. Cheap to clone.
///
/// `consumer`, `source`, `id`, `generation`, `sequence` and `epoch` are what an inbox in the handler's own database needs:
/// a row of (consumer, source, id, generation) in the transaction of the effect makes the effect happen once, and the
/// epoch, which only grows, fences off a process of before. With the feature `postgres` or `sqlite`, `Setup::on_effect`
/// does that.
#[derive(Clone)]
pub struct Context {
    facts: Arc<Facts>,
    outputs: Arc<Mutex<Vec<Publication>>>,
}

/// What does not change from one run to another.
pub(crate) struct Facts {
    pub(crate) consumer: ConsumerId,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) delivery_id: String,
    pub(crate) sequence: u64,
    pub(crate) generation: u64,
    pub(crate) attempt: u32,
    pub(crate) epoch: u64,
    pub(crate) deadline: Instant,
    /// What its consumer keeps for the event's key, as JSON.
    pub(crate) state: Option<Arc<str>>,
    pub(crate) app: Weak<Inner>,
}

impl Context {
    pub(crate) fn new(facts: Facts) -> Self {
        Self {
            facts: Arc::new(facts),
            outputs: Arc::default(),
        }
    }

    /// The consumer: `service/event`.
    #[must_use]
    pub fn consumer(&self) -> &ConsumerId {
        &self.facts.consumer
    }

    /// The event as it came, a CloudEvent with all its attributes.
    #[must_use]
    pub fn envelope(&self) -> &Arc<Envelope> {
        &self.facts.envelope
    }

    /// The event's `id`, unique within its source.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.facts.envelope.id
    }

    /// Where the event comes from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.facts.envelope.source
    }

    /// An extension attribute of the event.
    #[must_use]
    pub fn extension(&self, name: &str) -> Option<&str> {
        let extensions = &self.facts.envelope.extensions;
        extensions.get(name).map(String::as_str)
    }

    /// The context of the event's trace: W3C `traceparent`.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.extension(TRACE_PARENT)
    }

    /// `service/event/sequence`: the same for every attempt and redrive, and another in each replay; the idempotency key of
    /// calls that a handler makes.
    #[must_use]
    pub fn delivery_id(&self) -> &str {
        &self.facts.delivery_id
    }

    /// The event's place in its channel.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.facts.sequence
    }

    /// The replay that the delivery belongs to, from 1; 0: none.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.facts.generation
    }

    /// Which attempt this is, from 1; the first after a redrive is 1 again.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.facts.attempt
    }

    /// The owner epoch of the system: a fencing token that only grows. 0 when a daemon of before does not say it.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.facts.epoch
    }

    /// When the attempt ends at the latest: what is not answered then counts as timed out.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.facts.deadline
    }

    /// How much time the attempt has left.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        let deadline = self.facts.deadline;
        deadline.saturating_duration_since(Instant::now())
    }

    /// What is kept for the event's key: the last [`Outcome::state`] of an event of that key; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`Outcome::park`] when what is kept is no `T`: a program of another version kept it.
    pub fn state<T: DeserializeOwned>(&self) -> Result<Option<T>, Outcome> {
        let state = self.facts.state.as_deref();
        let state = state.map(serde_json::from_str).transpose();
        state
            .map_err(|error| Outcome::park(format!("the state of the key cannot be read: {error}")))
    }

    /// Publishes an event in one atomic batch with the record that this one is done. When the handler ends in another
    /// way, nothing is published.
    ///
    /// Up to 100 events of the consumer's `emits`, 4 MiB together. One that the design refuses makes a dead letter of
    /// this event, as no retry would change it.
    pub fn publish(&self, event: impl Into<Publication>) {
        let mut outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        outputs.push(event.into());
    }

    /// Answers a request: publishes an event with its correlation id. See [`App::request`](crate::App::request).
    ///
    /// # Errors
    ///
    /// [`Outcome::park`] when the event is no request, or asks for another type of event.
    pub fn reply(&self, event: impl Into<Publication>) -> crate::Result {
        let event = event.into();
        let Some(correlation) = self.extension(CORRELATION) else {
            let reason = format!("the event asks for no reply: it has no `{CORRELATION}`");
            return Err(Outcome::park(reason));
        };
        if let Some(asked) = self.extension(REPLY_TO)
            && asked != event.event_type()
        {
            let given = event.event_type();
            return Err(Outcome::park(format!(
                "the request asks for a reply of type `{asked}`, and the handler gives `{given}`"
            )));
        }
        let event = event
            .extension(CORRELATION, correlation)
            .extension(CAUSATION, self.id());
        self.publish(event);
        Ok(())
    }

    /// The app that the handler belongs to; `None` once it has ended. What is published through it is not part of the
    /// atomic batch.
    #[must_use]
    pub fn app(&self) -> Option<App> {
        self.facts.app.upgrade().map(App::of)
    }

    /// What the handler wanted to publish, first in first.
    pub(crate) fn take_outputs(&self) -> Vec<Publication> {
        let mut outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *outputs)
    }

    /// The outcome with what was published through the context before what goes with the outcome itself.
    pub(crate) fn with_outputs(&self, mut outcome: Outcome) -> Outcome {
        let mut outputs = self.take_outputs();
        if let Outcome::Done(done) = &mut outcome {
            outputs.append(&mut done.outputs);
            done.outputs = outputs;
        }
        outcome
    }

    /// The outcome in the words of the runtime.
    pub(crate) fn answer(&self, outcome: Outcome) -> Answer {
        match self.with_outputs(outcome) {
            Outcome::Done(done) => match self.end(done) {
                Ok(answer) => answer,
                Err(error) => Ended::Permanent { error }.into(),
            },
            Outcome::Retry {
                reason: error,
                class,
                after,
            } => Ended::Retry {
                class,
                error,
                after,
            }
            .into(),
            Outcome::Park { reason: error } => Ended::Permanent { error }.into(),
            Outcome::Overloaded {
                reason: error,
                after,
            } => Ended::Overload { error, after }.into(),
        }
    }

    /// What goes to an outbox, with everything that a CloudEvent needs and its trace.
    #[cfg(feature = "sql")]
    pub(crate) fn emitted(&self, outputs: Vec<Publication>) -> Result<Vec<Envelope>, String> {
        let outputs = (0_u32..).zip(outputs).map(|(ordinal, output)| {
            let mut envelope = self.named(ordinal, output)?;
            if let Some(parent) = self.traceparent() {
                let trace = envelope.extensions.entry(TRACE_PARENT.to_owned());
                trace.or_insert_with(|| parent.to_owned());
            }
            Ok(envelope)
        });
        outputs.collect()
    }

    fn end(&self, done: Done) -> Result<Answer, String> {
        let outputs = (0_u32..).zip(done.outputs);
        let outputs = outputs.map(|(ordinal, output)| self.named(ordinal, output));
        let mut answer = Answer::from(Ended::Done);
        answer.outputs = outputs.collect::<Result<_, _>>()?;
        answer.state = done.state.transpose()?;
        Ok(answer)
    }

    /// An output with the attributes that a CloudEvent needs, as the runtime itself would fill them in.
    fn named(&self, ordinal: u32, output: Publication) -> Result<Envelope, String> {
        let wrong = |why: String| format!("output {ordinal} of the handler: {why}");
        let mut envelope = output.envelope().map_err(wrong)?;
        let Facts {
            consumer,
            envelope: event,
            ..
        } = &*self.facts;
        if envelope.id.is_empty() {
            envelope.id = output_id(consumer, &event.source, &event.id, ordinal);
        }
        if envelope.source.is_empty() {
            envelope.source = format!("/{}", consumer.service);
        }
        Ok(envelope)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("delivery_id", &self.facts.delivery_id)
            .field("attempt", &self.facts.attempt)
            .field("id", &self.facts.envelope.id)
            .field("source", &self.facts.envelope.source)
            .finish_non_exhaustive()
    }
}

/// What all handlers of an app share, one value of each type.
#[derive(Default)]
pub struct SharedValues {
    values: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
}

impl SharedValues {
    pub(crate) fn insert<S: Send + Sync + 'static>(&mut self, value: S) {
        self.values.insert(TypeId::of::<S>(), Box::new(value));
    }

    pub(crate) fn get<S: 'static>(&self) -> Option<&S> {
        self.values.get(&TypeId::of::<S>())?.downcast_ref()
    }
}

impl fmt::Debug for SharedValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedValues({})", self.values.len())
    }
}
