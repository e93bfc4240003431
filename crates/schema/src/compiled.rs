//! A schema ready to judge payloads.

use std::fmt;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;
use tidegate_base::limit::{SCHEMA_BYTES_MAX, VIOLATIONS_MAX};

use crate::depth;
use crate::effort::effort;
use crate::error::SchemaError;
use crate::fanout;
use crate::fields::{self, Declared};
use crate::refusal;
use crate::violation::Violation;

/// Largest compiled pattern, in bytes: a counted repetition can ask for gigabytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Most visits of subschemas for which every violation is looked for.
const EXPLAINED_VISITS_MAX: usize = 50_000;
/// Most visits of subschemas for which the first violation is looked for.
const FIRST_VISITS_MAX: usize = 500_000;

/// Deepest walk into payload and schema together: each step takes stack, of which a thread of a
/// server has 2 MiB.
const WALK_DEPTH_MAX: usize = 768;

/// A compiled schema; `Send + Sync`, judged without I/O.
pub struct Compiled {
    root: Value,
    /// The longest chain of subschemas that one value is led along.
    chain: usize,
    /// How many subschemas one value meets at most.
    reach: usize,
    /// Whether the schema itself leads no deeper than [`WALK_DEPTH_MAX`], whatever the payload.
    is_shallow: bool,
    validator: Validator,
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl Compiled {
    /// Compiles a JSON Schema: the draft that `$schema` names, 2020-12 without one. `format` is a
    /// note, not a rule, as the specification has it. Patterns are matched in linear time, so
    /// look-around and back-references are refused.
    ///
    /// # Errors
    ///
    /// [`SchemaError`] when the text is not JSON, a keyword is wrong, a reference leaves the
    /// document or leads nowhere, or a limit is exceeded.
    pub fn json_schema(text: &str) -> Result<Self, SchemaError> {
        if text.len() > SCHEMA_BYTES_MAX {
            return Err(SchemaError::Large(text.len()));
        }
        let root: Value = serde_json::from_str(text).map_err(|error| refusal::syntax(&error))?;
        let (chain, reach) = fanout::check(&root)?;
        let is_shallow = depth::longest_way(&root, WALK_DEPTH_MAX).is_some();
        let patterns = PatternOptions::regex()
            .size_limit(PATTERN_BYTES_MAX)
            .dfa_size_limit(PATTERN_BYTES_MAX);
        let validator = jsonschema::options()
            .offline()
            .should_validate_formats(false)
            .with_pattern_options(patterns)
            .build(&root)
            .map_err(|error| refusal::of(&root, &error))?;
        Ok(Self {
            root,
            chain,
            reach,
            is_shallow,
            validator,
        })
    }

    /// The schema itself.
    pub(crate) fn into_root(self) -> Value {
        self.root
    }

    /// What `payload` has that the schema does not allow; empty when it fits, never more than
    /// [`VIOLATIONS_MAX`], in the order found. A large payload gets its first violation alone, and
    /// one that takes too long to explain a single violation that says so.
    #[must_use]
    pub fn validate(&self, payload: &Value) -> Vec<Violation> {
        // The yes-or-no question is memoised by the library and is the usual case.
        if self.accepts(payload) {
            return Vec::new();
        }
        if self.is_too_deep(payload) {
            return vec![Violation::too_deep()];
        }
        let effort = effort(&self.root, payload);
        if effort <= EXPLAINED_VISITS_MAX {
            let errors = self.validator.iter_errors(payload);
            return errors
                .take(VIOLATIONS_MAX)
                .map(|error| Violation::of(&error))
                .collect();
        }
        let first = (effort <= FIRST_VISITS_MAX).then(|| self.validator.validate(payload));
        match first {
            Some(Err(error)) => vec![Violation::of(&error)],
            Some(Ok(())) | None => vec![Violation::unexplained()],
        }
    }

    /// Whether `payload` fits, without a word about why not. One that is nested too deep to be judged does not.
    #[must_use]
    pub fn accepts(&self, payload: &Value) -> bool {
        (self.is_shallow || !self.is_too_deep(payload)) && self.validator.is_valid(payload)
    }

    fn is_too_deep(&self, payload: &Value) -> bool {
        is_nested_beyond(payload, WALK_DEPTH_MAX / self.chain.max(1))
    }

    /// How many subschemas one value meets at most: what it takes to judge it.
    #[must_use]
    pub const fn reach(&self) -> usize {
        self.reach
    }

    /// The names that `required` lists for the payload itself, through local references and
    /// `allOf`, in the order found, each one once.
    #[must_use]
    pub fn required_fields(&self) -> Vec<String> {
        fields::required(&self.root)
    }

    /// Whether the schema declares `field`: a top-level name, or a JSON pointer into the payload.
    #[must_use]
    pub fn declares(&self, field: &str) -> Declared {
        fields::declares(&self.root, field)
    }

    /// Whether every payload that fits has `field`: a top-level name, or a JSON pointer.
    #[must_use]
    pub fn requires(&self, field: &str) -> Declared {
        fields::requires(&self.root, field)
    }

    /// The top-level names that the schema declares, in the order found: for "did you mean".
    #[must_use]
    pub fn declared_fields(&self) -> Vec<String> {
        fields::declared(&self.root)
    }
}

/// Whether more than `levels` values stand inside each other, `value` included. Looks no deeper itself.
fn is_nested_beyond(value: &Value, levels: usize) -> bool {
    let Some(below) = levels.checked_sub(1) else {
        return true;
    };
    match value {
        Value::Object(fields) => fields.values().any(|v| is_nested_beyond(v, below)),
        Value::Array(items) => items.iter().any(|v| is_nested_beyond(v, below)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
