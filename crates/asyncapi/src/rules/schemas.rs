//! The schemas of messages, each compiled once; those that nothing fits.

use std::collections::HashMap;

use jsonschema::Validator;
use jsonschema::canonical::{self, UnsatisfiableReason};
use serde_json::Value;

use crate::application::{Application, whole};
use crate::bundle::{At, Bundle};
use crate::codes::{STRUCTURE, UNSATISFIABLE, UNUSABLE_SCHEMA};
use crate::findings::{Findings, Problem, excerpt};
use crate::node::Span;
use crate::payload::{Language, Origins, bundled_from, schema_of};

/// The JSON Schemas of an application's messages.
pub(super) struct Schemas {
    known: HashMap<(u32, String), Schema>,
}

/// A schema, and where it stands.
pub(super) struct Schema {
    pub(super) value: Value,
    /// `None` when it cannot be compiled.
    pub(super) validator: Option<Validator>,
    why: String,
    origins: Origins,
    span: Span,
    path: String,
}

/// The draft that AsyncAPI's own schemas extend.
const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

impl Schemas {
    /// The schemas of every message of a channel, and of those among the components.
    pub(super) fn of(application: &Application<'_>) -> Self {
        let mut schemas = Self {
            known: HashMap::new(),
        };
        for (_, message) in application.messages() {
            schemas.add(application.bundle, &whole(message));
        }
        let components = application.root.step("components");
        let others = components.and_then(|components| components.step("messages"));
        for (_, message) in others.iter().flat_map(At::children) {
            schemas.add(application.bundle, &application.bundle.followed(message));
        }
        schemas
    }

    fn add(&mut self, bundle: &Bundle, message: &At<'_>) {
        for key in ["payload", "headers"] {
            let Some(schema) = schema_of(bundle, message, key) else {
                continue;
            };
            let Language::JsonSchema { draft } = schema.language else {
                continue;
            };
            let key = (schema.at.node.span.file, schema.at.path.clone());
            if self.known.contains_key(&key) {
                continue;
            }
            if let Some((value, origins)) = bundled_from(bundle, &schema.at) {
                let mut schema = compiled(value, draft, &schema.at);
                schema.origins = origins;
                self.known.insert(key, schema);
            }
        }
    }

    /// The schema under `key` of a message; `None` when it has none in JSON Schema.
    pub(super) fn get(&self, bundle: &Bundle, message: &At<'_>, key: &str) -> Option<&Schema> {
        let schema = schema_of(bundle, message, key)?;
        let known = (schema.at.node.span.file, schema.at.path);
        matches!(schema.language, Language::JsonSchema { .. })
            .then(|| self.known.get(&known))
            .flatten()
    }
}

/// The schema at `at` with its draft written down, compiled.
pub(super) fn compiled(mut value: Value, draft: Option<&str>, at: &At<'_>) -> Schema {
    if let Some(object) = value.as_object_mut() {
        object
            .entry("$schema")
            .or_insert_with(|| Value::from(draft.unwrap_or(DRAFT)));
        // It would change what references mean; within one text it names nothing.
        object.shift_remove("$id");
    }
    let outcome = jsonschema::options()
        .offline()
        .should_validate_formats(false)
        .build(&value);
    let (validator, why) = match outcome {
        Ok(validator) => (Some(validator), String::new()),
        Err(error) => (None, error.masked().to_string()),
    };
    Schema {
        value,
        validator,
        why,
        origins: Origins::new(),
        span: at.node.span,
        path: at.path.clone(),
    }
}

pub(super) fn check(application: &Application<'_>, schemas: &Schemas, findings: &mut Findings<'_>) {
    // A schema that the specification refuses has had its finding.
    let is_sound = !findings.has(STRUCTURE.code, application.file);
    let mut known: Vec<&Schema> = schemas.known.values().collect();
    known.sort_by(|a, b| (a.span.file, &a.path).cmp(&(b.span.file, &b.path)));
    for schema in known {
        if schema.validator.is_none() {
            if is_sound {
                let message = format!("the schema cannot be compiled: {}", excerpt(&schema.why));
                let problem = Problem::new(&UNUSABLE_SCHEMA, message)
                    .hint("no payload can be held against it until it is mended");
                findings.report(schema.span, &schema.path, problem);
            }
            continue;
        }
        unsatisfiable(application, schema, findings);
    }
}

fn unsatisfiable(application: &Application<'_>, schema: &Schema, findings: &mut Findings<'_>) {
    let Ok(prepared) = canonical::options().offline().prepare(&schema.value) else {
        return;
    };
    let Ok(empty) = prepared.unsatisfiable() else {
        return;
    };
    for (place, reason) in &empty {
        let causes = match reason {
            UnsatisfiableReason::Literal => continue,
            UnsatisfiableReason::Empty(cause) => std::slice::from_ref(cause),
            UnsatisfiableReason::Conflict(causes) => causes.as_slice(),
        };
        let keywords: Vec<&str> = causes
            .iter()
            .flat_map(|cause| cause.keywords.iter().map(String::as_str))
            .collect();
        // What only holds an empty part is told where that part stands.
        if keywords.is_empty() {
            continue;
        }
        let (span, path) = within(application, schema, place);
        let message = format!("nothing fits: {} leave no value", keywords.join(", "));
        let problem = Problem::new(&UNSATISFIABLE, message)
            .hint("loosen one of them; no message can have a value here");
        findings.report(span, &path, problem);
    }
}

/// The place in the document of a place in a bundled schema.
fn within(application: &Application<'_>, schema: &Schema, place: &str) -> (Span, String) {
    let mut start = (schema.span.file, format!("{}{place}", schema.path));
    if let Some(rest) = place.strip_prefix("/definitions/") {
        let (name, rest) = rest
            .split_once('/')
            .map_or((rest, None), |(n, r)| (n, Some(r)));
        if let Some((_, (file, path))) = schema.origins.iter().find(|(known, _)| known == name) {
            let rest = rest.map(|rest| format!("/{rest}")).unwrap_or_default();
            start = (*file, format!("{path}{rest}"));
        }
    }
    match application.bundle.target(start.0, &start.1) {
        Ok(at) => (at.node.span, at.path),
        Err(_) => (schema.span, schema.path.clone()),
    }
}
