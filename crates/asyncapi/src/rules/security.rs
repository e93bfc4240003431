//! Security that is asked for by name in version 2.

use tidegate_model::closest;

use crate::application::Application;
use crate::bundle::At;
use crate::codes::UNKNOWN_SECURITY;
use crate::findings::{Findings, Problem, excerpt};

pub(super) fn check(application: &Application<'_>, findings: &mut Findings<'_>) {
    // Since version 3 they are references.
    if application.version.major >= 3 {
        return;
    }
    let schemes = application
        .root
        .step("components")
        .and_then(|components| components.step("securitySchemes"));
    let servers = application.servers.iter().map(|server| &server.at);
    let operations = application.operations.iter().map(|operation| &operation.at);
    for at in servers.chain(operations) {
        let Some(security) = at.step("security") else {
            continue;
        };
        for (name, scopes) in security.items().flat_map(|item| item.children()) {
            let is_known = schemes
                .as_ref()
                .is_some_and(|schemes| schemes.step(name).is_some());
            if !is_known {
                let message = format!("there is no security scheme `{}`", excerpt(name));
                let known = schemes.iter().flat_map(At::children).map(|(name, _)| name);
                let hint = match closest(name, known) {
                    Some(similar) => format!("did you mean `{similar}`?"),
                    None => "add it to `components.securitySchemes`".to_owned(),
                };
                let problem = Problem::new(&UNKNOWN_SECURITY, message).hint(hint);
                findings.report(scopes.node.span, &scopes.path, problem);
            }
        }
    }
}
