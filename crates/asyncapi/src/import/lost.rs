//! What a design has no words for.

use super::report;
use crate::application::{Application, Operation};
use crate::bundle::At;
use crate::codes::LOST;
use crate::findings::{Findings, excerpt};

/// Reports each field of `at` that is not carried.
pub(super) fn lose(at: &At<'_>, carried: &[&str], of: &str, findings: &mut Findings<'_>) {
    for (key, entry) in at.node.entries() {
        if !carried.contains(&key) {
            let message = format!("lost: `{}` of {of}", excerpt(key));
            report(findings, &LOST, (entry.key, &at.path), message);
        }
    }
}

/// What AMQP says where a design has but one way, or the document names what has no other meaning.
const AMQP_IMPLIED: [(&str, &str); 9] = [
    ("ack", "true"),
    ("deliveryMode", "2"),
    ("mandatory", "true"),
    ("durable", "true"),
    ("autoDelete", "false"),
    ("exclusive", "false"),
    ("vhost", "\"/\""),
    ("is", "\"queue\""),
    ("is", "\"routingKey\""),
];

/// Reports what an AMQP binding says that is neither carried nor so anyway: everything is durable and
/// acknowledged.
pub(super) fn amqp(at: &At<'_>, carried: &[&str], of: &str, findings: &mut Findings<'_>) {
    for (key, entry) in at.node.entries() {
        let value = entry.node.to_json().to_string();
        let is_implied = AMQP_IMPLIED.contains(&(key, value.as_str()));
        if key == "bindingVersion" || carried.contains(&key) || is_implied {
            continue;
        }
        if let Some(inner) = at.step(key).filter(|inner| inner.node.map().is_some()) {
            amqp(
                &inner,
                &[],
                &format!("`{}` of {of}", excerpt(key)),
                findings,
            );
            continue;
        }
        let message = format!("lost: `{}` of {of}: {}", excerpt(key), excerpt(&value));
        report(findings, &LOST, (entry.key, &at.path), message);
    }
}

/// What is carried of an operation, or says nothing of the system.
const OPERATION: [&str; 27] = [
    "action",
    "channel",
    "messages",
    "message",
    "operationId",
    "title",
    "summary",
    "description",
    "tags",
    "traits",
    "bindings",
    "reply",
    "x-service",
    "x-versions",
    "x-delivery",
    "x-retry",
    "retry",
    "x-dead-letter",
    "deadLetter",
    "x-deadLetter",
    "x-breaker",
    "x-timeout",
    "x-targets",
    "externalDocs",
    "x-error-topics",
    "x-error-topic",
    "x-consumer",
];

/// Reports what is not carried of an operation: the relation of a reply to its request among it.
pub(super) fn operation(
    application: &Application<'_>,
    operation: &Operation<'_>,
    findings: &mut Findings<'_>,
) {
    let at = At {
        node: operation.node(),
        path: operation.at.path.clone(),
    };
    let of = format!("operation `{}`", excerpt(&operation.id));
    lose(&at, &OPERATION, &of, findings);
    if let Some(reply) = &operation.reply {
        let message = format!(
            "lost: that `{}` is answered: both became events",
            excerpt(&operation.id)
        );
        report(
            findings,
            &LOST,
            (reply.at.node.span, &reply.at.path),
            message,
        );
    }
    let Some(bindings) = at.step("bindings") else {
        return;
    };
    let bindings = application.bundle.followed(bindings);
    for (protocol, binding) in bindings.children() {
        let of = format!("binding `{}` of {of}", excerpt(protocol));
        let carried: &[&str] = match protocol {
            // The group of a consumer is its service.
            "kafka" => &["groupId", "bindingVersion", "errorTopics", "x-error-topics"],
            "nats" => &["queue", "bindingVersion"],
            "sqs" => &["queues", "bindingVersion"],
            "amqp" => {
                amqp(&binding, &[], &of, findings);
                continue;
            }
            _ => &["bindingVersion"],
        };
        lose(&binding, carried, &of, findings);
    }
}
