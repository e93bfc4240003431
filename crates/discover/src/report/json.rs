//! The discovery as one JSON document, schema `tidegate/discover/v1`. Durations are nanoseconds.

use std::time::Duration;

use serde_json::{Value, json};

use super::{asked, dependence};
use crate::coupling::Coupling;
use crate::discovery::{
    Call, Capture, Class, Discovery, Evidence, Exclusive, Latency, Operation, Service,
};
use crate::interval::Estimate;
use crate::ranking::Worth;
use crate::replay::Saving;
use crate::replay::complete::Completeness;
use crate::statistics::{Proportion, Quantile};
use crate::workload::Workload;

pub(super) fn render(discovery: &Discovery) -> String {
    let list = |values: Vec<Value>| Value::Array(values);
    let document = json!({
        "schema": "tidegate/discover/v1",
        "captures": list(discovery.captures.iter().map(capture).collect()),
        "window_ns": nanos(discovery.window),
        "traces": discovery.traces,
        "spans": discovery.spans,
        "orphans": discovery.orphans,
        "sampling": {
            "traces_read": discovery.sampling.traces_read,
            "spans_read": discovery.sampling.spans_read,
            "traces_with_probability": discovery.sampling.with_probability,
            "requests": discovery.sampling.stands_for,
            "uneven": discovery.sampling.is_uneven,
        },
        "completeness": completeness(&discovery.completeness),
        "waiting_ns": nanos(discovery.waiting),
        "candidates": list(discovery.calls.iter().map(call).collect()),
        "what_if": list(discovery.answers.iter().map(asked::answer).collect()),
        "endpoints": list(discovery.endpoints.iter().map(dependence::endpoint).collect()),
        "services": list(discovery.services.iter().map(service).collect()),
        "critical_path": list(discovery.exclusive.iter().map(exclusive).collect()),
        "operations": list(discovery.operations.iter().map(operation).collect()),
    });
    format!("{document:#}\n")
}

fn capture(capture: &Capture) -> Value {
    json!({
        "name": capture.name,
        "format": capture.format,
        "traces": capture.traces,
        "spans": capture.spans,
        "left_out": capture.left_out,
    })
}

fn service(service: &Service) -> Value {
    json!({
        "name": service.name,
        "spans": service.spans,
        "operations": service.operations,
        "failures": proportion(service.failures),
    })
}

fn operation(operation: &Operation) -> Value {
    json!({
        "service": operation.service,
        "name": operation.name,
        "count": operation.count,
        "rate_per_second": operation.rate,
        "peak_per_second": operation.peak,
        "latency": latency(&operation.latency),
        "failures": proportion(operation.failures),
        "self_ns": nanos(operation.self_time),
    })
}

fn call(call: &Call) -> Value {
    let reason = match &call.class {
        Class::NotACandidate { reason } => Some(reason),
        Class::Unknown { missing } => Some(missing),
        _ => None,
    };
    json!({
        "class": call.class.code(),
        "reason": reason,
        "feasible": call.class.is_feasible(),
        "caller": call.caller,
        "caller_operation": call.caller_operation,
        "callee": call.callee,
        "operation": call.callee_operation,
        "count": call.count,
        "stands_for": call.stands_for,
        "rate_per_second": call.rate,
        "peak_per_second": call.peak,
        "latency": latency(&call.latency),
        "handling": latency(&call.handling),
        "failures": proportion(call.failures),
        "coupling": coupling(&call.coupled),
        "latency_coupling": call.slowness.as_ref().map(dependence::slowness),
        "queueing": call.queueing.as_ref().map(dependence::queueing),
        "saving": call.savings.first().map(saving),
        "other_savings": call.savings.iter().skip(1).map(saving).collect::<Vec<_>>(),
        "alternatives": call.alternatives.map(|other| json!({
            "removed_mean": estimate(other.removed),
            "delay_slope": other.per_delay,
        })),
        "worth": worth(&call.worth),
        "workload": workload(&call.workload),
        "critical_ns": nanos(call.critical),
        "critical_share": call.critical_share,
        "on_critical_path": proportion(call.on_path),
        "critical_at_ns": {
            "p50": call.critical_at[0].map(nanos),
            "p95": call.critical_at[1].map(nanos),
            "p99": call.critical_at[2].map(nanos),
        },
        "critical_seconds_per_second": call.critical_per_second,
        "evidence": call.evidence.iter().map(evidence).collect::<Vec<_>>(),
        "missing": call.missing,
        "exemplars": call.exemplars,
    })
}

fn evidence(evidence: &Evidence) -> Value {
    let interval = evidence.interval();
    json!({
        "id": evidence.signal.id(),
        "signal": evidence.signal,
        "weight": evidence.weight,
        "claim": evidence.claim,
        "value": evidence.value(),
        "n": evidence.n,
        "low": interval.map(|(low, _)| low),
        "high": interval.map(|(_, high)| high),
    })
}

fn completeness(completeness: &Completeness) -> Value {
    json!({
        "lost_spans": proportion(completeness.lost),
        "traces": completeness.traces,
        "traces_used": completeness.used,
        "withheld": completeness.withheld,
        "traces_complete": completeness.measured.complete,
        "share": completeness.measured.measure.share(),
        "least_share": completeness.measured.measure.least_share(),
        "measure": completeness.measured.measure,
        "placed_by_other_clocks": proportion(completeness.by_clocks),
    })
}

pub(super) fn saving(saving: &Saving) -> Value {
    json!({
        "service": saving.service,
        "endpoint": saving.operation,
        "requests": saving.requests,
        "affected": saving.affected,
        "stands_for": saving.stands_for,
        "rate_per_second": saving.rate,
        "before_ns": saving.before.round(),
        "mean": estimate(saving.mean),
        "p50": estimate(saving.p50),
        "p95": estimate(saving.p95),
        "p99": estimate(saving.p99),
        "mean_if_only_seen_orders_hold_ns": saving.mean.value().map(|_| saving.optimistic.round()),
        "order_confidence": saving.confidence,
    })
}

/// Nanoseconds; null where `n` is below `needed`.
fn estimate(estimate: Estimate) -> Value {
    match estimate {
        Estimate::Estimated {
            value,
            low,
            high,
            n,
        } => json!({"value": value.round(), "low": low.round(), "high": high.round(), "n": n}),
        Estimate::NotEstimable { n, needed } => {
            json!({"value": null, "low": null, "high": null, "n": n, "needed": needed})
        }
    }
}

fn coupling(coupling: &Coupling) -> Value {
    json!({
        "failures": proportion(coupling.failures),
        "request_fails_with": proportion(coupling.with),
        "request_fails_without": proportion(coupling.without),
        "excess": coupling.excess.map(|(value, ..)| value),
        "low": coupling.excess.map(|(_, low, _)| low),
        "high": coupling.excess.map(|(.., high)| high),
        "failures_removed_per_million": coupling.removed_per_million,
        "attempts": coupling.attempts,
    })
}

fn worth(worth: &Worth) -> Value {
    json!({
        "seconds_per_day": worth.seconds_per_day,
        "failures_per_day": worth.failures_per_day,
        "obligations": worth.obligations,
        "on_front": worth.is_on_front,
        "probability_first": worth.is_first,
        "experiment": worth.experiment,
    })
}

fn workload(workload: &Workload) -> Value {
    let dispersion: serde_json::Map<String, Value> = workload
        .dispersion
        .iter()
        .map(|(window, value)| (tidegate_base::format_duration(*window), json!(value)))
        .collect();
    json!({
        "rate_per_second": workload.rate,
        "peak_per_second": workload.peak,
        "dispersion": dispersion,
        "interarrival_scv": workload.interarrival_scv,
        "service_mean_ns": (workload.service_mean * 1e9).round(),
        "service_scv": workload.service_scv,
        "service_max_ns": (workload.service_max * 1e9).round(),
        "bytes_median": workload.bytes.map(|(median, _)| median),
        "bytes_max": workload.bytes.map(|(_, max)| max),
        "keys": workload.keys.map(|keys| json!({
            "count": keys.count,
            "hottest_share": keys.hottest,
            "zipf_exponent": keys.zipf,
        })),
        "fan_out": workload.fan_out,
    })
}

fn exclusive(exclusive: &Exclusive) -> Value {
    json!({
        "service": exclusive.service,
        "operation": exclusive.operation,
        "asks": exclusive.callee,
        "count": exclusive.count,
        "own_critical_ns": nanos(exclusive.time),
    })
}

pub(crate) fn latency(latency: &Latency) -> Value {
    json!({
        "p50": quantile(latency.p50),
        "p95": quantile(latency.p95),
        "p99": quantile(latency.p99),
        "max_ns": nanos(latency.max),
    })
}

/// `value_ns` is null where `n` is below `needed`.
pub(crate) fn quantile(quantile: Quantile) -> Value {
    match quantile {
        Quantile::Estimated {
            value,
            low,
            high,
            n,
        } => {
            json!({"value_ns": nanos(value), "low_ns": nanos(low), "high_ns": nanos(high), "n": n})
        }
        Quantile::NotEstimable { n, needed } => json!({"value_ns": null, "n": n, "needed": needed}),
    }
}

pub(crate) fn proportion(proportion: Proportion) -> Value {
    let interval = proportion.interval();
    json!({
        "hits": proportion.hits,
        "total": proportion.total,
        "low": interval.map(|(low, _)| low),
        "high": interval.map(|(_, high)| high),
    })
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
