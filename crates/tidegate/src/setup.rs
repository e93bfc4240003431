//! An app before it starts: its handlers and what is around them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tidegate_base::ConsumerId;
use tidegate_runtime::{Caller, Settings};
use tower::{BoxError, Layer, Service, ServiceExt};

use crate::app::App;
use crate::batch::BatchHandler;
use crate::batcher::{BatchMax, Batcher};
use crate::context::{Context, Delivery, SharedValues};
use crate::design::Design;
use crate::error::StartError;
use crate::handler::{Handler, service};
use crate::outcome::Outcome;
use crate::publication::Event;
use crate::request::Pending;
use crate::router::BoxHandler;
use crate::{connected, embedded};

/// Where the events will be.
pub(crate) enum HomeSetup {
    Embedded {
        design: Design,
        /// `None`: in memory.
        data: Option<PathBuf>,
    },
    Connected {
        url: String,
    },
}

/// What a handler needs of the app: checked at start.
pub(crate) type Check = fn(&SharedValues) -> Result<(), String>;
/// Something that is put around every handler.
type Wrap = Box<dyn Fn(BoxHandler) -> BoxHandler + Send + Sync>;

/// One handler as it was given.
pub(crate) struct Route {
    pub(crate) handler: BoxHandler,
    pub(crate) check: Check,
    /// Of a batch handler.
    pub(crate) batch: Option<BatchMax>,
    /// The database in which it has its effect exactly once.
    pub(crate) database: Option<&'static str>,
}

/// An app before it starts. Nothing happens, and no mistake is told, before [`Setup::start`].
#[must_use = "an app does nothing before `start`"]
pub struct Setup {
    pub(crate) home: HomeSetup,
    pub(crate) routes: BTreeMap<ConsumerId, Route>,
    pub(crate) elsewhere: BTreeSet<ConsumerId>,
    pub(crate) shared: SharedValues,
    pub(crate) problems: Vec<String>,
    pub(crate) source: Option<String>,
    pub(crate) token: Option<Token>,
    pub(crate) pusher: Option<Arc<dyn Caller>>,
    pub(crate) settings: Option<Settings>,
    pub(crate) publish_wait: Duration,
    pub(crate) drain_limit: Duration,
    pub(crate) pending: Arc<Pending>,
    #[cfg(feature = "sql")]
    pub(crate) inboxes: Vec<crate::effect::Inbox>,
    #[cfg(feature = "sql")]
    pub(crate) collect_every: Option<Duration>,
    layers: Vec<Wrap>,
}

/// Where the token of a daemon is.
pub(crate) enum Token {
    Text(String),
    File(PathBuf),
}

impl Setup {
    pub(crate) fn new(home: HomeSetup) -> Self {
        Self {
            home,
            routes: BTreeMap::new(),
            elsewhere: BTreeSet::new(),
            shared: SharedValues::default(),
            problems: Vec::new(),
            source: None,
            token: None,
            pusher: None,
            settings: None,
            publish_wait: Duration::from_secs(30),
            drain_limit: Duration::from_secs(10),
            pending: Arc::default(),
            #[cfg(feature = "sql")]
            inboxes: Vec::new(),
            #[cfg(feature = "sql")]
            collect_every: Some(Duration::from_secs(60)),
            layers: Vec::new(),
        }
    }

    /// Handles the deliveries of a consumer, `service/event`, with an async function: see [`Handler`].
    ///
    /// ```
    /// # use tidegate::{App, Context, Design, Outcome};
    /// # #[derive(serde::Deserialize)] struct OrderPlaced { total: u64 }
    /// # let design = Design::inline("tidegate: 1\nsystem: shop\nevents: {OrderPlaced: {}}\nservices: {shop: {publishes: [OrderPlaced]}, billing: {consumes: {OrderPlaced: {}}}}");
    /// App::in_memory(design).on("billing/OrderPlaced", async |order: OrderPlaced, context: Context| {
    ///     if order.total == 0 {
    ///         return Outcome::park(format!("order {} has no total", context.id()));
    ///     }
    ///     Outcome::done()
    /// });
    /// ```
    ///
    /// A payload that does not parse makes a dead letter that says where it does not. A panic counts as a failure that may
    /// pass.
    pub fn on<Arguments: 'static>(self, consumer: &str, handler: impl Handler<Arguments>) -> Self {
        self.handle_with(consumer, handler)
    }

    fn handle_with<H: Handler<Arguments>, Arguments: 'static>(
        mut self,
        consumer: &str,
        handler: H,
    ) -> Self {
        self.route(consumer, boxed(service(handler)), H::check, None);
        self
    }

    /// Handles the deliveries of a consumer with a tower service: a handler in layers of its own (see
    /// [`service`](crate::service)), or any other.
    ///
    /// An error of the service is an outcome: tower's `Elapsed` is a timeout, which breakers count; tower's `Overloaded` is
    /// an overload, which holds the consumer; every other error is a retry.
    pub fn on_service<S>(mut self, consumer: &str, service: S) -> Self
    where
        S: Service<Delivery, Response = Outcome> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        self.route(consumer, boxed(service), |_| Ok(()), None);
        self
    }

    /// Handles the deliveries of a consumer in batches of up to `max`, each collected for at most `linger`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidegate::{App, Batch, Design};
    /// # #[derive(serde::Deserialize)] struct OrderPlaced { total: u64 }
    /// # async fn insert(rows: &[u64]) -> Result<(), std::io::Error> { drop(rows); Ok(()) }
    /// # let design = Design::inline("tidegate: 1\nsystem: shop\nevents: {OrderPlaced: {}}\nservices: {shop: {publishes: [OrderPlaced]}, books: {consumes: {OrderPlaced: {}}}}");
    /// App::in_memory(design).on_batch("books/OrderPlaced", 100, Duration::from_millis(20), async |orders: Batch<OrderPlaced>| {
    ///     let totals: Vec<u64> = orders.iter().map(|order| order.data.total).collect();
    ///     insert(&totals).await
    /// });
    /// ```
    ///
    /// The handler may give the outcome of each event. When it says that the batch failed, and does not say that something
    /// is away or has too much to do, the batch is halved, and halved again, until the event is found that fails: that
    /// one is retried or parked. What has succeeded in a half is not run again. An event that was tried before runs alone, so
    /// that it takes no other with it into the dead letters.
    ///
    /// A batch is never larger than the consumer's `concurrency`, and its handler has until the earliest deadline of its
    /// events. Where the consumer keeps an order, the events of a batch have different keys.
    pub fn on_batch<T, H>(
        mut self,
        consumer: &str,
        max: usize,
        linger: Duration,
        handler: H,
    ) -> Self
    where
        T: DeserializeOwned + Send + 'static,
        H: BatchHandler<T>,
    {
        let max = BatchMax::new(max);
        let batcher = Batcher::new(handler, max.clone(), linger);
        self.route(consumer, boxed(batcher), |_| Ok(()), Some(max));
        self
    }

    /// Takes the replies to this app's requests from a consumer of events of type `R`: see [`App::request`].
    pub fn replies<R: Event>(self, consumer: &str) -> Self {
        self.pending.expect(R::TYPE);
        let pending = Arc::clone(&self.pending);
        self.on(consumer, move |context: Context| {
            pending.arrived(&context);
            std::future::ready(())
        })
    }

    /// Leaves a consumer to another program, which pulls it, or to its `deliver.to` (see [`Setup::push_through`]). A
    /// consumer without a handler that nobody speaks of is an error at start.
    pub fn elsewhere(mut self, consumer: &str) -> Self {
        if let Some(consumer) = self.consumer(consumer) {
            self.elsewhere.insert(consumer);
        }
        self
    }

    /// Puts a layer around every handler, those that are added later included; the last one is outermost.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidegate::{App, Design};
    /// # let design = Design::inline("tidegate: 1\nsystem: shop\nevents: {OrderPlaced: {}}\nservices: {shop: {publishes: [OrderPlaced]}}");
    /// use tower::limit::GlobalConcurrencyLimitLayer;
    /// use tower::timeout::TimeoutLayer;
    ///
    /// App::in_memory(design)
    ///     .layer(GlobalConcurrencyLimitLayer::new(8))
    ///     .layer(TimeoutLayer::new(Duration::from_secs(2)));
    /// ```
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<BoxHandler> + Send + Sync + 'static,
        L::Service: Service<Delivery, Response = Outcome> + Clone + Send + Sync + 'static,
        <L::Service as Service<Delivery>>::Error: Into<BoxError>,
        <L::Service as Service<Delivery>>::Future: Send + 'static,
    {
        self.layers
            .push(Box::new(move |handler| boxed(layer.layer(handler))));
        self
    }

    /// Gives all handlers a value that they take as [`Shared`](crate::Shared).
    pub fn share<S: Clone + Send + Sync + 'static>(mut self, value: S) -> Self {
        self.shared.insert(value);
        self
    }

    /// The `source` of events that are published without one; else `/` and the name of the system.
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// How long [`App::publish`] waits for room altogether; half a minute unless told otherwise.
    pub const fn publish_wait(mut self, limit: Duration) -> Self {
        self.publish_wait = limit;
        self
    }

    /// How long [`App::run_until`] lets handlers finish; ten seconds unless told otherwise.
    pub const fn drain_limit(mut self, limit: Duration) -> Self {
        self.drain_limit = limit;
        self
    }

    /// The file with the token of the daemon.
    pub fn token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.token = Some(Token::File(path.into()));
        self
    }

    /// The token of the daemon itself, for programs that get their secrets in another way.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(Token::Text(token.into()));
        self
    }

    /// How an embedded app reaches the `deliver.to` of consumers that are [`elsewhere`](Self::elsewhere), such as the
    /// `HttpCaller` of `tidegate-server`.
    pub fn push_through(mut self, caller: Arc<dyn Caller>) -> Self {
        self.pusher = Some(caller);
        self
    }

    /// The settings of an embedded runtime.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = Some(settings);
        self
    }

    /// Starts the app: from now on events are handled.
    ///
    /// # Errors
    ///
    /// [`StartError`], with everything that is wrong and the next step.
    pub async fn start(mut self) -> Result<App, StartError> {
        let (shared, problems) = (&self.shared, &mut self.problems);
        for (consumer, route) in &self.routes {
            if let Err(missing) = (route.check)(shared) {
                problems.push(format!("`{consumer}`: {missing}"));
            }
        }
        #[cfg(feature = "sql")]
        let period = self.collect_every.filter(|_| !self.inboxes.is_empty());
        let app = match &self.home {
            HomeSetup::Embedded { .. } => embedded::start(self).await,
            HomeSetup::Connected { .. } => connected::start(self).await,
        }?;
        #[cfg(feature = "sql")]
        if let Some(period) = period {
            crate::effect::keep_collecting(&app, period);
        }
        Ok(app)
    }

    /// The handlers behind their layers.
    pub(crate) fn handlers(&mut self) -> BTreeMap<ConsumerId, BoxHandler> {
        let routes = std::mem::take(&mut self.routes).into_iter();
        let wrapped = routes.map(|(consumer, route)| {
            let layers = self.layers.iter();
            let handler = layers.fold(route.handler, |handler, wrap| wrap(handler));
            (consumer, handler)
        });
        wrapped.collect()
    }

    fn consumer(&mut self, text: &str) -> Option<ConsumerId> {
        match text.parse() {
            Ok(consumer) => Some(consumer),
            Err(error) => {
                let problem =
                    format!("`{text}` names no consumer, such as `billing/OrderPlaced`: {error}");
                self.problems.push(problem);
                None
            }
        }
    }

    fn route(
        &mut self,
        consumer: &str,
        handler: BoxHandler,
        check: Check,
        batch: Option<BatchMax>,
    ) {
        let database = None;
        let route = Route {
            handler,
            check,
            batch,
            database,
        };
        self.add(consumer, route);
    }

    #[cfg(feature = "sql")]
    pub(crate) fn route_in(
        &mut self,
        consumer: &str,
        handler: BoxHandler,
        check: Check,
        database: &'static str,
    ) {
        let route = Route {
            handler,
            check,
            batch: None,
            database: Some(database),
        };
        self.add(consumer, route);
    }

    fn add(&mut self, consumer: &str, route: Route) {
        let Some(consumer) = self.consumer(consumer) else {
            return;
        };
        if self.routes.insert(consumer.clone(), route).is_some() {
            self.problems
                .push(format!("`{consumer}` has two handlers: remove one"));
        }
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let consumers: Vec<String> = self.routes.keys().map(ToString::to_string).collect();
        f.debug_struct("Setup")
            .field("consumers", &consumers)
            .finish_non_exhaustive()
    }
}

pub(crate) fn boxed<S>(service: S) -> BoxHandler
where
    S: Service<Delivery, Response = Outcome> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    BoxHandler::new(service.map_err(Into::into))
}
