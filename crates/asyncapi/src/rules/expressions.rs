//! Runtime expressions that point at nothing.

use tidegate_schema::{Declared, Outline};

use crate::application::{Application, Message};
use crate::bundle::At;
use crate::codes::DEAD_EXPRESSION;
use crate::expression::{Expression, Part, parse};
use crate::findings::{Findings, Problem, excerpt};
use crate::payload::{Language, bundled, schema_of};

pub(super) fn check(application: &Application<'_>, findings: &mut Findings<'_>) {
    for (_, message) in application.messages() {
        let node = At {
            node: message.node(),
            path: message.at.path.clone(),
        };
        if let Some(correlation) = node.step("correlationId") {
            let correlation = application.bundle.followed(correlation);
            held_against(application, &correlation, &[message], findings);
        }
    }
    for channel in &application.channels {
        for (_, parameter) in channel.at.step("parameters").iter().flat_map(At::children) {
            let parameter = application.bundle.followed(parameter);
            let messages: Vec<&Message<'_>> = channel.messages.iter().collect();
            held_against(application, &parameter, &messages, findings);
        }
    }
    for operation in &application.operations {
        let Some(reply) = &operation.reply else {
            continue;
        };
        if let (Some(address), Some(channel)) = (
            reply.at.step("address"),
            operation
                .channel
                .and_then(|position| application.channels.get(position)),
        ) {
            let address = application.bundle.followed(address);
            let messages: Vec<&Message<'_>> = operation
                .messages
                .iter()
                .filter_map(|position| channel.messages.get(*position))
                .collect();
            held_against(application, &address, &messages, findings);
        }
    }
}

/// Reports the `location` of `at` when none of the messages has it.
fn held_against(
    application: &Application<'_>,
    at: &At<'_>,
    messages: &[&Message<'_>],
    findings: &mut Findings<'_>,
) {
    let Some((node, text)) = at
        .node
        .get("location")
        .and_then(|node| Some((node, node.text()?)))
    else {
        return;
    };
    // What is no expression at all is a mistake of structure.
    let Some(expression) = parse(text) else {
        return;
    };
    let mut reasons = Vec::new();
    for message in messages {
        match absent(application, message, &expression) {
            Some(reason) => reasons.push(reason),
            None => return,
        }
    }
    if let Some(reason) = reasons.into_iter().next() {
        let message = format!("`{}` points at nothing: {reason}", excerpt(text));
        let problem = Problem::new(&DEAD_EXPRESSION, message).hint(format!(
            "correct the pointer, or declare the field in the {}",
            expression.part
        ));
        findings.report(node.span, &at.path, problem);
    }
}

/// Why the message has not what the expression names; `None` when it has, or when that is not known.
fn absent(
    application: &Application<'_>,
    message: &Message<'_>,
    expression: &Expression,
) -> Option<String> {
    let key = match expression.part {
        Part::Header => "headers",
        Part::Payload => "payload",
    };
    let at = At {
        node: message.node(),
        path: message.at.path.clone(),
    };
    let name = excerpt(&message.key);
    if at.node.get(key).is_none() {
        return Some(format!("message `{name}` declares no {key}"));
    }
    let schema = schema_of(application.bundle, &at, key)?;
    if !matches!(schema.language, Language::JsonSchema { .. }) || expression.pointer.is_empty() {
        return None;
    }
    let value = bundled(application.bundle, &schema.at)?;
    let outline = Outline::json_schema(&value.to_string()).ok()?;
    (outline.declares(&expression.pointer) == Declared::No)
        .then(|| format!("the {key} of message `{name}` do not declare it"))
}
