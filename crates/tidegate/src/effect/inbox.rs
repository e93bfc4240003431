//! Deletes the notes of deliveries that can never come again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use thiserror::Error;
use tidegate_base::ConsumerId;
use tidegate_runtime::ReplayWatermark;
use tidegate_sql::{Effects, Engine};

use crate::app::{App, Home};

/// Why notes were not collected. They stay, and are collected another time.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CollectError {
    /// Nobody can say which deliveries may come again.
    #[error("`{consumer}`: nobody says what may be forgotten: {reason}")]
    Unknown {
        /// The consumer.
        consumer: ConsumerId,
        /// What came instead.
        reason: String,
    },
    /// The database refused.
    #[error("`{consumer}`: the inbox cannot be collected: {source}")]
    Database {
        /// The consumer.
        consumer: ConsumerId,
        /// Why.
        source: sqlx::Error,
    },
}

/// The notes of one consumer in its database.
pub(crate) struct Inbox {
    consumer: ConsumerId,
    notes: Arc<dyn Notes>,
}

impl Inbox {
    pub(crate) fn new<D: Engine>(consumer: ConsumerId, effects: Effects<D>) -> Self {
        let notes = Arc::new(effects);
        Self { consumer, notes }
    }
}

/// Effects in whatever database.
trait Notes: Send + Sync {
    fn collect<'n>(
        &'n self,
        consumer: &'n ConsumerId,
        mark: ReplayWatermark,
    ) -> BoxFuture<'n, Result<u64, sqlx::Error>>;
}

impl<D: Engine> Notes for Effects<D> {
    fn collect<'n>(
        &'n self,
        consumer: &'n ConsumerId,
        mark: ReplayWatermark,
    ) -> BoxFuture<'n, Result<u64, sqlx::Error>> {
        self.collect(consumer, mark.below, mark.generation).boxed()
    }
}

impl App {
    /// Deletes from the inboxes of all [`on_effect`](crate::Setup::on_effect) what can never come again; how many rows. It is
    /// done now and then without a word: see [`Setup::collect_every`](crate::Setup::collect_every).
    ///
    /// What was handled stays as long as a delivery with a lower or the same sequence may come: one that is not finished,
    /// a dead letter, what a replay has still to bring.
    ///
    /// # Errors
    ///
    /// The first [`CollectError`]; the other inboxes are collected all the same.
    pub async fn collect_inboxes(&self) -> Result<u64, CollectError> {
        let (mut total, mut failed) = (0, None);
        for inbox in &self.inner().inboxes {
            match self.collect_inbox(inbox).await {
                Ok(rows) => total += rows,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(total), Err)
    }

    async fn collect_inbox(&self, inbox: &Inbox) -> Result<u64, CollectError> {
        let consumer = &inbox.consumer;
        let mark = match &self.inner().home {
            Home::Embedded { runtime, .. } => {
                let mark = runtime.replay_watermark(consumer).await;
                mark.ok_or_else(|| "the system has stopped".to_owned())
            }
            Home::Connected(connection) => connection.replay_watermark(consumer).await,
        };
        let mark = mark.map_err(|reason| CollectError::Unknown {
            consumer: consumer.clone(),
            reason,
        })?;
        let collected = inbox.notes.collect(consumer, mark).await;
        collected.map_err(|source| CollectError::Database {
            consumer: consumer.clone(),
            source,
        })
    }
}

/// Collects every `period` until the app ends.
pub(crate) fn keep_collecting(app: &App, period: Duration) {
    let mut ended = app.inner().ended.subscribe();
    let weak = Arc::downgrade(app.shared());
    tokio::spawn(async move {
        loop {
            tokio::select! {
                // An error means that the app is gone, which is its end as well.
                _gone = ended.wait_for(|ended| *ended) => return,
                () = tokio::time::sleep(period) => {}
            }
            let Some(inner) = weak.upgrade() else {
                return;
            };
            if let Err(error) = App::of(inner).collect_inboxes().await {
                tracing::warn!("{error}; it is tried again");
            }
        }
    });
}
