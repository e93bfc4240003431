//! Checking the path of a schema file, and finding its format from its name.

use super::record::Value;
use super::scalar::ScalarReading;
use crate::code::{SCHEMA_FILE, SCHEMA_MAPPING, WRONG_TYPE};
use crate::design::SchemaFormat;
use crate::findings::{Problem, excerpt};
use crate::yaml::{Content, Node, Plain, Style, resolve};

/// Reads the path of a schema file.
pub(crate) fn read(text: &str, style: Style) -> ScalarReading {
    const HINT: &str = "write the path of a file, or a JSON Schema as a mapping";
    if resolve(text, style) != Plain::Text {
        let message = match text {
            "" => "a schema file or an inline JSON Schema is expected here, not nothing".to_owned(),
            _ => format!(
                "a schema file or an inline JSON Schema is expected here, not `{}`",
                excerpt(text)
            ),
        };
        return Err(Problem::new(&WRONG_TYPE, message).hint(HINT)).into();
    }
    relative(text)
        .and_then(|()| format(text))
        .map(|format| Value::SchemaFile(text.to_owned(), format))
        .into()
}

/// What is wrong with a mapping that names a file: no word of it means anything in a JSON Schema.
pub(crate) fn as_mapping(node: &Node<'_>) -> Option<Problem> {
    const WORDS: [&str; 4] = ["file", "path", "message", "format"];
    let Content::Mapping(entries) = &node.content else {
        return None;
    };
    let text = |key: &str| node.get(key).and_then(|entry| entry.value.text());
    let file = text("file").or_else(|| text("path"))?;
    if !entries.iter().all(|entry| WORDS.contains(&&*entry.key)) {
        return None;
    }
    let right = match text("message") {
        Some(message) if !file.contains('#') => format!("{file}#{message}"),
        _ => file.to_owned(),
    };
    let message = "a mapping is a JSON Schema written inline, and this one names a file";
    let hint = format!("write `schema: {}`", excerpt(&right));
    Some(Problem::new(&SCHEMA_MAPPING, message).hint(hint))
}

fn relative(text: &str) -> Result<(), Problem> {
    let refuse = |why: &str| {
        let message = format!("schema path `{}` {why}", excerpt(text));
        Err(Problem::new(&SCHEMA_FILE, message)
            .hint("write a path relative to this file, such as `schemas/order-placed.json`"))
    };
    let drive = text.chars().nth(1) == Some(':');
    if text.contains("://") {
        return refuse("is a URL; schemas are read from files only");
    }
    if text.starts_with(['/', '~']) || drive {
        return refuse("is absolute");
    }
    if text.contains('\\') {
        return refuse("has `\\`; its parts are separated by `/` on every system");
    }
    if text.chars().any(char::is_control) {
        return refuse("has a control character");
    }
    Ok(())
}

fn format(text: &str) -> Result<SchemaFormat, Problem> {
    let (path, message) = match text.split_once('#') {
        Some((path, message)) => (path, Some(message)),
        None => (text, None),
    };
    let file = path.rsplit('/').next().unwrap_or_default();
    let extension = file
        .rsplit_once('.')
        .filter(|(stem, _)| !stem.is_empty())
        .map(|(_, end)| end);
    let refuse = |why: String, hint: String| {
        Err(Problem::new(
            &SCHEMA_FILE,
            format!("schema path `{}` {why}", excerpt(text)),
        )
        .hint(hint))
    };
    match (extension, message) {
        (Some("json" | "yaml" | "yml"), None) => Ok(SchemaFormat::JsonSchema),
        (Some("avsc"), None) => Ok(SchemaFormat::Avro),
        (Some("proto"), Some(message)) if is_message(message) => Ok(SchemaFormat::Protobuf),
        (Some("proto"), _) => refuse(
            "does not name the message".to_owned(),
            format!("write `{}#MessageName`", excerpt(path)),
        ),
        (Some("json" | "yaml" | "yml" | "avsc"), Some(_)) => refuse(
            "has a `#`, which only `.proto` files take".to_owned(),
            format!("write `{}`", excerpt(path)),
        ),
        _ => refuse(
            "does not say the format of the schema by its ending".to_owned(),
            "JSON Schema is `.json` or `.yaml`, Avro `.avsc`, Protobuf `.proto#MessageName`"
                .to_owned(),
        ),
    }
}

/// Whether this is the name of a message, with or without its package.
fn is_message(name: &str) -> bool {
    name.split('.').all(|part| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}
