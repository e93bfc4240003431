//! JSON Schema, read for the types that it describes.
//!
//! What only restricts values (`minimum`, `pattern`, `not`, `if`) has no type and is left out; where
//! a schema says more than types can, the type is the one that every valid value still fits.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::json_text::{anchored, doc_of, is_true, note_of, only_reference, percent_decoded};
use super::json_union;
use super::model::{Definition, Field, Kind, Model, Shape, Type, kind};

/// Deepest chain of subschemas that is followed; beyond it any value is taken.
const DEPTH_MAX: usize = 64;
/// Most definitions of one event; beyond it any value is taken.
const DEFINITIONS_MAX: usize = 20_000;
/// Most subschemas looked at for one event.
const LOOKS_MAX: usize = 100_000;

pub(super) type Object = Map<String, Value>;

/// The types of the event that `root` describes, called `name`.
pub(super) fn model(root: &Value, name: &str) -> Model {
    let mut reading = Reading {
        root,
        definitions: Vec::new(),
        known: HashMap::new(),
        looks: 0,
    };
    let slot = reading.slot(name, doc_of(root));
    reading.known.insert("#".to_owned(), Known::Open(slot));
    let shape = reading.shape(&[root], name, 0);
    reading.fill(slot, shape);
    Model::of(reading.definitions)
}

/// What is known of the target of a reference.
#[derive(Clone)]
enum Known {
    /// It is being read, and has this definition if it is needed before that is over.
    Open(usize),
    Done(Type),
}

pub(super) struct Reading<'a> {
    root: &'a Value,
    definitions: Vec<Definition>,
    known: HashMap<String, Known>,
    looks: usize,
}

impl<'a> Reading<'a> {
    fn slot(&mut self, name: &str, doc: String) -> usize {
        self.definitions.push(Definition {
            name: name.to_owned(),
            doc,
            shape: Shape::Wrapper(Type::Any),
        });
        self.definitions.len() - 1
    }

    fn fill(&mut self, slot: usize, shape: Shape) {
        if let Some(definition) = self.definitions.get_mut(slot) {
            definition.shape = shape;
        }
    }

    /// A shape as a type: with a definition where it needs one.
    pub(super) fn named(&mut self, shape: Shape, name: &str, doc: String) -> Type {
        match shape {
            Shape::Wrapper(ty) => ty,
            _ if self.definitions.len() >= DEFINITIONS_MAX => Type::Any,
            shape => {
                let slot = self.slot(name, doc);
                self.fill(slot, shape);
                Type::Named(slot)
            }
        }
    }

    pub(super) fn kind(&self, ty: &Type) -> Option<Kind> {
        kind(&self.definitions, ty)
    }

    /// The type of the values that all of `schemas` describe.
    pub(super) fn ty(&mut self, schemas: &[&'a Value], name: &str, depth: usize) -> Type {
        self.looks += 1;
        if depth > DEPTH_MAX || self.looks > LOOKS_MAX {
            return Type::Any;
        }
        if let [one] = schemas
            && let Some(reference) = only_reference(one)
        {
            return self.referred(reference, name, depth);
        }
        let title = schemas.iter().find_map(|s| s.get("title")?.as_str());
        let name = title.filter(|title| title.len() <= 60).unwrap_or(name);
        // It stands before its parts.
        let slot = self.slot(name, schemas.first().map(|s| doc_of(s)).unwrap_or_default());
        match self.shape(schemas, name, depth + 1) {
            Shape::Wrapper(ty) => ty,
            _ if slot >= DEFINITIONS_MAX => Type::Any,
            shape => {
                self.fill(slot, shape);
                Type::Named(slot)
            }
        }
    }

    fn referred(&mut self, reference: &'a str, name: &str, depth: usize) -> Type {
        let Some((pointer, target)) = self.target(reference) else {
            return Type::Any;
        };
        match self.known.get(&pointer) {
            Some(Known::Done(ty)) => return ty.clone(),
            Some(Known::Open(slot)) => return Type::Named(*slot),
            None => {}
        }
        if self.definitions.len() >= DEFINITIONS_MAX {
            return Type::Any;
        }
        let title = target.get("title").and_then(Value::as_str);
        let last = pointer.rsplit('/').next().filter(|last| *last != "#");
        let generic = ["items", "additionalProperties", "schema"];
        let last = last.filter(|last| !generic.contains(last) && last.parse::<u32>().is_err());
        let title = title.filter(|title| title.len() <= 60);
        let slot = self.slot(last.or(title).unwrap_or(name), doc_of(target));
        self.known.insert(pointer.clone(), Known::Open(slot));
        let shape = self.shape(&[target], name, depth + 1);
        let ty = match &shape {
            // A plain type needs no name; where it was used by name already, it keeps that too.
            Shape::Wrapper(ty) => ty.clone(),
            _ => Type::Named(slot),
        };
        self.fill(slot, shape);
        self.known.insert(pointer, Known::Done(ty.clone()));
        ty
    }

    /// The place and the schema that a reference within the document leads to.
    fn target(&self, reference: &str) -> Option<(String, &'a Value)> {
        let id = self.root.get("$id").or_else(|| self.root.get("id"));
        let id = id
            .and_then(Value::as_str)
            .map(|id| id.trim_end_matches('#'));
        let fragment = match reference.split_once('#') {
            Some((before, fragment)) if before.is_empty() || Some(before) == id => fragment,
            None if Some(reference) == id => "",
            _ => return None,
        };
        let pointer = percent_decoded(fragment);
        if pointer.is_empty() || pointer.starts_with('/') {
            let found = self.root.pointer(&pointer)?;
            return Some((format!("#{pointer}"), found));
        }
        let found = anchored(self.root, &pointer, 0)?;
        Some((format!("#{pointer}"), found))
    }

    /// Every schema object that holds of the same value: references and `allOf` followed.
    pub(super) fn parts(&mut self, schemas: &[&'a Value]) -> Vec<&'a Object> {
        let mut parts: Vec<&'a Object> = Vec::new();
        let mut waiting: Vec<&'a Value> = schemas.iter().rev().copied().collect();
        while let Some(schema) = waiting.pop() {
            self.looks += 1;
            let Value::Object(object) = schema else {
                continue;
            };
            if self.looks > LOOKS_MAX || parts.iter().any(|part| std::ptr::eq(*part, object)) {
                continue;
            }
            parts.push(object);
            let all = object.get("allOf").and_then(Value::as_array);
            waiting.extend(all.into_iter().flatten().rev());
            let reference = object.get("$ref").and_then(Value::as_str);
            waiting.extend(reference.and_then(|text| self.target(text)).map(|(_, s)| s));
        }
        parts
    }

    /// What the values of all of `schemas` look like.
    fn shape(&mut self, schemas: &[&'a Value], name: &str, depth: usize) -> Shape {
        if depth > DEPTH_MAX {
            return Shape::Wrapper(Type::Any);
        }
        let parts = self.parts(schemas);
        if let Some(values) = parts.iter().find_map(|part| fixed_values(part)) {
            return self.enumerated(&values, name);
        }
        if let Some(at) = parts.iter().position(|part| json_union::is_union(part)) {
            return json_union::shape(self, &parts, at, name, depth);
        }
        let (mut kinds, null) = kinds(&parts);
        if kinds.is_empty() && !null {
            kinds.extend(inferred(&parts));
        }
        self.of_kinds(&kinds, null, &parts, name, depth)
    }

    fn of_kinds(
        &mut self,
        kinds: &[&str],
        null: bool,
        parts: &[&'a Object],
        name: &str,
        depth: usize,
    ) -> Shape {
        let shape = match kinds {
            [] => return Shape::Wrapper(Type::Any),
            [one] => self.of_kind(one, parts, name, depth),
            many => {
                let mut types = Vec::new();
                for kind in many {
                    let shape = self.of_kind(kind, parts, name, depth);
                    let inner = format!("{name} {kind}");
                    types.push(self.named(shape, &inner, String::new()));
                }
                json_union::by_kind(self, types)
            }
        };
        if null {
            self.nullable(shape, name)
        } else {
            shape
        }
    }

    pub(super) fn nullable(&mut self, shape: Shape, name: &str) -> Shape {
        let ty = self.named(shape, &format!("{name} value"), String::new());
        Shape::Wrapper(ty.nullable())
    }

    fn of_kind(&mut self, kind: &str, parts: &[&'a Object], name: &str, depth: usize) -> Shape {
        Shape::Wrapper(match kind {
            "boolean" => Type::Boolean,
            "integer" => Type::Integer,
            "number" => Type::Number,
            "string" => Type::Text,
            "array" => self.array(parts, name, depth),
            "object" => return self.object(parts, None, name, depth),
            _ => Type::Any,
        })
    }

    fn array(&mut self, parts: &[&'a Object], name: &str, depth: usize) -> Type {
        let mut items: Vec<&'a Value> = Vec::new();
        let mut tuple: Vec<&'a Value> = Vec::new();
        for part in parts {
            for keyword in ["prefixItems", "items", "additionalItems"] {
                match part.get(keyword) {
                    Some(Value::Array(list)) => tuple.extend(list),
                    Some(schema @ Value::Object(_)) => items.push(schema),
                    _ => {}
                }
            }
        }
        let inner = format!("{name} item");
        if tuple.is_empty() {
            if items.is_empty() {
                return Type::list(Type::Any);
            }
            return Type::list(self.ty(&items, &inner, depth + 1));
        }
        // Places of a tuple have types of their own; a list has the one that they share.
        let mut shared: Option<Type> = None;
        for schema in tuple.into_iter().chain(items) {
            let ty = self.ty(&[schema], &inner, depth + 1);
            shared = Some(match shared {
                Some(shared) => shared.join(ty),
                None => ty,
            });
        }
        let closed = parts.iter().any(|part| {
            ["items", "additionalItems"].iter().any(|keyword| {
                part.get(*keyword)
                    .is_some_and(|v| !v.is_array() && !is_true(v))
            })
        });
        Type::list(shared.filter(|_| closed).unwrap_or(Type::Any))
    }

    /// An object: a record where names are declared, otherwise a map.
    /// Of the part `chosen` one alternative is taken already.
    pub(super) fn object(
        &mut self,
        parts: &[&'a Object],
        chosen: Option<&Object>,
        name: &str,
        depth: usize,
    ) -> Shape {
        let mut fields: Vec<Field> = Vec::new();
        for (wire, schemas) in declared(parts) {
            if schemas.iter().any(|schema| schema.as_bool() == Some(false)) {
                continue;
            }
            let ty = self.ty(&schemas, &wire, depth + 1);
            fields.push(Field {
                doc: schemas.first().map(|s| note_of(s)).unwrap_or_default(),
                required: requires(parts, &wire),
                aliases: Vec::new(),
                wire,
                ty,
            });
        }
        for wire in parts.iter().flat_map(|part| required(part)) {
            if !fields.iter().any(|field| field.wire == wire) {
                fields.push(any_field(wire, true));
            }
        }
        self.conditional(parts, chosen, &mut fields, depth);
        let rest = self.rest(parts, name, depth);
        if fields.is_empty() {
            let closed = parts.iter().any(|part| {
                part.get("additionalProperties").and_then(Value::as_bool) == Some(false)
            });
            if rest.is_some() || !closed {
                return Shape::Wrapper(Type::map(rest.unwrap_or(Type::Any)));
            }
        }
        Shape::Record { fields, rest }
    }

    /// Fields that are declared for some values only.
    fn conditional(
        &mut self,
        parts: &[&'a Object],
        chosen: Option<&Object>,
        fields: &mut Vec<Field>,
        depth: usize,
    ) {
        let always = fields.len();
        for branch in branches(parts, chosen) {
            let of_branch = self.parts(&[branch]);
            for (wire, schemas) in declared(&of_branch) {
                let is_typed =
                    |schema: &&Value| ["type", "$ref"].iter().any(|k| schema.get(*k).is_some());
                let ty = if schemas.iter().all(is_typed) {
                    self.ty(&schemas, &wire, depth + 1)
                } else {
                    Type::Any
                };
                match fields.iter().position(|field| field.wire == wire) {
                    // What is known always is no less known in a branch.
                    Some(at) if at < always => {}
                    Some(at) => {
                        if let Some(field) = fields.get_mut(at) {
                            field.ty = field.ty.clone().join(ty);
                        }
                    }
                    None => fields.push(Field {
                        ty,
                        ..any_field(wire, false)
                    }),
                }
            }
        }
    }

    /// The type of the values under names that are not declared, where the schema gives one.
    fn rest(&mut self, parts: &[&'a Object], name: &str, depth: usize) -> Option<Type> {
        let mut schemas: Vec<&'a Value> = Vec::new();
        for part in parts {
            for keyword in ["additionalProperties", "unevaluatedProperties"] {
                schemas.extend(part.get(keyword).filter(|schema| schema.is_object()));
            }
            let patterns = part.get("patternProperties").and_then(Value::as_object);
            schemas.extend(patterns.into_iter().flat_map(Map::values));
        }
        let mut rest: Option<Type> = None;
        for schema in schemas {
            let ty = self.ty(&[schema], &format!("{name} value"), depth + 1);
            rest = Some(match rest {
                Some(rest) => rest.join(ty),
                None => ty,
            });
        }
        rest
    }

    /// Text of known values; or the type that the values have in common.
    fn enumerated(&mut self, fixed: &Fixed<'a>, name: &str) -> Shape {
        let null = fixed.values.iter().any(|value| value.is_null());
        let texts: Vec<&str> = fixed
            .values
            .iter()
            .filter_map(|value| value.as_str())
            .collect();
        let others = fixed.values.iter().filter(|value| !value.is_null()).count();
        let shape = if others > 0 && texts.len() == others {
            let mut values: Vec<String> = Vec::new();
            for text in texts {
                if !values.iter().any(|value| value == text) {
                    values.push(text.to_owned());
                }
            }
            Shape::Enum {
                values,
                fixed: fixed.is_const,
            }
        } else {
            let types = fixed.values.iter().filter(|value| !value.is_null());
            let types = types.map(|value| type_of_value(value));
            Shape::Wrapper(types.reduce(Type::join).unwrap_or(Type::Any))
        };
        if null {
            self.nullable(shape, name)
        } else {
            shape
        }
    }
}

fn any_field(wire: String, required: bool) -> Field {
    Field {
        wire,
        aliases: Vec::new(),
        doc: String::new(),
        ty: Type::Any,
        required,
    }
}

fn type_of_value(value: &Value) -> Type {
    match value {
        Value::Null => Type::Any,
        Value::Bool(_) => Type::Boolean,
        Value::Number(number) if number.is_i64() => Type::Integer,
        Value::Number(_) => Type::Number,
        Value::String(_) => Type::Text,
        Value::Array(_) => Type::list(Type::Any),
        Value::Object(_) => Type::map(Type::Any),
    }
}

/// The names that the parts declare, each with its schemas.
pub(super) fn declared<'a>(parts: &[&'a Object]) -> Vec<(String, Vec<&'a Value>)> {
    let mut names: Vec<(String, Vec<&'a Value>)> = Vec::new();
    for part in parts {
        let properties = part.get("properties").and_then(Value::as_object);
        for (name, schema) in properties.into_iter().flatten() {
            match names.iter_mut().find(|(known, _)| known == name) {
                Some((_, schemas)) => schemas.push(schema),
                None => names.push((name.clone(), vec![schema])),
            }
        }
    }
    names
}

pub(super) fn requires(parts: &[&Object], name: &str) -> bool {
    parts
        .iter()
        .any(|part| required(part).any(|listed| listed == name))
}

fn required(part: &Object) -> impl Iterator<Item = String> + '_ {
    let listed = part.get("required").and_then(Value::as_array);
    let listed = listed.into_iter().flatten();
    listed.filter_map(Value::as_str).map(str::to_owned)
}

/// The values that a schema allows, where it lists them.
struct Fixed<'a> {
    values: Vec<&'a Value>,
    is_const: bool,
}

fn fixed_values<'a>(part: &'a Object) -> Option<Fixed<'a>> {
    if let Some(value) = part.get("const") {
        return Some(Fixed {
            values: vec![value],
            is_const: true,
        });
    }
    let values: Vec<&Value> = part.get("enum")?.as_array()?.iter().collect();
    Some(Fixed {
        values,
        is_const: false,
    })
}

/// The kinds that every part allows, without `null`, and whether that is allowed.
pub(super) fn kinds(parts: &[&Object]) -> (Vec<&'static str>, bool) {
    const ALL: [&str; 7] = [
        "boolean", "integer", "number", "string", "array", "object", "null",
    ];
    let mut allowed: Option<Vec<&'static str>> = None;
    for part in parts {
        let listed: Vec<&str> = match part.get("type") {
            Some(Value::String(kind)) => vec![kind.as_str()],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => continue,
        };
        let is_listed = |kind: &str| {
            listed.contains(&kind) || (kind == "integer" && listed.contains(&"number"))
        };
        let before = allowed.unwrap_or_else(|| ALL.to_vec());
        allowed = Some(before.into_iter().filter(|kind| is_listed(kind)).collect());
    }
    let mut allowed = allowed.unwrap_or_default();
    let null = allowed.contains(&"null");
    let number = allowed.contains(&"number");
    allowed.retain(|kind| *kind != "null" && !(number && *kind == "integer"));
    (allowed, null)
}

/// The kind that a schema without `type` is surely meant for.
fn inferred(parts: &[&Object]) -> Option<&'static str> {
    let has = |keywords: &[&str]| {
        parts
            .iter()
            .any(|part| keywords.iter().any(|keyword| part.contains_key(*keyword)))
    };
    if has(&["properties", "required", "patternProperties"]) {
        Some("object")
    } else if has(&["prefixItems", "items"]) {
        Some("array")
    } else {
        None
    }
}

/// The schemas that hold of some values of the parts.
fn branches<'a>(parts: &[&'a Object], chosen: Option<&Object>) -> Vec<&'a Value> {
    let mut branches: Vec<&'a Value> = Vec::new();
    for part in parts {
        let conditions = ["then", "else"].iter();
        branches.extend(conditions.filter_map(|keyword| part.get(*keyword)));
        if !chosen.is_some_and(|chosen| std::ptr::eq(chosen, *part)) {
            for keyword in ["anyOf", "oneOf"] {
                let list = part.get(keyword).and_then(Value::as_array);
                branches.extend(list.into_iter().flatten());
            }
        }
        for keyword in ["dependentSchemas", "dependencies"] {
            let map = part.get(keyword).and_then(Value::as_object);
            branches.extend(map.into_iter().flat_map(Map::values));
        }
    }
    branches
}
