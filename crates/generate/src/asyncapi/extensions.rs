//! What AsyncAPI has no words for.

use serde_json::{Map, Value, json};
use tidegate_base::Name;
use tidegate_model::design::{
    Backlog, Backoff, ClassRule, Consume, DeadLetter, Deliver, Dependency, Event, Located,
    Messaging, Order, Retry, Targets,
};
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
    flow(deliver, &mut value);
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
    set(&mut value, "replay", json!(consume.replay.word()));
    if !consume.needs.is_empty() {
        set(&mut value, "needs", names(&consume.needs));
    }
    if let Some(emits) = &consume.emits {
        set(&mut value, "emits", names(emits));
    }
    super::contract::relied_on(consume, &mut value);
    value
}

/// How much at once and how fast.
fn flow(deliver: &Deliver, value: &mut Value) {
    set(value, "maxInFlight", json!(deliver.concurrency.value));
    set(value, "limit", json!(deliver.limit.value.word()));
    if let Some(rate) = &deliver.rate {
        set(value, "ratePerSecond", json!(rate.value));
    }
    if let Some(burst) = &deliver.burst {
        set(value, "burst", json!(burst.value));
    }
}

fn names(names: &[Located<Name>]) -> Value {
    names.iter().map(|name| json!(name.value)).collect()
}

/// When producers are refused; each absent limit does not limit.
pub(super) fn backlog(backlog: &Backlog) -> Value {
    let mut value = json!({});
    if let Some(events) = &backlog.events {
        set(&mut value, "events", json!(events.value));
    }
    if let Some(bytes) = &backlog.bytes {
        set(&mut value, "bytes", json!(bytes.value));
    }
    if let Some(age) = &backlog.age {
        set(&mut value, "age", json!(iso(age.value)));
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
    if retry.immediate.value > 0 {
        set(&mut value, "immediate", json!(retry.immediate.value));
    }
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
    let classes = retry.classes.iter();
    let classes: Map<_, _> = classes
        .map(|rule| (rule.class.word().to_owned(), class(rule)))
        .collect();
    if !classes.is_empty() {
        set(&mut value, "classes", Value::Object(classes));
    }
    value
}

/// The rule for one class of failures: what is not said is as for all.
fn class(rule: &ClassRule) -> Value {
    if rule.parks() || !rule.is_own() {
        return json!(if rule.parks() { "park" } else { "retry" });
    }
    let mut value = json!({});
    let mut backoff = Map::new();
    let mut put = |key: &str, field: Option<Value>| {
        if let Some(field) = field {
            backoff.insert(key.to_owned(), field);
        }
    };
    put("type", rule.backoff.as_ref().map(|b| json!(b.value.word())));
    put(
        "initial",
        rule.initial.as_ref().map(|i| json!(iso(i.value))),
    );
    put("max", rule.max.as_ref().map(|m| json!(iso(m.value))));
    put(
        "jitter",
        rule.jitter.as_ref().map(|j| json!(j.value.word())),
    );
    if let Some(attempts) = &rule.attempts {
        set(&mut value, "maxAttempts", json!(attempts.value));
    }
    if let Some(immediate) = &rule.immediate {
        set(&mut value, "immediate", json!(immediate.value));
    }
    if !backoff.is_empty() {
        set(&mut value, "backoff", Value::Object(backoff));
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
    if let Some(budget) = &dead_letter.budget {
        set(&mut value, "budget", json!(budget.value));
    }
    value
}

/// The breakers of what a handler needs, by dependency; `None` when it needs nothing that is declared.
pub(super) fn breakers(design: &Design, consume: &Consume) -> Option<Value> {
    let mut breakers = Map::new();
    for need in &consume.needs {
        let Some(dependency) = design.dependencies.get(&need.value) else {
            continue;
        };
        breakers.insert(need.value.as_str().to_owned(), breaker(dependency));
    }
    (!breakers.is_empty()).then_some(Value::Object(breakers))
}

/// When calls of a dependency stop, and what else is known of it.
fn breaker(dependency: &Dependency) -> Value {
    let breaker = &dependency.breaker;
    let mut value = json!({
        "failureRate": breaker.failure_rate.value,
        "minCalls": breaker.minimum.value,
        "window": iso(breaker.window.value),
        "openFor": iso(breaker.open.value),
        "probes": breaker.probes.value,
        "whenOpen": "hold",
    });
    if let Some(concurrency) = &dependency.concurrency {
        set(&mut value, "concurrency", json!(concurrency.value));
    }
    about(&dependency.summary, &dependency.owner, &mut value);
    value
}

fn about(summary: &Option<String>, owner: &Option<Located<String>>, value: &mut Value) {
    if let Some(summary) = summary {
        set(value, "summary", json!(summary));
    }
    if let Some(owner) = owner {
        set(value, "owner", json!(owner.value));
    }
}

/// Every dependency, by name.
pub(super) fn dependencies(design: &Design) -> Value {
    let each = design.dependencies.iter();
    let each = each.map(|(name, dependency)| (name.as_str().to_owned(), breaker(dependency)));
    Value::Object(each.collect())
}

/// Every service, by name, with what is said of it.
pub(super) fn services(design: &Design) -> Value {
    let each = design.services.iter().map(|(name, service)| {
        let mut value = json!({});
        about(&service.summary, &service.owner, &mut value);
        (name.as_str().to_owned(), value)
    });
    Value::Object(each.collect())
}

/// What the messaging infrastructure must be or do; `None` when nothing is said.
pub(super) fn messaging(messaging: &Messaging) -> Option<Value> {
    let mut value = Map::new();
    if let Some(broker) = &messaging.broker {
        value.insert("broker".to_owned(), json!(broker.value));
    }
    let lists = [
        ("existing", &messaging.existing),
        ("clouds", &messaging.clouds),
        ("requires", &messaging.requires),
    ];
    for (key, list) in lists {
        if !list.is_empty() {
            let items: Vec<&str> = list.iter().map(|item| item.value.as_str()).collect();
            value.insert(key.to_owned(), json!(items));
        }
    }
    if !messaging.weights.is_empty() {
        let weights = messaging.weights.iter();
        let weights = weights.map(|(name, weight)| (name.clone(), json!(weight.value)));
        value.insert("weights".to_owned(), Value::Object(weights.collect()));
    }
    (!value.is_empty()).then_some(Value::Object(value))
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
        about(&process.summary, &process.owner, &mut value);
        (name.as_str().to_owned(), value)
    });
    Value::Object(processes.collect())
}
