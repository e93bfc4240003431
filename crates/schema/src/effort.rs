//! How much work it is to explain why a payload does not fit.
//!
//! Yes or no is memoised by the library; explaining is not, and visits every pair of subschema and
//! value once for each way that leads there: `oneOf` of two recursive branches doubles at each
//! level of the payload. So the visits are counted first, each pair once.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::keyword::{in_place, local_pointer};

/// Most pairs of subschema and value that are counted; beyond it, effort is taken as endless.
const PAIRS_MAX: usize = 50_000;

/// The number of visits that explaining `payload` takes; `usize::MAX` when it is too many to count.
pub(crate) fn effort(root: &Value, payload: &Value) -> usize {
    let mut count = Count {
        root,
        pairs: HashMap::new(),
    };
    count.visits(root, payload)
}

struct Count<'a> {
    root: &'a Value,
    pairs: HashMap<(*const Value, *const Value), usize>,
}

impl Count<'_> {
    fn visits(&mut self, schema: &Value, value: &Value) -> usize {
        let Value::Object(own) = schema else { return 1 };
        let pair = (std::ptr::from_ref(schema), std::ptr::from_ref(value));
        if let Some(known) = self.pairs.get(&pair) {
            return *known;
        }
        if self.pairs.len() >= PAIRS_MAX {
            return usize::MAX;
        }
        // A pair that meets itself would be an endless schema, which does not compile.
        self.pairs.insert(pair, 1);
        let mut total = 1_usize;
        for (_, subschema) in in_place(own) {
            total = total.saturating_add(self.visits(subschema, value));
        }
        let target = own
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(local_pointer);
        if let Some(target) = target.and_then(|pointer| self.root.pointer(&pointer)) {
            total = total.saturating_add(self.visits(target, value));
        }
        total = total.saturating_add(self.children(own, value));
        self.pairs.insert(pair, total);
        total
    }

    fn children(&mut self, schema: &Map<String, Value>, value: &Value) -> usize {
        let mut total = 0_usize;
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    for subschema in of_field(schema, name) {
                        total = total.saturating_add(self.visits(subschema, field));
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    for subschema in of_item(schema, index) {
                        total = total.saturating_add(self.visits(subschema, item));
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        total
    }
}

/// Every subschema that may apply to a field: patterns are taken to match.
fn of_field<'a>(schema: &'a Map<String, Value>, name: &str) -> Vec<&'a Value> {
    let named = schema.get("properties").and_then(|all| all.get(name));
    let patterns = schema.get("patternProperties").and_then(Value::as_object);
    let others = ["additionalProperties", "unevaluatedProperties"];
    let patterns = patterns.into_iter().flat_map(Map::values);
    named
        .into_iter()
        .chain(patterns)
        .chain(others.iter().filter_map(|k| schema.get(*k)))
        .collect()
}

/// Every subschema that may apply to an item.
fn of_item(schema: &Map<String, Value>, index: usize) -> Vec<&Value> {
    let lists = ["prefixItems", "items"]
        .into_iter()
        .filter_map(|keyword| schema.get(keyword));
    let ones = ["items", "additionalItems", "contains", "unevaluatedItems"];
    let ones = ones.into_iter().filter_map(|keyword| schema.get(keyword));
    lists
        .filter_map(|list| list.get(index))
        .chain(ones.filter(|one| one.is_object()))
        .collect()
}
