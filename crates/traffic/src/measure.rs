//! Measuring a design against its targets: open-loop load, stand-in handlers in process.
//!
//! Times count from the *planned* moment of each event, so a system that falls behind cannot hide it
//! (no coordinated omission). What is measured is acceptance, delivery and settlement on the broker
//! in use; handlers only wait for their declared time, and no HTTP is in between.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hdrhistogram::Histogram;
use indexmap::IndexMap;
use serde::Serialize;
use thiserror::Error;
use tidegate_base::{Clock, ConsumerId, Name, Timestamp};
use tidegate_model::Design;
use tidegate_runtime::{Attempt, Caller, Outcome, PublishError, Runtime};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::plan::{Plan, Planned};

/// The extension attribute that carries the planned moment, nanoseconds since the Unix epoch.
const PLANNED: &str = "plannedns";
/// Longest time that is told apart: an hour, in microseconds.
const MICROS_MAX: u64 = 3_600_000_000;
/// The share of a target rate that counts as reached: arrivals are random.
const RATE_REACHED: f64 = 0.97;
/// Most publishes that wait for their acknowledgement; beyond it the load is not open any more.
const OUTSTANDING_MAX: usize = 20_000;
/// How long handling may go on after the last event, before what is missing counts as missing.
const SETTLE: Duration = Duration::from_secs(30);

type Times = Histogram<u64>;

/// Handlers that wait for their declared time and note when each event was done.
#[derive(Debug)]
pub struct ProbeCaller {
    handler_times: HashMap<ConsumerId, Duration>,
    clock: Arc<dyn Clock>,
    transits: Mutex<HashMap<ConsumerId, Times>>,
    counted_from: Mutex<Option<Timestamp>>,
}

/// What was measured, and how it compares.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// Always `tidegate/bench/v1`.
    pub schema: &'static str,
    /// How long was measured, in seconds, the warm-up not counted.
    pub seconds: f64,
    /// What was planned and what came of it, by event.
    pub events: IndexMap<Name, Measured>,
    /// Planned moment to the end of handling, by consumer, in milliseconds.
    pub consumers: IndexMap<String, Measured>,
    /// Every target with what was measured.
    pub figures: Vec<Figure>,
    /// Whether every target is met.
    pub verdict: Verdict,
}

/// A count, a rate and quantiles.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// How many.
    pub count: u64,
    /// How many a second.
    pub per_second: f64,
    /// The median, in milliseconds.
    pub p50_ms: f64,
    /// The 99th percentile, in milliseconds.
    pub p99_ms: f64,
    /// The 99.9th percentile, in milliseconds.
    pub p999_ms: f64,
    /// The largest, in milliseconds.
    pub max_ms: f64,
}

/// One target and what was measured for it.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// The event or consumer.
    pub subject: String,
    /// `rate`, `p99` or `handled`.
    pub what: &'static str,
    /// The unit of both numbers: `/s`, `ms` or `events`.
    pub unit: &'static str,
    /// What the design asks for.
    pub target: f64,
    /// What was measured.
    pub measured: f64,
    /// Whether that is enough.
    pub verdict: Verdict,
}

/// Whether a target is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is.
    Met,
    /// It is not.
    Missed,
}

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
    fn count_from(&self, from: Timestamp) {
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
            record(transits.entry(consumer).or_insert_with(times), transit);
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "an hour in microseconds and three digits are in bounds"
)]
fn times() -> Times {
    Histogram::new_with_max(MICROS_MAX, 3).expect("bounds of the histogram")
}

fn record(times: &mut Times, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(MICROS_MAX);
    times.saturating_record(micros.clamp(1, MICROS_MAX));
}

/// The probe is shared: the runtime calls it, the measurement reads it.
#[derive(Clone, Debug)]
pub struct SharedProbe(pub Arc<ProbeCaller>);

impl Caller for SharedProbe {
    fn call(&self, attempt: Attempt) -> BoxFuture<'static, Outcome> {
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
            Outcome::Done
        }
        .boxed()
    }
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
    Ok(compare(plan, design, &accepted.times, &transits, span))
}

/// Planned moment to acknowledgement, by event.
#[derive(Debug, Default)]
struct Accepted {
    times: IndexMap<Name, Times>,
    refused: Option<String>,
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
                record(
                    accepted.times.entry(event).or_insert_with(times),
                    clock.now().since(moment),
                );
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

fn compare(
    plan: &Plan,
    design: &Design,
    accepted: &IndexMap<Name, Times>,
    transits: &HashMap<ConsumerId, Times>,
    span: Span,
) -> Measurement {
    let mut figures = Vec::new();
    for stream in &plan.streams {
        let reached = accepted
            .get(&stream.event)
            .map_or(0.0, |times| per_second(times, span));
        let verdict = verdict(reached >= stream.rate() * RATE_REACHED);
        let subject = stream.event.to_string();
        figures.push(Figure {
            subject,
            what: "rate",
            unit: "/s",
            target: stream.rate(),
            measured: reached,
            verdict,
        });
    }
    let mut consumers = IndexMap::new();
    for consumer in design.consumers() {
        let Some(wanted) = accepted.get(consumer.event_name).map(Times::len) else {
            continue;
        };
        let handled = transits.get(&consumer.id());
        let subject = consumer.id().to_string();
        let count = handled.map_or(0, Times::len);
        figures.push(Figure {
            subject: subject.clone(),
            what: "handled",
            unit: "events",
            target: float(wanted),
            measured: float(count),
            verdict: verdict(count >= wanted),
        });
        let Some(times) = handled else { continue };
        let p99 = design
            .events
            .get(consumer.event_name)
            .and_then(|event| event.targets.p99);
        if let Some(target) = p99 {
            let target = target.as_secs_f64() * 1_000.0;
            let measured = millis(times.value_at_quantile(0.99));
            let verdict = verdict(measured <= target);
            figures.push(Figure {
                subject: subject.clone(),
                what: "p99",
                unit: "ms",
                target,
                measured,
                verdict,
            });
        }
        consumers.insert(subject, measured(times, span));
    }
    let events = accepted
        .iter()
        .map(|(name, times)| (name.clone(), measured(times, span)))
        .collect();
    let met = figures.iter().all(|figure| figure.verdict == Verdict::Met);
    Measurement {
        schema: "tidegate/bench/v1",
        seconds: span.duration.as_secs_f64(),
        events,
        consumers,
        figures,
        verdict: verdict(met),
    }
}

fn verdict(met: bool) -> Verdict {
    if met { Verdict::Met } else { Verdict::Missed }
}

fn measured(times: &Times, span: Span) -> Measured {
    Measured {
        count: times.len(),
        per_second: per_second(times, span),
        p50_ms: millis(times.value_at_quantile(0.5)),
        p99_ms: millis(times.value_at_quantile(0.99)),
        p999_ms: millis(times.value_at_quantile(0.999)),
        max_ms: millis(times.max()),
    }
}

fn per_second(times: &Times, span: Span) -> f64 {
    float(times.len()) / span.duration.as_secs_f64().max(1e-9)
}

fn millis(micros: u64) -> f64 {
    float(micros) / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts and times for people")]
fn float(value: u64) -> f64 {
    value as f64
}
