//! `GET /metrics`: the view as OpenMetrics text. Bounded labels only: names of the design, never keys or ids.

use std::fmt;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use tidegate_runtime::Runtime;
use tidegate_runtime::view::{ConsumerState, ConsumerView, DependencyView, EventView, SystemView};

use crate::history::count;

const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(crate) async fn metrics(State(runtime): State<Runtime>) -> Response {
    match render(runtime.view()) {
        Ok(text) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn render(view: Arc<SystemView>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("tidegate");
    registry.register_collector(Box::new(ViewCollector(view)));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

/// One view as metrics.
#[derive(Debug)]
struct ViewCollector(Arc<SystemView>);

type Gauge<T> = (&'static str, &'static str, fn(&T) -> Option<f64>);
type Counter<T> = (&'static str, &'static str, fn(&T) -> u64);

const CONSUMER_GAUGES: &[Gauge<ConsumerView>] = &[
    (
        "consumer_lag_seconds",
        "Age of the oldest unfinished delivery",
        |c| Some(c.lag_seconds),
    ),
    (
        "consumer_freshness_objective_seconds",
        "How far behind is still fine",
        |c| Some(c.objective_seconds),
    ),
    (
        "consumer_backlog_messages",
        "Deliveries not finished",
        |c| Some(count(c.backlog)),
    ),
    (
        "consumer_drain_time_seconds",
        "Time until the backlog is gone; +Inf is never",
        |c| Some(c.drain_seconds.unwrap_or(f64::INFINITY)),
    ),
    (
        "consumer_in_flight_messages",
        "Deliveries running now",
        |c| Some(count(c.in_flight)),
    ),
    (
        "consumer_concurrency_limit",
        "Most deliveries at the same time",
        |c| Some(count(c.concurrency)),
    ),
    (
        "consumer_adaptive_limit",
        "Most deliveries at the same time now: the limit, or less when it adapts",
        |c| Some(count(c.limit)),
    ),
    (
        "consumer_no_load_seconds",
        "Handler time without a queue, as an adaptive limit has measured it",
        |c| c.no_load_ms.map(|ms| ms / 1_000.0),
    ),
    (
        "consumer_held_messages",
        "Deliveries held by a breaker or a key",
        |c| Some(count(c.held)),
    ),
    (
        "consumer_paused",
        "1 while an operator has paused the consumer",
        |c| Some(f64::from(u8::from(c.paused.is_some()))),
    ),
    (
        "consumer_waiting_retry_messages",
        "Deliveries that wait for a retry",
        |c| Some(count(c.waiting_retry)),
    ),
    (
        "consumer_scheduled_messages",
        "Deliveries of events for later that are not due yet",
        |c| Some(count(c.scheduled)),
    ),
    (
        "consumer_handler_p50_seconds",
        "Handler time, median of the last minute",
        |c| c.handler_p50_ms.map(|ms| ms / 1_000.0),
    ),
    (
        "consumer_handler_p99_seconds",
        "Handler time, 99th percentile of the last minute",
        |c| c.handler_p99_ms.map(|ms| ms / 1_000.0),
    ),
    (
        "consumer_transit_p99_seconds",
        "Acceptance to done, 99th percentile of the last minute",
        |c| c.transit_p99_ms.map(|ms| ms / 1_000.0),
    ),
    (
        "dlq_followers_messages",
        "Deliveries that wait behind dead letters of their keys",
        |c| Some(count(c.followers)),
    ),
    (
        "dlq_messages",
        "Dead letters that wait for a decision",
        |c| Some(count(c.dead_letters)),
    ),
];

const CONSUMER_COUNTERS: &[Counter<ConsumerView>] = &[
    (
        "consumer_succeeded_messages",
        "Deliveries that succeeded",
        |c| c.succeeded_total,
    ),
    ("consumer_failed_attempts", "Attempts that failed", |c| {
        c.failed_total
    }),
    ("processing_retries", "Retries", |c| c.retries_total),
    ("dlq_arrivals", "Deliveries that became dead letters", |c| {
        c.dead_lettered_total
    }),
];

const EVENT_COUNTERS: &[Counter<EventView>] = &[
    (
        "events_accepted",
        "Events accepted since the channel exists",
        |e| e.accepted_total,
    ),
    (
        "contract_violations",
        "Events refused by their schema",
        |e| e.invalid_total,
    ),
];

const EVENT_GAUGES: &[Gauge<EventView>] = &[(
    "event_backlog_limit_reached",
    "1 while the event is refused because a consumer is too far behind",
    |e| Some(f64::from(u8::from(e.backlog_limit.is_some()))),
)];

const DEPENDENCY_GAUGES: &[Gauge<DependencyView>] = &[
    (
        "dependency_in_flight_messages",
        "Deliveries running now that need it, where they are limited",
        |d| d.concurrency.map(|_| count(d.in_flight)),
    ),
    (
        "dependency_concurrency_limit",
        "Most deliveries at the same time that need it",
        |d| d.concurrency.map(count),
    ),
    (
        "breaker_failure_ratio",
        "Share of failed calls in the window",
        |d| Some(d.failure_rate),
    ),
    (
        "breaker_threshold_ratio",
        "Share at which the breaker opens",
        |d| Some(d.threshold),
    ),
];

impl Collector for ViewCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let view = &self.0;
        for (name, help, value) in CONSUMER_GAUGES {
            let rows = view
                .consumers
                .iter()
                .map(|c| (consumer_labels(c), value(c)));
            gauges(&mut encoder, name, help, rows)?;
        }
        for (name, help, value) in CONSUMER_COUNTERS {
            let rows = view
                .consumers
                .iter()
                .map(|c| (consumer_labels(c), value(c)));
            counters(&mut encoder, name, help, rows)?;
        }
        for (name, help, value) in EVENT_COUNTERS {
            let rows = view
                .events
                .iter()
                .map(|e| (vec![("event", e.name.to_string())], value(e)));
            counters(&mut encoder, name, help, rows)?;
        }
        for (name, help, value) in EVENT_GAUGES {
            let rows = view
                .events
                .iter()
                .map(|e| (vec![("event", e.name.to_string())], value(e)));
            gauges(&mut encoder, name, help, rows)?;
        }
        refusals(&mut encoder, view)?;
        for (name, help, value) in DEPENDENCY_GAUGES {
            let rows = view
                .dependencies
                .iter()
                .map(|d| (dependency_labels(d), value(d)));
            gauges(&mut encoder, name, help, rows)?;
        }
        states(&mut encoder, view)?;
        let opened = view
            .dependencies
            .iter()
            .map(|d| (dependency_labels(d), d.opened_total));
        counters(
            &mut encoder,
            "breaker_opened",
            "How often the breaker has opened",
            opened,
        )?;
        let up = [(Vec::new(), Some(view.uptime_seconds))];
        gauges(
            &mut encoder,
            "uptime_seconds",
            "How long the process has been up",
            up,
        )?;
        let build = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        gauges(
            &mut encoder,
            "build_info",
            "The version that runs",
            [(build, Some(1.0))],
        )
    }
}

/// Refused batches, by the limit that was reached.
fn refusals(encoder: &mut DescriptorEncoder<'_>, view: &SystemView) -> fmt::Result {
    let rows = view.events.iter().flat_map(|e| {
        let refused = &e.refused_total;
        [
            ("events", refused.events),
            ("bytes", refused.bytes),
            ("age", refused.age),
        ]
        .map(|(reason, count)| {
            let labels = vec![("event", e.name.to_string()), ("reason", reason.to_owned())];
            (labels, count)
        })
    });
    counters(
        encoder,
        "event_refused_batches",
        "Batches refused because a consumer was too far behind, by the limit that was reached",
        rows,
    )
}

/// Each state as its own series, 1 for the one that holds.
fn states(encoder: &mut DescriptorEncoder<'_>, view: &SystemView) -> fmt::Result {
    let consumers = view.consumers.iter().flat_map(|c| {
        CONSUMER_STATES.iter().map(move |(state, word)| {
            let mut labels = consumer_labels(c);
            labels.push(("state", (*word).to_owned()));
            (labels, Some(f64::from(u8::from(c.state == *state))))
        })
    });
    gauges(
        encoder,
        "consumer_state",
        "1 for the state that holds",
        consumers,
    )?;
    let breakers = view.dependencies.iter().flat_map(|d| {
        ["closed", "open", "half-open"]
            .into_iter()
            .map(move |word| {
                let mut labels = dependency_labels(d);
                labels.push(("state", word.to_owned()));
                (labels, Some(f64::from(u8::from(d.state == word))))
            })
    });
    gauges(
        encoder,
        "breaker_state",
        "1 for the state that holds",
        breakers,
    )
}

const CONSUMER_STATES: &[(ConsumerState, &str)] = &[
    (ConsumerState::Ok, "ok"),
    (ConsumerState::Idle, "idle"),
    (ConsumerState::CatchingUp, "catching-up"),
    (ConsumerState::FallingBehind, "falling-behind"),
    (ConsumerState::Held, "held"),
    (ConsumerState::Halted, "halted"),
    (ConsumerState::Stalled, "stalled"),
];

type Labels = Vec<(&'static str, String)>;

fn consumer_labels(consumer: &ConsumerView) -> Labels {
    vec![
        ("service", consumer.service.to_string()),
        ("event", consumer.event.to_string()),
    ]
}

fn dependency_labels(dependency: &DependencyView) -> Labels {
    vec![("name", dependency.name.to_string())]
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    rows: impl IntoIterator<Item = (Labels, Option<f64>)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in rows {
        if let Some(value) = value {
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn counters(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    rows: impl IntoIterator<Item = (Labels, u64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, value) in rows {
        ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
