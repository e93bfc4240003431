//! Messages of one channel that cannot be told apart, shown by a message that is both.
//!
//! Source: AsyncAPI 3.0.0, "Messages Object": a message sent to a channel is valid against one, and
//! only one, of its messages. AsyncAPI 2.6.0, "Operation Object", says so of an operation's.

use serde_json::{Value, json};

use super::sample::sample;
use super::schemas::{Schema, Schemas};
use crate::application::{Application, Message, whole};
use crate::codes::AMBIGUOUS_MESSAGES;
use crate::findings::{Findings, Problem, excerpt};

/// Most pairs of messages of one channel that are held against each other.
const PAIRS_MAX: usize = 2_000;
/// Most values that are tried for one pair.
const ATTEMPTS_MAX: usize = 24;

pub(super) fn check(application: &Application<'_>, schemas: &Schemas, findings: &mut Findings<'_>) {
    if application.version.major >= 3 {
        for channel in &application.channels {
            let messages: Vec<&Message<'_>> = channel.messages.iter().collect();
            pairs(application, &messages, schemas, findings);
        }
        return;
    }
    for operation in &application.operations {
        let channel = operation
            .channel
            .and_then(|position| application.channels.get(position));
        let positions = operation.messages.iter();
        let messages: Vec<&Message<'_>> = channel
            .into_iter()
            .flat_map(|channel| positions.clone().filter_map(|p| channel.messages.get(*p)))
            .collect();
        pairs(application, &messages, schemas, findings);
    }
}

fn pairs(
    application: &Application<'_>,
    messages: &[&Message<'_>],
    schemas: &Schemas,
    findings: &mut Findings<'_>,
) {
    let mut left = PAIRS_MAX;
    for (position, second) in messages.iter().enumerate() {
        // One clash of a message is enough to know of.
        for first in messages.iter().take(position) {
            left = left.saturating_sub(1);
            if left == 0 {
                return;
            }
            if application.content_type(first) != application.content_type(second) {
                continue;
            }
            if let Some(witness) = both(application, first, second, schemas) {
                report(first, second, &witness, findings);
                break;
            }
        }
    }
}

fn report(first: &Message<'_>, second: &Message<'_>, witness: &Value, findings: &mut Findings<'_>) {
    let message = format!(
        "messages `{}` and `{}` cannot be told apart: {} is both",
        excerpt(&first.key),
        excerpt(&second.key),
        excerpt(&witness.to_string())
    );
    let problem = Problem::new(&AMBIGUOUS_MESSAGES, message)
        .hint("give each a field with a `const` of its own, or a channel of its own")
        .related(first.listed.node.span, "the other message");
    findings.report(second.listed.node.span, &second.listed.path, problem);
}

/// A message that is both; `None` when none was found. A message that declares no payload is not
/// judged: what it carries is not known.
fn both(
    application: &Application<'_>,
    first: &Message<'_>,
    second: &Message<'_>,
    schemas: &Schemas,
) -> Option<Value> {
    let bundle = application.bundle;
    let (first, second) = (whole(first), whole(second));
    let get = |message, key| schemas.get(bundle, message, key);
    let payload = common(&[get(&first, "payload")?, get(&second, "payload")?])?;
    let headers: Vec<&Schema> = [get(&first, "headers"), get(&second, "headers")]
        .into_iter()
        .flatten()
        .collect();
    let known = [&first, &second]
        .iter()
        .filter(|m| m.node.get("headers").is_some())
        .count();
    if headers.len() != known {
        return None;
    }
    if headers.is_empty() {
        return Some(payload);
    }
    let headers = common(&headers)?;
    Some(json!({"headers": headers, "payload": payload}))
}

/// A value that fits all of the schemas.
fn common(schemas: &[&Schema]) -> Option<Value> {
    let roots: Vec<&Value> = schemas.iter().map(|schema| &schema.value).collect();
    let fits = |value: &Value| {
        schemas.iter().all(|schema| {
            let validator = schema.validator.as_ref();
            validator.is_some_and(|validator| validator.is_valid(value))
        })
    };
    (0..ATTEMPTS_MAX)
        .filter_map(|attempt| sample(&roots, attempt))
        .find(fits)
}
