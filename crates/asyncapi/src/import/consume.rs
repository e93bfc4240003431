//! One service's side of the contract, from an operation that receives.

use serde_json::{Map, Value, json};

use super::naming::clean;
use super::policies::{self, count, dead_letter, duration, put, put_default, rate, retry};
use super::{Draft, report};
use crate::application::{Application, Message, Operation};
use crate::bundle::At;
use crate::codes::LOST;
use crate::findings::{Findings, excerpt};

/// The contract of the consumer that an operation describes.
pub(super) fn contract(
    application: &Application<'_>,
    operation: &Operation<'_>,
    message: Option<&Message<'_>>,
    draft: &mut Draft,
    findings: &mut Findings<'_>,
) -> Map<String, Value> {
    let bundle = application.bundle;
    let at = At {
        node: operation.node(),
        path: operation.at.path.clone(),
    };
    let extension = |keys: &[&str]| {
        let found = keys.iter().find_map(|key| at.step(key))?;
        Some(bundle.followed(found))
    };
    let mut contract = Map::new();
    let mut order = None;
    if let Some(delivery) = extension(&["x-delivery"]) {
        order = delivery.node.text_of("ordering").map(str::to_owned);
        self::delivery(&delivery, message, &mut contract);
    }
    if let Some(breakers) = extension(&["x-breaker"]) {
        self::breakers(&breakers, &mut contract, draft);
    }
    let mut tries = extension(&["x-retry", "retry"])
        .map(|at| retry(&at))
        .unwrap_or_default();
    let mut letter = extension(&["x-dead-letter", "x-deadLetter", "deadLetter"])
        .map(|at| dead_letter(bundle, &at, order.as_deref()));
    if let Some(bindings) = at.step("bindings") {
        let bindings = bundle.followed(bindings);
        error_topics(&bindings, &mut tries, &mut letter);
        redrive_policy(&bindings, &mut tries, &mut letter);
        let service = super::info::service_name(application);
        group(&bindings, (operation, &service), findings);
    }
    if !tries.is_empty() {
        contract.insert("retry".to_owned(), Value::Object(tries));
    }
    if let Some(letter) = letter {
        contract.insert("dead-letter".to_owned(), Value::Object(letter));
    }
    contract
}

fn delivery(at: &At<'_>, message: Option<&Message<'_>>, contract: &mut Map<String, Value>) {
    let list = |key: &str| {
        at.node
            .get(key)
            .filter(|node| !node.items().is_empty() || key == "emits")
    };
    if let Some(requires) = list("requires") {
        contract.insert("requires".to_owned(), requires.to_json());
    }
    put(
        contract,
        "reads",
        at.node.text_of("reads").map(str::to_owned),
    );
    let mut deliver = Map::new();
    put(
        &mut deliver,
        "to",
        at.node.text_of("push").map(str::to_owned),
    );
    if let Some(most) = count(at, "maxInFlight").filter(|most| *most != 16) {
        deliver.insert("concurrency".to_owned(), json!(most));
    }
    put_default(&mut deliver, "limit", at.node.text_of("limit"), "fixed");
    put(&mut deliver, "rate", rate(at, "ratePerSecond"));
    if let Some(burst) = count(at, "burst") {
        deliver.insert("burst".to_owned(), json!(burst));
    }
    put_default(
        &mut deliver,
        "timeout",
        duration(at, "timeout").as_deref(),
        "30s",
    );
    put(&mut deliver, "handler-time", duration(at, "handlerTime"));
    put(
        &mut deliver,
        "transaction",
        at.node.text_of("transaction").map(str::to_owned),
    );
    if !deliver.is_empty() {
        contract.insert("deliver".to_owned(), Value::Object(deliver));
    }
    let has_key = message.is_some_and(|message| message.node().get("x-key").is_some());
    let natural = if has_key { "key" } else { "none" };
    put_default(contract, "order", at.node.text_of("ordering"), natural);
    let guarantee = at.node.text_of("guarantee");
    put_default(contract, "guarantee", guarantee, "at-least-once");
    let natural = match guarantee {
        Some("exactly-once-effect" | "kafka-transaction") => "refused",
        _ => "allowed",
    };
    put_default(contract, "replay", at.node.text_of("replay"), natural);
    for key in ["needs", "emits"] {
        if let Some(names) = list(key) {
            let names = names.items().iter().filter_map(|name| name.text());
            contract.insert(key.to_owned(), names.map(clean).collect());
        }
    }
    put_default(
        contract,
        "objective",
        duration(at, "lagObjective").as_deref(),
        "30s",
    );
}

/// Breakers by dependency, or one for the dependency that it names.
fn breakers(at: &At<'_>, contract: &mut Map<String, Value>, draft: &mut Draft) {
    let single = at.node.text_of("scope").map(clean);
    let mut needed: Vec<String> = Vec::new();
    match single {
        Some(name) => {
            policies::dependency(at, &name, draft);
            needed.push(name);
        }
        None => {
            for (name, breaker) in at.children().filter(|(_, at)| at.node.map().is_some()) {
                let name = clean(name);
                policies::dependency(&breaker, &name, draft);
                needed.push(name);
            }
        }
    }
    let needs = contract.entry("needs").or_insert_with(|| json!([]));
    if let Some(needs) = needs.as_array_mut() {
        for name in needed {
            if !needs.iter().any(|known| *known == name) {
                needs.push(json!(name));
            }
        }
    }
}

/// Source: asyncapi/bindings, pull request 305, and `x-error-topics` of ZenWave: topics of a
/// consumer group through which a failed record is retried, and the last one for dead letters.
fn error_topics(
    bindings: &At<'_>,
    tries: &mut Map<String, Value>,
    letter: &mut Option<Map<String, Value>>,
) {
    let Some(kafka) = bindings.step("kafka") else {
        return;
    };
    let Some(topics) = kafka
        .step("errorTopics")
        .or_else(|| kafka.step("x-error-topics"))
    else {
        return;
    };
    let tiers = topics
        .step("retry")
        .map(|tiers| tiers.children().count() as u64);
    let retries = count(&topics, "retryTopics")
        .or(tiers)
        .filter(|retries| *retries > 0);
    if let Some(retries) = retries.filter(|_| tries.is_empty()) {
        tries.insert("attempts".to_owned(), json!(retries + 1));
        tries.insert("mode".to_owned(), json!("non-blocking"));
    }
    if topics.node.get("dlq").is_some() && letter.is_none() {
        *letter = Some(Map::new());
    }
}

/// Source: AsyncAPI bindings, SQS 0.2.0: `redrivePolicy` of a queue.
fn redrive_policy(
    bindings: &At<'_>,
    tries: &mut Map<String, Value>,
    letter: &mut Option<Map<String, Value>>,
) {
    let queues = bindings.step("sqs").and_then(|sqs| sqs.step("queues"));
    for queue in queues.iter().flat_map(At::items) {
        let Some(policy) = queue.step("redrivePolicy") else {
            continue;
        };
        if tries.is_empty() {
            let attempts = count(&policy, "maxReceiveCount").unwrap_or(10);
            tries.insert("attempts".to_owned(), json!(attempts));
        }
        letter.get_or_insert_with(Map::new);
    }
}

/// The group of a consumer is its service; one of another name is said to be lost.
fn group(
    bindings: &At<'_>,
    (operation, service): (&Operation<'_>, &str),
    findings: &mut Findings<'_>,
) {
    let of_kafka = bindings
        .step("kafka")
        .and_then(|kafka| kafka.step("groupId"));
    let of_nats = bindings.step("nats").and_then(|nats| nats.step("queue"));
    let Some(group) = of_kafka.or(of_nats) else {
        return;
    };
    let name = match group.node.get("enum").map(|list| list.items()) {
        Some([only]) => only.text(),
        _ => group.node.text_of("const").or_else(|| group.node.text()),
    };
    let is_own =
        name.is_some() && [operation.node().text_of("x-service"), Some(service)].contains(&name);
    if let Some(name) = name.filter(|_| !is_own) {
        let message = format!(
            "lost: consumer group `{}`: a group is a service",
            excerpt(name)
        );
        report(findings, &LOST, (group.node.span, &group.path), message);
    }
}
