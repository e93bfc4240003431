//! Bindings of a protocol that no server of the channel speaks.

use crate::application::{Application, Server};
use crate::codes::FOREIGN_BINDING;
use crate::findings::{Findings, Problem, excerpt};
use crate::node::Node;

/// Protocols of servers, with the bindings that they read.
const PROTOCOLS: &[(&str, &[&str])] = &[
    ("amqp", &["amqp"]),
    ("amqps", &["amqp"]),
    ("amqp1", &["amqp1"]),
    ("anypointmq", &["anypointmq"]),
    ("googlepubsub", &["googlepubsub"]),
    ("http", &["http"]),
    ("https", &["http"]),
    ("ibmmq", &["ibmmq"]),
    ("ibmmq-secure", &["ibmmq"]),
    ("jms", &["jms"]),
    ("kafka", &["kafka"]),
    ("kafka-secure", &["kafka"]),
    ("mercure", &["mercure"]),
    ("mqtt", &["mqtt", "mqtt5"]),
    ("mqtts", &["mqtt", "mqtt5"]),
    ("secure-mqtt", &["mqtt", "mqtt5"]),
    ("mqtt5", &["mqtt", "mqtt5"]),
    ("nats", &["nats"]),
    ("pulsar", &["pulsar"]),
    ("redis", &["redis"]),
    ("rediss", &["redis"]),
    ("ros2", &["ros2"]),
    ("sns", &["sns"]),
    ("solace", &["solace"]),
    ("sqs", &["sqs"]),
    ("stomp", &["stomp"]),
    ("stomps", &["stomp"]),
    ("ws", &["ws", "http"]),
    ("wss", &["ws", "http"]),
];

pub(super) fn check(application: &Application<'_>, findings: &mut Findings<'_>) {
    for server in &application.servers {
        held_against(
            application,
            server.at.node,
            &[server],
            &server.at.path,
            findings,
        );
    }
    for channel in &application.channels {
        let servers = application.servers_of(channel);
        held_against(
            application,
            channel.at.node,
            &servers,
            &channel.at.path,
            findings,
        );
        for message in &channel.messages {
            held_against(
                application,
                message.node(),
                &servers,
                &message.at.path,
                findings,
            );
        }
    }
    for operation in &application.operations {
        let channel = operation
            .channel
            .and_then(|position| application.channels.get(position));
        if let Some(channel) = channel {
            let servers = application.servers_of(channel);
            held_against(
                application,
                operation.node(),
                &servers,
                &operation.at.path,
                findings,
            );
        }
    }
}

fn held_against(
    application: &Application<'_>,
    node: &Node,
    servers: &[&Server<'_>],
    path: &str,
    findings: &mut Findings<'_>,
) {
    let Some(bindings) = node.get("bindings") else {
        return;
    };
    let bindings = match bindings.reference() {
        Some(reference) => {
            let target = application.bundle.target(bindings.span.file, reference);
            match target.and_then(|target| application.bundle.follow(target)) {
                Ok(target) => target.node,
                Err(_) => return,
            }
        }
        None => bindings,
    };
    let spoken: Vec<&str> = servers
        .iter()
        .filter_map(|server| server.protocol())
        .collect();
    let mut read: Vec<&str> = Vec::new();
    for protocol in &spoken {
        let Some((_, bindings)) = PROTOCOLS.iter().find(|(known, _)| known == protocol) else {
            // A protocol of its own may read any binding.
            return;
        };
        read.extend(*bindings);
    }
    if spoken.is_empty() {
        return;
    }
    for (name, entry) in bindings.entries() {
        if !name.starts_with("x-") && !read.contains(&name) {
            let protocols = spoken.join(", ");
            let message = format!(
                "binding `{}`, and the servers speak {protocols}",
                excerpt(name)
            );
            let problem = Problem::new(&FOREIGN_BINDING, message)
                .hint("remove it, or add a server of that protocol");
            findings.report(entry.key, path, problem);
        }
    }
}
