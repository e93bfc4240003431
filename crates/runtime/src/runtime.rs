//! The handle through which everything is asked.

mod letters;

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tidegate_base::{Clock, ConsumerId, Envelope, Timestamp};
use tidegate_broker::{Batch, Broker, CommitError, Durability, ReadError};
use tidegate_delivery::{Effect, Input, Machine};
use tidegate_model::Design;
use tokio::sync::{mpsc, oneshot, watch};

use crate::actor::{Actor, Parts, Taken};
use crate::answer::Answer;
use crate::caller::Caller;
use crate::command::Command;
use crate::dead_letter::{
    DeadLetterFilter, DeadLetterPage, LettersError, LettersReport, LettersSelection,
};
use crate::operate::OperateError;
use crate::publish::{Accepted, PublishError};
use crate::publisher::Publisher;
use crate::pull::{PullError, PulledDelivery, SettleError};
use crate::registry::Registry;
use crate::seek::{ReplayWatermark, SeekReport, SeekRequest};
use crate::settings::Settings;
use crate::view::{DeadLetterDetail, SystemView};
use crate::why::Why;
use crate::{checkpoint, journal, plan};

/// Most orders that wait for the actor.
const COMMANDS_MAX: usize = 1_024;

/// A running system. Cheap to clone; the system ends when it is drained or the last handle is gone.
#[derive(Clone, Debug)]
pub struct Runtime {
    commands: mpsc::Sender<Command>,
    views: watch::Receiver<Arc<SystemView>>,
    publisher: Arc<Publisher>,
}

/// Why a runtime does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The state cannot be read.
    #[error("the state cannot be read: {0}")]
    Read(#[source] ReadError),
    /// The owner epoch cannot be made durable.
    #[error("the owner epoch cannot be written: {0}")]
    Commit(#[source] CommitError),
    /// A state record is not one that this version knows.
    #[error("state record {index} cannot be understood: {reason}")]
    State {
        /// Its place in the state, from 0.
        index: usize,
        /// What is wrong.
        reason: String,
    },
    /// There can be no further thread.
    #[error("no thread can be started for the deliveries: {0}")]
    Thread(#[source] std::io::Error),
    /// The schema of an event does not compile.
    #[error("the schema of event `{event}` does not compile: {reason}")]
    Schema {
        /// The event.
        event: tidegate_base::Name,
        /// What is wrong.
        reason: String,
    },
}

/// How a drain went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrainReport {
    /// Attempts that finished during the drain.
    pub finished: u64,
    /// Attempts that were called off at the limit; they will run again and their attempt does not count.
    pub cancelled: u64,
    /// Deliveries that wait in the channels and the state for the next start.
    pub backlog: u64,
    /// How long it took.
    pub took: Duration,
}

impl Runtime {
    /// Starts the system of `design` on `broker`: reads the state, takes over ownership durably,
    /// and begins to deliver.
    ///
    /// A consumer that the state does not know starts at the head of its channel: the oldest event
    /// that retention has left, other than those that are kept for others. State of consumers that
    /// the design no longer has is kept untouched and does nothing: what they have not finished is
    /// not kept for them.
    ///
    /// # Errors
    ///
    /// [`StartError`] when the state cannot be read or understood, the epoch cannot be written, a
    /// JSON Schema does not compile, or there can be no further thread.
    pub async fn start(
        design: &Design,
        broker: Arc<dyn Broker>,
        caller: Arc<dyn Caller>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Result<Self, StartError> {
        let publisher = Arc::new(Publisher::new(
            design,
            Arc::clone(&broker),
            Arc::clone(&clock),
            &settings,
        )?);
        let state = broker.state().await.map_err(StartError::Read)?;
        let now = clock.now();
        let mut machine = Machine::restore(
            plan::system(design, settings.seed, settings.in_flight_max),
            now,
            journal::decode(&state)?,
        );
        let taken = take_over(&mut machine, &*broker, design, &settings, now).await?;
        let parts = Parts {
            design: design.clone(),
            machine,
            broker,
            caller,
            clock,
            publisher,
            settings,
        };
        let publisher = Arc::clone(&parts.publisher);
        let (commands, received) = mpsc::channel(COMMANDS_MAX);
        let (actor, views) = Actor::new(parts, received, taken);
        actor.begin().map_err(StartError::Thread)?;
        Ok(Self {
            commands,
            views,
            publisher,
        })
    }

    /// Validates every event, then appends all durably; on an error nothing is stored. The answer
    /// is in the order of `events`.
    ///
    /// # Errors
    ///
    /// [`PublishError`]: an event that the design refuses, a limit, a drain or a stop.
    pub async fn publish(&self, events: Vec<Envelope>) -> Result<Vec<Accepted>, PublishError> {
        self.publisher.publish(events).await
    }

    /// Takes up to `max` deliveries, waiting up to `wait` for the first; none when the wait ends.
    ///
    /// # Errors
    ///
    /// [`PullError`]: an unknown or pushed consumer, too many waiting pulls, a drain or a stop.
    pub async fn pull(
        &self,
        consumer: &ConsumerId,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<PulledDelivery>, PullError> {
        let consumer = consumer.clone();
        self.ask(|reply| Command::Pull {
            consumer,
            max,
            wait,
            reply,
        })
        .await
        .unwrap_or(Err(PullError::Stopped))
    }

    /// Says how a pulled delivery ended, with what is published if it is done; returns once that is durable in the class that it needs.
    ///
    /// # Errors
    ///
    /// [`SettleError`] when the lease is malformed or no longer valid, or the system has stopped.
    pub async fn settle(&self, lease: &str, answer: impl Into<Answer>) -> Result<(), SettleError> {
        let (lease, answer) = (lease.to_owned(), answer.into());
        self.ask(|reply| Command::Settle {
            lease,
            answer,
            reply,
        })
        .await
        .unwrap_or(Err(SettleError::Stopped))
    }

    /// The event with its payload as JSON: of bytes that name their schema, or are in the encoding of
    /// the event's own; as it is when it is JSON already, or cannot be read.
    #[must_use]
    pub fn decoded(&self, event: &Envelope) -> Envelope {
        let decoded = self.publisher.catalog.decoded(event);
        decoded.unwrap_or_else(|| event.clone())
    }

    /// The schema registry, where the system has one.
    #[must_use]
    pub fn registry(&self) -> Option<&Registry> {
        self.publisher.registry()
    }

    /// The system as of the last renewal, at most half a second old.
    #[must_use]
    pub fn view(&self) -> Arc<SystemView> {
        Arc::clone(&self.views.borrow())
    }

    /// The view now and whenever it is renewed.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<SystemView>> {
        self.views.clone()
    }

    /// Dead letters that wait for a decision; an empty page when the system has stopped.
    pub async fn dead_letters(&self, filter: DeadLetterFilter) -> DeadLetterPage {
        self.ask(|reply| Command::DeadLetters { filter, reply })
            .await
            .unwrap_or_default()
    }

    /// One dead letter in full; `None` when there is none with this identity.
    pub async fn dead_letter(&self, id: &str) -> Option<DeadLetterDetail> {
        let id = id.to_owned();
        self.ask(|reply| Command::DeadLetter { id, reply })
            .await
            .flatten()
    }

    /// Why an event is where it is: each of its deliveries with what it waits for. It is looked for in
    /// memory, then in the latest [`SEARCH_RECORDS_MAX`](tidegate_base::limit::SEARCH_RECORDS_MAX) records
    /// of every channel; `None` when it is in neither.
    pub async fn why(&self, id: &str, source: Option<&str>) -> Option<Why> {
        let (id, source) = (id.to_owned(), source.map(str::to_owned));
        self.ask(|reply| Command::Why { id, source, reply })
            .await
            .flatten()
    }

    /// Sends dead letters back to the head of their lanes, before newer deliveries of the same key;
    /// returns once that is durable.
    ///
    /// # Errors
    ///
    /// [`LettersError`]: an unknown consumer, a drain or a stop. Single letters that cannot be
    /// redriven are in the report.
    pub async fn redrive(
        &self,
        selection: LettersSelection,
    ) -> Result<LettersReport, LettersError> {
        let selection = self.settled(selection).await?;
        self.ask(|reply| Command::Redrive { selection, reply })
            .await
            .unwrap_or(Err(LettersError::Stopped))
    }

    /// Gives dead letters up, with a reason: what waits behind them goes on, and they can be taken back
    /// with [`Runtime::restore`]; returns once that is durable.
    ///
    /// # Errors
    ///
    /// As [`Runtime::redrive`].
    pub async fn discard(
        &self,
        selection: LettersSelection,
        reason: String,
    ) -> Result<LettersReport, LettersError> {
        let selection = self.settled(selection).await?;
        self.ask(|reply| Command::Discard {
            selection,
            reason,
            reply,
        })
        .await
        .unwrap_or(Err(LettersError::Stopped))
    }

    /// Takes discarded letters back: they are dead letters again; returns once that is durable.
    ///
    /// # Errors
    ///
    /// As [`Runtime::redrive`].
    pub async fn restore(&self, ids: Vec<String>) -> Result<LettersReport, LettersError> {
        self.ask(|reply| Command::Restore { ids, reply })
            .await
            .unwrap_or(Err(LettersError::Stopped))
    }

    /// Carries out an operator's command; returns once it is durable, in this process and those to come.
    ///
    /// # Errors
    ///
    /// [`OperateError`]: a consumer or a dependency that the design does not have, or a stop.
    pub async fn operate(&self, command: tidegate_delivery::Command) -> Result<(), OperateError> {
        self.ask(|reply| Command::Operate { command, reply })
            .await
            .unwrap_or(Err(OperateError::Stopped))
    }

    /// Sends a consumer back to what it has finished, which runs again in a new generation, or on past
    /// what it has not; returns once that is durable. A dry run says what would be done.
    ///
    /// # Errors
    ///
    /// [`OperateError`]: a consumer that the design does not have or that refuses replays, a skip that
    /// is not confirmed, a limit, a channel that cannot be read, or a stop.
    pub async fn seek(&self, request: SeekRequest) -> Result<SeekReport, OperateError> {
        self.ask(|reply| Command::Seek { request, reply })
            .await
            .unwrap_or(Err(OperateError::Stopped))
    }

    /// The lowest sequence that a consumer may still be sent by any way; `None` when the design does not
    /// have it, or the system has stopped. What an inbox of the consumer's own remembers of deliveries
    /// before it, of this replay and those before, it may forget: only a new replay brings them.
    pub async fn replay_watermark(&self, consumer: &ConsumerId) -> Option<ReplayWatermark> {
        let consumer = consumer.clone();
        self.ask(|reply| Command::ReplayWatermark { consumer, reply })
            .await
            .flatten()
    }

    /// Stops accepting and admitting, lets running attempts finish up to `limit`, calls off the
    /// rest without counting their attempts, writes everything and checkpoints the state.
    pub async fn drain(&self, limit: Duration) -> DrainReport {
        self.ask(|reply| Command::Drain { limit, reply })
            .await
            .unwrap_or(DrainReport {
                finished: 0,
                cancelled: 0,
                backlog: 0,
                took: Duration::ZERO,
            })
    }

    /// The actor's answer; `None` when it has ended.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}

/// Makes this process the owner: its epoch is durable before anything is delivered. The state is
/// checkpointed by the way.
async fn take_over(
    machine: &mut Machine,
    broker: &dyn Broker,
    design: &Design,
    settings: &Settings,
    now: Timestamp,
) -> Result<Taken, StartError> {
    let mut effects = Vec::new();
    machine.step(now, Input::TakeOver, &mut effects);
    for channel in design.events.keys().cloned() {
        let head = broker.head(&channel);
        machine.step(now, Input::Trimmed { channel, head }, &mut effects);
    }
    let changes = checkpoint::changes(&machine.checkpoint(), settings.checkpoint_batch_bytes_max);
    let checkpoint_bytes = checkpoint::bytes(&changes);
    let mut tokens = Vec::new();
    let mut rest = Vec::new();
    for effect in effects {
        match effect {
            // What it wants kept is in the checkpoint.
            Effect::Persist { token, .. } => tokens.push(token),
            // Such as the time at which an open breaker probes.
            other => rest.push(other),
        }
    }
    for state in changes {
        let batch = Batch {
            appends: Vec::new(),
            state,
        };
        let commit = broker.commit(batch, Durability::Durable);
        commit.await.map_err(StartError::Commit)?;
    }
    let mut effects = rest;
    for token in tokens {
        machine.step(now, Input::Committed { token }, &mut effects);
    }
    Ok(Taken {
        checkpoint_bytes,
        effects,
    })
}
