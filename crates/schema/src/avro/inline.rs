//! A schema that uses types of other schemas, as one that stands alone.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::parse::is_primitive;
use crate::error::SchemaError;
use crate::refusal;
use crate::violation::short;

/// Deepest nesting of a schema that is walked.
const DEPTH_MAX: usize = 128;

/// `text` with each named type that it takes from `others` written out where it is first used.
///
/// # Errors
///
/// [`SchemaError`] when a text is not JSON, or nested too deep.
pub fn inline(text: &str, others: &[&str]) -> Result<String, SchemaError> {
    if others.is_empty() {
        return Ok(text.to_owned());
    }
    let mut known = HashMap::new();
    for other in others {
        collect(&read(other)?, "", 0, &mut known)?;
    }
    let root = read(text)?;
    let mut own = HashMap::new();
    collect(&root, "", 0, &mut own)?;
    // What the schema defines itself is not taken from others.
    known.retain(|name, _| !own.contains_key(name));
    let mut writing = Writing {
        known,
        written: HashSet::new(),
    };
    writing.expand(root, "", 0).map(|root| root.to_string())
}

fn read(text: &str) -> Result<Value, SchemaError> {
    match serde_json::from_str(text) {
        Ok(value) => Ok(value),
        Err(_) if is_primitive(text.trim()) => Ok(Value::String(text.trim().to_owned())),
        Err(error) => Err(refusal::syntax(&error)),
    }
}

fn check(depth: usize) -> Result<(), SchemaError> {
    if depth <= DEPTH_MAX {
        return Ok(());
    }
    Err(SchemaError::Keyword {
        pointer: String::new(),
        message: format!("the nesting is deeper than {DEPTH_MAX}"),
    })
}

/// The full name of a definition, and the namespace of what stands inside of it.
fn full_name(object: &Map<String, Value>, around: &str) -> Option<(String, String)> {
    let kind = object.get("type")?.as_str()?;
    if !["record", "error", "enum", "fixed"].contains(&kind) {
        return None;
    }
    let name = object.get("name")?.as_str()?;
    if let Some((namespace, _)) = name.rsplit_once('.') {
        return Some((name.to_owned(), namespace.to_owned()));
    }
    let namespace = object.get("namespace").and_then(Value::as_str);
    let namespace = namespace.unwrap_or(around);
    let full = join(namespace, name);
    Some((full, namespace.to_owned()))
}

fn join(namespace: &str, name: &str) -> String {
    if namespace.is_empty() || name.contains('.') {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

/// Notes every definition by its full name, with that name written in it.
fn collect(
    value: &Value,
    around: &str,
    depth: usize,
    known: &mut HashMap<String, Value>,
) -> Result<(), SchemaError> {
    check(depth)?;
    match value {
        Value::Array(branches) => {
            for branch in branches {
                collect(branch, around, depth + 1, known)?;
            }
        }
        Value::Object(object) => {
            let mut inside = around.to_owned();
            if let Some((full, namespace)) = full_name(object, around) {
                let mut definition = object.clone();
                definition.insert("name".to_owned(), Value::String(full.clone()));
                definition.shift_remove("namespace");
                if !full.contains('.') {
                    // Without it the name would take the namespace of the place where it is put.
                    let none = Value::String(String::new());
                    definition.insert("namespace".to_owned(), none);
                }
                known.entry(full).or_insert(Value::Object(definition));
                inside = namespace;
            }
            for field in fields(object) {
                if let Some(of) = field.get("type") {
                    collect(of, &inside, depth + 1, known)?;
                }
            }
            for keyword in ["type", "items", "values"] {
                if let Some(of) = object.get(keyword).filter(|of| !of.is_string()) {
                    collect(of, &inside, depth + 1, known)?;
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn fields(object: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let fields = object.get("fields").and_then(Value::as_array);
    fields.into_iter().flatten()
}

struct Writing {
    known: HashMap<String, Value>,
    written: HashSet<String>,
}

impl Writing {
    fn expand(&mut self, value: Value, around: &str, depth: usize) -> Result<Value, SchemaError> {
        check(depth)?;
        match value {
            Value::String(name) => self.named(name, around, depth),
            Value::Array(branches) => {
                let branches = branches.into_iter();
                let branches = branches.map(|branch| self.expand(branch, around, depth + 1));
                branches.collect::<Result<_, _>>().map(Value::Array)
            }
            Value::Object(object) => self.object(object, around, depth),
            other => Ok(other),
        }
    }

    fn named(&mut self, name: String, around: &str, depth: usize) -> Result<Value, SchemaError> {
        if is_primitive(&name) {
            return Ok(Value::String(name));
        }
        let near = join(around, &name);
        let full = if self.known.contains_key(&near) || self.written.contains(&near) {
            near
        } else {
            name
        };
        match self.known.remove(&full) {
            Some(definition) => self.expand(definition, "", depth + 1),
            None => Ok(Value::String(full)),
        }
    }

    fn object(
        &mut self,
        mut object: Map<String, Value>,
        around: &str,
        depth: usize,
    ) -> Result<Value, SchemaError> {
        let mut inside = around.to_owned();
        if let Some((full, namespace)) = full_name(&object, around) {
            self.known.remove(&full);
            if !self.written.insert(full.clone()) {
                return Err(SchemaError::Keyword {
                    pointer: String::new(),
                    message: short(&format!("the type `{full}` is defined more than once")),
                });
            }
            inside = namespace;
        }
        if let Some(Value::Array(fields)) = object.get_mut("fields") {
            for field in fields {
                if let Some(of) = field.get_mut("type") {
                    *of = self.expand(of.take(), &inside, depth + 1)?;
                }
            }
        }
        let defines = full_name(&object, around).is_some();
        for keyword in ["type", "items", "values"] {
            let skipped = keyword == "type" && defines;
            if let Some(of) = object.get_mut(keyword).filter(|_| !skipped)
                && !of.as_str().is_some_and(is_keyword)
            {
                *of = self.expand(of.take(), &inside, depth + 1)?;
            }
        }
        Ok(Value::Object(object))
    }
}

/// The words of `type` that no schema defines, beside the primitive ones.
fn is_keyword(word: &str) -> bool {
    ["record", "error", "enum", "fixed", "array", "map"].contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::avro::Avro;

    #[test]
    fn types_of_others_are_written_once_where_they_are_first_used() {
        let money = r#"{"type":"record","name":"Money","namespace":"base","fields":[
            {"name":"unit","type":{"type":"enum","name":"Unit","symbols":["EUR","SEK"]}},
            {"name":"cents","type":"long"}]}"#;
        let line = r#"{"type":"record","name":"Line","namespace":"shop","fields":[
            {"name":"price","type":"base.Money"}]}"#;
        let order = r#"{"type":"record","name":"Order","namespace":"shop","fields":[
            {"name":"total","type":["null","base.Money"]},
            {"name":"unit","type":"base.Unit"},
            {"name":"lines","type":{"type":"array","items":"Line"}}]}"#;
        assert!(Avro::parse(order).is_err());
        let whole = inline(order, &[money, line]).unwrap();
        let avro = Avro::parse(&whole).unwrap();
        assert_eq!(whole.matches("\"symbols\"").count(), 1, "{whole}");
        assert_eq!(avro.name(avro.root()), "shop.Order");
        // A recursive type that comes from elsewhere is written once too.
        let tree = r#"{"type":"record","name":"Tree","fields":[
            {"name":"next","type":["null","Tree"]}]}"#;
        let wood = r#"{"type":"array","items":"Tree"}"#;
        assert!(Avro::parse(&inline(wood, &[tree]).unwrap()).is_ok());
    }

    #[test]
    fn what_a_schema_defines_itself_stays() {
        let own = r#"{"type":"record","name":"A","fields":[{"name":"x","type":"long"}]}"#;
        let other = r#"{"type":"record","name":"A","fields":[{"name":"x","type":"string"}]}"#;
        let whole = inline(own, &[other]).unwrap();
        assert!(whole.contains("long") && !whole.contains("string"));
        assert!(inline("{", &[other]).is_err());
        assert!(inline(&"[".repeat(500), &[other]).is_err());
    }
}
