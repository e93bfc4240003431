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
pub(crate) const CHAIN_MAX: usize = 24;

/// What is known of a subschema, by its identity in the document.
enum Visit {
    Open,
    Done(Reach),
}

/// What a value meets from a subschema on, itself included.
#[derive(Clone, Copy)]
struct Reach {
    subschemas: usize,
    chain: usize,
}

impl Reach {
    const ONE: Self = Self {
        subschemas: 1,
        chain: 1,
    };

    fn through(self, next: Self) -> Self {
        let subschemas = self.subschemas.saturating_add(next.subschemas);
        Self {
            subschemas,
            chain: self.chain.max(next.chain + 1),
        }
    }
}

/// Checks every subschema of `root`; the length of the longest chain that one value is led along, and
/// how many subschemas one value meets at most.
pub(crate) fn check(root: &Value) -> Result<(usize, usize), SchemaError> {
    let mut walk = Walk {
        root,
        visits: HashMap::new(),
    };
    let (mut longest, mut widest) = (1, 1);
    let mut waiting = vec![(String::new(), root)];
    while let Some((pointer, value)) = waiting.pop() {
        match value {
            Value::Object(object) => {
                let reach = walk.reach(&pointer, value, 0)?;
                longest = longest.max(reach.chain);
                widest = widest.max(reach.subschemas);
                let children = object.iter();
                waiting
                    .extend(children.map(|(name, v)| (format!("{pointer}/{}", escape(name)), v)));
            }
            Value::Array(list) => {
                let items = list.iter().enumerate();
                waiting.extend(items.map(|(index, v)| (format!("{pointer}/{index}"), v)));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    Ok((longest, widest))
}

struct Walk<'a> {
    root: &'a Value,
    visits: HashMap<*const Value, Visit>,
}

impl Walk<'_> {
    fn reach(&mut self, pointer: &str, schema: &Value, depth: usize) -> Result<Reach, SchemaError> {
        let Value::Object(object) = schema else {
            return Ok(Reach::ONE);
        };
        let identity = std::ptr::from_ref(schema);
        match self.visits.get(&identity) {
            Some(Visit::Done(reach)) => return Ok(*reach),
            Some(Visit::Open) => {
                return Err(SchemaError::Endless {
                    pointer: pointer.to_owned(),
                });
            }
            None if depth > CHAIN_MAX => {
                return Err(SchemaError::Fanout {
                    pointer: pointer.to_owned(),
                });
            }
            None => {}
        }
        self.visits.insert(identity, Visit::Open);
        let mut total = Reach::ONE;
        for (below, subschema) in in_place(object) {
            let below = format!("{pointer}{below}");
            total = total.through(self.reach(&below, subschema, depth + 1)?);
        }
        let target = object
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(local_pointer);
        if let Some(target) = target
            && let Some(subschema) = self.root.pointer(&target)
        {
            total = total.through(self.reach(&target, subschema, depth + 1)?);
        }
        if total.subschemas > SCHEMA_FANOUT_MAX || total.chain > CHAIN_MAX {
            return Err(SchemaError::Fanout {
                pointer: pointer.to_owned(),
            });
        }
        self.visits.insert(identity, Visit::Done(total));
        Ok(total)
    }
}
