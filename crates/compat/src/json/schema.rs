//! A schema ready to be compared: as written, and in the one form.

use std::fmt;

use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value};
use tidegate_schema::Compiled;

use super::bundle::{Bundle, Named};
use super::draft::Draft;
use super::error::JsonError;
use super::known::Node;
use super::lower::Lowered;

/// Largest compiled pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A JSON Schema with all that it refers to.
pub struct Schema {
    name: String,
    /// Judges events: as it was written, where it is one document.
    compiled: Compiled,
    pub(crate) lowered: Lowered,
    /// The document itself.
    pub(crate) root: Value,
    pub(crate) draft: Draft,
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema")
            .field("name", &self.name)
            .field("draft", &self.draft)
            .finish_non_exhaustive()
    }
}

impl Schema {
    /// Reads a schema. What it refers to is looked for in `others`; nothing is ever fetched. A
    /// document that names no draft is of the one given.
    ///
    /// # Errors
    ///
    /// [`JsonError`] when a text is no schema, a reference leads nowhere, or a limit is exceeded.
    pub fn read(
        schema: Named<'_>,
        others: &[Named<'_>],
        default: Draft,
    ) -> Result<Self, JsonError> {
        let bundle = Bundle::read(schema, others, default)?;
        let invalid = |message: String| JsonError::Invalid {
            name: schema.name.to_owned(),
            message,
        };
        let Some(document) = bundle.documents.first() else {
            return Err(invalid("there is no document".to_owned()));
        };
        let (root, draft) = (document.root.clone(), document.draft);
        let alone = others.is_empty();
        let compiled = alone.then(|| {
            let mut written = root.clone();
            if let Value::Object(object) = &mut written {
                let uri = Value::String(draft.uri().to_owned());
                object.entry("$schema").or_insert(uri);
            }
            Compiled::json_schema(&written.to_string())
        });
        let compiled = compiled.transpose().map_err(|e| invalid(e.to_string()))?;
        let lowered = Lowered::of(&bundle)?;
        // The one form is held against the same limits, so that it can be walked without care.
        let form = Compiled::json_schema(&lowered.root.to_string()).map_err(|error| {
            let place = error.pointer().map(|pointer| lowered.written(pointer));
            let place = place.map_or_else(String::new, |place| format!(" (`{place}`)"));
            invalid(format!("{error}{place}"))
        })?;
        Ok(Self {
            name: schema.name.to_owned(),
            compiled: compiled.unwrap_or(form),
            lowered,
            root,
            draft,
        })
    }

    /// The name of its document.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The draft it is written in.
    #[must_use]
    pub const fn draft(&self) -> Draft {
        self.draft
    }

    /// What an event has that the schema does not allow: where, and what; empty when it fits.
    #[must_use]
    pub fn validate(&self, event: &Value) -> Vec<(String, String)> {
        let violations = self.compiled.validate(event).into_iter();
        violations.map(|v| (v.path, v.message)).collect()
    }

    /// How many subschemas one value meets at most.
    pub(crate) const fn reach(&self) -> usize {
        self.compiled.reach()
    }

    /// Whether an event fits.
    pub(crate) fn allows(&self, event: &Value) -> bool {
        self.compiled.accepts(event)
    }
}

/// A subschema as a document of its own, with all that it refers to and nothing else.
pub(crate) fn alone(node: &Node<'_>) -> Option<Value> {
    let mut document: Map<String, Value> = node.object()?.clone();
    let mut definitions = Map::new();
    let mut waiting: Vec<&str> = references(node.schema);
    while let Some(reference) = waiting.pop() {
        // What leads nowhere stands in a value, not in a schema.
        let Some((name, target)) = reference
            .strip_prefix("#/$defs/")
            .zip(node.of.target(reference))
        else {
            continue;
        };
        if definitions.contains_key(name) {
            continue;
        }
        definitions.insert(name.to_owned(), target.clone());
        waiting.extend(references(target));
    }
    document.insert("$defs".to_owned(), Value::Object(definitions));
    document.insert(
        "$schema".to_owned(),
        Value::String(Draft::Twenty.uri().to_owned()),
    );
    Some(Value::Object(document))
}

/// All that a schema of the one form refers to, and what looks like it in values.
pub(crate) fn references(schema: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    let mut waiting = vec![schema];
    while let Some(schema) = waiting.pop() {
        match schema {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str));
                waiting.extend(object.values());
            }
            Value::Array(items) => waiting.extend(items),
            _ => {}
        }
    }
    found
}

/// What judges values by such a document.
pub(crate) fn checker(document: &Value) -> Option<Validator> {
    let patterns = PatternOptions::regex()
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_BYTES_MAX);
    jsonschema::options()
        .offline()
        .should_validate_formats(false)
        .with_pattern_options(patterns)
        .build(document)
        .ok()
}
