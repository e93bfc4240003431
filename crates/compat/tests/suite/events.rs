//! Events that may fit a schema: made from what stands in it, not by what proves or searches.

use serde_json::{Map, Value};

/// A small generator of numbers.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most.max(1)
    }
}

/// Events for two schemas.
pub(crate) fn all(schemas: [&Value; 2], seed: u64) -> Vec<Value> {
    let mut chance = Chance(seed);
    let mut constants = Vec::new();
    for schema in schemas {
        constants_of(schema, &mut constants);
    }
    let mut events: Vec<Value> = constants.clone();
    for number in constants.iter().filter_map(Value::as_u64).take(8) {
        events.push(number.saturating_add(1).into());
        events.push(number.saturating_sub(1).into());
    }
    for n in -4..8 {
        events.push(n.into());
        events.push((f64::from(n) + 0.5).into());
        events.push(f64::from(n).into());
    }
    events.extend(
        [
            "",
            "a",
            "b",
            "c",
            "ab",
            "aa",
            "aaaa",
            "x1",
            "1",
            "é",
            "zz",
            "😀",
            "é😀",
            "2026-01-01",
        ]
        .map(Value::from),
    );
    events.extend([Value::Null, true.into(), false.into()]);
    let scalars = events.clone();
    for _ in 0..150 {
        let schema = schemas[chance.below(2)];
        events.push(fitted(schema, schema, &scalars, &mut chance, 0));
        events.push(free(&scalars, &mut chance, 0));
    }
    events
}

fn constants_of(schema: &Value, found: &mut Vec<Value>) {
    match schema {
        Value::Object(object) => {
            for (name, value) in object {
                match (name.as_str(), value) {
                    ("const", value) => found.push(value.clone()),
                    ("enum", Value::Array(all)) => found.extend(all.iter().cloned()),
                    (_, Value::Number(_)) => found.push(value.clone()),
                    _ => constants_of(value, found),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|one| constants_of(one, found)),
        _ => {}
    }
}

fn one_of(scalars: &[Value], chance: &mut Chance) -> Value {
    scalars[chance.below(scalars.len())].clone()
}

fn free(scalars: &[Value], chance: &mut Chance, depth: usize) -> Value {
    match chance.below(if depth > 2 { 1 } else { 3 }) {
        0 => one_of(scalars, chance),
        1 => (0..chance.below(4))
            .map(|_| free(scalars, chance, depth + 1))
            .collect(),
        _ => {
            let names = ["a", "b", "c", "ab", "x1", "z"];
            let fields = (0..chance.below(4)).map(|_| {
                (
                    names[chance.below(6)].to_owned(),
                    free(scalars, chance, depth + 1),
                )
            });
            fields.collect::<Map<_, _>>().into()
        }
    }
}

/// A value that goes by some of the keywords of a schema.
fn fitted(
    schema: &Value,
    root: &Value,
    scalars: &[Value],
    chance: &mut Chance,
    depth: usize,
) -> Value {
    let Value::Object(object) = schema else {
        return free(scalars, chance, depth);
    };
    if depth > 5 || chance.below(8) == 0 {
        return free(scalars, chance, depth);
    }
    if let Some(to) = object.get("$ref").and(root.pointer("/$defs/d"))
        && chance.below(2) == 0
    {
        return fitted(to, root, scalars, chance, depth + 1);
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        if let Some(Value::Array(branches)) = object.get(keyword)
            && chance.below(2) == 0
            && !branches.is_empty()
        {
            let branch = &branches[chance.below(branches.len())];
            return fitted(branch, root, scalars, chance, depth + 1);
        }
    }
    if let Some(Value::Array(values)) = object.get("enum")
        && chance.below(4) > 0
        && !values.is_empty()
    {
        return values[chance.below(values.len())].clone();
    }
    let is_array = ["items", "prefixItems", "contains", "minItems"]
        .iter()
        .any(|k| object.contains_key(*k))
        || object.get("type") == Some(&"array".into());
    let is_object = [
        "properties",
        "required",
        "patternProperties",
        "additionalProperties",
    ]
    .iter()
    .any(|k| object.contains_key(*k))
        || object.get("type") == Some(&"object".into());
    match (is_object, is_array) {
        (true, both) if !both || chance.below(2) == 0 => {
            fields(object, root, scalars, chance, depth)
        }
        (_, true) => items(object, root, scalars, chance, depth),
        _ => free(scalars, chance, depth),
    }
}

fn fields(
    object: &Map<String, Value>,
    root: &Value,
    scalars: &[Value],
    chance: &mut Chance,
    depth: usize,
) -> Value {
    let mut made = Map::new();
    for name in ["a", "b", "c", "ab", "x1", "z"] {
        let required = object.get("required").and_then(Value::as_array);
        let is_required = required.is_some_and(|names| names.contains(&name.into()));
        let named = object.get("properties").and_then(|all| all.get(name));
        if is_required && chance.below(10) > 0
            || chance.below(if named.is_some() { 2 } else { 4 }) == 0
        {
            let schema = named
                .or(object.get("additionalProperties"))
                .unwrap_or(&Value::Bool(true));
            made.insert(
                name.to_owned(),
                fitted(schema, root, scalars, chance, depth + 1),
            );
        }
    }
    made.into()
}

fn items(
    object: &Map<String, Value>,
    root: &Value,
    scalars: &[Value],
    chance: &mut Chance,
    depth: usize,
) -> Value {
    let first = object.get("prefixItems").and_then(Value::as_array);
    let rest = object.get("items").or(object.get("contains"));
    let made = (0..chance.below(5)).map(|index| {
        let schema = first
            .and_then(|all| all.get(index))
            .or(rest)
            .unwrap_or(&Value::Bool(true));
        fitted(schema, root, scalars, chance, depth + 1)
    });
    made.collect()
}
