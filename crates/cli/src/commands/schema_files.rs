//! What a schema refers to: the files that are named on the command line, and those that lie beside its own.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tidegate_base::limit::SCHEMA_FILES_MAX;
use tidegate_compat::{Format, Version};
use tidegate_model::{is_within, protobuf_imports};

use super::schema::{FILE_BYTES_MAX, read};
use crate::arguments::schema::Reading;
use crate::exit::Failure;

/// The documents that are named, by the names under which schemas refer to them.
pub(super) fn named(reading: &Reading) -> Result<BTreeMap<String, String>, Failure> {
    let mut named = BTreeMap::new();
    for reference in &reading.references {
        let text = read(&reference.file, FILE_BYTES_MAX)?;
        let inner = Version::read(&reference.name, &text).text;
        if named.insert(reference.name.clone(), inner).is_some() {
            let message = format!("`{}` is given twice with --reference", reference.name);
            return Err(Failure::configuration(message).hint(
                "one document stands for all versions; where each has its own, leave it out: it is found beside \
                 the version",
            ));
        }
    }
    Ok(named)
}

/// A version with what it refers to: a name that is given means that document, any other one a file from the
/// version's own folder, if it is there.
pub(super) fn complete(
    mut version: Version,
    format: Format,
    named: &BTreeMap<String, String>,
) -> Result<Version, Failure> {
    version.references.clone_from(named);
    let folder = folder(&version.name).to_owned();
    let mut waiting = wanted(format, &version.name, &version.text);
    while let Some(name) = waiting.pop() {
        let file = match format {
            Format::Protobuf => format!("{folder}{name}"),
            Format::Json | Format::Avro => name.clone(),
        };
        let is_known = name == folded(&version.name)
            || version.references.contains_key(&name)
            || is_given(format, &name, named);
        if is_known || !Path::new(&file).is_file() {
            continue;
        }
        if version.references.len() >= SCHEMA_FILES_MAX {
            let message = format!(
                "{} refers to more than {SCHEMA_FILES_MAX} files",
                version.name
            );
            return Err(Failure::configuration(message));
        }
        let own = folded(&version.name);
        let is_same = |other: &&String| without_ups(other) == without_ups(&name);
        if let Some(other) = version.references.keys().chain([&own]).find(is_same) {
            let message = format!("`{other}` and `{name}` cannot be told apart from this folder");
            let hint = "run the command in the folder above, with paths from there";
            return Err(Failure::configuration(message).hint(hint));
        }
        let text = read(Path::new(&file), FILE_BYTES_MAX)?;
        waiting.extend(wanted(format, &name, &text));
        version.references.insert(name, text);
    }
    Ok(version)
}

/// A path without `.`, and with `..` in front only.
fn folded(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if parts.last().is_some_and(|last| !["", ".."].contains(last)) => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// A path as references are compared: from the folder that the command runs in, and no further up.
fn without_ups(path: &str) -> &str {
    path.trim_start_matches("../")
}

/// The folder of a file, with its `/`.
fn folder(name: &str) -> &str {
    let end = name.rfind('/').map_or(0, |slash| slash + 1);
    name.get(..end).unwrap_or_default()
}

/// Whether what is named on the command line is meant: JSON Schemas are found by the last part of their names too.
fn is_given(format: Format, name: &str, named: &BTreeMap<String, String>) -> bool {
    let last = |name: &str| name.rsplit('/').next().map(str::to_owned);
    format == Format::Json && named.keys().any(|given| last(given) == last(name))
}

/// The names of the files that a document refers to.
fn wanted(format: Format, name: &str, text: &str) -> Vec<String> {
    match format {
        Format::Avro => Vec::new(),
        Format::Protobuf => {
            let mut names = protobuf_imports(text);
            names.retain(|name| is_within(name) && !name.starts_with("google/protobuf/"));
            names
        }
        Format::Json => {
            let mut names = Vec::new();
            if let Ok(root) = serde_json::from_str(text) {
                collect(&root, folder(name), &mut names);
            }
            names
        }
    }
}

/// The files that `$ref`s of a JSON Schema name by their paths.
fn collect(value: &Value, folder: &str, names: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, folder, names)),
        Value::Object(object) => {
            let reference = object.get("$ref").and_then(Value::as_str);
            let file = reference.and_then(|reference| reference.split('#').next());
            let is_path = |file: &&str| {
                !file.is_empty() && !file.starts_with('/') && !file.contains([':', '?', '\\'])
            };
            names.extend(
                file.filter(is_path)
                    .map(|file| folded(&format!("{folder}{file}"))),
            );
            for (name, child) in object {
                let is_named = ["properties", "patternProperties", "$defs", "definitions"];
                if is_named.contains(&name.as_str())
                    && let Some(children) = child.as_object()
                {
                    // These have names of their own, which are no keywords.
                    children
                        .values()
                        .for_each(|child| collect(child, folder, names));
                    continue;
                }
                if !["enum", "const", "default", "examples"].contains(&name.as_str()) {
                    collect(child, folder, names);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
