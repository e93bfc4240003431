//! Events as values of CEL. Numbers are whole where the schema says `integer`, and else not: what a
//! rule makes of an event must not depend on whether somebody wrote `5` or `5.0`.

use std::collections::HashMap;
use std::sync::Arc;

use cel::Value as Cel;
use cel::objects::Key;
use serde_json::{Map, Number, Value};
use tidegate_schema::Types;

use crate::parties::shape::{Id, Others, Shape, UNKNOWN};

/// Deepest nesting that is followed; the parser of JSON has its own limit below it.
const DEPTH_MAX: usize = 256;

/// The value of an event.
pub(super) fn of(event: &Value, shape: &Shape) -> Cel {
    at(event, shape, shape.root(), 0)
}

fn at(value: &Value, shape: &Shape, id: Id, depth: usize) -> Cel {
    if depth > DEPTH_MAX {
        return Cel::Null;
    }
    let node = shape.node(id);
    match value {
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) => of_number(number, node.types),
        Value::String(text) => of_text(text, node.types),
        Value::Array(items) => {
            let of = node.items.unwrap_or(UNKNOWN);
            let items = items.iter().map(|item| at(item, shape, of, depth + 1));
            Cel::List(Arc::new(items.collect()))
        }
        Value::Object(fields) => {
            let mut map: HashMap<Key, Cel> = HashMap::with_capacity(fields.len());
            for (name, value) in fields {
                let of = match (node.fields.get(name), node.others) {
                    (Some(field), _) => field.node,
                    (None, Others::Like(id)) => id,
                    (None, _) => UNKNOWN,
                };
                map.insert(key(name), at(value, shape, of, depth + 1));
            }
            for (name, field) in &node.fields {
                let default = shape.node(field.node).default.as_ref();
                if let Some(default) = default.filter(|_| !fields.contains_key(name)) {
                    map.insert(key(name), at(default, shape, field.node, depth + 1));
                }
            }
            Cel::from(map)
        }
    }
}

/// The attributes of an envelope: texts.
pub(super) fn of_attributes(attributes: &Map<String, Value>) -> Cel {
    let attributes = attributes.iter().map(|(name, value)| {
        let value = match value {
            Value::String(text) => Cel::from(text.as_str()),
            Value::Bool(flag) => Cel::Bool(*flag),
            Value::Number(number) => of_number(number, Types::INTEGER),
            _ => Cel::Null,
        };
        (key(name), value)
    });
    Cel::from(attributes.collect::<HashMap<Key, Cel>>())
}

fn key(name: &str) -> Key {
    Key::String(Arc::new(name.to_owned()))
}

fn of_number(number: &Number, types: Types) -> Cel {
    let float = number.as_f64().unwrap_or(f64::NAN);
    if !types.and(Types::FRACTION).is_none() {
        return Cel::Float(float);
    }
    match (number.as_i64(), number.as_u64()) {
        (Some(number), _) => Cel::Int(number),
        (None, Some(number)) => Cel::UInt(number),
        // `5.0` is a whole number too.
        _ => whole(float).map_or(Cel::Float(float), Cel::Int),
    }
}

/// A whole number that a float has exactly.
fn whole(float: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let is_whole = float.fract() == 0.0 && float.abs() <= EXACT;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is whole and within 53 bits"
    )]
    is_whole.then_some(float as i64)
}

/// Numbers of 64 bits are texts in the JSON of Protobuf.
fn of_text(text: &str, types: Types) -> Cel {
    let is_number = !types.is_none() && types.is_within(Types::INTEGER.or(Types::NULL));
    if is_number && let Ok(number) = text.parse::<i64>() {
        return Cel::Int(number);
    }
    if is_number && let Ok(number) = text.parse::<u64>() {
        return Cel::UInt(number);
    }
    Cel::from(text)
}

/// The length of the longest collection, and of the longest text in bytes.
pub(super) fn sizes(event: &Value) -> (u64, u64) {
    let mut found = (0, 0);
    let mut waiting = vec![event];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Array(items) => {
                found.0 = found.0.max(items.len() as u64);
                waiting.extend(items);
            }
            Value::Object(fields) => {
                found.0 = found.0.max(fields.len() as u64);
                waiting.extend(fields.values());
            }
            Value::String(text) => found.1 = found.1.max(text.len() as u64),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    found
}
