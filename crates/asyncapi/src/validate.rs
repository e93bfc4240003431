//! Everything that is wrong with the documents of a bundle.

use tidegate_model::{Finding, closest};

use crate::application::Application;
use crate::bundle::{Bundle, Trouble};
use crate::codes::{DUPLICATE_KEY, STRUCTURE, SYNTAX, VERSION};
use crate::findings::{Findings, Problem, excerpt};
use crate::node::{Kind, Node};
use crate::rules;
use crate::structure;
use crate::version::{LATEST, Version};

/// Every finding of the documents of `bundle`, by file and place.
#[must_use]
pub fn validate(bundle: &Bundle) -> Vec<Finding> {
    let mut findings = Findings::new(bundle);
    texts(bundle, &mut findings);
    let mut applications = Vec::new();
    for (file, root) in bundle.documents() {
        let Some(version) = version(root, &mut findings) else {
            continue;
        };
        structure::check(bundle, root, version, &mut findings);
        applications.push(Application::read(bundle, file, root, version));
    }
    rules::references::check(bundle, &mut findings);
    for application in &applications {
        rules::check(application, &mut findings);
    }
    findings.finish()
}

/// What is wrong with the texts as such.
pub(crate) fn texts(bundle: &Bundle, findings: &mut Findings<'_>) {
    for (span, trouble) in bundle.trouble() {
        let problem = match trouble {
            Trouble::Unreadable(message) => Problem::new(&SYNTAX, excerpt(message))
                .hint("check the indentation and the quotes around this place"),
            Trouble::Twice(key) => Problem::new(
                &DUPLICATE_KEY,
                format!("`{}` is written twice", excerpt(key)),
            )
            .hint("the first one counts; merge the two, or rename one"),
        };
        findings.report(*span, "", problem);
    }
}

/// The version of a document; `None`, which is a finding, when it is not read.
pub(crate) fn version(root: &Node, findings: &mut Findings<'_>) -> Option<Version> {
    let Some(node) = root.get("asyncapi") else {
        let mut problem = match root.kind {
            Kind::Map(_) => Problem::new(&STRUCTURE, "the document needs `asyncapi`, its version"),
            _ => Problem::new(&STRUCTURE, "the document is not a mapping"),
        };
        let known = root.entries().map(|(key, _)| key);
        problem.hint = Some(match closest("asyncapi", known) {
            Some(similar) => format!("`{similar}` may be meant as `asyncapi`"),
            None => format!("add `asyncapi: {LATEST}`"),
        });
        findings.report(root.span, "#", problem);
        return None;
    };
    let version = node.text().and_then(Version::parse);
    if version.is_none() {
        let written = node.to_json().to_string();
        let message = format!(
            "AsyncAPI {} is not read",
            excerpt(written.trim_matches('"'))
        );
        let hint = format!("versions 2.0.0 to 2.6.0, 3.0.0 and 3.1.0 are; the newest is {LATEST}");
        let problem = Problem::new(&VERSION, message).hint(hint);
        findings.report(node.span, "#/asyncapi", problem);
    }
    version
}
