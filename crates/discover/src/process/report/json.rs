//! The discovery as one JSON document, schema `tidegate/process/v1`. Durations are nanoseconds.

use serde_json::{Value, json};

use crate::process::found::{
    Activity, Arc, Bottleneck, Candidate, CandidateClass, Cause, Change, Estimate, Process,
    ProcessDiscovery, Waits,
};
use crate::report::json::{latency, nanos, proportion, quantile};

pub(super) fn render(discovery: &ProcessDiscovery) -> String {
    let document = json!({
        "schema": "tidegate/process/v1",
        "logs": discovery.logs.iter().map(|log| json!({
            "name": log.name,
            "format": log.format,
            "cases": log.cases,
            "instances": log.instances,
            "notes": log.notes,
        })).collect::<Vec<_>>(),
        "window_ns": nanos(discovery.window),
        "cases": discovery.cases,
        "instances": discovery.instances,
        "starts": proportion(discovery.starts),
        "resources": proportion(discovery.resources),
        "cycle": latency(&discovery.cycle),
        "cycle_total_ns": nanos(discovery.cycle_total),
        "processing_ns": nanos(discovery.processing),
        "waiting_ns": nanos(discovery.waiting),
        "efficiency": discovery.efficiency.map(estimate),
        "causes": discovery.causes.as_ref().map(|causes| causes.iter().map(|one| json!({
            "cause": one.cause.code(),
            "total_ns": nanos(one.total),
            "share": estimate(one.share),
            "efficiency_without": one.efficiency_without,
            "efficiency_gain": one.gain,
        })).collect::<Vec<_>>()),
        "candidates": list(&discovery.candidates, candidate),
        "processes": list(&discovery.processes, process),
        "activities": list(&discovery.activities, activity),
        "transitions": list(&discovery.arcs, arc),
        "variants": discovery.variants.iter().map(|variant| json!({
            "activities": variant.activities,
            "cases": proportion(variant.cases),
            "cycle_mean_ns": nanos(variant.cycle_mean),
        })).collect::<Vec<_>>(),
        "variants_total": discovery.variants_total,
        "concurrent": discovery.concurrent.iter().map(|pair| json!({
            "first": pair.first,
            "second": pair.second,
            "overlaps": proportion(pair.overlaps),
        })).collect::<Vec<_>>(),
        "batched": discovery.batched.iter().map(|one| json!({
            "activity": one.activity,
            "batches": one.batches,
            "instances": proportion(one.instances),
            "size": one.size,
        })).collect::<Vec<_>>(),
        "calendars": {
            "own": discovery.calendars.own,
            "pooled": discovery.calendars.pooled,
            "always_on": discovery.calendars.always,
        },
        "missing": discovery.missing,
    });
    format!("{document:#}\n")
}

fn list<T>(all: &[T], one: impl Fn(&T) -> Value) -> Vec<Value> {
    all.iter().map(one).collect()
}

fn estimate(estimate: Estimate) -> Value {
    // An interval without an end is null, which JSON has no number for.
    json!({
        "value": estimate.value,
        "low": estimate.low.is_finite().then_some(estimate.low),
        "high": estimate.high.is_finite().then_some(estimate.high),
    })
}

fn waits(waits: &Waits) -> Value {
    Value::Object(
        Cause::ALL
            .iter()
            .map(|cause| {
                let name = format!("{}_ns", cause.code().to_ascii_lowercase());
                (name, Value::from(nanos(waits.of(*cause))))
            })
            .collect(),
    )
}

fn process(process: &Process) -> Value {
    json!({
        "name": process.name,
        "cases": process.cases,
        "cases_per_day": process.per_day,
        "instances": process.instances,
        "cycle": latency(&process.cycle),
        "waiting_ns": nanos(process.waiting),
    })
}

fn activity(activity: &Activity) -> Value {
    let correlation = match activity.bottleneck {
        Bottleneck::Yes { correlation } | Bottleneck::No { correlation } => Some(correlation),
        Bottleneck::Unknown => None,
    };
    json!({
        "name": activity.name,
        "count": activity.count,
        "per_day": activity.per_day,
        "peak_per_hour": activity.peak_hour,
        "dispersion_per_hour": activity.dispersion,
        "duration": activity.duration.as_ref().map(latency),
        "waiting": latency(&activity.waiting),
        "processing_ns": nanos(activity.processing_total),
        "waiting_ns": nanos(activity.waiting_total),
        "critical_ns": nanos(activity.critical),
        "slack": proportion(activity.slack),
        "resources": activity.resources,
        "causes": activity.causes.as_ref().map(waits),
        "bottleneck": activity.bottleneck.code(),
        "waiting_by_queue": correlation.map(estimate),
    })
}

fn arc(arc: &Arc) -> Value {
    json!({
        "from": arc.from,
        "to": arc.to,
        "count": arc.count,
        "cases": arc.cases,
        "waiting": latency(&arc.waiting),
        "waiting_ns": nanos(arc.total),
        "share": arc.share,
        "critical_ns": nanos(arc.critical),
        "handoffs": proportion(arc.handoffs),
        "handoff_waiting_ns": nanos(arc.handoff_waiting),
        "causes": arc.causes.as_ref().map(waits),
    })
}

fn candidate(candidate: &Candidate) -> Value {
    let reason = match &candidate.class {
        CandidateClass::Stays { reason } => Some(reason),
        CandidateClass::Unknown { missing } => Some(missing),
        _ => None,
    };
    json!({
        "class": candidate.class.code(),
        "reason": reason,
        "feasible": candidate.class.is_feasible(),
        "after": candidate.after,
        "activities": candidate.activities,
        "count": candidate.count,
        "per_day": candidate.per_day,
        "peak_per_hour": candidate.peak_hour,
        "dispersion_per_hour": candidate.dispersion,
        "key": candidate.key,
        "waiting_ns": nanos(candidate.waiting),
        "removable_ns": nanos(candidate.removable),
        "saving": candidate.change.as_ref().map(change),
        "handoffs": proportion(candidate.handoffs),
        "trial_cases_each": candidate.trial,
        "joins": candidate.joins,
        "shared_objects": candidate.shared.map(proportion),
        "evidence": candidate.evidence.iter().map(|reason| json!({
            "weight": reason.weight,
            "claim": reason.claim,
            "share": reason.share.map(proportion),
        })).collect::<Vec<_>>(),
        "exemplars": candidate.exemplars,
    })
}

fn change(change: &Change) -> Value {
    let both = |pair: (crate::Quantile, crate::Quantile)| json!({"before": quantile(pair.0), "after": quantile(pair.1)});
    json!({
        "cases": change.cases,
        "mean": {
            "value_ns": whole(change.mean.value),
            "low_ns": whole(change.mean.low),
            "high_ns": whole(change.mean.high),
        },
        "p50": both(change.p50),
        "p95": both(change.p95),
        "total_ns": nanos(change.total),
    })
}

/// Whole nanoseconds; an interval without an end is null.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is beyond 292 years is cut to that"
)]
fn whole(nanos: f64) -> Option<i64> {
    nanos.is_finite().then(|| nanos.round() as i64)
}
