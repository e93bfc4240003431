//! Addresses of channels and their parameters.

use std::collections::HashMap;

use super::servers::names_in;
use crate::application::Application;
use crate::bundle::At;
use crate::codes::{ADDRESS_QUERY, DUPLICATE_ADDRESS, PARAMETER_EXTRA, PARAMETER_MISSING};
use crate::findings::{Findings, Problem, excerpt};
use crate::node::Span;
use tidegate_model::Severity;

/// Every channel of the document, those among the components included, each once.
pub(super) fn channels<'b>(application: &Application<'b>) -> Vec<At<'b>> {
    let mut channels: Vec<At<'b>> = application.channels.iter().map(|c| c.at.clone()).collect();
    let components = application.root.step("components");
    let others = components.and_then(|components| components.step("channels"));
    for (_, at) in others.iter().flat_map(At::children) {
        let at = application.bundle.followed(at);
        if !channels.iter().any(|known| known.is(&at)) {
            channels.push(at);
        }
    }
    channels
}

pub(super) fn check(application: &Application<'_>, findings: &mut Findings<'_>) {
    for channel in &application.channels {
        let at = &channel.at;
        let span = at.node.get("address").map_or(channel.key, |node| node.span);
        parameters(application, at, channel.address, span, findings);
        if channel
            .address
            .is_some_and(|address| address.contains(['?', '#']))
        {
            let message = "an address has no `?` and no `#`";
            let problem = Problem::new(&ADDRESS_QUERY, message).hint(
                "write what is in the query as a field of the WebSocket binding, or leave it out",
            );
            findings.report(span, &at.path, problem);
        }
    }
    if application.version.major >= 3 {
        let listed = application.channels.len();
        for at in channels(application).into_iter().skip(listed) {
            let address = at.node.text_of("address");
            parameters(application, &at, address, at.node.span, findings);
        }
    }
    duplicates(application, findings);
}

fn parameters(
    application: &Application<'_>,
    at: &At<'_>,
    address: Option<&str>,
    span: Span,
    findings: &mut Findings<'_>,
) {
    let used = address.map(names_in).unwrap_or_default();
    let declared = at.step("parameters");
    for name in &used {
        if declared
            .as_ref()
            .is_none_or(|parameters| parameters.step(name).is_none())
        {
            let name = excerpt(name);
            let message = format!("the address has `{{{name}}}`, which is no parameter");
            let problem = Problem::new(&PARAMETER_MISSING, message)
                .hint(format!("add `{name}` to the channel's `parameters`"));
            findings.report(span, &at.path, problem);
        }
    }
    for (name, parameter) in declared.iter().flat_map(At::children) {
        if !used.contains(&name) {
            let message = format!("parameter `{}` is not in the address", excerpt(name));
            let mut problem = Problem::new(&PARAMETER_EXTRA, message)
                .hint("remove it, or write it in braces in the address");
            // Version 2 says "SHOULD be present only when using channels with expressions".
            if application.version.major < 3 && used.is_empty() {
                problem.severity = Some(Severity::Warning);
            }
            findings.report(parameter.node.span, &parameter.path, problem);
        }
    }
}

/// Two channels with one address on one server: what is sent to the one arrives in the other.
fn duplicates(application: &Application<'_>, findings: &mut Findings<'_>) {
    let mut seen: HashMap<(&str, Vec<&str>), Span> = HashMap::new();
    for channel in &application.channels {
        let Some(address) = channel.address.filter(|_| application.version.major >= 3) else {
            continue;
        };
        let mut servers: Vec<&str> = application
            .servers_of(channel)
            .iter()
            .map(|server| server.name)
            .collect();
        servers.sort_unstable();
        let node = channel.at.node.get("address");
        let span = node.map_or(channel.key, |node| node.span);
        if let Some(first) = seen.get(&(address, servers.clone())) {
            let message = format!("address `{}` is that of another channel", excerpt(address));
            let problem = Problem::new(&DUPLICATE_ADDRESS, message)
                .hint("make one channel with the messages of both, or name servers apart")
                .related(*first, "the other channel");
            findings.report(span, &channel.at.path, problem);
        } else {
            seen.insert((address, servers), span);
        }
    }
}
