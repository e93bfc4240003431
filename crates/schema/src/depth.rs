//! How deep a schema can lead into any payload: where its own text bounds that, no payload has to be
//! measured before it is judged.

use std::collections::HashMap;

use serde_json::Value;

use crate::keyword::local_pointer;

/// The longest way through `root`, by what stands in it and by its references; `None` when it is longer than
/// `max`, or when the payload decides: with a reference that leads back, one that is resolved where it is used
/// or under another name, or items that are compared with each other.
pub(crate) fn longest_way(root: &Value, max: usize) -> Option<usize> {
    let mut walk = Walk {
        root,
        max,
        known: HashMap::new(),
    };
    walk.from(root, 0)
}

struct Walk<'a> {
    root: &'a Value,
    max: usize,
    /// What follows an object, by its identity in the document; nothing yet while it is being walked.
    known: HashMap<*const Value, Option<usize>>,
}

impl Walk<'_> {
    fn from(&mut self, value: &Value, depth: usize) -> Option<usize> {
        if depth >= self.max {
            return None;
        }
        let longest = match value {
            Value::Object(fields) => {
                let identity = std::ptr::from_ref(value);
                if let Some(known) = self.known.get(&identity) {
                    // One that is still open leads back to itself.
                    return (*known).filter(|known| depth + known <= self.max);
                }
                self.known.insert(identity, None);
                let mut longest = 0;
                for (keyword, below) in fields {
                    longest = longest.max(self.field(value, keyword, below, depth)?);
                }
                self.known.insert(identity, Some(1 + longest));
                longest
            }
            Value::Array(items) => {
                let mut longest = 0;
                for item in items {
                    longest = longest.max(self.from(item, depth + 1)?);
                }
                longest
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        };
        Some(1 + longest)
    }

    fn field(&mut self, of: &Value, keyword: &str, below: &Value, depth: usize) -> Option<usize> {
        match (keyword, below) {
            ("$ref", Value::String(reference)) => {
                let target = self.root.pointer(&local_pointer(reference)?)?;
                self.from(target, depth + 1)
            }
            ("$dynamicRef" | "$recursiveRef", Value::String(_))
            | ("uniqueItems", Value::Bool(true)) => None,
            // Below it, references count from there.
            ("$id" | "id", Value::String(_)) if !std::ptr::eq(of, self.root) => None,
            // Values, not schemas: a schema is no list. One that a reference leads into is walked from there.
            ("enum" | "examples", Value::Array(_)) => Some(0),
            _ => self.from(below, depth + 1),
        }
    }
}
