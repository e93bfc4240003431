//! Measuring a design against its targets: open-loop load, stand-in handlers in process.
//!
//! Times count from the *planned* moment of each event, so a system that falls behind cannot hide it
//! (no coordinated omission). What is measured is acceptance, delivery and settlement on the broker
//! in use; handlers only wait for their declared time, and no HTTP is in between.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use thiserror::Error;
use tidegate_base::{Name, Timestamp};
use tidegate_model::Design;
use tidegate_runtime::{PublishError, Runtime};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::comparison::{Accepted, Measurement, compare};
use crate::plan::{Plan, Planned};
use crate::probe::{PLANNED, ProbeCaller};
use crate::times::{self, Times};

/// Most publishes that wait for their acknowledgement; beyond it the load is not open any more.
const OUTSTANDING_MAX: usize = 20_000;
/// How long handling may go on after the last event, before what is missing counts as missing.
const SETTLE: Duration = Duration::from_secs(30);

/// Why nothing was measured.
#[derive(Debug, Error)]
pub enum MeasureError {
    /// A producer was refused: the system or the plan is broken, not slow.
    #[error("an event was refused during the measurement: {0}")]
    Refused(String),
    /// Nothing was counted.
    #[error("no event was handled within the measured time; measure longer")]
    Nothing,
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Played first and not counted.
    pub warm_up: Duration,
    /// Counted.
    pub duration: Duration,
}

/// Plays `plan` for the span and compares what came of it with the design's targets. `runtime` must
/// have been started with the probe as its caller.
///
/// # Errors
///
/// [`MeasureError`] when an event is refused, or nothing was handled.
pub async fn measure(
    plan: &Plan,
    design: &Design,
    runtime: &Runtime,
    probe: &ProbeCaller,
    span: Span,
) -> Result<Measurement, MeasureError> {
    let accepted = Arc::new(Mutex::new(Accepted::default()));
    let room = Arc::new(Semaphore::new(OUTSTANDING_MAX));
    let (began, start) = (probe.clock.now(), Instant::now());
    probe.count_from(began + span.warm_up);
    for planned in plan.schedule() {
        if planned.arrival.at >= span.warm_up + span.duration {
            break;
        }
        tokio::time::sleep_until(start + planned.arrival.at).await;
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            break;
        };
        let publish = publish(&planned, runtime, probe, began, span, Arc::clone(&accepted));
        tokio::spawn(async move {
            publish.await;
            drop(permit);
        });
    }
    // Every permit back: every publish is answered.
    let all = u32::try_from(OUTSTANDING_MAX).unwrap_or(u32::MAX);
    let _answered = room.acquire_many(all).await.is_ok();
    let accepted = std::mem::take(&mut *accepted.lock().unwrap_or_else(PoisonError::into_inner));
    if let Some(refused) = accepted.refused {
        return Err(MeasureError::Refused(refused));
    }
    await_handling(design, probe, &accepted.times).await;
    let transits = probe
        .transits
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    if transits.values().all(|times| times.is_empty()) {
        return Err(MeasureError::Nothing);
    }
    Ok(compare(plan, design, &accepted, &transits, span))
}

fn publish(
    planned: &Planned<'_>,
    runtime: &Runtime,
    probe: &ProbeCaller,
    began: Timestamp,
    span: Span,
    accepted: Arc<Mutex<Accepted>>,
) -> impl Future<Output = ()> + Send + use<> {
    let moment = began + planned.arrival.at;
    let run = format!("{:x}", began.millis());
    let mut envelope = planned
        .stream
        .envelope(&run, planned.number, &planned.arrival.key, moment);
    envelope
        .extensions
        .insert(PLANNED.to_owned(), moment.nanos().to_string());
    let (event, runtime, clock) = (
        planned.stream.event.clone(),
        runtime.clone(),
        Arc::clone(&probe.clock),
    );
    let counts = planned.arrival.at >= span.warm_up;
    let end = began + span.warm_up + span.duration;
    async move {
        let answer = loop {
            match runtime.publish(vec![envelope.clone()]).await {
                Err(PublishError::Full { retry_after, .. }) => {
                    tokio::time::sleep(retry_after).await
                }
                answer => break answer,
            }
        };
        let mut accepted = accepted.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(_) if counts => {
                *accepted.planned.entry(event.clone()).or_default() += 1;
                if clock.now() <= end {
                    *accepted.in_time.entry(event.clone()).or_default() += 1;
                }
                let times = accepted.times.entry(event).or_insert_with(times::empty);
                times::record(times, clock.now().since(moment));
            }
            Ok(_) => {}
            Err(error) => accepted.refused = Some(error.to_string()),
        }
    }
}

/// Waits until every accepted event was handled by each of its consumers, at most [`SETTLE`].
async fn await_handling(design: &Design, probe: &ProbeCaller, accepted: &IndexMap<Name, Times>) {
    let handled = || {
        let transits = probe
            .transits
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        design.consumers().all(|consumer| {
            let wanted = accepted.get(consumer.event_name).map_or(0, Times::len);
            transits.get(&consumer.id()).map_or(0, Times::len) >= wanted
        })
    };
    let deadline = Instant::now() + SETTLE;
    while !handled() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
