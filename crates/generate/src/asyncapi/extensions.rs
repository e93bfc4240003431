//! What AsyncAPI has no words for.

use serde_json::{Map, Value, json};
use tidegate_model::design::{Backoff, Consume, DeadLetter, Event, Order, Retry, Targets};
use tidegate_model::{Design, Word as _};

use super::quantity::iso;
use super::{reference, set};

/// How a delivery reaches the handler and what is promised.
pub(super) fn delivery(consume: &Consume, event: &Event) -> Value {
    let deliver = &consume.deliver;
    let guarantee = consume.guarantee.value.word();
    let order = consume.order.value.word();
    let mut value = json!({"guarantee": guarantee, "ordering": order});
    if let (Order::Key, Some(key)) = (consume.order.value, &event.key) {
        set(
            &mut value,
            "key",
            json!(format!("$message.payload#{}", key.value)),
        );
    }
    match &deliver.to {
        Some(to) => set(&mut value, "push", json!(to.value)),
        None => set(&mut value, "pull", json!(true)),
    }
    set(&mut value, "maxInFlight", json!(deliver.concurrency.value));
    set(&mut value, "timeout", json!(iso(deliver.timeout.value)));
    if let Some(time) = &deliver.handler_time {
        set(&mut value, "handlerTime", json!(iso(time.value)));
    }
    if let Some(transaction) = &deliver.transaction {
        set(&mut value, "transaction", json!(transaction.value.word()));
    }
    set(
        &mut value,
        "lagObjective",
        json!(iso(consume.objective.value)),
    );
    if !consume.requires.is_empty() {
        let requires: Vec<&str> = consume.requires.iter().map(|r| r.value.as_str()).collect();
        set(&mut value, "requires", json!(requires));
    }
    value
}

/// What happens after a failure that may pass. `maxAttempts` counts the first one too.
pub(super) fn retry(retry: &Retry) -> Value {
    let kind = retry.backoff.word();
    let jitter = retry.jitter.word();
    let mode = retry.mode.value.word();
    let mut backoff = json!({
        "type": kind,
        "initial": iso(retry.initial.value),
        "max": iso(retry.max.value),
        "jitter": jitter,
    });
    if retry.backoff == Backoff::Exponential {
        set(&mut backoff, "multiplier", json!(2));
    }
    let mut value = json!({"mode": mode, "maxAttempts": retry.attempts.value, "backoff": backoff});
    let mut budget = Map::new();
    if let Some(age) = &retry.age {
        budget.insert("elapsed".to_owned(), json!(iso(age.value)));
    }
    if let Some(ratio) = &retry.budget {
        budget.insert("ratio".to_owned(), json!(ratio.value));
    }
    if !budget.is_empty() {
        set(&mut value, "budget", Value::Object(budget));
    }
    value
}

/// Where a delivery goes that cannot succeed.
pub(super) fn dead_letter(dead_letter: &DeadLetter, channel: &str) -> Value {
    let followers = dead_letter.followers.word();
    let mut value = json!({"channel": reference(&["channels", channel])});
    if let Some(owner) = &dead_letter.owner {
        set(&mut value, "owner", json!(owner.value));
    }
    set(
        &mut value,
        "retention",
        json!(iso(dead_letter.retention.value)),
    );
    set(&mut value, "followers", json!(followers));
    value
}

/// The breakers of what a handler needs, by dependency; `None` when it needs nothing that is declared.
pub(super) fn breakers(design: &Design, consume: &Consume) -> Option<Value> {
    let mut breakers = Map::new();
    for need in &consume.needs {
        let Some(dependency) = design.dependencies.get(&need.value) else {
            continue;
        };
        let breaker = &dependency.breaker;
        let value = json!({
            "failureRate": breaker.failure_rate.value,
            "minCalls": breaker.minimum.value,
            "window": iso(breaker.window.value),
            "openFor": iso(breaker.open.value),
            "probes": breaker.probes.value,
            "whenOpen": "hold",
        });
        breakers.insert(need.value.as_str().to_owned(), value);
    }
    (!breakers.is_empty()).then_some(Value::Object(breakers))
}

/// What the business expects of an event; `None` when nothing is declared.
pub(super) fn targets(targets: &Targets) -> Option<Value> {
    let mut value = Map::new();
    if let Some(rate) = targets.rate {
        value.insert("ratePerSecond".to_owned(), json!(rate));
    }
    if let Some(peak) = targets.peak {
        value.insert("peakPerSecond".to_owned(), json!(peak));
    }
    if let Some(p99) = targets.p99 {
        value.insert("p99".to_owned(), json!(iso(p99)));
    }
    if let Some(size) = targets.size {
        value.insert("sizeBytes".to_owned(), json!(size));
    }
    (!value.is_empty()).then_some(Value::Object(value))
}

/// The business's processes, by name.
pub(super) fn processes(design: &Design) -> Value {
    let processes = design.processes.iter().map(|(name, process)| {
        let criticality = process.criticality.word();
        let steps: Vec<_> = process.steps.iter().map(|step| &step.value).collect();
        let mut value = json!({"criticality": criticality, "steps": steps});
        if let Some(owner) = &process.owner {
            set(&mut value, "owner", json!(owner.value));
        }
        (name.as_str().to_owned(), value)
    });
    Value::Object(processes.collect())
}
