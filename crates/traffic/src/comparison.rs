//! What was measured, beside what the design asks for.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde::Serialize;
use tidegate_base::{ConsumerId, Name};
use tidegate_model::Design;

use crate::measure::Span;
use crate::plan::Plan;
use crate::times::Times;

/// The share of the planned events that must be acknowledged within the measured time for the rate
/// to count as reached: the last few may be under way at its end.
const RATE_REACHED: f64 = 0.98;

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
    /// `planned rate` (the design's, as drawn for this run), `p99` or `handled`.
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

/// Planned moment to acknowledgement, by event.
#[derive(Debug, Default)]
pub(crate) struct Accepted {
    pub(crate) times: IndexMap<Name, Times>,
    /// How many were planned within the measured time, and how many of them were answered in it.
    pub(crate) planned: HashMap<Name, u64>,
    pub(crate) in_time: HashMap<Name, u64>,
    pub(crate) refused: Option<String>,
}

pub(crate) fn compare(
    plan: &Plan,
    design: &Design,
    accepted: &Accepted,
    transits: &HashMap<ConsumerId, Times>,
    span: Span,
) -> Measurement {
    let mut figures = Vec::new();
    for stream in &plan.streams {
        let rate = |counts: &HashMap<Name, u64>| {
            let count = counts.get(&stream.event).copied().unwrap_or_default();
            float(count) / span.duration.as_secs_f64().max(1e-9)
        };
        let (target, measured) = (rate(&accepted.planned), rate(&accepted.in_time));
        figures.push(Figure {
            subject: stream.event.to_string(),
            what: "planned rate",
            unit: "/s",
            target,
            measured,
            verdict: verdict(measured >= target * RATE_REACHED),
        });
    }
    let mut consumers = IndexMap::new();
    for consumer in design.consumers() {
        let Some(wanted) = accepted.times.get(consumer.event_name).map(Times::len) else {
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
        .times
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
