//! Publishing: what is accepted is durable.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use tidegate_base::{Envelope, Random};
use tidegate_runtime::Accepted;
use tokio::time::Instant;
use uuid::{NoContext, Uuid};

use crate::app::{App, Home};
use crate::error::PublishError;
use crate::publication::Publication;

/// The first wait of a publisher that is pushed back.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// The longest one, unless more is asked for.
const BACKOFF_MAX: Duration = Duration::from_secs(2);

impl App {
    /// Publishes an event; once this returns, it is durable.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tidegate::{App, Design, Event, Publication};
    /// #[derive(Serialize, Deserialize)]
    /// struct OrderPlaced { order: String }
    ///
    /// impl Event for OrderPlaced {
    ///     const TYPE: &'static str = "OrderPlaced";
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let design = Design::inline("tidegate: 1\nsystem: shop\nevents: {OrderPlaced: {}}\nservices: {orders: {publishes: [OrderPlaced]}}");
    /// # let app = App::in_memory(design).start().await?;
    /// let order = OrderPlaced { order: "A-1".to_owned() };
    /// app.publish(&order).await?;
    /// app.publish(Publication::from(&order).id("A-1")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// When the system has no room, or a daemon does not answer, it waits and tries again, with growing pauses, for
    /// [`Setup::publish_wait`](crate::Setup::publish_wait) altogether.
    ///
    /// # Errors
    ///
    /// [`PublishError`], with what to do about it.
    pub async fn publish(&self, event: impl Into<Publication>) -> Result<Accepted, PublishError> {
        one(self.publish_all([event]).await)
    }

    /// Publishes up to 1,000 events in one atomic batch: all of them or none. Waits as [`App::publish`] does.
    ///
    /// # Errors
    ///
    /// As [`App::publish`].
    pub async fn publish_all<P: Into<Publication>>(
        &self,
        events: impl IntoIterator<Item = P>,
    ) -> Result<Vec<Accepted>, PublishError> {
        let events = self.ready(events)?;
        let ends_at = Instant::now() + self.inner().publish_wait;
        let mut backoff = BACKOFF_MIN;
        loop {
            let error = match self.send(events.clone()).await {
                Ok(accepted) => return Ok(accepted),
                Err(error) => error,
            };
            let Some(asked) = error.passes_after() else {
                return Err(error);
            };
            // Half of a pause is left to chance, so that many who were pushed back do not come back together.
            let number = self.inner().tries.fetch_add(1, Ordering::Relaxed);
            let seed = self.inner().clock.now().nanos();
            let chance = Random::new(seed, "publish", "").uniform(number);
            let pause = asked.max(backoff.mul_f64(0.5 + chance / 2.0));
            if Instant::now() + pause >= ends_at {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// Publishes an event without waiting for room.
    ///
    /// # Errors
    ///
    /// As [`App::publish`]; [`PublishError::Full`] at once.
    pub async fn try_publish(
        &self,
        event: impl Into<Publication>,
    ) -> Result<Accepted, PublishError> {
        one(self.try_publish_all([event]).await)
    }

    /// Publishes up to 1,000 events in one atomic batch, without waiting for room.
    ///
    /// # Errors
    ///
    /// As [`App::try_publish`].
    pub async fn try_publish_all<P: Into<Publication>>(
        &self,
        events: impl IntoIterator<Item = P>,
    ) -> Result<Vec<Accepted>, PublishError> {
        self.send(self.ready(events)?).await
    }

    async fn send(&self, events: Vec<Envelope>) -> Result<Vec<Accepted>, PublishError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        match &self.inner().home {
            Home::Embedded { runtime, .. } => Ok(runtime.publish(events).await?),
            Home::Connected(connection) => {
                let events: Vec<Value> = events.iter().map(Envelope::to_value).collect();
                connection.publish(&Value::from(events)).await
            }
        }
    }

    /// The events with everything that a CloudEvent needs; an id, once given, stays through every try.
    fn ready<P: Into<Publication>>(
        &self,
        events: impl IntoIterator<Item = P>,
    ) -> Result<Vec<Envelope>, PublishError> {
        let events = events.into_iter().map(|event| {
            let mut envelope = event.into().envelope().map_err(PublishError::Data)?;
            if envelope.id.is_empty() {
                envelope.id = self.fresh_id();
            }
            if envelope.source.is_empty() {
                envelope.source.clone_from(&self.inner().source);
            }
            if envelope.time.is_none() {
                envelope.time = Some(self.inner().clock.now().to_string());
            }
            Ok(envelope)
        });
        events.collect()
    }

    /// A UUIDv7: no other has it, and later ones sort behind it.
    pub(crate) fn fresh_id(&self) -> String {
        let nanos = self.inner().clock.now().nanos();
        let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
        let rest = u32::try_from(rest).unwrap_or_default();
        Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, rest)).to_string()
    }
}

fn one(accepted: Result<Vec<Accepted>, PublishError>) -> Result<Accepted, PublishError> {
    let first = accepted?.into_iter().next();
    first.ok_or_else(|| PublishError::Unanswered {
        reason: "the answer names no event".to_owned(),
    })
}
