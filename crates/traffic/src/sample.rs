//! Payloads made from an event's JSON Schema: what synthetic traffic carries.
//!
//! Every payload is validated before it is used, so a schema that this cannot satisfy is said at the
//! start and not found out by a refused event.

use serde_json::{Map, Value, json};
use thiserror::Error;
use tidegate_base::{Name, Random};
use tidegate_model::design::{Event, SchemaFormat};
use tidegate_schema::Compiled;

/// Deepest nesting of a payload.
const DEPTH_MAX: usize = 16;
/// Payloads that are tried before a schema counts as too hard.
const TRIALS: u64 = 16;

/// Makes payloads of one event.
#[derive(Debug)]
pub struct Sampler {
    schema: Value,
    key: Option<String>,
    random: Random,
}

/// Why no payload can be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SampleError {
    /// The schema is not JSON Schema.
    #[error(
        "event `{event}` has no JSON Schema to make payloads from; play recorded traffic, or publish your own"
    )]
    Format {
        /// The event.
        event: Name,
    },
    /// The schema is not readable.
    #[error("the schema of event `{event}` cannot be used: {reason}")]
    Schema {
        /// The event.
        event: Name,
        /// The cause.
        reason: String,
    },
    /// No payload that was tried fits.
    #[error(
        "no payload was found that fits the schema of event `{event}` ({reason}); add `examples` to the schema"
    )]
    NoFit {
        /// The event.
        event: Name,
        /// Where the last one does not fit.
        reason: String,
    },
}

impl Sampler {
    /// A sampler for `event`; an event without schema has payloads with an `id` only.
    ///
    /// # Errors
    ///
    /// [`SampleError`] when no payload can be made that fits.
    pub fn new(name: &Name, event: &Event, seed: u64) -> Result<Self, SampleError> {
        let key = event.key.as_ref().map(|key| key.value.clone());
        let random = Random::new(seed, "payload", name.as_str());
        let text = match &event.schema {
            None => {
                return Ok(Self {
                    schema: json!({}),
                    key,
                    random,
                });
            }
            Some(schema) if schema.format == SchemaFormat::JsonSchema => schema.text.as_deref(),
            Some(_) => {
                return Err(SampleError::Format {
                    event: name.clone(),
                });
            }
        };
        let unusable = |reason: String| SampleError::Schema {
            event: name.clone(),
            reason,
        };
        let text = text.ok_or_else(|| unusable("it was not read".to_owned()))?;
        let schema = serde_json::from_str(text).map_err(|error| unusable(error.to_string()))?;
        let compiled = Compiled::json_schema(text).map_err(|error| unusable(error.to_string()))?;
        let sampler = Self {
            schema,
            key,
            random,
        };
        for trial in 0..TRIALS {
            let payload = sampler.payload(trial, &format!("k{trial}"));
            if let Some(violation) = compiled.validate(&payload).first() {
                let reason = format!("{}: {}", violation.path, violation.message);
                return Err(SampleError::NoFit {
                    event: name.clone(),
                    reason,
                });
            }
        }
        Ok(sampler)
    }

    /// The payload number `index`, with `key` where the design says the key is.
    #[must_use]
    pub fn payload(&self, index: u64, key: &str) -> Value {
        let mut draw = Draw {
            random: self.random,
            next: index.wrapping_mul(1 << 16),
        };
        let mut value = make(&self.schema, &self.schema, &mut draw, DEPTH_MAX);
        if value.is_null() {
            value = json!({ "id": key });
        }
        if let Some(pointer) = &self.key {
            set(&mut value, pointer, key);
        }
        value
    }
}

/// The next numbers of one payload.
struct Draw {
    random: Random,
    next: u64,
}

impl Draw {
    /// A whole number below `bound`; 0 when the bound is 0.
    fn below(&mut self, bound: usize) -> usize {
        let bits = self.random.bits(self.next);
        self.next = self.next.wrapping_add(1);
        usize::try_from(bits >> 1)
            .unwrap_or_default()
            .checked_rem(bound)
            .unwrap_or_default()
    }

    fn unit(&mut self) -> f64 {
        self.next = self.next.wrapping_add(1);
        self.random.uniform(self.next)
    }
}

/// Puts the key where the pointer says, keeping the type of a number that is there already.
fn set(value: &mut Value, pointer: &str, key: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else {
        return;
    };
    let Some(Value::Object(object)) = value.pointer_mut(parent) else {
        return;
    };
    let name = last.replace("~1", "/").replace("~0", "~");
    let number = object.get(&name).is_some_and(Value::is_number);
    let key = if number {
        Value::from(stable_number(key))
    } else {
        Value::from(key)
    };
    object.insert(name, key);
}

/// The same key gives the same number.
fn stable_number(key: &str) -> u32 {
    key.bytes().fold(0_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(byte))
    }) >> 1
}

fn make(schema: &Value, root: &Value, draw: &mut Draw, depth: usize) -> Value {
    let Some(object) = schema.as_object() else {
        return Value::Null;
    };
    if depth == 0 {
        return Value::Null;
    }
    if let Some(target) = object.get("$ref").and_then(Value::as_str) {
        let target = target
            .strip_prefix('#')
            .and_then(|pointer| root.pointer(pointer));
        return target.map_or(Value::Null, |target| make(target, root, draw, depth - 1));
    }
    if let Some(value) = object.get("const") {
        return value.clone();
    }
    for list in ["enum", "examples"] {
        if let Some(values) = object.get(list).and_then(Value::as_array)
            && let Some(value) = values.get(draw.below(values.len()))
        {
            return value.clone();
        }
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(branch) = object.get(choice).and_then(|branches| branches.get(0)) {
            return make(branch, root, draw, depth - 1);
        }
    }
    if let Some(parts) = object.get("allOf").and_then(Value::as_array) {
        let own = of_type(object, root, draw, depth);
        let parts = parts.iter().map(|part| make(part, root, draw, depth - 1));
        return merge(parts.chain([own]));
    }
    of_type(object, root, draw, depth)
}

/// Objects joined field by field; of other values, the first.
fn merge(values: impl Iterator<Item = Value>) -> Value {
    let mut merged = Map::new();
    for value in values {
        match value {
            Value::Object(object) => merged.extend(object),
            Value::Null => {}
            other => return other,
        }
    }
    Value::Object(merged)
}

fn of_type(object: &Map<String, Value>, root: &Value, draw: &mut Draw, depth: usize) -> Value {
    let named = match object.get("type") {
        Some(Value::Array(types)) => types.first().and_then(Value::as_str),
        Some(name) => name.as_str(),
        None => None,
    };
    let implied = if object.contains_key("properties") {
        "object"
    } else {
        ""
    };
    match named.unwrap_or(implied) {
        "object" => properties(object, root, draw, depth),
        "array" => items(object, root, draw, depth),
        "string" => Value::from(text(object, draw)),
        "integer" => number(object, draw, Whole::Yes),
        "number" => number(object, draw, Whole::No),
        "boolean" => Value::from(draw.below(2) == 0),
        _ => Value::Null,
    }
}

fn properties(object: &Map<String, Value>, root: &Value, draw: &mut Draw, depth: usize) -> Value {
    let declared = object.get("properties").and_then(Value::as_object);
    let required: Vec<&str> = object
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let mut made = Map::new();
    for (name, schema) in declared.into_iter().flatten() {
        if required.contains(&name.as_str()) || draw.below(5) > 0 {
            made.insert(name.clone(), make(schema, root, draw, depth - 1));
        }
    }
    Value::Object(made)
}

fn items(object: &Map<String, Value>, root: &Value, draw: &mut Draw, depth: usize) -> Value {
    let bound = |name| {
        object
            .get(name)
            .and_then(Value::as_u64)
            .and_then(|n| usize::try_from(n).ok())
    };
    let least = bound("minItems").unwrap_or(1).min(64);
    let most = bound("maxItems").unwrap_or(least + 2).min(least + 2);
    let count = least + draw.below(most.saturating_sub(least) + 1);
    let schema = object
        .get("items")
        .cloned()
        .unwrap_or_else(|| json!({ "type": "string" }));
    Value::Array(
        (0..count)
            .map(|_| make(&schema, root, draw, depth - 1))
            .collect(),
    )
}

fn text(object: &Map<String, Value>, draw: &mut Draw) -> String {
    let number = draw.below(1_000_000_000);
    let other = draw.below(1_000_000_000_000);
    match object
        .get("format")
        .and_then(Value::as_str)
        .unwrap_or_default()
    {
        "uuid" => return format!("{number:08x}-0000-4000-8000-{other:012x}"),
        "date-time" => return format!("2026-01-{:02}T12:00:00Z", 1 + number % 28),
        "date" => return format!("2026-01-{:02}", 1 + number % 28),
        "time" => return "12:00:00Z".to_owned(),
        "email" => return format!("user{}@example.com", number % 10_000),
        "uri" | "uri-reference" => return format!("https://example.com/{number}"),
        "ipv4" => return format!("192.0.2.{}", number % 255),
        "hostname" => return "example.com".to_owned(),
        _ => {}
    }
    let bound = |name| {
        object
            .get(name)
            .and_then(Value::as_u64)
            .and_then(|n| usize::try_from(n).ok())
    };
    let (least, most) = (
        bound("minLength").unwrap_or(0),
        bound("maxLength").unwrap_or(usize::MAX),
    );
    let mut text = format!("t{number:x}");
    while text.len() < least.min(4_096) {
        text.push('x');
    }
    text.truncate(most);
    text
}

/// Whether a number has to be whole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}

fn number(object: &Map<String, Value>, draw: &mut Draw, whole: Whole) -> Value {
    let bound = |name| object.get(name).and_then(Value::as_f64);
    let step = bound("multipleOf").unwrap_or(if whole == Whole::Yes { 1.0 } else { 0.01 });
    let low = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|low| low + step));
    let high = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|high| high - step));
    let (low, high) = match (low, high) {
        (Some(low), Some(high)) => (low, high.max(low)),
        (Some(low), None) => (low, low + 1_000.0),
        (None, Some(high)) => (high - 1_000.0, high),
        (None, None) => (1.0, 1_000.0),
    };
    let value = low + draw.unit() * (high - low);
    let stepped = ((value / step).floor() * step).max((low / step).ceil() * step);
    if whole == Whole::Yes {
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
        return Value::from(stepped.round() as i64);
    }
    // Two decimals print as two decimals: 12.34, not 12.340000000000002.
    let rounded = if bound("multipleOf").is_none() {
        (stepped * 100.0).round() / 100.0
    } else {
        stepped
    };
    Value::from(rounded.clamp(low, high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(schema: &Value, index: u64) -> Value {
        let random = Random::new(7, "payload", "test");
        Sampler {
            schema: schema.clone(),
            key: None,
            random,
        }
        .payload(index, "k")
    }

    const ORDER: &str = r##"{
        "type": "object",
        "required": ["orderId", "total", "lines", "placedAt"],
        "properties": {
            "orderId": {"type": "string", "minLength": 4, "maxLength": 8},
            "total": {"type": "number", "minimum": 0.01, "maximum": 500},
            "currency": {"enum": ["EUR", "USD"]},
            "placedAt": {"type": "string", "format": "date-time"},
            "lines": {"type": "array", "minItems": 1, "maxItems": 4, "items": {"$ref": "#/$defs/line"}}
        },
        "additionalProperties": false,
        "$defs": {"line": {
            "type": "object", "required": ["sku", "count"],
            "properties": {
                "sku": {"type": "string", "examples": ["OLJCESPC7Z"]},
                "count": {"type": "integer", "exclusiveMinimum": 0, "multipleOf": 2}}
        }}
    }"##;

    proptest! {
        #[test]
        fn every_sample_of_an_order_fits(index in any::<u64>()) {
            let schema: Value = serde_json::from_str(ORDER).unwrap();
            let compiled = Compiled::json_schema(ORDER).unwrap();
            let payload = sample(&schema, index);
            prop_assert!(compiled.validate(&payload).is_empty(), "{payload}");
        }
    }

    #[test]
    fn a_recursive_schema_ends() {
        let schema =
            json!({"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}}});
        assert!(sample(&schema, 1).is_object());
    }

    #[test]
    fn the_key_goes_where_the_design_says() {
        let mut value = json!({"order": {"id": "x", "n": 5}});
        set(&mut value, "/order/id", "k7");
        set(&mut value, "/order/n", "k7");
        assert_eq!(value["order"]["id"], "k7");
        assert!(value["order"]["n"].is_u64());
    }
}
