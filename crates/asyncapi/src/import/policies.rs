//! Policies of extensions and bindings, as fields of a design.

use serde_json::{Map, Value, json};

use super::Draft;
use super::info::about;
use super::quantity::{self, duration_text};
use crate::bundle::{At, Bundle};

/// Puts a text under `key`, if there is one.
pub(super) fn put(into: &mut Map<String, Value>, key: &str, text: Option<String>) {
    if let Some(text) = text {
        into.insert(key.to_owned(), Value::String(text));
    }
}

/// Puts a text under `key`, unless it is what a design means without it.
pub(super) fn put_default(
    into: &mut Map<String, Value>,
    key: &str,
    text: Option<&str>,
    default: &str,
) {
    if let Some(text) = text.filter(|text| *text != default) {
        into.insert(key.to_owned(), json!(text));
    }
}

/// A duration under `key`.
pub(super) fn duration(at: &At<'_>, key: &str) -> Option<String> {
    let duration = quantity::duration(at.node.text_of(key)?)?;
    Some(duration_text(duration))
}

/// A number of bytes under `key`.
pub(super) fn bytes(at: &At<'_>, key: &str) -> Option<String> {
    let bytes = at.node.get(key)?.to_json().as_u64()?;
    Some(format!("{bytes}B"))
}

/// A number a second under `key`.
pub(super) fn rate(at: &At<'_>, key: &str) -> Option<String> {
    let rate = at.node.get(key)?.to_json().as_f64()?;
    Some(format!("{rate}/s"))
}

/// A share under `key`.
fn ratio(at: &At<'_>, key: &str) -> Option<String> {
    let ratio = at.node.get(key)?.to_json().as_f64()?;
    Some(format!("{ratio}"))
}

/// A whole number under `key`.
pub(super) fn count(at: &At<'_>, key: &str) -> Option<u64> {
    at.node.get(key)?.to_json().as_u64()
}

fn put_count(into: &mut Map<String, Value>, key: &str, count: Option<u64>, default: u64) {
    if let Some(count) = count.filter(|count| *count != default) {
        into.insert(key.to_owned(), json!(count));
    }
}

/// A retry in one of the shapes that are around: ours, that of the proposal for AsyncAPI itself, or
/// a number of retries alone.
pub(super) fn retry(at: &At<'_>) -> Map<String, Value> {
    match at.step("strategy") {
        Some(strategy) => proposed_retry(at, &strategy),
        None => own_retry(at),
    }
}

fn own_retry(at: &At<'_>) -> Map<String, Value> {
    let mut retry = Map::new();
    if let Some(backoff) = at.step("backoff") {
        let kind = match backoff.node.text_of("type") {
            Some("fixed") => Some("constant"),
            other => other,
        };
        put_default(&mut retry, "backoff", kind, "exponential");
        put_default(
            &mut retry,
            "initial",
            duration(&backoff, "initial").as_deref(),
            "100ms",
        );
        put_default(
            &mut retry,
            "max",
            duration(&backoff, "max").as_deref(),
            "30s",
        );
        put_default(&mut retry, "jitter", backoff.node.text_of("jitter"), "full");
    }
    let more = |retries: u64| retries.saturating_add(1);
    let attempts = count(at, "maxAttempts").or_else(|| count(at, "maxRetries").map(more));
    put_count(&mut retry, "attempts", attempts, 8);
    put_count(&mut retry, "immediate", count(at, "immediate"), 0);
    if let Some(budget) = at.step("budget") {
        put(&mut retry, "age", duration(&budget, "elapsed"));
        put(&mut retry, "budget", ratio(&budget, "ratio"));
    }
    let mode = match at.node.text_of("mode") {
        Some("topics") => Some("non-blocking"),
        Some("broker") => Some("blocking"),
        other => other,
    };
    put_default(&mut retry, "mode", mode, "blocking");
    if let Some(rules) = at.step("classes") {
        let rules = rules.children();
        let rules: Map<_, _> = rules
            .map(|(name, rule)| (name.to_owned(), class(&rule)))
            .collect();
        if !rules.is_empty() {
            retry.insert("classes".to_owned(), Value::Object(rules));
        }
    }
    retry
}

/// The rule for one class of failures: a word, or what differs from the rest.
fn class(at: &At<'_>) -> Value {
    if let Some(word) = at.node.text() {
        return json!(word);
    }
    let mut rule = Map::new();
    if let Some(backoff) = at.step("backoff") {
        let text = |key| backoff.node.text_of(key).map(str::to_owned);
        put(&mut rule, "backoff", text("type"));
        put(&mut rule, "initial", duration(&backoff, "initial"));
        put(&mut rule, "max", duration(&backoff, "max"));
        put(&mut rule, "jitter", text("jitter"));
    }
    for (key, ours) in [("maxAttempts", "attempts"), ("immediate", "immediate")] {
        if let Some(count) = count(at, key) {
            rule.insert(ours.to_owned(), json!(count));
        }
    }
    Value::Object(rule)
}

/// Source: asyncapi/spec, pull request 1236: `maxAttempts` counts retries, and a retry goes through
/// a channel of its own.
fn proposed_retry(at: &At<'_>, strategy: &At<'_>) -> Map<String, Value> {
    let mut retry = Map::new();
    let kind = match strategy.node.text_of("type") {
        Some("fixed") => Some("constant"),
        other => other,
    };
    put_default(&mut retry, "backoff", kind, "exponential");
    let seconds = |keys: &[&str]| {
        keys.iter().find_map(|key| {
            let value = strategy.node.get(key)?;
            let seconds = match value.text() {
                Some(text) => quantity::duration(text),
                None => std::time::Duration::try_from_secs_f64(value.to_json().as_f64()?).ok(),
            };
            seconds.map(duration_text)
        })
    };
    put(
        &mut retry,
        "initial",
        seconds(&[
            "delaySeconds",
            "initialDelaySeconds",
            "delay",
            "initialDelay",
        ]),
    );
    put(&mut retry, "max", seconds(&["maxDelaySeconds", "maxDelay"]));
    let retries = count(at, "maxAttempts").map(|retries| retries.saturating_add(1));
    put_count(&mut retry, "attempts", retries, 8);
    if at.node.get("channel").is_some() {
        retry.insert("mode".to_owned(), json!("non-blocking"));
    }
    retry
}

/// A dead letter; what its channel keeps counts where nothing else is said.
pub(super) fn dead_letter(bundle: &Bundle, at: &At<'_>, order: Option<&str>) -> Map<String, Value> {
    let mut letter = Map::new();
    put(
        &mut letter,
        "owner",
        at.node.text_of("owner").map(str::to_owned),
    );
    let of_channel = || {
        let channel = bundle.follow(at.step("channel")?).ok()?;
        let topic = channel
            .step("bindings")?
            .step("kafka")?
            .step("topicConfiguration")?;
        let millis = count(&topic, "retention.ms")?;
        Some(duration_text(std::time::Duration::from_millis(millis)))
    };
    let retention = duration(at, "retention").or_else(of_channel);
    put_default(&mut letter, "retention", retention.as_deref(), "30d");
    let natural = match order {
        None => "",
        Some("none") => "continue",
        Some(_) => "wait",
    };
    put_default(
        &mut letter,
        "followers",
        at.node.text_of("followers"),
        natural,
    );
    put(&mut letter, "budget", ratio(at, "budget"));
    letter
}

/// A dependency with its breaker, the first one said of it.
pub(super) fn dependency(at: &At<'_>, name: &str, draft: &mut Draft) {
    if draft.dependencies.contains_key(name) {
        return;
    }
    let mut dependency = Map::new();
    about(at, &mut dependency);
    if let Some(concurrency) = count(at, "concurrency") {
        dependency.insert("concurrency".to_owned(), json!(concurrency));
    }
    let mut breaker = Map::new();
    put_default(
        &mut breaker,
        "failure-rate",
        ratio(at, "failureRate").as_deref(),
        "0.5",
    );
    put_count(&mut breaker, "minimum", count(at, "minCalls"), 20);
    put_default(
        &mut breaker,
        "window",
        duration(at, "window").as_deref(),
        "30s",
    );
    put_default(
        &mut breaker,
        "open",
        duration(at, "openFor").as_deref(),
        "10s",
    );
    put_count(&mut breaker, "probes", count(at, "probes"), 1);
    if !breaker.is_empty() {
        dependency.insert("breaker".to_owned(), Value::Object(breaker));
    }
    draft
        .dependencies
        .insert(name.to_owned(), Value::Object(dependency));
}
