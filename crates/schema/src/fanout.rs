//! How many subschemas one value meets: bounds the work of validation before any payload comes.
//!
//! `allOf: [{$ref: a}, {$ref: a}]` doubles the work at each level of references, so twenty lines
//! can ask for a million visits; a subschema that applies itself to the same value never ends.

use std::collections::HashMap;

use serde_json::Value;
use tidegate_base::limit::SCHEMA_FANOUT_MAX;

use crate::error::SchemaError;
use crate::keyword::{escape, in_place, local_pointer};

/// Deepest chain of references and subschemas followed for one value.
const CHAIN_MAX: usize = 256;

/// What is known of a subschema, by its identity in the document.
enum Visit {
    Open,
    Done(usize),
}

/// Checks every subschema of `root`.
pub(crate) fn check(root: &Value) -> Result<(), SchemaError> {
    let mut walk = Walk { root, visits: HashMap::new() };
    let mut waiting = vec![(String::new(), root)];
    while let Some((pointer, value)) = waiting.pop() {
        match value {
            Value::Object(object) => {
                walk.fanout(&pointer, value, 0)?;
                let children = object.iter();
                waiting.extend(children.map(|(name, v)| (format!("{pointer}/{}", escape(name)), v)));
            }
            Value::Array(list) => {
                let items = list.iter().enumerate();
                waiting.extend(items.map(|(index, v)| (format!("{pointer}/{index}"), v)));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    Ok(())
}

struct Walk<'a> {
    root: &'a Value,
    visits: HashMap<*const Value, Visit>,
}

impl Walk<'_> {
    /// The number of subschemas that a value meets from `schema` on, itself included.
    fn fanout(&mut self, pointer: &str, schema: &Value, depth: usize) -> Result<usize, SchemaError> {
        let Value::Object(object) = schema else { return Ok(1) };
        let identity = std::ptr::from_ref(schema);
        match self.visits.get(&identity) {
            Some(Visit::Done(count)) => return Ok(*count),
            Some(Visit::Open) => return Err(SchemaError::Endless { pointer: pointer.to_owned() }),
            None if depth > CHAIN_MAX => {
                return Err(SchemaError::Fanout { pointer: pointer.to_owned() });
            }
            None => {}
        }
        self.visits.insert(identity, Visit::Open);
        let mut total = 1_usize;
        for (below, subschema) in in_place(object) {
            total = total.saturating_add(self.fanout(
                &format!("{pointer}{below}"),
                subschema,
                depth + 1,
            )?);
        }
        let target = object.get("$ref").and_then(Value::as_str).and_then(local_pointer);
        if let Some(target) = target
            && let Some(subschema) = self.root.pointer(&target)
        {
            total = total.saturating_add(self.fanout(&target, subschema, depth + 1)?);
        }
        if total > SCHEMA_FANOUT_MAX {
            return Err(SchemaError::Fanout { pointer: pointer.to_owned() });
        }
        self.visits.insert(identity, Visit::Done(total));
        Ok(total)
    }
}
