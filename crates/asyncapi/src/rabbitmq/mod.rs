//! A design from the definitions that RabbitMQ exports.
//!
//! What an exchange routes is an event: one for each routing key, one for a whole fanout exchange.
//! A queue is a consumer; its service has the queue's name, as RabbitMQ does not know who reads it,
//! nor who publishes. A queue that only holds dead letters of another is no consumer, and one that
//! only lets messages wait before they come back is a delay between attempts.
//!
//! Source: RabbitMQ documentation, "Schema Definition Export and Import", "Dead Letter Exchanges",
//! "Quorum Queues" and "Policies".

mod topology;

use std::time::Duration;

use serde_json::{Map, Value, json};
use tidegate_base::Name;
use tidegate_model::Source;

use crate::bundle::{At, Bundle};
use crate::codes::{LOST, STRUCTURE};
use crate::findings::{Findings, excerpt};
use crate::import::{Draft, Imported, Names, duration_text, flows, report};
use crate::validate::texts;

use self::topology::{Queue, Topology};

/// The design of the exchanges, queues and bindings in `source`, which is an export of definitions.
#[must_use]
pub fn import(source: &Source, system: &Name) -> Imported {
    let bundle = Bundle::read(std::slice::from_ref(source), &[]);
    let mut findings = Findings::new(&bundle);
    texts(&bundle, &mut findings);
    let mut draft = Draft::default();
    if let Some((_, node)) = bundle.documents().next() {
        let root = At {
            node,
            path: "#".to_owned(),
        };
        if node.get("queues").is_none() && node.get("exchanges").is_none() {
            let message =
                "there are no `queues` and no `exchanges`: is it an export of definitions?";
            report(
                &mut findings,
                &STRUCTURE,
                (node.span, "#"),
                message.to_owned(),
            );
        }
        let topology = Topology::read(&root, &mut findings);
        read(&topology, &mut draft, &mut findings);
        draft
            .messaging
            .insert("broker".to_owned(), json!("rabbitmq"));
    }
    let flows = flows(&draft);
    let (design, files) = draft.finish(Some(system));
    Imported {
        design,
        files,
        flows,
        findings: findings.finish(),
    }
}

/// Who a queue is, by what routes to it.
enum Role<'t, 'b> {
    Consumer,
    /// Holds the dead letters of another.
    DeadLetters,
    /// Holds messages of this queue until they go back to it.
    Delay(&'t Queue<'b>),
}

fn role<'t, 'b>(queue: &'t Queue<'b>, topology: &'t Topology<'b>) -> Role<'t, 'b> {
    let from: Vec<&Queue<'b>> = topology
        .queues
        .iter()
        .filter(|other| topology.dead_letters_of(other).any(|found| found.is(queue)))
        .collect();
    let Some(first) = from.first() else {
        return Role::Consumer;
    };
    if queue.ttl.is_some()
        && let Some(back) = topology
            .dead_letters_of(queue)
            .find(|back| from.iter().any(|other| other.is(back)))
    {
        return Role::Delay(back);
    }
    // A queue that events are routed to as well is somebody's who reads them.
    let reached = topology.events_of(queue).any(|event| {
        let dead = first.dead_letter_exchange;
        dead != Some(event.exchange)
    });
    if reached {
        Role::Consumer
    } else {
        Role::DeadLetters
    }
}

fn read<'b>(topology: &Topology<'b>, draft: &mut Draft, findings: &mut Findings<'_>) {
    let mut names = Names::default();
    let mut services = Names::default();
    for queue in &topology.queues {
        match role(queue, topology) {
            Role::Consumer => {}
            Role::DeadLetters | Role::Delay(_) => continue,
        }
        let service = services.claim(&[queue.name.to_owned()]);
        draft.service(&service);
        let contract = contract(queue, topology, findings);
        for event in topology.events_of(queue) {
            let key = (
                event.vhost.to_owned(),
                event.exchange.to_owned(),
                event.key.clone(),
            );
            let name = known_name(&key, draft);
            let name = name.unwrap_or_else(|| {
                let name = names.claim(&event.wanted());
                let mut declared = Map::new();
                declared.insert("summary".to_owned(), json!(summary(&key)));
                draft.events.insert(name.clone(), Value::Object(declared));
                name
            });
            draft.consume(&service, &name, contract.clone());
        }
    }
}

/// The event that was made of what an exchange routes by a key.
fn known_name(key: &(String, String, String), draft: &Draft) -> Option<String> {
    let wanted = summary(key);
    let found = draft
        .events
        .iter()
        .find(|(_, event)| event["summary"] == wanted);
    found.map(|(name, _)| name.clone())
}

fn summary((vhost, exchange, key): &(String, String, String)) -> String {
    let place = if vhost == "/" {
        String::new()
    } else {
        format!(" of `{vhost}`")
    };
    match (exchange.as_str(), key.as_str()) {
        ("", key) => format!("What is sent to the queue `{key}`{place}."),
        (exchange, "") => format!("What the exchange `{exchange}`{place} sends on."),
        (exchange, key) => format!("What the exchange `{exchange}`{place} routes by `{key}`."),
    }
}

/// A queue's side of the contract.
fn contract(
    queue: &Queue<'_>,
    topology: &Topology<'_>,
    findings: &mut Findings<'_>,
) -> Map<String, Value> {
    let mut contract = Map::new();
    if queue.is_single_active {
        contract.insert("order".to_owned(), json!("total"));
        contract.insert("deliver".to_owned(), json!({"concurrency": 1}));
    }
    let mut retry = Map::new();
    if let Some(limit) = queue.delivery_limit {
        retry.insert("attempts".to_owned(), json!(limit.saturating_add(1)));
    }
    let delay = topology
        .dead_letters_of(queue)
        .find(|other| matches!(role(other, topology), Role::Delay(back) if back.is(queue)));
    if let Some(ttl) = delay.and_then(|delay| delay.ttl) {
        let text = duration_text(Duration::from_millis(ttl));
        retry.insert("backoff".to_owned(), json!("constant"));
        retry.insert("initial".to_owned(), json!(text));
        retry.insert("max".to_owned(), json!(text));
        retry.insert("mode".to_owned(), json!("non-blocking"));
    }
    if !retry.is_empty() {
        contract.insert("retry".to_owned(), Value::Object(retry));
    }
    let mut letters = topology
        .dead_letters_of(queue)
        .filter(|other| !matches!(role(other, topology), Role::Delay(_)));
    if let Some(store) = letters.next() {
        let mut letter = Map::new();
        if let Some(ttl) = store.ttl {
            let text = duration_text(Duration::from_millis(ttl));
            letter.insert("retention".to_owned(), json!(text));
        }
        contract.insert("dead-letter".to_owned(), Value::Object(letter));
    }
    let has_letters = contract.contains_key("dead-letter") || delay.is_some();
    for message in lost_letters(queue, topology, has_letters) {
        let place = (queue.at.node.span, queue.at.path.as_str());
        report(findings, &LOST, place, message);
    }
    if let Some(ttl) = queue.ttl {
        let time = duration_text(Duration::from_millis(ttl));
        let message = format!(
            "lost: that messages of `{}` expire after {time}: what is not finished stays",
            excerpt(queue.name)
        );
        report(
            findings,
            &LOST,
            (queue.at.node.span, &queue.at.path),
            message,
        );
    }
    contract
}

/// What becomes of no dead letter, in words.
fn lost_letters(queue: &Queue<'_>, topology: &Topology<'_>, has_letters: bool) -> Vec<String> {
    let Some(exchange) = queue.dead_letter_exchange else {
        return Vec::new();
    };
    let (name, exchange) = (excerpt(queue.name), excerpt(exchange));
    let dropped = topology.dropped_letters(queue);
    if dropped.is_empty() && !has_letters {
        let message =
            format!("lost: dead letters of `{name}`: exchange `{exchange}` leads to no queue");
        return vec![message];
    }
    let dropped = dropped.into_iter().map(|key| {
        format!(
            "lost: dead letters of `{name}` by the key `{}`: exchange `{exchange}` has no binding for it, so the \
             broker drops them",
            excerpt(key)
        )
    });
    dropped.collect()
}
