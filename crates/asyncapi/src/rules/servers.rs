//! Variables of servers, and the servers that channels name.

use crate::application::Application;
use crate::bundle::At;
use crate::codes::{SERVER_VARIABLES, UNKNOWN_SERVER};
use crate::findings::{Findings, Problem, excerpt};
use tidegate_model::closest;

pub(super) fn check(application: &Application<'_>, findings: &mut Findings<'_>) {
    for server in &application.servers {
        variables(&server.at, findings);
    }
    let Some(components) = application.root.step("components") else {
        return channels(application, findings);
    };
    if let Some(servers) = components.step("servers") {
        for (_, at) in servers.children() {
            variables(&application.bundle.followed(at), findings);
        }
    }
    channels(application, findings);
}

/// The names in braces of an address.
pub(super) fn names_in(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for part in text.split('{').skip(1) {
        if let Some((name, _)) = part.split_once('}')
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

fn variables(at: &At<'_>, findings: &mut Findings<'_>) {
    let texts = ["url", "host", "pathname"];
    let used: Vec<&str> = texts
        .iter()
        .filter_map(|key| at.node.text_of(key))
        .flat_map(names_in)
        .collect();
    let declared = at.step("variables");
    for name in &used {
        if declared
            .as_ref()
            .is_none_or(|variables| variables.step(name).is_none())
        {
            let message = format!(
                "the address has `{{{}}}`, which is no variable",
                excerpt(name)
            );
            let problem = Problem::new(&SERVER_VARIABLES, message)
                .hint(format!("add `{}` to `variables`", excerpt(name)));
            findings.report(at.node.span, &at.path, problem);
        }
    }
    for (name, variable) in declared.iter().flat_map(At::children) {
        if !used.contains(&name) {
            let message = format!("variable `{}` is not in the address", excerpt(name));
            let problem = Problem::new(&SERVER_VARIABLES, message)
                .hint("remove it, or write it in braces in the address");
            findings.report(variable.node.span, &variable.path, problem);
        }
    }
}

fn channels(application: &Application<'_>, findings: &mut Findings<'_>) {
    for at in super::addresses::channels(application) {
        let Some(servers) = at.step("servers") else {
            continue;
        };
        for item in servers.items() {
            let known = application.servers.iter().map(|server| server.name);
            let (is_known, name) = match item.node.text() {
                Some(name) => (known.clone().any(|known| known == name), name),
                None => {
                    let target = application.bundle.follow(item.clone());
                    let Ok(target) = target else { continue };
                    let is_known = application.servers.iter().any(|s| s.at.is(&target));
                    (is_known, item.node.reference().unwrap_or_default())
                }
            };
            if !is_known {
                let message = format!("`{}` is none of the servers of the document", excerpt(name));
                let hint = match closest(name, known) {
                    Some(similar) => format!("did you mean `{similar}`?"),
                    None => "a channel names servers of the document's own `servers`".to_owned(),
                };
                let problem = Problem::new(&UNKNOWN_SERVER, message).hint(hint);
                findings.report(item.node.span, &item.path, problem);
            }
        }
    }
}
