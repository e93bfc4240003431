//! Channels that no operation uses, and components that nothing refers to.

use std::collections::HashSet;

use crate::application::Application;
use crate::bundle::references;
use crate::codes::{UNUSED_CHANNEL, UNUSED_COMPONENT};
use crate::findings::{Findings, Problem, excerpt};
use crate::node::Node;

pub(super) fn check(application: &Application<'_>, findings: &mut Findings<'_>) {
    channels(application, findings);
    components(application, findings);
}

fn channels(application: &Application<'_>, findings: &mut Findings<'_>) {
    let mut used: HashSet<*const Node> = HashSet::new();
    let positions = application.operations.iter().flat_map(|operation| {
        let reply = operation.reply.as_ref().and_then(|reply| reply.channel);
        operation.channel.into_iter().chain(reply)
    });
    let named = positions.filter_map(|position| application.channels.get(position));
    used.extend(named.map(|channel| std::ptr::from_ref(channel.at.node)));
    // An extension of an operation, such as `x-dead-letter`, may name one too.
    for operation in &application.operations {
        references(operation.at.node, &mut |node, reference| {
            if let Ok(target) = application.bundle.target(node.span.file, reference) {
                used.insert(std::ptr::from_ref(target.node));
            }
        });
    }
    for channel in &application.channels {
        if !used.contains(&std::ptr::from_ref(channel.at.node)) {
            let message = format!(
                "no operation sends to or receives from `{}`",
                excerpt(channel.id)
            );
            let problem = Problem::new(&UNUSED_CHANNEL, message)
                .hint("add the operation, or remove the channel");
            findings.report(channel.key, &channel.at.path, problem);
        }
    }
}

fn components(application: &Application<'_>, findings: &mut Findings<'_>) {
    let Some(components) = application.root.step("components") else {
        return;
    };
    let mut used: HashSet<*const Node> = HashSet::new();
    for root in application.bundle.roots() {
        references(root, &mut |node, reference| {
            if let Ok(target) = application.bundle.target(node.span.file, reference) {
                used.insert(std::ptr::from_ref(target.node));
            }
        });
    }
    // Version 2 names security schemes without a reference.
    let named: HashSet<&str> = security_names(application);
    for (kind, group) in components.children() {
        if kind.starts_with("x-") || application.version.major < 3 && kind == "servers" {
            continue;
        }
        for (name, at) in group.children() {
            let is_named = kind == "securitySchemes" && named.contains(name);
            if used.contains(&std::ptr::from_ref(at.node)) || is_named || holds(at.node, &used) {
                continue;
            }
            let key = group.node.map().and_then(|map| map.get(name));
            let span = key.map_or(at.node.span, |entry| entry.key);
            let message = format!("nothing refers to `{}` of `{kind}`", excerpt(name));
            let problem =
                Problem::new(&UNUSED_COMPONENT, message).hint("remove it, or refer to it");
            findings.report(span, &at.path, problem);
        }
    }
}

/// Whether a part of `node` is referred to.
fn holds(node: &Node, used: &HashSet<*const Node>) -> bool {
    let inner = |node: &Node| used.contains(&std::ptr::from_ref(node)) || holds(node, used);
    node.entries().any(|(_, entry)| inner(&entry.node)) || node.items().iter().any(inner)
}

fn security_names<'b>(application: &Application<'b>) -> HashSet<&'b str> {
    let servers = application.servers.iter().map(|server| server.at.node);
    let operations = application
        .operations
        .iter()
        .map(|operation| operation.at.node);
    servers
        .chain(operations)
        .filter_map(|node| node.get("security"))
        .flat_map(|security| security.items().iter().flat_map(Node::entries))
        .map(|(name, _)| name)
        .collect()
}
