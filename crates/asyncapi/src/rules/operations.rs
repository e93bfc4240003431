//! Operations: their channel, messages, reply, and ids.

use std::collections::HashMap;

use crate::application::Application;
use crate::bundle::At;
use crate::codes::{DUPLICATE_ID, DUPLICATE_TAG, FOREIGN_CHANNEL, FOREIGN_MESSAGE, REPLY_ADDRESS};
use crate::findings::{Findings, Problem, excerpt};
use crate::node::Span;

pub(super) fn check(application: &Application<'_>, findings: &mut Findings<'_>) {
    if application.version.major >= 3 {
        for operation in &application.operations {
            channel_and_messages(application, &operation.at, operation.channel, findings);
            if let Some(reply) = &operation.reply {
                channel_and_messages(application, &reply.at, reply.channel, findings);
                addresses(application, &reply.at, reply.channel, findings);
            }
        }
    } else {
        ids(application, findings);
    }
    tags(&application.root, findings);
    if let Some(info) = application.root.step("info") {
        tags(&info, findings);
    }
    for operation in &application.operations {
        tags(&operation.at, findings);
    }
    for (_, message) in application.messages() {
        tags(&message.at, findings);
    }
}

fn channel_and_messages(
    application: &Application<'_>,
    at: &At<'_>,
    channel: Option<usize>,
    findings: &mut Findings<'_>,
) {
    let Some(target) = at
        .step("channel")
        .and_then(|channel| application.bundle.follow(channel).ok())
    else {
        return;
    };
    let Some(channel) = channel.and_then(|position| application.channels.get(position)) else {
        let reference = at.node.get("channel");
        let span = reference.map_or(at.node.span, |node| node.span);
        let problem = Problem::new(
            &FOREIGN_CHANNEL,
            "the channel is none of the document's `channels`",
        )
        .hint("refer to `#/channels/…`; what is among the components is not a channel yet")
        .related(target.node.span, "the target");
        findings.report(span, &at.path, problem);
        return;
    };
    let Some(list) = at.step("messages") else {
        return;
    };
    for item in list.items() {
        let Ok(message) = application.bundle.target(
            item.node.span.file,
            item.node.reference().unwrap_or_default(),
        ) else {
            continue;
        };
        // Not only the same message: it has to be named as one of the channel.
        let is_listed = channel.messages.iter().any(|m| {
            m.listed.is(&message) || m.at.is(&message) && m.listed.node.reference().is_none()
        });
        if !is_listed {
            let shown = excerpt(item.node.reference().unwrap_or_default());
            let message = format!(
                "`{shown}` is not a message of channel `{}`",
                excerpt(channel.id)
            );
            let problem = Problem::new(&FOREIGN_MESSAGE, message)
                .hint(format!(
                    "refer to `#/channels/{}/messages/…`",
                    excerpt(channel.id)
                ))
                .related(channel.key, "the channel");
            findings.report(item.node.span, &item.path, problem);
        }
    }
}

/// Source: AsyncAPI 3.0.0, "Operation Reply Object": with an `address`, the channel's is null.
fn addresses(
    application: &Application<'_>,
    at: &At<'_>,
    channel: Option<usize>,
    findings: &mut Findings<'_>,
) {
    let channel = channel.and_then(|position| application.channels.get(position));
    let (Some(address), Some(channel)) = (at.node.get("address"), channel) else {
        return;
    };
    if let Some(known) = channel.address {
        let message = format!(
            "the reply finds its address in the request, and its channel `{}` has the address `{}`",
            excerpt(channel.id),
            excerpt(known)
        );
        let problem = Problem::new(&REPLY_ADDRESS, message)
            .hint("leave the reply's `address` out, or make the channel's `null`")
            .related(channel.key, "the channel");
        findings.report(address.span, &at.path, problem);
    }
}

/// Source: AsyncAPI 2.6.0: operation ids and message ids are unique.
fn ids(application: &Application<'_>, findings: &mut Findings<'_>) {
    let mut operations: HashMap<&str, Span> = HashMap::new();
    for operation in &application.operations {
        id(
            operation.at.node.get("operationId"),
            &mut operations,
            &operation.at.path,
            findings,
        );
    }
    let mut messages: HashMap<&str, Span> = HashMap::new();
    let mut seen: Vec<&At<'_>> = Vec::new();
    for (_, message) in application.messages() {
        if message.at.node.get("messageId").is_none() || seen.iter().any(|at| at.is(&message.at)) {
            continue;
        }
        seen.push(&message.at);
        id(
            message.at.node.get("messageId"),
            &mut messages,
            &message.at.path,
            findings,
        );
    }
}

fn id<'b>(
    node: Option<&'b crate::node::Node>,
    seen: &mut HashMap<&'b str, Span>,
    path: &str,
    findings: &mut Findings<'_>,
) {
    let Some((node, text)) = node.and_then(|node| Some((node, node.text()?))) else {
        return;
    };
    match seen.get(text) {
        Some(first) => {
            let problem = Problem::new(
                &DUPLICATE_ID,
                format!("id `{}` is used twice", excerpt(text)),
            )
            .hint("give each its own")
            .related(*first, "first used here");
            findings.report(node.span, path, problem);
        }
        None => {
            seen.insert(text, node.span);
        }
    }
}

fn tags(at: &At<'_>, findings: &mut Findings<'_>) {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    for tag in at.step("tags").iter().flat_map(At::items) {
        let Some(name) = tag.node.text_of("name") else {
            continue;
        };
        match seen.get(name) {
            Some(first) => {
                let problem = Problem::new(
                    &DUPLICATE_TAG,
                    format!("tag `{}` is used twice", excerpt(name)),
                )
                .hint("remove one")
                .related(*first, "first used here");
                findings.report(tag.node.span, &tag.path, problem);
            }
            None => {
                seen.insert(name, tag.node.span);
            }
        }
    }
}
