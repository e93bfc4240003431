//! A relay in this process: from an outbox to wherever the app publishes.

use std::fmt;
use std::sync::{Arc, Weak};

use tidegate_base::{Envelope, format_duration};
use tidegate_sql::{Note, Outbox, OutboxError, Published, Relay, RelaySettings};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::{App, Inner};
use crate::error::PublishError;

/// A relay that runs. Dropping this does not end it: it ends with the app.
#[derive(Debug)]
pub struct Relaying {
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), OutboxError>>,
}

impl Relaying {
    /// Ends it once the batch that is under way is finished.
    ///
    /// # Errors
    ///
    /// [`OutboxError`] when the database could not be used from the start.
    pub async fn stop(self) -> Result<(), OutboxError> {
        // An error means that it has ended already.
        let _ended = self.stop.send(true);
        // Only a task that was ended with its runtime gives no result.
        self.task.await.unwrap_or(Ok(()))
    }
}

impl App {
    /// Publishes what is committed in an outbox, in the order of each key, until the app ends: what handlers of
    /// [`on_effect`](crate::Setup::on_effect) publish, and rows that anybody else inserts.
    ///
    /// Of several relays of one outbox, in this process or others, one publishes and the others wait. An event is published
    /// once or more, with the same `source` and `id`, and stored once. What the design refuses stays in the outbox as
    /// `refused`, with the reason, and holds its key: `tidegate outbox list --state refused`.
    ///
    /// An outbox that cannot be used from the start is told in the log, and by [`Relaying::stop`].
    pub fn relay(&self, outbox: impl Outbox + 'static) -> Relaying {
        let seed = self.inner().clock.now().nanos();
        let settings = RelaySettings {
            seed,
            ..RelaySettings::default()
        };
        self.relay_with(outbox, settings)
    }

    /// As [`App::relay`], with settings.
    pub fn relay_with(&self, outbox: impl Outbox + 'static, settings: RelaySettings) -> Relaying {
        let (stop, stopped) = watch::channel(false);
        let mut ended = self.inner().ended.subscribe();
        let stopper = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                // An error means that the app is gone, which is its end as well.
                _gone = ended.wait_for(|ended| *ended) => {
                    stopper.send_replace(true);
                }
                () = stopper.closed() => {}
            }
        });
        let app = Arc::downgrade(self.shared());
        let task = tokio::spawn(async move {
            let publish = |batch| hand_over(Weak::clone(&app), batch);
            let mut relay = Relay::new(outbox, settings);
            let ended = relay.run(&publish, stopped, tell).await;
            if let Err(error) = &ended {
                tracing::error!("the relay cannot use its outbox: {error}");
            }
            ended
        });
        Relaying { stop, task }
    }
}

async fn hand_over(app: Weak<Inner>, batch: Vec<Envelope>) -> Published {
    let Some(inner) = app.upgrade() else {
        return later("the app has ended");
    };
    let events = batch.len();
    match App::of(inner).try_publish_all(batch).await {
        Ok(accepted) if accepted.len() == events => Published::Accepted,
        Ok(_) => later("the daemon's answer names other events"),
        // Which event it is, the relay finds out by halving.
        Err(PublishError::Refused { reason } | PublishError::Data(reason)) => Published::Refused {
            index: None,
            reason,
        },
        Err(PublishError::Full {
            reason,
            retry_after,
        }) => Published::Later {
            after: Some(retry_after),
            reason,
        },
        Err(
            error @ (PublishError::Ended { .. }
            | PublishError::Unanswered { .. }
            | PublishError::NotAllowed { .. }),
        ) => later(error),
    }
}

fn later(reason: impl fmt::Display) -> Published {
    Published::Later {
        after: None,
        reason: reason.to_string(),
    }
}

fn tell(note: Note) {
    match note {
        Note::Waiting => tracing::info!("relay: another one publishes; this one waits"),
        Note::Leading => tracing::debug!("relay: publishing"),
        Note::Sent { rows } => tracing::trace!("relay: {rows} events published"),
        Note::Refused { number, reason, .. } => {
            tracing::error!("relay: row {number} is refused and holds its key: {reason}")
        }
        Note::Later { reason, delay } => {
            let delay = format_duration(delay);
            tracing::debug!("relay: not taken, again in {delay}: {reason}");
        }
        Note::Disconnected { reason, delay } => {
            let delay = format_duration(delay);
            tracing::warn!("relay: {reason}; again in {delay}");
        }
    }
}
