//! Examples and defaults that do not fit their schema.

use super::schemas::{Schema, Schemas, compiled};
use crate::application::{Application, whole};
use crate::bundle::{At, Bundle};
use crate::codes::{DEFAULT, EXAMPLE};
use crate::findings::{Findings, Problem, excerpt};
use crate::node::{Kind, Node};
use crate::payload::bundled;
use crate::structure::{mistakes, place};
use tidegate_model::CodeInfo;

/// Most mistakes told of one example.
const MISTAKES_MAX: usize = 5;

pub(super) fn check(application: &Application<'_>, schemas: &Schemas, findings: &mut Findings<'_>) {
    for (_, message) in application.messages() {
        of_message(application.bundle, &whole(message), schemas, findings);
    }
    let Some(components) = application.root.step("components") else {
        return;
    };
    for (_, message) in components.step("messages").iter().flat_map(At::children) {
        let message = application.bundle.followed(message);
        of_message(application.bundle, &message, schemas, findings);
    }
    for (_, schema) in components.step("schemas").iter().flat_map(At::children) {
        defaults(application.bundle, &schema, findings);
    }
}

fn of_message(bundle: &Bundle, message: &At<'_>, schemas: &Schemas, findings: &mut Findings<'_>) {
    for key in ["payload", "headers"] {
        if let Some(schema) = schemas.get(bundle, message, key) {
            for example in message.step("examples").iter().flat_map(At::items) {
                if let Some(value) = example.step(key) {
                    held_against(bundle, &value, schema, &EXAMPLE, findings);
                }
            }
        }
        // What is referred to is looked at where it stands.
        if let Some(schema) = message.step(key).filter(|at| at.node.reference().is_none()) {
            defaults(bundle, &schema, findings);
        }
    }
}

fn held_against(
    bundle: &Bundle,
    value: &At<'_>,
    schema: &Schema,
    info: &'static CodeInfo,
    findings: &mut Findings<'_>,
) {
    let Some(validator) = &schema.validator else {
        return;
    };
    let json = value.node.to_json();
    if validator.is_valid(&json) {
        return;
    }
    for (tokens, message, _) in mistakes(validator, &json).into_iter().take(MISTAKES_MAX) {
        let (span, inner) = place(bundle, value.node, &tokens);
        let path = format!("{}{}", value.path, inner.trim_start_matches('#'));
        let name = tokens.last().map(String::as_str);
        let message = match name {
            None => message.replacen("the document", "the value", 1),
            Some(_) => message,
        };
        let problem = Problem::new(info, excerpt(&message))
            .hint("mend the value or its schema: readers copy examples");
        findings.report(span, &path, problem);
    }
}

/// The defaults and examples within a schema.
fn defaults(bundle: &Bundle, at: &At<'_>, findings: &mut Findings<'_>) {
    let Kind::Map(_) = &at.node.kind else {
        return at
            .items()
            .for_each(|item| defaults(bundle, &item, findings));
    };
    let is_schema = at.node.get("type").is_some_and(is_type) || at.node.get("enum").is_some();
    let examples = at
        .step("examples")
        .filter(|list| matches!(list.node.kind, Kind::List(_)));
    let values: Vec<At<'_>> = at
        .step("default")
        .into_iter()
        .chain(examples.iter().flat_map(At::items))
        .collect();
    if is_schema
        && !values.is_empty()
        && let Some(schema) = bundled(bundle, at)
    {
        let schema = compiled(schema, None, at);
        for value in &values {
            held_against(bundle, value, &schema, &DEFAULT, findings);
        }
    }
    for (key, child) in at.children() {
        let is_data = is_schema && matches!(key, "default" | "examples" | "enum" | "const");
        if !is_data && !key.starts_with("x-") {
            defaults(bundle, &child, findings);
        }
    }
}

/// Whether a value of `type` is one of a schema, and not a property of that name.
fn is_type(node: &Node) -> bool {
    node.text().is_some() || !node.items().is_empty()
}
