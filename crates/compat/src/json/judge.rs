//! What the library's normal form of schemas says: asked where neither proof nor event was found.
//!
//! It is experimental, cannot be stopped, and has its own bounds; so it is asked last, about schemas
//! that are not large, and a panic of its is an *unknown*.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jsonschema::PatternOptions;
use jsonschema::canonical::{CanonicalSchema, Containment};
use serde_json::Value;

use super::draft::Draft;
use super::schema::Schema;

/// Largest schema that is asked about, in bytes.
const BYTES_MAX: usize = 48 << 10;
/// Most subschemas of one choice, and of all choices together: the library takes them in every
/// combination.
const CHOICE_MAX: usize = 12;
const CHOICES_MAX: usize = 48;
/// Most conditions and exclusions: each may double what the library goes through.
const CONDITIONS_MAX: usize = 8;
/// Deepest schema that is asked about: the library takes stack for each step into it.
const NESTING_MAX: usize = 40;
/// Largest compiled pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// What it says.
pub(crate) struct Judgement {
    /// Whether the reader takes all that the writer allows; `None` when it does not know.
    pub(crate) covers: Option<bool>,
    /// What the writer allows and the reader does not, as a schema.
    pub(crate) difference: Option<Value>,
}

impl Judgement {
    const NONE: Self = Self {
        covers: None,
        difference: None,
    };
}

pub(crate) fn judge(writer: &Schema, reader: &Schema) -> Judgement {
    let (writer, reader) = match (writer.draft, reader.draft) {
        // What counts as an integer there, later drafts cannot say.
        (Draft::Four, Draft::Four) => (&writer.root, &reader.root),
        (Draft::Four, _) | (_, Draft::Four) => return Judgement::NONE,
        _ => (&writer.lowered.root, &reader.lowered.root),
    };
    let is_large = |root: &&Value| {
        let (most, all, conditions) = choices(root);
        nesting(root) > NESTING_MAX
            || most > CHOICE_MAX
            || all > CHOICES_MAX
            || conditions > CONDITIONS_MAX
            || root.to_string().len() > BYTES_MAX
    };
    if [writer, reader].iter().any(is_large) {
        return Judgement::NONE;
    }
    catch_unwind(AssertUnwindSafe(|| ask(writer, reader))).unwrap_or(Judgement::NONE)
}

fn ask(writer: &Value, reader: &Value) -> Judgement {
    let (Some(writer), Some(reader)) = (canonical(writer), canonical(reader)) else {
        return Judgement::NONE;
    };
    let covers = match reader.covers(&writer) {
        Ok(Containment::Yes) => Some(true),
        Ok(Containment::No) => Some(false),
        Ok(Containment::Unknown) | Err(_) => None,
    };
    let difference = match covers {
        Some(true) => None,
        _ => writer.subtract(&reader).ok().map(|d| d.to_json_schema()),
    };
    Judgement { covers, difference }
}

fn canonical(root: &Value) -> Option<CanonicalSchema> {
    let patterns = PatternOptions::regex()
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_BYTES_MAX);
    let draft = match root.get("$schema") {
        None => jsonschema::Draft::Draft4,
        Some(_) => jsonschema::Draft::Draft202012,
    };
    let options = jsonschema::canonical::options()
        .offline()
        .should_validate_formats(false)
        .with_pattern_options(patterns);
    let options = match root.get("$schema").and_then(Value::as_str) {
        Some(named) if named.contains("draft-04") => options.with_draft(jsonschema::Draft::Draft4),
        _ => options.with_draft(draft),
    };
    options.canonicalize(root).ok()
}

/// The most branches of one choice, the branches of all of them, and the conditions.
fn choices(value: &Value) -> (usize, usize, usize) {
    let (mut most, mut all, mut conditions) = (0, 0, 0);
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(object) => {
                for keyword in ["anyOf", "oneOf", "type"] {
                    let branches = object.get(keyword).and_then(Value::as_array);
                    let count = branches.map_or(0, Vec::len);
                    most = most.max(count);
                    all += count;
                }
                conditions += ["not", "if", "dependentSchemas", "dependencies"]
                    .into_iter()
                    .filter(|keyword| object.contains_key(*keyword))
                    .count();
                waiting.extend(object.values());
            }
            Value::Array(items) => waiting.extend(items),
            _ => {}
        }
    }
    (most, all, conditions)
}

/// How many values stand inside each other.
fn nesting(value: &Value) -> usize {
    match value {
        Value::Object(fields) => 1 + fields.values().map(nesting).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(nesting).max().unwrap_or(0),
        _ => 1,
    }
}
