//! A JSON Schema's fields.

use serde_json::{Map, Value};

use super::{DEPTH_MAX, LISTED_MAX, Listed, below, some_of};
use crate::keyword::local_pointer;

/// Keywords that are shown with their value.
const SHOWN: [&str; 19] = [
    "const",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "exclusiveMinimum",
    "maximum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "minContains",
    "maxContains",
    "minProperties",
    "maxProperties",
    "contentEncoding",
    "contentMediaType",
    "default",
];
/// Keywords of which it is shown that they are there.
const NAMED: [&str; 10] = [
    "not",
    "if",
    "contains",
    "propertyNames",
    "dependentSchemas",
    "dependentRequired",
    "dependencies",
    "unevaluatedProperties",
    "unevaluatedItems",
    "$dynamicRef",
];

pub(super) fn list(root: &Value) -> Vec<Listed> {
    let mut walk = Walk {
        root,
        open: Vec::new(),
        listed: Vec::new(),
    };
    walk.field(String::new(), root, true);
    walk.listed
}

struct Walk<'a> {
    root: &'a Value,
    /// The schemas that are gone into, from the outside in.
    open: Vec<*const Value>,
    listed: Vec<Listed>,
}

/// What is said of one value by a schema and by all that it refers to in place.
#[derive(Default)]
struct Said<'a> {
    schemas: Vec<&'a Map<String, Value>>,
    /// Referred to, and not at hand.
    elsewhere: Vec<&'a str>,
    is_refused: bool,
}

impl<'a> Walk<'a> {
    fn said(&self, schema: &'a Value) -> Said<'a> {
        let mut said = Said::default();
        let mut waiting = vec![schema];
        let mut seen: Vec<*const Value> = Vec::new();
        while let Some(schema) = waiting.pop() {
            if seen.contains(&std::ptr::from_ref(schema)) || seen.len() > LISTED_MAX {
                continue;
            }
            seen.push(schema);
            let Value::Object(object) = schema else {
                said.is_refused |= schema == &Value::Bool(false);
                continue;
            };
            said.schemas.push(object);
            if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
                let target = local_pointer(reference).and_then(|at| self.root.pointer(&at));
                match target {
                    Some(target) => waiting.push(target),
                    None => said.elsewhere.push(reference),
                }
            }
            let parts = object.get("allOf").and_then(Value::as_array);
            waiting.extend(parts.into_iter().flatten().rev());
        }
        said
    }

    fn field(&mut self, path: String, schema: &'a Value, required: bool) {
        if self.listed.len() >= LISTED_MAX {
            return;
        }
        let said = self.said(schema);
        let identity = std::ptr::from_ref(schema);
        // What is referred to is itself wherever it is referred from.
        let reference = schema.get("$ref").and_then(Value::as_str);
        let target = reference
            .and_then(local_pointer)
            .and_then(|at| self.root.pointer(&at));
        let identity = target.map_or(identity, std::ptr::from_ref);
        let is_again = self.open.contains(&identity) || self.open.len() >= DEPTH_MAX;
        let mut constraints = constraints(&said);
        if is_again {
            constraints.push("as above, again".to_owned());
        }
        self.listed.push(Listed {
            path: path.clone(),
            kind: kind(&said),
            required,
            constraints,
        });
        if is_again {
            return;
        }
        self.open.push(identity);
        self.inside(&path, &said);
        self.open.pop();
    }

    fn inside(&mut self, path: &str, said: &Said<'a>) {
        let required: Vec<&str> = said
            .schemas
            .iter()
            .filter_map(|object| object.get("required")?.as_array())
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut named = Vec::new();
        for object in &said.schemas {
            for (name, field) in map(object, "properties") {
                named.push(name.as_str());
                self.field(below(path, name), field, required.contains(&name.as_str()));
            }
            for (pattern, field) in map(object, "patternProperties") {
                self.field(below(path, &format!("/{pattern}/")), field, false);
            }
            if let Some(other) = object
                .get("additionalProperties")
                .filter(|one| one.is_object())
            {
                self.field(below(path, "*"), other, false);
            }
            self.items(path, object);
            for keyword in ["oneOf", "anyOf"] {
                let branches = object.get(keyword).and_then(Value::as_array);
                for (index, branch) in branches.into_iter().flatten().enumerate() {
                    let name = format!("[{keyword} {}]", index + 1);
                    self.field(format!("{path}{name}"), branch, false);
                }
            }
        }
        // Required, and nothing said of it.
        for name in required {
            if !named.contains(&name) && self.listed.len() < LISTED_MAX {
                named.push(name);
                self.listed.push(Listed {
                    path: below(path, name),
                    kind: "any".to_owned(),
                    required: true,
                    constraints: Vec::new(),
                });
            }
        }
    }

    fn items(&mut self, path: &str, object: &'a Map<String, Value>) {
        let first = object
            .get("prefixItems")
            .or_else(|| object.get("items"))
            .and_then(Value::as_array);
        for (index, item) in first.into_iter().flatten().enumerate() {
            self.field(below(path, &format!("[{index}]")), item, false);
        }
        let rest = ["items", "additionalItems"];
        let rest = rest.into_iter().filter_map(|keyword| object.get(keyword));
        for item in rest.filter(|item| item.is_object()) {
            self.field(below(path, "[]"), item, false);
        }
    }
}

fn map<'a>(
    object: &'a Map<String, Value>,
    keyword: &str,
) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
    let map = object.get(keyword).and_then(Value::as_object);
    map.into_iter().flatten()
}

fn kind(said: &Said<'_>) -> String {
    if said.is_refused {
        return "never".to_owned();
    }
    let named = said.schemas.iter().find_map(|object| object.get("type"));
    match named {
        Some(Value::String(name)) => return name.clone(),
        Some(Value::Array(names)) => {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            return names.join(" | ");
        }
        _ => {}
    }
    let has = |keywords: &[&str]| {
        let mut schemas = said.schemas.iter();
        schemas.any(|object| keywords.iter().any(|keyword| object.contains_key(*keyword)))
    };
    let kind = if has(&["enum", "const"]) {
        "value"
    } else if has(&[
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
    ]) {
        "any, or an object"
    } else if has(&["items", "prefixItems"]) {
        "any, or an array"
    } else if has(&["oneOf", "anyOf"]) {
        "one of several"
    } else {
        "any"
    };
    kind.to_owned()
}

fn constraints(said: &Said<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for object in &said.schemas {
        if let Some(Value::Array(values)) = object.get("enum") {
            let values = values.iter().map(Value::to_string);
            found.push(format!("one of {}", some_of(values)));
        }
        for keyword in SHOWN {
            if let Some(value) = object.get(keyword) {
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                found.push(format!("{keyword} {text}"));
            }
        }
        if object.get("additionalProperties") == Some(&Value::Bool(false)) {
            found.push("no other fields".to_owned());
        }
        if object.get("uniqueItems") == Some(&Value::Bool(true)) {
            found.push("unique items".to_owned());
        }
        let named = NAMED
            .into_iter()
            .filter(|keyword| object.contains_key(*keyword));
        found.extend(named.map(str::to_owned));
        if object.get("deprecated") == Some(&Value::Bool(true)) {
            found.push("deprecated".to_owned());
        }
    }
    let elsewhere = said.elsewhere.iter();
    found.extend(elsewhere.map(|reference| format!("as {reference} says")));
    found
}
