//! The discovery as one JSON document, schema `tidegate/discover/v1`. Durations are nanoseconds.

use std::time::Duration;

use serde_json::{Value, json};

use crate::discovery::{Call, Capture, Class, Discovery, Evidence, Latency, Operation, Service};
use crate::statistics::{Proportion, Quantile};

pub(super) fn render(discovery: &Discovery) -> String {
    let list = |values: Vec<Value>| Value::Array(values);
    let document = json!({
        "schema": "tidegate/discover/v1",
        "captures": list(discovery.captures.iter().map(capture).collect()),
        "window_ns": nanos(discovery.window),
        "traces": discovery.traces,
        "spans": discovery.spans,
        "orphans": discovery.orphans,
        "waiting_ns": nanos(discovery.waiting),
        "calls": list(discovery.calls.iter().map(call).collect()),
        "services": list(discovery.services.iter().map(service).collect()),
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
        "callee_operation": call.callee_operation,
        "count": call.count,
        "rate_per_second": call.rate,
        "peak_per_second": call.peak,
        "latency": latency(&call.latency),
        "handling": latency(&call.handling),
        "failures": proportion(call.failures),
        "coupling": proportion(call.coupling),
        "critical_ns": nanos(call.critical),
        "critical_share": call.critical_share,
        "critical_seconds_per_second": call.critical_per_second,
        "evidence": call.evidence.iter().map(evidence).collect::<Vec<_>>(),
        "missing": call.missing,
        "exemplars": call.exemplars,
    })
}

fn evidence(evidence: &Evidence) -> Value {
    json!({
        "signal": evidence.signal,
        "weight": evidence.weight,
        "claim": evidence.claim,
        "share": evidence.share.map(proportion),
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
