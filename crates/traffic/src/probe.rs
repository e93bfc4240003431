//! Handlers for a measurement: they wait for their declared time, and note when each event was done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tidegate_base::{Clock, ConsumerId, Timestamp};
use tidegate_model::Design;
use tidegate_runtime::{Answer, Attempt, Caller, Outcome};

use crate::times::{self, Times};

/// The extension attribute that carries the planned moment, nanoseconds since the Unix epoch.
pub(crate) const PLANNED: &str = "plannedns";

/// Handlers that wait for their declared time and note when each event was done.
#[derive(Debug)]
pub struct ProbeCaller {
    handler_times: HashMap<ConsumerId, Duration>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) transits: Mutex<HashMap<ConsumerId, Times>>,
    counted_from: Mutex<Option<Timestamp>>,
}

impl ProbeCaller {
    /// Probes for the consumers of a design.
    #[must_use]
    pub fn new(design: &Design, clock: Arc<dyn Clock>) -> Self {
        let time = |consumer: tidegate_model::design::ConsumerRef<'_>| {
            let time = consumer.consume.deliver.handler_time.as_ref();
            (
                consumer.id(),
                time.map_or(Duration::ZERO, |time| time.value),
            )
        };
        Self {
            handler_times: design.consumers().map(time).collect(),
            clock,
            transits: Mutex::default(),
            counted_from: Mutex::default(),
        }
    }

    /// Events planned from now on count.
    pub(crate) fn count_from(&self, from: Timestamp) {
        *self
            .counted_from
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(from);
    }

    fn note(&self, consumer: ConsumerId, planned: Timestamp) {
        let counted_from = *self
            .counted_from
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if counted_from.is_some_and(|from| planned >= from) {
            let transit = self.clock.now().since(planned);
            let mut transits = self.transits.lock().unwrap_or_else(PoisonError::into_inner);
            times::record(
                transits.entry(consumer).or_insert_with(times::empty),
                transit,
            );
        }
    }
}

/// The probe is shared: the runtime calls it, the measurement reads it.
#[derive(Clone, Debug)]
pub struct SharedProbe(pub Arc<ProbeCaller>);

impl Caller for SharedProbe {
    fn call(&self, attempt: Attempt) -> BoxFuture<'static, Answer> {
        let probe = Arc::clone(&self.0);
        async move {
            let time = probe
                .handler_times
                .get(&attempt.consumer)
                .copied()
                .unwrap_or_default();
            if !time.is_zero() {
                tokio::time::sleep(time).await;
            }
            let planned = attempt
                .envelope
                .extensions
                .get(PLANNED)
                .and_then(|text| text.parse().ok());
            if let Some(planned) = planned {
                probe.note(attempt.consumer, Timestamp::from_nanos(planned));
            }
            Outcome::Done.into()
        }
        .boxed()
    }
}
