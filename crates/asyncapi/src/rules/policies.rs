//! Extensions that carry policies, with values that mean nothing.
//!
//! AsyncAPI takes anything under `x-`: what is written there wrongly would be found in production.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::application::Application;
use crate::bundle::At;
use crate::codes::POLICY;
use crate::findings::{Findings, Problem};
use crate::structure::{mistakes, place};

/// The schema of every extension that is read.
const SCHEMA: &str = include_str!("../policies.schema.json");

pub(super) fn check(application: &Application<'_>, findings: &mut Findings<'_>) {
    for operation in &application.operations {
        // A trait's own place is where its mistakes are.
        extensions(application, &operation.at, findings);
        for part in operation.at.step("traits").iter().flat_map(At::items) {
            extensions(application, &application.bundle.followed(part), findings);
        }
    }
    for channel in &application.channels {
        extensions(application, &channel.at, findings);
        for message in &channel.messages {
            extensions(application, &message.at, findings);
        }
    }
}

fn extensions(application: &Application<'_>, at: &At<'_>, findings: &mut Findings<'_>) {
    for (name, extension) in at.children().filter(|(name, _)| name.starts_with("x-")) {
        let Some(validator) = validators().get(name) else {
            continue;
        };
        let extension = application.bundle.followed(extension);
        let value = extension.node.to_json();
        for (tokens, message, hint) in mistakes(validator, &value) {
            let (span, inner) = place(application.bundle, extension.node, &tokens);
            let path = format!("{}{}", extension.path, inner.trim_start_matches('#'));
            let message = message.replacen("the document", &format!("`{name}`"), 1);
            let mut problem =
                Problem::new(&POLICY, format!("`{name}` is not understood: {message}"));
            problem.hint = hint.or_else(|| {
                Some("`docs/reference/asyncapi.md` lists what the extension may say".to_owned())
            });
            findings.report(span, &path, problem);
        }
    }
}

fn validators() -> &'static BTreeMap<String, Validator> {
    static COMPILED: OnceLock<BTreeMap<String, Validator>> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap_or_default();
        let definitions = schema.get("definitions").and_then(Value::as_object);
        let names = definitions.into_iter().flat_map(|map| map.keys());
        names
            .filter_map(|name| {
                let one = json!({
                    "$schema": schema.get("$schema"),
                    "$ref": format!("#/definitions/{name}"),
                    "definitions": schema.get("definitions"),
                });
                Some((name.clone(), jsonschema::validator_for(&one).ok()?))
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_extension_compiles() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        assert_eq!(
            validators().len(),
            schema["definitions"].as_object().unwrap().len()
        );
    }

    #[test]
    fn both_shapes_of_retry_are_understood_and_garbage_is_not() {
        let retry = &validators()["x-retry"];
        for good in [
            json!({"mode": "blocking", "maxAttempts": 3, "backoff": {"type": "linear", "initial": "PT1S"}}),
            json!({"maxRetries": 0}),
            json!({"maxAttempts": 3, "strategy": {"type": "fixed", "delaySeconds": 5}}),
        ] {
            assert!(retry.is_valid(&good), "{good}");
        }
        for bad in [
            json!("often"),
            json!({"maxAttempts": -3}),
            json!({"maxAttempts": "many"}),
            json!({"backoff": {"initial": "soon"}}),
            json!({"banana": true}),
            json!({"strategy": {"type": "hope"}}),
        ] {
            assert!(!retry.is_valid(&bad), "{bad}");
        }
    }
}
