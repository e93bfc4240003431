//! Schemas of events as files beside the design.

use serde_json::{Value, json};

use super::naming::clean;
use super::{Draft, report};
use crate::bundle::{At, Bundle, references};
use crate::codes::{CONTRADICTION, LOST};
use crate::findings::{Findings, excerpt};
use crate::payload::{Dead, Language, bundled_telling, schema_of};

/// The dialect that a design means without `$schema`.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// The dialect that AsyncAPI's own schemas extend.
const DRAFT_07: &str = "http://json-schema.org/draft-07/schema#";

/// The `schema` of an event: the name of a file that is added to the draft.
pub(super) fn schema(
    bundle: &Bundle,
    message: &At<'_>,
    event: &str,
    draft: &mut Draft,
    findings: &mut Findings<'_>,
) -> Option<Value> {
    let Some(schema) = schema_of(bundle, message, "payload") else {
        if let Some(payload) = message.step("payload") {
            lose_whole(&payload, event, findings);
        }
        return None;
    };
    let wanted = message
        .node
        .text_of("x-schema-file")
        .filter(|file| is_beside(file));
    let (text, end, part) = match &schema.language {
        Language::JsonSchema { draft: named } => {
            let (mut value, dead) = bundled_telling(bundle, &schema.at)?;
            lose_parts(dead, &schema.at, event, findings);
            dialect(&mut value, message, *named);
            (format!("{value:#}\n"), "json", None)
        }
        // Neither Avro nor Protobuf knows references: what is one is not at hand.
        Language::Avro if refers(&schema.at) => {
            lose_whole(&schema.at, event, findings);
            return None;
        }
        Language::Avro => (format!("{:#}\n", schema.at.node.to_json()), "avsc", None),
        Language::Protobuf => {
            let text = schema.at.node.text();
            let Some((text, first)) = text.and_then(|text| Some((text, first_message(text)?)))
            else {
                lose_whole(&schema.at, event, findings);
                return None;
            };
            (text.to_owned(), "proto", Some(first))
        }
        Language::Other(media) => {
            let message = format!("lost: a schema in `{}`", excerpt(media));
            report(
                findings,
                &LOST,
                (schema.at.node.span, &schema.at.path),
                message,
            );
            return None;
        }
    };
    let own = match part {
        Some(part) => format!("schemas/{}.{end}#{part}", clean(event)),
        None => format!("schemas/{}.{end}", clean(event)),
    };
    let name = wanted.map_or(own.clone(), str::to_owned);
    let file = add(draft, &name, text.clone()).or_else(|| add(draft, &own, text));
    if file.is_none() {
        let message = format!("another document says another `schema` of `{event}`");
        let place = (schema.at.node.span, schema.at.path.as_str());
        report(findings, &CONTRADICTION, place, message);
    }
    Some(json!(file.unwrap_or(own)))
}

/// Says which parts of a schema are not at hand: they allow everything then.
fn lose_parts(dead: Dead, at: &At<'_>, event: &str, findings: &mut Findings<'_>) {
    for (span, reference) in dead {
        let message = format!(
            "lost: the part of the schema of `{event}` that is at `{}`: it is not at hand, and its \
             place allows everything",
            excerpt(&reference)
        );
        report(findings, &LOST, (span, &at.path), message);
    }
}

/// Whether there is a reference anywhere in it.
fn refers(at: &At<'_>) -> bool {
    let mut found = false;
    references(at.node, &mut |_, _| found = true);
    found
}

/// Says that a schema is lost as a whole.
fn lose_whole(at: &At<'_>, event: &str, findings: &mut Findings<'_>) {
    let whence = match at.node.reference() {
        Some(reference) => format!(" at `{}`: it is not at hand", excerpt(reference)),
        None => ": it cannot be read as a file of its own".to_owned(),
    };
    let message = format!("lost: the schema of `{event}`{whence}");
    report(findings, &LOST, (at.node.span, &at.path), message);
}

/// Adds a file; `None` where another text has that name. JSON is the same however it is written.
pub(super) fn add(draft: &mut Draft, name: &str, text: String) -> Option<String> {
    let path = name.split('#').next().unwrap_or_default();
    let Some((_, known)) = draft.files.iter().find(|(known, _)| known == path) else {
        draft.files.push((path.to_owned(), text));
        return Some(name.to_owned());
    };
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    let is_same = *known == text || value(known).is_some_and(|known| Some(known) == value(&text));
    is_same.then(|| name.to_owned())
}

/// Writes down what a reader of the file alone has to know.
fn dialect(value: &mut Value, message: &At<'_>, named: Option<&str>) {
    let Some(object) = value.as_object_mut() else {
        return;
    };
    let own = message.node.text_of("x-schema-dialect").or(named);
    let written = object.get("$schema").and_then(Value::as_str);
    let dialect = written.or(own).unwrap_or(DRAFT_07).to_owned();
    if dialect == DIALECT {
        object.shift_remove("$schema");
    } else {
        object.shift_remove("$schema");
        object.shift_insert(0, "$schema".to_owned(), json!(dialect));
    }
    if let Some(id) = message.node.text_of("x-schema-id") {
        object.insert("$id".to_owned(), json!(id));
    }
}

/// Whether a path stays in the folder of the design.
pub(super) fn is_beside(file: &str) -> bool {
    let path = file.split('#').next().unwrap_or_default();
    let is_plain = !path.is_empty() && !path.starts_with('/') && !path.contains(['\\', ':']);
    is_plain && path.split('/').all(|part| !["", ".", ".."].contains(&part))
}

/// The name of the first message of a Protobuf text.
pub(crate) fn first_message(text: &str) -> Option<&str> {
    let mut words = text.split(|c: char| c.is_whitespace() || c == '{');
    words.find(|word| *word == "message")?;
    words.find(|word| !word.is_empty())
}
