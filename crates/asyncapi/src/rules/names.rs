//! Names that a broker will not take.

use crate::application::{Application, Channel};
use crate::codes::BROKER_NAME;
use crate::findings::{Findings, Problem, excerpt};
use crate::node::Span;

/// Longest name of a Kafka topic. Source: Apache Kafka, `org.apache.kafka.common.internals.Topic`.
const TOPIC_BYTES_MAX: usize = 249;
/// Longest name of an exchange or a queue. Source: AMQP 0-9-1, "shortstr".
const AMQP_BYTES_MAX: usize = 255;

pub(super) fn check(application: &Application<'_>, findings: &mut Findings<'_>) {
    for channel in &application.channels {
        let servers = application.servers_of(channel);
        let speaks = |names: &[&str]| {
            servers.iter().any(|server| {
                server
                    .protocol()
                    .is_some_and(|protocol| names.contains(&protocol))
            })
        };
        if speaks(&["kafka", "kafka-secure"]) || binding(channel, "kafka").is_some() {
            kafka(channel, findings);
        }
        if speaks(&["amqp", "amqps"]) || binding(channel, "amqp").is_some() {
            amqp(channel, findings);
        }
        if speaks(&["nats"]) {
            nats(channel, findings);
        }
    }
}

fn binding<'b>(channel: &Channel<'b>, protocol: &str) -> Option<&'b crate::node::Node> {
    channel.at.node.get("bindings")?.get(protocol)
}

fn kafka(channel: &Channel<'_>, findings: &mut Findings<'_>) {
    let topic = binding(channel, "kafka").and_then(|kafka| kafka.get("topic"));
    let (name, span) = match (
        topic.and_then(|node| Some((node.text()?, node.span))),
        channel.address,
    ) {
        (Some(found), _) => found,
        (None, Some(address)) => (address, address_span(channel)),
        (None, None) => return,
    };
    let shown = excerpt(name);
    let plain = without_parameters(name);
    let wrong = plain
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || "._-".contains(*c)));
    let why = match wrong {
        Some(character) => format!("Kafka refuses {character:?} in the name of a topic: `{shown}`"),
        None if name.len() > TOPIC_BYTES_MAX => {
            format!("a topic has a name of at most {TOPIC_BYTES_MAX} bytes: `{shown}`")
        }
        None if ["", ".", ".."].contains(&name) => format!("`{shown}` is not a topic of Kafka"),
        None => return,
    };
    let problem = Problem::new(&BROKER_NAME, why)
        .hint("letters, digits, `.`, `_` and `-` are allowed; `bindings.kafka.topic` can name another topic");
    findings.report(span, &channel.at.path, problem);
}

fn amqp(channel: &Channel<'_>, findings: &mut Findings<'_>) {
    let Some(binding) = binding(channel, "amqp") else {
        return;
    };
    for part in ["exchange", "queue"] {
        let Some(node) = binding.get(part).and_then(|part| part.get("name")) else {
            continue;
        };
        let name = node.text().unwrap_or_default();
        let why = if name.starts_with("amq.") && part == "queue" {
            "names that start with `amq.` are the broker's own".to_owned()
        } else if name.len() > AMQP_BYTES_MAX {
            format!("the name is longer than {AMQP_BYTES_MAX} bytes")
        } else {
            continue;
        };
        let message = format!("{part} `{}`: {why}", excerpt(name));
        let problem = Problem::new(&BROKER_NAME, message).hint("give it another name");
        findings.report(node.span, &channel.at.path, problem);
    }
}

fn nats(channel: &Channel<'_>, findings: &mut Findings<'_>) {
    let Some(address) = channel.address else {
        return;
    };
    let plain = without_parameters(address);
    let has_space = plain.chars().any(char::is_whitespace);
    if has_space || plain.split('.').any(str::is_empty) {
        let shown = excerpt(address);
        let message =
            format!("NATS refuses the subject `{shown}`: a token is empty or has a space");
        let problem = Problem::new(&BROKER_NAME, message)
            .hint("a subject is tokens between dots, such as `orders.placed`");
        findings.report(address_span(channel), &channel.at.path, problem);
    }
}

fn address_span(channel: &Channel<'_>) -> Span {
    let node = channel.at.node.get("address");
    node.map_or(channel.key, |node| node.span)
}

/// An address with each parameter as one letter.
fn without_parameters(address: &str) -> String {
    let mut plain = String::new();
    let mut rest = address;
    while let Some((before, after)) = rest.split_once('{') {
        plain.push_str(before);
        let Some((_, tail)) = after.split_once('}') else {
            plain.push('{');
            rest = after;
            continue;
        };
        plain.push('x');
        rest = tail;
    }
    plain.push_str(rest);
    plain
}
