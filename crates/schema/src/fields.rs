//! What a JSON Schema says about one field, followed one honest way: local `$ref`, `allOf`,
//! `anyOf`, `oneOf`, `if`, `properties`, `items`; everything else is *unknown*.

use serde_json::{Map, Value};

use crate::keyword::{local_pointer, unescape};

/// Deepest chain of references and subschemas followed; beyond it the answer is unknown.
const CHAIN_MAX: usize = 64;
/// Most subschemas looked at for one answer; beyond it the answer is unknown.
const LOOKS_MAX: usize = 10_000;

/// What a schema says about a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declared {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It cannot be told from the schema alone.
    Unknown,
}

impl Declared {
    /// Of several that hold together: one yes is enough.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::No, Self::No) => Self::No,
            _ => Self::Unknown,
        }
    }

    /// Of two that are both needed.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unknown,
        }
    }

    /// Of alternatives: all must agree.
    fn agree(answers: impl IntoIterator<Item = Self>) -> Self {
        let mut answers = answers.into_iter();
        let first = answers.next().unwrap_or(Self::No);
        if answers.all(|answer| answer == first) {
            first
        } else {
            Self::Unknown
        }
    }
}

pub(crate) fn declares(root: &Value, field: &str) -> Declared {
    Ask::new(root).declares(root, &segments(field), 0)
}

pub(crate) fn requires(root: &Value, field: &str) -> Declared {
    Ask::new(root).requires(root, &segments(field), 0)
}

pub(crate) fn required(root: &Value) -> Vec<String> {
    let mut names = Vec::new();
    Ask::new(root).each(root, 0, &mut |schema| {
        let listed = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        names.extend(listed.filter_map(Value::as_str).map(str::to_owned));
    });
    once(names)
}

pub(crate) fn declared(root: &Value) -> Vec<String> {
    let mut names = Vec::new();
    Ask::new(root).each(root, 0, &mut |schema| {
        let properties = schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        names.extend(properties.map(|(name, _)| name.clone()));
    });
    once(names)
}

fn once(names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    names
        .into_iter()
        .filter(|name| seen.insert(name.clone()))
        .collect()
}

/// `/a/b` is a pointer; anything else is one top-level name.
fn segments(field: &str) -> Vec<String> {
    match field.strip_prefix('/') {
        Some(pointer) => pointer.split('/').map(unescape).collect(),
        None => vec![field.to_owned()],
    }
}

/// One question to one schema.
struct Ask<'a> {
    root: &'a Value,
    looks: usize,
}

impl<'a> Ask<'a> {
    fn new(root: &'a Value) -> Self {
        Self { root, looks: 0 }
    }

    fn declares(&mut self, schema: &Value, path: &[String], depth: usize) -> Declared {
        let Some((head, rest)) = path.split_first() else {
            return Declared::Yes;
        };
        self.fold(schema, depth, &mut |ask, own| match child(own, head) {
            Child::Schema(child) => ask.declares(child, rest, depth + 1),
            Child::Absent => Declared::No,
            Child::Untold => Declared::Unknown,
        })
    }

    fn requires(&mut self, schema: &Value, path: &[String], depth: usize) -> Declared {
        let Some((head, rest)) = path.split_first() else {
            return Declared::Yes;
        };
        let here = self.fold(schema, depth, &mut |_, own| lists(own, head));
        if rest.is_empty() || here == Declared::No {
            return here;
        }
        let below = self.fold(schema, depth, &mut |ask, own| match child(own, head) {
            Child::Schema(child) => ask
                .requires(child, rest, depth + 1)
                .and(holds_object(child)),
            Child::Absent => Declared::No,
            Child::Untold => Declared::Unknown,
        });
        here.and(below)
    }

    /// `leaf` asked of `schema` and of all that applies to the same value, put together.
    fn fold(
        &mut self,
        schema: &Value,
        depth: usize,
        leaf: &mut dyn FnMut(&mut Self, &Map<String, Value>) -> Declared,
    ) -> Declared {
        self.looks += 1;
        let Value::Object(own) = schema else {
            return Declared::No;
        };
        if depth > CHAIN_MAX || self.looks > LOOKS_MAX {
            return Declared::Unknown;
        }
        let mut answer = leaf(self, own);
        if let Some(reference) = own.get("$ref").and_then(Value::as_str) {
            answer = answer.or(match self.target(reference) {
                Some(target) => self.fold(target, depth + 1, leaf),
                None => Declared::Unknown,
            });
        }
        if own.contains_key("$dynamicRef") || own.contains_key("$recursiveRef") {
            answer = answer.or(Declared::Unknown);
        }
        for part in list(own, "allOf") {
            answer = answer.or(self.fold(part, depth + 1, leaf));
        }
        for keyword in ["anyOf", "oneOf"] {
            let parts = list(own, keyword);
            let answers: Vec<_> = parts
                .iter()
                .map(|s| self.fold(s, depth + 1, leaf))
                .collect();
            answer = answer.or(Declared::agree(answers));
        }
        if own.contains_key("if") {
            let absent = Value::Bool(true);
            let branch = |name: &str| own.get(name).unwrap_or(&absent);
            let then = self.fold(branch("then"), depth + 1, leaf);
            let otherwise = self.fold(branch("else"), depth + 1, leaf);
            answer = answer.or(Declared::agree([then, otherwise]));
        }
        answer
    }

    /// `visit` called with `schema` and all that surely applies to the same value.
    fn each(&mut self, schema: &Value, depth: usize, visit: &mut dyn FnMut(&Map<String, Value>)) {
        self.looks += 1;
        let Value::Object(own) = schema else { return };
        if depth > CHAIN_MAX || self.looks > LOOKS_MAX {
            return;
        }
        visit(own);
        let reference = own.get("$ref").and_then(Value::as_str);
        if let Some(target) = reference.and_then(|text| self.target(text)) {
            self.each(target, depth + 1, visit);
        }
        for part in list(own, "allOf") {
            self.each(part, depth + 1, visit);
        }
    }

    fn target(&self, reference: &str) -> Option<&'a Value> {
        self.root.pointer(&local_pointer(reference)?)
    }
}

fn list<'a>(schema: &'a Map<String, Value>, keyword: &str) -> &'a [Value] {
    schema
        .get(keyword)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// What one subschema says about the value below a name or an index.
enum Child<'a> {
    Schema(&'a Value),
    Absent,
    Untold,
}

fn child<'a>(schema: &'a Map<String, Value>, name: &str) -> Child<'a> {
    if let Some(found) = schema.get("properties").and_then(|all| all.get(name)) {
        return Child::Schema(found);
    }
    if let Ok(index) = name.parse::<usize>()
        && let Some(item) = item(schema, index)
    {
        return Child::Schema(item);
    }
    // A pattern, a map of a declared type or a fixed value may cover the name.
    let covers = ["patternProperties", "const", "enum"]
        .iter()
        .any(|k| schema.contains_key(*k))
        || schema
            .get("additionalProperties")
            .is_some_and(Value::is_object);
    if covers { Child::Untold } else { Child::Absent }
}

fn item(schema: &Map<String, Value>, index: usize) -> Option<&Value> {
    let first = schema.get("prefixItems").or_else(|| schema.get("items"))?;
    match first {
        Value::Array(list) => list.get(index).or_else(|| schema.get("items")),
        other => Some(other),
    }
}

/// Whether one subschema makes a name required.
fn lists(schema: &Map<String, Value>, name: &str) -> Declared {
    let named = |list: &Value| {
        list.as_array()
            .is_some_and(|list| list.iter().any(|item| item.as_str() == Some(name)))
    };
    if schema.get("required").is_some_and(named) {
        return Declared::Yes;
    }
    // Required only together with another name, by a count, or by a fixed value.
    let dependent = ["dependentRequired", "dependencies"].iter().any(|keyword| {
        schema
            .get(*keyword)
            .and_then(Value::as_object)
            .is_some_and(|map| map.values().any(named))
    });
    let otherwise = ["const", "enum", "minItems", "dependentSchemas"];
    if dependent
        || otherwise
            .iter()
            .any(|keyword| schema.contains_key(*keyword))
    {
        return Declared::Unknown;
    }
    Declared::No
}

/// Whether a value of the schema is surely an object or array: a name below `null` is not required.
fn holds_object(schema: &Value) -> Declared {
    match schema.get("type") {
        None => Declared::Yes,
        Some(Value::String(kind)) if kind == "object" || kind == "array" => Declared::Yes,
        Some(Value::Array(kinds)) if kinds.iter().all(|kind| kind == "object") => Declared::Yes,
        Some(Value::Array(kinds)) if kinds.iter().any(|kind| kind == "object") => Declared::Unknown,
        Some(_) => Declared::No,
    }
}
