//! Effects that are had exactly once: a handler in one transaction with the note of its delivery and what it publishes.

mod handler;
mod inbox;
mod relay;

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use thiserror::Error;
use tidegate_base::Envelope;
use tidegate_sql::{EffectError, EffectFailure, Effects, Engine};
use tower::Service;

pub use self::handler::EffectHandler;
pub use self::inbox::CollectError;
pub(crate) use self::inbox::{Inbox, keep_collecting};
pub use self::relay::Relaying;
use crate::context::{Context, Delivery};
use crate::outcome::Outcome;
use crate::setup::{Setup, boxed};

/// How long a consumer is held whose database is not set up as it must be.
const SET_UP_PAUSE: Duration = Duration::from_secs(1);

impl Setup {
    /// Handles the deliveries of a consumer with an effect that its database has exactly once: the handler is given the open
    /// transaction, see [`EffectHandler`].
    ///
    #[cfg_attr(feature = "sqlite", doc = "```")]
    #[cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
    /// # use serde::{Deserialize, Serialize};
    /// # use tidegate::{App, Design, Event, Outcome, Publication};
    /// use sqlx::SqliteConnection;
    /// use tidegate::sql::{Effects, SQLITE};
    ///
    /// # #[derive(Serialize, Deserialize)] struct OrderPlaced { order: String, cents: i64 }
    /// # #[derive(Serialize)] struct PaymentTaken { order: String }
    /// # impl Event for PaymentTaken { const TYPE: &'static str = "PaymentTaken"; }
    /// async fn book(order: OrderPlaced, tx: &mut SqliteConnection) -> tidegate::Result<Outcome> {
    ///     sqlx::query("UPDATE account SET cents = cents + ?1")
    ///         .bind(order.cents)
    ///         .execute(&mut *tx)
    ///         .await?;
    ///     let payment = PaymentTaken { order: order.order };
    ///     Ok(Outcome::done().publish(Publication::from(&payment).key(&payment.order)))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let design = Design::inline("tidegate: 1\nsystem: shop\nevents: {OrderPlaced: {}, PaymentTaken: {}}\nservices: {shop: {publishes: [OrderPlaced]}, billing: {publishes: [PaymentTaken], consumes: {OrderPlaced: {}}}}");
    /// # let folder = tempfile::tempdir()?;
    /// # let url = format!("sqlite://{}?mode=rwc", folder.path().join("billing.db").display());
    /// let pool = sqlx::SqlitePool::connect(&url).await?;
    /// sqlx::raw_sql(SQLITE).execute(&pool).await?;
    /// # sqlx::raw_sql("CREATE TABLE account (cents INTEGER)").execute(&pool).await?;
    /// let effects = Effects::new(pool);
    /// let app = App::in_memory(design)
    ///     .on_effect("billing/OrderPlaced", &effects, book)
    ///     .start()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The delivery is noted in `tidegate_inbox` first; then the handler runs; then what it publishes goes to
    /// `tidegate_outbox`; then all of it commits, and the event is done. A repeat finds the note: it is done, and the handler
    /// does not run. When the handler ends in another way than done, all of it is rolled back, and the outcome is what the
    /// handler says.
    ///
    /// | the database | the event |
    /// |---|---|
    /// | lost a race, or the connection during COMMIT | is retried |
    /// | is away | is retried as [`Outcome::unavailable`] |
    /// | has no tables, allows nothing, may lose commits in a power cut; another owner has the consumer | waits: the consumer is held, and no attempt is burnt |
    ///
    /// What the handler publishes ([`Outcome::publish`], [`Context::publish`]) is in the database with its change, so
    /// a relay publishes it ([`App::relay`](crate::App::relay), or `tidegate outbox relay`). It does not go with the end of
    /// the delivery, as that of other handlers does: that end is stored elsewhere, and after the COMMIT, so that a process
    /// that dies in between would have its effect and never publish. `emits` is not asked; what the design refuses stays
    /// in the outbox, for an operator. An event without a [`key`](crate::Publication::key) has no order there.
    ///
    /// [`Outcome::state`] makes a dead letter, as it could not be kept in the same step: what belongs to a key belongs into
    /// the database.
    pub fn on_effect<D: Engine, Arguments: 'static>(
        mut self,
        consumer: &str,
        effects: &Effects<D>,
        handler: impl EffectHandler<D, Arguments>,
    ) -> Self {
        self.effect_with(consumer, effects, handler);
        self
    }

    fn effect_with<D: Engine, H: EffectHandler<D, Arguments>, Arguments: 'static>(
        &mut self,
        consumer: &str,
        effects: &Effects<D>,
        handler: H,
    ) {
        if let Ok(consumer) = consumer.parse() {
            self.inboxes.push(Inbox::new(consumer, effects.clone()));
        }
        let service = EffectService {
            effects: Arc::new(effects.clone()),
            handler,
            arguments: PhantomData,
        };
        self.route_in(consumer, boxed(service), H::check, D::NAME);
    }

    /// How often what inboxes no longer need is deleted; every minute unless told otherwise. `None`: only by
    /// [`App::collect_inboxes`](crate::App::collect_inboxes).
    pub const fn collect_every(mut self, period: Option<Duration>) -> Self {
        self.collect_every = period;
        self
    }
}

/// A handler in its transaction, as the tower service of single deliveries.
struct EffectService<D: Engine, H, Arguments> {
    effects: Arc<Effects<D>>,
    handler: H,
    arguments: PhantomData<fn(Arguments)>,
}

impl<D: Engine, H: Clone, Arguments> Clone for EffectService<D, H, Arguments> {
    fn clone(&self) -> Self {
        Self {
            effects: Arc::clone(&self.effects),
            handler: self.handler.clone(),
            arguments: PhantomData,
        }
    }
}

impl<D: Engine, H, Arguments> fmt::Debug for EffectService<D, H, Arguments> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EffectService({})", D::NAME)
    }
}

impl<D, H, Arguments> Service<Delivery> for EffectService<D, H, Arguments>
where
    D: Engine,
    H: EffectHandler<D, Arguments>,
    Arguments: 'static,
{
    type Response = Outcome;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Outcome, Infallible>>;

    fn poll_ready(&mut self, _context: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        // A layer may run it more than once: what a run before wanted to publish is gone.
        let delivery = delivery.again();
        let (effects, handler) = (Arc::clone(&self.effects), self.handler.clone());
        let applying = async move {
            let key = noted(delivery.context());
            let run = async |transaction: &mut D::Connection| {
                let outcome = handler.handle(&delivery, transaction).await;
                emitted(delivery.context(), outcome).map_err(Said)
            };
            let applied = effects.apply(&key, run).await;
            Ok(applied.map_or_else(failed, |_| Outcome::done()))
        };
        applying.boxed()
    }
}

/// What the inbox notes of a delivery.
fn noted(context: &Context) -> tidegate_sql::Delivery {
    tidegate_sql::Delivery {
        consumer: context.consumer().clone(),
        source: context.source().to_owned(),
        id: context.id().to_owned(),
        generation: context.generation(),
        position: context.sequence(),
        epoch: context.epoch(),
    }
}

/// The outcome of a handler that is not done.
#[derive(Debug, Error)]
#[error("the handler is not done: {0:?}")]
struct Said(Outcome);

/// What goes to the outbox; an outcome when nothing is to be committed.
fn emitted(context: &Context, outcome: Outcome) -> Result<Vec<Envelope>, Outcome> {
    let done = match context.with_outputs(outcome) {
        Outcome::Done(done) => done,
        other => return Err(other),
    };
    if done.state.is_some() {
        return Err(Outcome::park(
            "a handler with its effect in a database keeps no state beside it: what belongs to the key belongs into the database",
        ));
    }
    context.emitted(done.outputs).map_err(Outcome::park)
}

/// What it means for the event that nothing was committed, or that nobody knows.
fn failed(error: EffectError<Said>) -> Outcome {
    if let EffectError::Handler(Said(outcome)) = error {
        return outcome;
    }
    let reason = error.to_string();
    match error.failure() {
        Some(EffectFailure::Away) => Outcome::unavailable(reason),
        Some(EffectFailure::SetUp) => Outcome::overloaded(reason).after(SET_UP_PAUSE),
        Some(EffectFailure::Mistake) => Outcome::park(reason),
        Some(EffectFailure::Passing | EffectFailure::Other) | None => Outcome::retry(reason),
    }
}
