//! References that lead nowhere, out of the files, or to another kind of thing.

use crate::bundle::{Bundle, DATA, Dead, references};
use crate::codes::{DEAD_REFERENCE, OUTSIDE_REFERENCE, WRONG_KIND};
use crate::findings::{Findings, Problem, excerpt};
use crate::node::{Kind, Node};
use crate::pointer;

pub(crate) fn check(bundle: &Bundle, findings: &mut Findings<'_>) {
    for root in bundle.roots() {
        references(root, &mut |node, reference| {
            let target = bundle.target(node.span.file, reference);
            if let Err(dead) = target.and_then(|target| bundle.follow(target)) {
                findings.report(node.span, "", dead_reference(reference, &dead));
            }
        });
    }
    for (_, root) in bundle.documents() {
        kinds(bundle, root, &mut Vec::new(), findings);
    }
}

fn dead_reference(reference: &str, dead: &Dead) -> Problem<'static> {
    let reference = excerpt(reference);
    match dead {
        Dead::Outside => {
            let message = format!("`{reference}` is not in a file, and nothing is fetched");
            Problem::new(&OUTSIDE_REFERENCE, message)
                .hint("keep a copy beside the document, and refer to that")
        }
        Dead::NoFile(name) => {
            let message = format!(
                "`{reference}` leads to `{}`, which is not there",
                excerpt(name)
            );
            Problem::new(&DEAD_REFERENCE, message)
                .hint("a reference is a path seen from the file that it stands in")
        }
        Dead::NoTarget => Problem::new(&DEAD_REFERENCE, format!("`{reference}` leads nowhere"))
            .hint("check each part; `/` within a name is written `~1`, and `~` is written `~0`"),
        Dead::Cycle => {
            let message = format!("`{reference}` leads back to itself");
            Problem::new(&DEAD_REFERENCE, message).hint("let one of them be the thing itself")
        }
    }
}

/// Walks what is not a schema, and holds each reference against the place where it stands.
fn kinds(bundle: &Bundle, node: &Node, path: &mut Vec<String>, findings: &mut Findings<'_>) {
    match &node.kind {
        Kind::Map(map) => {
            if let Some(reference) = node.reference() {
                kind(bundle, node, reference, path, findings);
                return;
            }
            for (key, entry) in map {
                match &**key {
                    "examples" => continue,
                    "payload" | "headers" | "schema" => {
                        within_schema(bundle, &entry.node, true, findings);
                        continue;
                    }
                    "schemas" => {
                        for (_, schema) in entry.node.entries() {
                            within_schema(bundle, &schema.node, true, findings);
                        }
                        continue;
                    }
                    _ => {}
                }
                path.push(key.to_string());
                kinds(bundle, &entry.node, path, findings);
                path.pop();
            }
        }
        Kind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(index.to_string());
                kinds(bundle, item, path, findings);
                path.pop();
            }
        }
        _ => {}
    }
}

fn kind(
    bundle: &Bundle,
    node: &Node,
    reference: &str,
    path: &[String],
    findings: &mut Findings<'_>,
) {
    let Ok(target) = bundle.target(node.span.file, reference) else {
        return;
    };
    let Some(tokens) = target.path.strip_prefix('#').and_then(pointer::tokens) else {
        return;
    };
    if let (Some(expected), Some(found)) = (kind_of(path), kind_of(&tokens))
        && expected != found
    {
        let message = format!(
            "{expected} stands here, and `{}` is {found}",
            excerpt(reference)
        );
        let problem = Problem::new(&WRONG_KIND, message)
            .hint(format!("refer to {expected}"))
            .related(target.node.span, "the target");
        findings.report(node.span, &format!("#/{}", path.join("/")), problem);
    }
}

/// A part of a schema is a schema: a Multi Format Schema stands only for a whole one.
fn within_schema(bundle: &Bundle, node: &Node, is_whole: bool, findings: &mut Findings<'_>) {
    if let Some(reference) = node.reference().filter(|_| !is_whole)
        && let Ok(target) = bundle.target(node.span.file, reference)
        && target.node.text_of("schemaFormat").is_some()
        && target.node.get("schema").is_some()
    {
        let shown = excerpt(reference);
        let message =
            format!("a part of a schema stands here, and `{shown}` is a schema with a format");
        let problem = Problem::new(&WRONG_KIND, message)
            .hint(format!("refer to `{shown}/schema`"))
            .related(target.node.span, "the target");
        findings.report(node.span, "", problem);
    }
    for (key, entry) in node.entries() {
        if !DATA.contains(&key) {
            within_schema(bundle, &entry.node, false, findings);
        }
    }
    for item in node.items() {
        within_schema(bundle, item, false, findings);
    }
}

/// What stands at a path of a document, by its last names; `None` when that is not told.
fn kind_of(path: &[String]) -> Option<&'static str> {
    let mut ends = path.iter().rev().map(String::as_str);
    let (last, above) = (ends.next()?, ends.next().unwrap_or_default());
    let kind = match (above, last) {
        (_, "correlationId") | ("correlationIds", _) => "a correlation id",
        (_, "channel") | ("channels", _) => "a channel",
        (_, "reply") | ("replies", _) => "a reply",
        (_, "message") | ("messages" | "oneOf", _) => "a message",
        ("servers", _) => "a server",
        ("operations", _) => "an operation",
        ("parameters", _) => "a parameter",
        ("replyAddresses", _) => "a reply address",
        ("schemas", _) => "a schema",
        ("securitySchemes" | "security", _) => "a security scheme",
        ("messageTraits", _) => "a message trait",
        ("operationTraits", _) => "an operation trait",
        ("serverVariables" | "variables", _) => "a server variable",
        _ => return None,
    };
    Some(kind)
}
