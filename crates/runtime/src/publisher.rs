//! Publishing: judge every event, recognise repeated ones, append the rest in one durable batch.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use tidegate_base::limit::{BATCH_EVENTS_MAX, PAYLOAD_BYTES_MAX};
use tidegate_base::{Clock, ConsumerId, Envelope, Name, Timestamp};
use tidegate_broker::{Append, Batch, Broker, CommitError, Durability, ReadLimit, StateChange};
use tidegate_delivery::Identity;
use tidegate_model::Design;
use tidegate_model::design::Event;
use tokio::sync::{OnceCell, watch};

use crate::backlog::{Pressure, Progress, Refusal};
use crate::catalog::Catalog;
use crate::publish::{Accept, Accepted, Problem, PublishError};
use crate::recent::{Announcer, Found, Recent};
use crate::registry::Registry;
use crate::runtime::StartError;
use crate::settings::Settings;
use crate::stored;
use crate::view::Mode;

/// Events of a batch that are judged one after the other before others have their turn: deliveries are not to wait for
/// the batches of many producers.
const JUDGED_AT_ONCE: usize = 16;

/// What every publishing handle shares with the actor.
pub(crate) struct Publisher {
    pub(crate) catalog: Catalog,
    /// Which handler publishes which event.
    emits: BTreeSet<(ConsumerId, Name)>,
    broker: Arc<dyn Broker>,
    pub(crate) clock: Arc<dyn Clock>,
    settings: Settings,
    mode: AtomicU8,
    /// Batches so far, each of which has its number.
    batches: AtomicU64,
    channels: IndexMap<Name, Channel>,
}

struct Channel {
    /// What the channel holds already is read at its first event.
    loaded: OnceCell<()>,
    recent: Mutex<Recent>,
    invalid: AtomicU64,
    tail: watch::Receiver<u64>,
    consumers: Vec<Progress>,
    pressure: Pressure,
}

impl Channel {
    /// Why its event is refused now, if it is.
    fn refusal(&self, now: Timestamp) -> Option<Refusal> {
        let tail = *self.tail.borrow();
        self.pressure.check(&self.consumers, tail, now)
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// One event of a batch that is to be stored.
struct New {
    index: usize,
    channel: usize,
    identity: Identity,
    append: Append,
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("mode", &self.mode())
            .finish_non_exhaustive()
    }
}

impl Publisher {
    pub(crate) fn new(
        design: &Design,
        broker: Arc<dyn Broker>,
        clock: Arc<dyn Clock>,
        settings: &Settings,
    ) -> Result<Self, StartError> {
        let consumers_of = |event: &Name| {
            let consumers = design.consumers().filter(|c| c.event_name == event);
            consumers.map(|c| Progress::new(c.id())).collect()
        };
        let channel = |event: &Name, designed: &Event| Channel {
            loaded: OnceCell::new(),
            recent: Mutex::new(Recent::new(settings.recent_identities_max)),
            invalid: AtomicU64::new(0),
            tail: broker.tail(event),
            consumers: consumers_of(event),
            pressure: Pressure::new(event, designed.backlog.as_ref()),
        };
        Ok(Self {
            catalog: Catalog::new(design, settings)?,
            emits: emits(design),
            channels: design
                .events
                .iter()
                .map(|(name, event)| (name.clone(), channel(name, event)))
                .collect(),
            broker,
            clock,
            settings: settings.clone(),
            mode: AtomicU8::new(0),
            batches: AtomicU64::new(0),
        })
    }

    pub(crate) fn registry(&self) -> Option<&Registry> {
        self.settings.registry.as_ref()
    }

    pub(crate) fn mode(&self) -> Mode {
        match self.mode.load(Ordering::Acquire) {
            0 => Mode::Running,
            1 => Mode::Draining,
            _ => Mode::Stopped,
        }
    }

    /// Moves on: a system that has stopped neither drains nor runs again.
    pub(crate) fn enter(&self, mode: Mode) {
        let number = match mode {
            Mode::Running => 0,
            Mode::Draining => 1,
            Mode::Stopped => 2,
        };
        self.mode.fetch_max(number, Ordering::AcqRel);
    }

    /// Notes how many sequences a consumer has settled, when the oldest of the others was accepted, and how
    /// many it finishes a second.
    pub(crate) fn note_progress(
        &self,
        consumer: &ConsumerId,
        settled: u64,
        oldest: Option<Timestamp>,
        finished: f64,
    ) {
        let channel = self.channels.get(&consumer.event);
        for progress in channel.into_iter().flat_map(|channel| &channel.consumers) {
            if progress.consumer == *consumer {
                progress.note(settled, oldest, finished);
            }
        }
    }

    /// Whether the design has the handler of `consumer` publish `event`.
    pub(crate) fn emits(&self, consumer: &ConsumerId, event: &Name) -> bool {
        self.emits.contains(&(consumer.clone(), event.clone()))
    }

    /// Notes events that are stored although nobody has published them here: what handlers publish.
    pub(crate) fn note_stored(&self, appends: &[Append], sequences: &[u64]) {
        for (append, sequence) in appends.iter().zip(sequences) {
            if let Some(channel) = self.channels.get(&append.channel) {
                lock(&channel.recent).store(stored::identity_of_append(append), *sequence);
            }
        }
    }

    /// Events of `event` that were refused since start.
    pub(crate) fn invalid(&self, event: &Name) -> u64 {
        self.channels
            .get(event)
            .map_or(0, |channel| channel.invalid.load(Ordering::Relaxed))
    }

    /// Notes events that were read of a channel: sequences and bytes of their payloads.
    pub(crate) fn note_read(&self, event: &Name, records: impl Iterator<Item = (u64, usize)>) {
        if let Some(channel) = self.channels.get(event) {
            for (sequence, bytes) in records {
                channel.pressure.read(sequence, count(bytes));
            }
        }
    }

    /// Why events of `event` are refused now, if they are, and how many batches have been, by what was
    /// reached: events, bytes, age.
    pub(crate) fn pressure(&self, event: &Name, now: Timestamp) -> (Option<Refusal>, [u64; 3]) {
        let Some(channel) = self.channels.get(event) else {
            return (None, [0; 3]);
        };
        (channel.refusal(now), channel.pressure.refused())
    }

    /// Events of `event` in its channel.
    pub(crate) fn accepted(&self, event: &Name) -> u64 {
        self.channels
            .get(event)
            .map_or(0, |channel| *channel.tail.borrow())
    }

    /// The key of an event that the present design takes. Nobody has sent it: it is not counted.
    pub(crate) fn inspect(&self, event: &Envelope) -> Result<Option<String>, Problem> {
        self.catalog.judge(event).map(|(_, key)| key)
    }

    /// See [`Runtime::publish`](crate::Runtime::publish).
    pub(crate) async fn publish(
        self: &Arc<Self>,
        events: Vec<Envelope>,
    ) -> Result<Vec<Accepted>, PublishError> {
        match self.mode() {
            Mode::Running => {}
            Mode::Draining => return Err(PublishError::Draining),
            Mode::Stopped => return Err(PublishError::Stopped),
        }
        check_size(&events)?;
        self.learn(&events).await?;
        let (news, ids) = self.judge(events).await?;
        self.check_backlogs(&news)?;
        for new in &news {
            self.load(new.channel).await;
        }
        let publisher = Arc::clone(self);
        // On a task of its own: a producer that hangs up does not leave half of it done.
        let stored = tokio::spawn(async move { publisher.store(news).await });
        let places = stored.await.unwrap_or(Err(PublishError::Stopped))?;
        let accepted = ids.into_iter().zip(places).map(|(id, place)| Accepted {
            id,
            event: place.event,
            sequence: place.sequence,
            duplicate: place.accept,
        });
        Ok(accepted.collect())
    }

    /// Has the registry of others tell the schemas that payloads name. While it does not, the producer is to try
    /// again: nothing is known of its events.
    async fn learn(&self, events: &[Envelope]) -> Result<(), PublishError> {
        if !self.catalog.asks_others() {
            return Ok(());
        }
        for event in events {
            let told = self.catalog.told_now(event).await;
            told.map_err(|reason| PublishError::Full {
                reason: format!("the schema registry does not answer: {reason}"),
                retry_after: self.settings.publish_retry_after,
                behind: None,
            })?;
        }
        Ok(())
    }

    /// Has the registry of others tell the schemas that the outputs of an answer name, and waits as long as it does not
    /// answer.
    pub(crate) async fn learn_outputs(&self, answer: &crate::Answer) {
        for output in &answer.outputs {
            self.catalog.wait_for(output).await;
        }
    }

    /// The events as they are to be stored, with their `id`s.
    async fn judge(&self, events: Vec<Envelope>) -> Result<(Vec<New>, Vec<String>), PublishError> {
        let now = self.clock.now();
        let mut news = Vec::with_capacity(events.len());
        let mut ids = Vec::with_capacity(events.len());
        for (index, event) in events.into_iter().enumerate() {
            if index > 0 && index.is_multiple_of(JUDGED_AT_ONCE) {
                tokio::task::yield_now().await;
            }
            let (entry, key, written) = self.catalog.accept(&event).map_err(|problem| {
                self.count_invalid(&event);
                PublishError::Invalid {
                    index,
                    event_id: event.id.clone(),
                    problem,
                }
            })?;
            let channel = self.channels.get_index_of(&entry.name).unwrap_or_default();
            let identity = Identity::of(&event.source, &event.id);
            ids.push(event.id.clone());
            let event = written.unwrap_or(event);
            let append = stored::append(entry.name.clone(), key, now, event);
            news.push(New {
                index,
                channel,
                identity,
                append,
            });
        }
        Ok((news, ids))
    }

    fn count_invalid(&self, event: &Envelope) {
        if let Some(name) = self.catalog.name(&event.event_type)
            && let Some(channel) = self.channels.get(name)
        {
            channel.invalid.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Pushes back when a consumer of one of the events has as much to do as allowed.
    fn check_backlogs(&self, news: &[New]) -> Result<(), PublishError> {
        let most = self.settings.backlog_deliveries_max;
        let now = self.clock.now();
        let mut indexes: Vec<usize> = news.iter().map(|new| new.channel).collect();
        indexes.sort_unstable();
        indexes.dedup();
        for channel in indexes.into_iter().filter_map(|index| self.channel(index)) {
            if let Some(refusal) = channel.refusal(now) {
                channel.pressure.count(refusal.behind.measure);
                return Err(PublishError::Full {
                    reason: refusal.behind.to_string(),
                    retry_after: refusal.retry_after,
                    behind: Some(Box::new(refusal.behind)),
                });
            }
            let tail = *channel.tail.borrow();
            for progress in &channel.consumers {
                let backlog = tail.saturating_sub(progress.settled.load(Ordering::Relaxed));
                if backlog >= most {
                    let reason = format!(
                        "consumer `{}` has {backlog} unfinished deliveries; the most is {most}",
                        progress.consumer
                    );
                    let retry_after = self.settings.publish_retry_after;
                    return Err(PublishError::Full {
                        reason,
                        retry_after,
                        behind: None,
                    });
                }
            }
        }
        Ok(())
    }

    /// Reads the latest identities of a channel, once: as far as retention has left them. A channel that cannot be read has none: its
    /// consumers halt and say so, and producers need not.
    async fn load(&self, index: usize) {
        let Some((name, channel)) = self.channels.get_index(index) else {
            return;
        };
        let read = async || {
            let tail = *channel.tail.borrow();
            let mut from = tail.saturating_sub(
                u64::try_from(self.settings.recent_identities_max).unwrap_or(u64::MAX),
            );
            let limit = ReadLimit {
                records: 1_000,
                bytes: 16 * PAYLOAD_BYTES_MAX,
            };
            while from < tail {
                let Ok(records) = self.broker.read(name, from, limit).await else {
                    return;
                };
                let Some(last) = records.last() else {
                    return;
                };
                from = last.sequence + 1;
                let mut recent = lock(&channel.recent);
                for record in &records {
                    recent.store(stored::identity_of(record), record.sequence);
                }
            }
        };
        channel.loaded.get_or_init(read).await;
    }

    async fn store(&self, news: Vec<New>) -> Result<Vec<Place>, PublishError> {
        let (told, heard) = watch::channel(());
        let announcer = Announcer {
            number: self.batches.fetch_add(1, Ordering::Relaxed),
            settled: &heard,
        };
        loop {
            match self.announce(&news, announcer) {
                Announced::Wait(mut other) => {
                    // Stored or given up: either way it is asked again.
                    let _settled = other.changed().await;
                }
                Announced::Ready(places) => {
                    let result = self.commit(announcer.number, news, places).await;
                    drop(told);
                    return result;
                }
            }
        }
    }

    /// Finds what is stored already, and announces the rest, unless another batch is about to
    /// store one of them.
    fn announce(&self, news: &[New], announcer: Announcer<'_>) -> Announced {
        let mut indexes: Vec<usize> = news.iter().map(|new| new.channel).collect();
        indexes.sort_unstable();
        indexes.dedup();
        // Always in the order of the channels, so that two batches cannot wait for each other.
        let channels = indexes.iter().filter_map(|index| self.channel(*index));
        let mut guards: Vec<_> = channels.map(|channel| lock(&channel.recent)).collect();
        let place = |channel: usize| indexes.binary_search(&channel).unwrap_or_default();
        let mut places = Vec::with_capacity(news.len());
        for new in news {
            let found = match guards.get_mut(place(new.channel)) {
                Some(recent) => recent.announce(new.identity, announcer, new.index),
                None => Found::New,
            };
            if let Found::UnderWay(other) = found {
                // What was announced of the batch is taken back: it is announced again as a whole.
                for (new, found) in news.iter().zip(&places) {
                    if let (Found::New, Some(recent)) = (found, guards.get_mut(place(new.channel)))
                    {
                        recent.give_up(announcer.number, new.identity);
                    }
                }
                return Announced::Wait(other);
            }
            places.push(found);
        }
        Announced::Ready(places)
    }

    async fn commit(
        &self,
        batch: u64,
        news: Vec<New>,
        found: Vec<Found>,
    ) -> Result<Vec<Place>, PublishError> {
        let mut appends = Vec::new();
        let mut rest = Vec::with_capacity(news.len());
        for (
            New {
                channel,
                identity,
                append,
                ..
            },
            found,
        ) in news.into_iter().zip(&found)
        {
            let bytes = count(append.payload.len());
            rest.push(Rest {
                channel,
                identity,
                event: append.channel.clone(),
                bytes,
            });
            if matches!(found, Found::New) {
                appends.push(append);
            }
        }
        let result = if appends.is_empty() {
            Ok(Vec::new())
        } else {
            let batch = Batch {
                appends,
                state: StateChange::NONE,
            };
            self.broker.commit(batch, Durability::Durable).await
        };
        let sequences = match result {
            Ok(sequences) => sequences,
            Err(error) => {
                self.give_up(batch, &rest);
                return Err(self.refused(error, rest.len()));
            }
        };
        Ok(self.note_places(rest, found, sequences))
    }

    /// Where each event of a batch is stored, now that it is, and notes that.
    fn note_places(&self, rest: Vec<Rest>, found: Vec<Found>, sequences: Vec<u64>) -> Vec<Place> {
        let mut sequences = sequences.into_iter();
        let mut places: Vec<Place> = Vec::with_capacity(rest.len());
        let mut held: Option<(usize, MutexGuard<'_, Recent>)> = None;
        for (one, found) in rest.into_iter().zip(found) {
            let (sequence, accept) = match found {
                Found::New => {
                    let sequence = sequences.next().unwrap_or_default();
                    if let Some(channel) = self.channel(one.channel) {
                        // Once for events of one channel that follow each other.
                        if held.as_ref().is_none_or(|(of, _)| *of != one.channel) {
                            drop(held.take());
                            held = Some((one.channel, lock(&channel.recent)));
                        }
                        if let Some((_, recent)) = &mut held {
                            recent.store(one.identity, sequence);
                        }
                        channel.pressure.stored(sequence, one.bytes);
                    }
                    (sequence, Accept::New)
                }
                Found::Stored(sequence) => (sequence, Accept::Duplicate),
                Found::SameAs(first) => (
                    places.get(first).map_or(0, |place| place.sequence),
                    Accept::Duplicate,
                ),
                // It is waited for before anything is stored.
                Found::UnderWay(_) => (0, Accept::Duplicate),
            };
            places.push(Place {
                event: one.event,
                sequence,
                accept,
            });
        }
        places
    }

    fn give_up(&self, batch: u64, news: &[Rest]) {
        for one in news {
            if let Some(channel) = self.channel(one.channel) {
                lock(&channel.recent).give_up(batch, one.identity);
            }
        }
    }

    fn refused(&self, error: CommitError, events: usize) -> PublishError {
        match error {
            CommitError::Full {
                reason,
                retry_after,
            } => PublishError::Full {
                reason,
                retry_after,
                behind: None,
            },
            CommitError::Invalid { reason } => PublishError::BatchLarge { events, reason },
            CommitError::Stopped { .. } => {
                self.enter(Mode::Stopped);
                PublishError::Stopped
            }
        }
    }

    fn channel(&self, index: usize) -> Option<&Channel> {
        self.channels.get_index(index).map(|(_, channel)| channel)
    }
}

fn emits(design: &Design) -> BTreeSet<(ConsumerId, Name)> {
    let mut emits = BTreeSet::new();
    for consumer in design.consumers() {
        let events = consumer.emitted().map(|event| event.value.clone());
        emits.extend(events.map(|event| (consumer.id(), event)));
    }
    emits
}

/// What an announcement found.
enum Announced {
    /// Another batch is about to store one of the events.
    Wait(watch::Receiver<()>),
    /// For each event, whether it is new.
    Ready(Vec<Found>),
}

/// What is left of an event once it is handed to the broker.
struct Rest {
    channel: usize,
    identity: Identity,
    event: Name,
    bytes: u64,
}

/// Where an event is stored.
struct Place {
    event: Name,
    sequence: u64,
    accept: Accept,
}

fn check_size(events: &[Envelope]) -> Result<(), PublishError> {
    if events.len() > BATCH_EVENTS_MAX {
        let reason = format!("the most is {BATCH_EVENTS_MAX} events");
        return Err(PublishError::BatchLarge {
            events: events.len(),
            reason,
        });
    }
    Ok(())
}

/// Every change is made whole under the lock, so a panic elsewhere leaves nothing half done.
fn lock(recent: &Mutex<Recent>) -> MutexGuard<'_, Recent> {
    recent.lock().unwrap_or_else(PoisonError::into_inner)
}
