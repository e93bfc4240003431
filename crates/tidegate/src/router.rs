//! From a delivery to its handler, and from whatever comes back to an answer.

use std::any::Any;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock, Weak};

use futures_util::future::FutureExt;
use tidegate_base::ConsumerId;
use tidegate_runtime::{Answer, Outcome as Ended, RetryClass};
use tokio::sync::watch;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt};

use crate::app::Inner;
use crate::context::{Context, Delivery, Facts, SharedValues};
use crate::outcome::Outcome;

/// A handler behind all its layers.
pub type BoxHandler = BoxCloneSyncService<Delivery, Outcome, BoxError>;

/// The handlers of an app, and what they share.
pub(crate) struct Router {
    pub(crate) handlers: BTreeMap<ConsumerId, BoxHandler>,
    pub(crate) shared: Arc<SharedValues>,
    /// The app: it has the runtime, which has this, so this must not hold it.
    pub(crate) app: OnceLock<Weak<Inner>>,
    /// Once true, or once its sender is gone, what still runs is called off.
    pub(crate) ended: watch::Receiver<bool>,
}

impl Router {
    pub(crate) fn handles(&self, consumer: &ConsumerId) -> bool {
        self.handlers.contains_key(consumer)
    }

    /// The app, for the contexts of its deliveries.
    pub(crate) fn app(&self) -> Weak<Inner> {
        self.app.get().cloned().unwrap_or_default()
    }

    /// Handles one delivery. A panic, an error of a layer and the end of the app are answers as well.
    pub(crate) async fn handle(&self, facts: Facts) -> Answer {
        let Some(handler) = self.handlers.get(&facts.consumer).cloned() else {
            let error = format!("`{}` has no handler in this program", facts.consumer);
            return Ended::EndpointFault { error }.into();
        };
        let context = Context::new(facts);
        let delivery = Delivery {
            context: context.clone(),
            shared: Arc::clone(&self.shared),
        };
        let mut ended = self.ended.clone();
        let handling = AssertUnwindSafe(async move { handler.oneshot(delivery).await });
        tokio::select! {
            biased;
            // An error means that the app is gone, which is its end as well.
            _gone = ended.wait_for(|ended| *ended) => Ended::Cancelled.into(),
            handled = handling.catch_unwind() => context.answer(match handled {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(error)) => outcome_of(&*error),
                Err(panic) => panicked(&*panic),
            }),
        }
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let consumers: Vec<String> = self.handlers.keys().map(ToString::to_string).collect();
        f.debug_struct("Router")
            .field("consumers", &consumers)
            .finish_non_exhaustive()
    }
}

/// What the error of a layer means. Tower's own timeout and load shedding are known by their types, wherever in the
/// chain of causes they are; any other is a retry.
fn outcome_of(error: &(dyn Error + 'static)) -> Outcome {
    let mut cause = Some(error);
    while let Some(next) = cause {
        if next.is::<tower::timeout::error::Elapsed>() {
            return Outcome::retry_as(RetryClass::Timeout, error.to_string());
        }
        if next.is::<tower::load_shed::error::Overloaded>() {
            return Outcome::overloaded(error.to_string());
        }
        cause = next.source();
    }
    Outcome::retry(error.to_string())
}

/// A panic is a failure that may pass, with the words of the panic.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Outcome {
    let words = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Outcome::retry(match words {
        Some(words) => format!("the handler panicked: {words}"),
        None => "the handler panicked".to_owned(),
    })
}
