//! The relay: publishes what is committed in an outbox, in the order of each key, once or more.
//!
//! A row is marked as sent only after it was taken. When the answer is lost, or the relay ends before the mark, it is
//! published again with the same id, and the daemon drops the repeat.

mod settings;

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use tidegate_base::limit::ERROR_TEXT_BYTES_MAX;
use tidegate_base::{Envelope, Random};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

pub use self::settings::RelaySettings;
use crate::outbox::{Outbox, OutboxError, Pending};

/// Whom events are handed to.
pub trait Publish: Send + Sync {
    /// Hands over a batch: all of it is taken, or nothing.
    fn publish(&self, batch: Vec<Envelope>) -> impl Future<Output = Published> + Send;
}

impl<F, R> Publish for F
where
    F: Fn(Vec<Envelope>) -> R + Send + Sync,
    R: Future<Output = Published> + Send,
{
    fn publish(&self, batch: Vec<Envelope>) -> impl Future<Output = Published> + Send {
        self(batch)
    }
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// All of it is durable.
    Accepted,
    /// Nothing of it was taken, and it never will be as it is.
    Refused {
        /// The event that is at fault. Without one the batch is halved, until it is known.
        index: Option<usize>,
        /// Why.
        reason: String,
    },
    /// Nothing of it was taken, or nobody knows: it may be handed over again later.
    Later {
        /// No sooner than after this.
        after: Option<Duration>,
        /// Why.
        reason: String,
    },
}

/// What happens to a relay, for its operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Another relay has the right to publish; this one waits for it.
    Waiting,
    /// This relay has the right to publish.
    Leading,
    /// Rows were published.
    Sent {
        /// How many.
        rows: usize,
    },
    /// A row can never be published; its key is held.
    Refused {
        /// The row.
        number: i64,
        /// Its key.
        key: Option<String>,
        /// Why.
        reason: String,
    },
    /// A batch is handed over again.
    Later {
        /// Why.
        reason: String,
        /// After this.
        delay: Duration,
    },
    /// The database does not answer; it is asked again.
    Disconnected {
        /// Why.
        reason: String,
        /// After this.
        delay: Duration,
    },
}

/// What comes next.
enum Next {
    /// A look for rows.
    Look,
    /// A pause, after which the batch is handed over again.
    Pause {
        after: Option<Duration>,
        reason: String,
    },
}

/// A row that is handed over.
struct Handed {
    /// Its place in what was read.
    place: usize,
    number: i64,
    key: Option<String>,
    event: Envelope,
}

/// Keys with a refused row, and its place: what is behind it waits, what is before it goes.
#[derive(Default)]
struct Held(HashMap<String, usize>);

impl Held {
    fn add(&mut self, place: usize, key: Option<&str>) {
        if let Some(key) = key {
            let first = self.0.entry(key.to_owned()).or_insert(place);
            *first = place.min(*first);
        }
    }

    fn holds(&self, place: usize, key: Option<&str>) -> bool {
        key.and_then(|key| self.0.get(key))
            .is_some_and(|first| place > *first)
    }
}

/// Publishes from one outbox.
#[derive(Debug)]
pub struct Relay<O> {
    outbox: O,
    settings: RelaySettings,
    random: Random,
    /// Pauses so far: each has its own random number.
    pauses: u64,
    /// Failures in a row.
    failures: u32,
    cleaned: Option<Instant>,
}

impl<O: Outbox> Relay<O> {
    /// A relay of `outbox`.
    pub fn new(outbox: O, settings: RelaySettings) -> Self {
        Self {
            outbox,
            random: Random::new(settings.seed, "relay", "pause"),
            settings,
            pauses: 0,
            failures: 0,
            cleaned: None,
        }
    }

    /// Publishes until `stop` says true, or its sender is gone. A batch that is under way is finished before.
    ///
    /// # Errors
    ///
    /// When the database cannot be used at the start. Later on it is asked again and again.
    pub async fn run<P: Publish>(
        &mut self,
        publisher: &P,
        mut stop: watch::Receiver<bool>,
        note: impl Fn(Note) + Send + Sync,
    ) -> Result<(), OutboxError> {
        let mut has_been_connected = false;
        let mut is_waiting = false;
        let ended = loop {
            if has_ended(&stop) {
                break Ok(());
            }
            match in_time(&self.settings, self.outbox.claim()).await {
                Ok(true) => {
                    (has_been_connected, is_waiting) = (true, false);
                    note(Note::Leading);
                    match self.lead(publisher, &mut stop, &note).await {
                        Ok(()) => break Ok(()),
                        Err(error) => self.disconnected(&error, &mut stop, &note).await,
                    }
                }
                Ok(false) => {
                    has_been_connected = true;
                    self.failures = 0;
                    if !std::mem::replace(&mut is_waiting, true) {
                        note(Note::Waiting);
                    }
                    pause(self.settings.standby, &mut stop).await;
                }
                Err(error) if !has_been_connected => break Err(error),
                Err(error) => self.disconnected(&error, &mut stop, &note).await,
            }
        };
        self.outbox.close().await;
        ended
    }

    async fn disconnected(
        &mut self,
        error: &OutboxError,
        stop: &mut watch::Receiver<bool>,
        note: &(impl Fn(Note) + Send + Sync),
    ) {
        self.outbox.close().await;
        let delay = self.delay(None);
        let reason = error.to_string();
        note(Note::Disconnected { reason, delay });
        pause(delay, stop).await;
    }

    /// Publishes as long as the right to do so lasts.
    async fn lead<P: Publish>(
        &mut self,
        publisher: &P,
        stop: &mut watch::Receiver<bool>,
        note: &(impl Fn(Note) + Send + Sync),
    ) -> Result<(), OutboxError> {
        while !has_ended(stop) {
            let clean_in = self.clean().await?;
            let (events, bytes) = (self.settings.batch_events, self.settings.batch_bytes);
            let rows = in_time(&self.settings, self.outbox.pending(events, bytes)).await?;
            if rows.is_empty() {
                let waiting = self.outbox.wait(self.settings.poll.min(clean_in));
                tokio::select! {
                    () = waiting => {}
                    () = stopped(stop) => {}
                }
                continue;
            }
            match self.publish(rows, publisher, note).await? {
                Next::Look => self.failures = 0,
                Next::Pause { after, reason } => {
                    let delay = self.delay(after);
                    note(Note::Later { reason, delay });
                    pause(delay, stop).await;
                }
            }
        }
        Ok(())
    }

    /// Hands rows over, and notes what became of them.
    async fn publish<P: Publish>(
        &mut self,
        rows: Vec<Pending>,
        publisher: &P,
        note: &(impl Fn(Note) + Send + Sync),
    ) -> Result<Next, OutboxError> {
        let mut held = Held::default();
        let mut batch = Vec::new();
        for (place, row) in rows.into_iter().enumerate() {
            if held.holds(place, row.key.as_deref()) {
                continue;
            }
            let (number, key) = (row.number, row.key);
            match row.event {
                Ok(event) => batch.push(Handed {
                    place,
                    number,
                    key,
                    event,
                }),
                Err(reason) => {
                    held.add(place, key.as_deref());
                    self.refuse(number, key, &reason, note).await?;
                }
            }
        }
        // Parts of the batch; the last one goes first, so that the order of each key stays.
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            part.retain(|row| !held.holds(row.place, row.key.as_deref()));
            if part.is_empty() {
                continue;
            }
            let events = part.iter().map(|row| row.event.clone()).collect();
            match publisher.publish(events).await {
                Published::Accepted => {
                    let numbers: Vec<i64> = part.iter().map(|row| row.number).collect();
                    in_time(&self.settings, self.outbox.mark_sent(&numbers)).await?;
                    self.failures = 0;
                    note(Note::Sent {
                        rows: numbers.len(),
                    });
                }
                Published::Refused { index, reason } => {
                    let index = match part.len() {
                        1 => Some(0),
                        events => index.filter(|index| *index < events),
                    };
                    if let Some(index) = index {
                        let row = part.remove(index);
                        held.add(row.place, row.key.as_deref());
                        self.refuse(row.number, row.key, &reason, note).await?;
                        parts.push(part);
                    } else {
                        let half = part.split_off(part.len() / 2);
                        parts.push(half);
                        parts.push(part);
                    }
                }
                Published::Later { after, reason } => return Ok(Next::Pause { after, reason }),
            }
        }
        Ok(Next::Look)
    }

    async fn refuse(
        &mut self,
        number: i64,
        key: Option<String>,
        reason: &str,
        note: &(impl Fn(Note) + Send + Sync),
    ) -> Result<(), OutboxError> {
        let reason = kept(reason);
        in_time(&self.settings, self.outbox.mark_refused(number, &reason)).await?;
        note(Note::Refused {
            number,
            key,
            reason,
        });
        Ok(())
    }

    /// Deletes what is over, now and then, in small transactions; when there is more to be done.
    async fn clean(&mut self) -> Result<Duration, OutboxError> {
        let every = self.settings.clean_every;
        let elapsed = self.cleaned.map(|at| at.elapsed());
        if let Some(elapsed) = elapsed.filter(|elapsed| *elapsed < every) {
            return Ok(every.saturating_sub(elapsed));
        }
        if in_time(&self.settings, self.outbox.clean(&self.settings.kept)).await? > 0 {
            return Ok(Duration::ZERO);
        }
        self.cleaned = Some(Instant::now());
        Ok(every)
    }

    /// How long to wait after a failure: twice as long as after the one before, up to a maximum, and not as long as
    /// other relays that failed at the same time; and no shorter than was asked for.
    fn delay(&mut self, asked: Option<Duration>) -> Duration {
        let doubled = 1_u32.checked_shl(self.failures.min(31)).unwrap_or(u32::MAX);
        let most = self.settings.pause_max;
        let longest = self.settings.pause_min.saturating_mul(doubled).min(most);
        let share = 0.5 + 0.5 * self.random.uniform(self.pauses);
        self.pauses += 1;
        self.failures = self.failures.saturating_add(1);
        longest.mul_f64(share).max(asked.unwrap_or_default())
    }
}

/// An answer of the database, within the time that it may take.
async fn in_time<T: Send>(
    settings: &RelaySettings,
    answer: impl Future<Output = Result<T, OutboxError>> + Send,
) -> Result<T, OutboxError> {
    let limit = settings.database_limit;
    match timeout(limit, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(OutboxError::Late(limit)),
    }
}

fn has_ended(stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow() || stop.has_changed().is_err()
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _or_gone = stop.wait_for(|stop| *stop).await.is_ok();
}

/// Waits so long, or until the relay is to stop.
async fn pause(delay: Duration, stop: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = sleep(delay) => {}
        () = stopped(stop) => {}
    }
}

/// A reason as the table keeps it: of text that every database takes, and not too long.
fn kept(reason: &str) -> String {
    let mut kept = String::new();
    for c in reason.chars() {
        if kept.len() + c.len_utf8() > ERROR_TEXT_BYTES_MAX {
            break;
        }
        kept.push(if c.is_control() { ' ' } else { c });
    }
    kept
}

#[cfg(test)]
mod tests;
