//! A value that is likely to fit several schemas at once. Whether it does is for validators to say.

use serde_json::{Map, Value, json};

/// Deepest value that is made.
const DEPTH_MAX: usize = 24;
/// Most parts that hold for one value.
const PARTS_MAX: usize = 200;

/// A schema with the document that its references are resolved in.
#[derive(Clone, Copy)]
struct Part<'a> {
    root: &'a Value,
    schema: &'a Value,
}

/// A value for all of `roots`; another `attempt` takes other alternatives.
pub(super) fn sample(roots: &[&Value], attempt: usize) -> Option<Value> {
    let parts: Vec<Part<'_>> = roots
        .iter()
        .map(|root| Part { root, schema: root })
        .collect();
    let mut chooser = Chooser { left: attempt };
    value(&parts, &mut chooser, 0)
}

/// Takes alternatives by the digits of a number.
struct Chooser {
    left: usize,
}

impl Chooser {
    fn choose<'v, T>(&mut self, from: &'v [T]) -> Option<&'v T> {
        let count = from.len().max(1);
        let chosen = from.get(self.left % count);
        self.left /= count;
        chosen
    }
}

/// Keywords of objects that hold for one value, with their documents.
type Facts<'a> = Vec<(&'a Value, &'a Map<String, Value>)>;

fn value(parts: &[Part<'_>], chooser: &mut Chooser, depth: usize) -> Option<Value> {
    if depth > DEPTH_MAX {
        return None;
    }
    let mut facts = Facts::new();
    for part in parts {
        flatten(*part, chooser, &mut facts, 0)?;
    }
    if let Some(constant) = facts.iter().find_map(|(_, schema)| schema.get("const")) {
        return Some(constant.clone());
    }
    let enums: Vec<&Vec<Value>> = facts
        .iter()
        .filter_map(|(_, schema)| schema.get("enum")?.as_array())
        .collect();
    if let Some((first, others)) = enums.split_first() {
        let shared: Vec<&Value> = first
            .iter()
            .filter(|value| others.iter().all(|other| other.contains(value)))
            .collect();
        return chooser.choose(&shared).map(|value| (*value).clone());
    }
    match type_of(&facts)? {
        "object" => object(&facts, chooser, depth),
        "array" => array(&facts, chooser, depth),
        "string" => Some(string(&facts, chooser)),
        "integer" | "number" => number(&facts),
        "boolean" => Some(Value::Bool(true)),
        _ => Some(Value::Null),
    }
}

/// All that a schema demands, one alternative of each choice taken; `None` when it refuses all.
fn flatten<'a>(
    part: Part<'a>,
    chooser: &mut Chooser,
    facts: &mut Facts<'a>,
    depth: usize,
) -> Option<()> {
    if depth > DEPTH_MAX || facts.len() > PARTS_MAX {
        return None;
    }
    let schema = match part.schema {
        Value::Bool(true) => return Some(()),
        Value::Object(schema) => schema,
        _ => return None,
    };
    let inner = |schema| Part {
        root: part.root,
        schema,
    };
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = part.root.pointer(reference.strip_prefix('#')?)?;
        return flatten(inner(target), chooser, facts, depth + 1);
    }
    facts.push((part.root, schema));
    for schema in schema
        .get("allOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        flatten(inner(schema), chooser, facts, depth + 1)?;
    }
    for keyword in ["oneOf", "anyOf"] {
        if let Some(list) = schema.get(keyword).and_then(Value::as_array) {
            let chosen = chooser.choose(list)?;
            flatten(inner(chosen), chooser, facts, depth + 1)?;
        }
    }
    Some(())
}

/// A type that all allow, or the one that their keywords are about.
fn type_of<'a>(facts: &Facts<'a>) -> Option<&'a str> {
    let mut allowed: Option<Vec<&'a str>> = None;
    for (_, schema) in facts {
        let named: Vec<&str> = match schema.get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => continue,
        };
        allowed = Some(match allowed {
            None => named,
            Some(before) => both(&before, &named),
        });
    }
    if let Some(allowed) = allowed {
        return allowed.first().copied();
    }
    let about = |keywords: &[&str]| {
        facts
            .iter()
            .any(|(_, schema)| keywords.iter().any(|keyword| schema.contains_key(*keyword)))
    };
    Some(if about(&["items", "minItems"]) {
        "array"
    } else if about(&["minLength", "pattern", "format"]) {
        "string"
    } else if about(&["minimum", "maximum", "multipleOf"]) {
        "integer"
    } else {
        "object"
    })
}

fn both<'a>(before: &[&'a str], named: &[&'a str]) -> Vec<&'a str> {
    let mut shared = Vec::new();
    for first in before {
        for second in named {
            match (*first, *second) {
                (a, b) if a == b => shared.push(a),
                ("integer", "number") | ("number", "integer") => shared.push("integer"),
                _ => {}
            }
        }
    }
    shared
}

fn object(facts: &Facts<'_>, chooser: &mut Chooser, depth: usize) -> Option<Value> {
    let mut names: Vec<&str> = Vec::new();
    for (_, schema) in facts {
        let required = schema.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let mut object = Map::new();
    for name in names {
        let mut parts = Vec::new();
        for (root, schema) in facts {
            let property = schema.get("properties").and_then(|known| known.get(name));
            let schema = property.or_else(|| {
                let patterns = schema.contains_key("patternProperties");
                schema.get("additionalProperties").filter(|_| !patterns)
            });
            parts.extend(schema.map(|schema| Part { root, schema }));
        }
        object.insert(name.to_owned(), value(&parts, chooser, depth + 1)?);
    }
    Some(Value::Object(object))
}

fn array(facts: &Facts<'_>, chooser: &mut Chooser, depth: usize) -> Option<Value> {
    let least = facts
        .iter()
        .filter_map(|(_, schema)| schema.get("minItems")?.as_u64())
        .max()
        .unwrap_or(0);
    if least > 16 {
        return None;
    }
    let mut items = Vec::new();
    for index in 0..least {
        let mut parts = Vec::new();
        for (root, schema) in facts {
            let position = usize::try_from(index).ok()?;
            let schema = match schema.get("items") {
                Some(Value::Array(list)) => {
                    list.get(position).or_else(|| schema.get("additionalItems"))
                }
                other => other,
            };
            parts.extend(schema.map(|schema| Part { root, schema }));
        }
        items.push(value(&parts, chooser, depth + 1)?);
    }
    Some(Value::Array(items))
}

fn string(facts: &Facts<'_>, chooser: &mut Chooser) -> Value {
    let text_of = |keyword: &str| {
        facts
            .iter()
            .find_map(|(_, schema)| schema.get(keyword)?.as_str())
    };
    if let Some(Value::String(example)) = facts
        .iter()
        .find_map(|(_, schema)| schema.get("examples")?.as_array()?.first())
    {
        return json!(example);
    }
    match text_of("format") {
        Some("date-time") => return json!("2024-01-01T00:00:00Z"),
        Some("date") => return json!("2024-01-01"),
        Some("time") => return json!("00:00:00Z"),
        Some("uuid") => return json!("00000000-0000-4000-8000-000000000000"),
        Some("email") => return json!("a@example.com"),
        Some("uri") => return json!("https://example.com/"),
        _ => {}
    }
    if text_of("pattern").is_some() {
        let tries = [
            "a", "A", "0", "abc", "ABC", "123", "A1", "a-1", "00000000", "1.0",
        ];
        return json!(chooser.choose(&tries));
    }
    let least = facts
        .iter()
        .filter_map(|(_, schema)| schema.get("minLength")?.as_u64())
        .max()
        .unwrap_or(1)
        .clamp(1, 1_000);
    json!("a".repeat(usize::try_from(least).unwrap_or(1)))
}

fn number(facts: &Facts<'_>) -> Option<Value> {
    let bound = |keyword: &str| {
        facts
            .iter()
            .filter_map(|(_, schema)| schema.get(keyword)?.as_f64())
            .collect::<Vec<f64>>()
    };
    let lower = bound("minimum")
        .into_iter()
        .chain(bound("exclusiveMinimum").into_iter().map(|n| n + 1.0));
    let least = lower.fold(f64::NEG_INFINITY, f64::max);
    let upper = bound("maximum")
        .into_iter()
        .chain(bound("exclusiveMaximum").into_iter().map(|n| n - 1.0));
    let most = upper.fold(f64::INFINITY, f64::min);
    let step = bound("multipleOf").into_iter().fold(0.0, f64::max);
    let mut value = if least.is_finite() {
        least.ceil()
    } else {
        most.min(0.0).floor()
    };
    if step > 0.0 {
        value = (value / step).ceil() * step;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
    let whole = value as i64;
    (value.is_finite()).then(|| {
        if value.fract() == 0.0 {
            json!(whole)
        } else {
            json!(value)
        }
    })
}
