//! Brings a schema of any draft, over any number of documents, into one form: one document of draft
//! 2020-12 whose references all stay inside it.
//!
//! What a draft does not know, and what says nothing about values, is left out. So all that follows
//! reads one vocabulary. Every keyword of the form knows where it was written.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use tidegate_base::limit::COMPAT_NODES_MAX;

use super::bundle::{Bundle, Place, escape};
use super::draft::Draft;
use super::error::JsonError;

/// Deepest nesting of subschemas that is followed: a document of JSON is no deeper.
const DEPTH_MAX: usize = 128;

/// Keywords that are kept as they are.
const KEPT: &[&str] = &[
    "type",
    "enum",
    "const",
    "multipleOf",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minContains",
    "maxContains",
    "minProperties",
    "maxProperties",
    "required",
    "dependentRequired",
    "default",
    "contentMediaType",
    "contentEncoding",
];
/// Keywords with one subschema.
const ONES: &[&str] = &[
    "additionalProperties",
    "propertyNames",
    "contains",
    "not",
    "if",
    "then",
    "else",
    "unevaluatedProperties",
    "unevaluatedItems",
];
/// Keywords with a list of subschemas.
const LISTS: &[&str] = &["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords with named subschemas.
const MAPS: &[&str] = &["properties", "patternProperties", "dependentSchemas"];

/// A schema in the one form.
#[derive(Debug)]
pub(crate) struct Lowered {
    pub(crate) root: Value,
    /// Where a subschema, or a keyword that has another name here, was written.
    places: HashMap<String, String>,
    /// The drafts in which it was written, each one once.
    pub(crate) drafts: Vec<Draft>,
}

impl Lowered {
    pub(crate) fn of(bundle: &Bundle) -> Result<Self, JsonError> {
        let mut lowering = Lowering {
            bundle,
            numbers: HashMap::new(),
            waiting: Vec::new(),
            places: HashMap::new(),
            nodes: 0,
        };
        let start = Place {
            document: 0,
            pointer: String::new(),
        };
        lowering.number(start);
        let mut definitions = Map::new();
        let mut next = 0;
        while let Some(place) = lowering.waiting.get(next).cloned() {
            let value = bundle.value(&place).unwrap_or(&Value::Bool(true));
            let lowered = lowering.schema(&place, value, &format!("/$defs/{next}"), 0)?;
            definitions.insert(next.to_string(), lowered);
            next += 1;
        }
        let mut drafts: Vec<Draft> = bundle.documents.iter().map(|d| d.draft).collect();
        drafts.sort_unstable();
        drafts.dedup();
        let root = json!({
            "$schema": Draft::Twenty.uri(), "$ref": "#/$defs/0", "$defs": definitions,
        });
        Ok(Self {
            root,
            places: lowering.places,
            drafts,
        })
    }

    /// Where the keyword or subschema of this pointer was written: a pointer, behind the name of
    /// its document where that is not the schema itself.
    pub(crate) fn written(&self, pointer: &str) -> String {
        if let Some(place) = self.places.get(pointer) {
            return place.clone();
        }
        match pointer.rsplit_once('/') {
            Some((above, last)) => format!("{}/{last}", self.written(above)),
            None => String::new(),
        }
    }

    /// The subschema that the whole is.
    pub(crate) fn start(&self) -> &Value {
        self.target("#/$defs/0").unwrap_or(&self.root)
    }

    /// What a reference of the form leads to.
    pub(crate) fn target(&self, reference: &str) -> Option<&Value> {
        let number = reference.strip_prefix("#/$defs/")?;
        self.root.get("$defs")?.get(number)
    }
}

struct Lowering<'a> {
    bundle: &'a Bundle,
    numbers: HashMap<Place, usize>,
    waiting: Vec<Place>,
    places: HashMap<String, String>,
    nodes: usize,
}

impl Lowering<'_> {
    /// The number of the definition that a place becomes.
    fn number(&mut self, place: Place) -> usize {
        let next = self.waiting.len();
        match self.numbers.get(&place) {
            Some(known) => *known,
            None => {
                self.numbers.insert(place.clone(), next);
                self.waiting.push(place);
                next
            }
        }
    }

    fn name(&self, document: usize) -> String {
        let document = self.bundle.documents.get(document);
        document.map_or_else(String::new, |document| document.name.clone())
    }

    fn shown(&self, place: &Place) -> String {
        match place.document {
            0 => place.pointer.clone(),
            other => format!("{}#{}", self.name(other), place.pointer),
        }
    }

    fn schema(
        &mut self,
        place: &Place,
        value: &Value,
        to: &str,
        depth: usize,
    ) -> Result<Value, JsonError> {
        self.nodes += 1;
        if self.nodes > COMPAT_NODES_MAX || depth > DEPTH_MAX {
            return Err(JsonError::Large {
                name: self.name(place.document),
            });
        }
        self.places.insert(to.to_owned(), self.shown(place));
        let Value::Object(from) = value else {
            return Ok(value.clone());
        };
        let draft = self
            .bundle
            .documents
            .get(place.document)
            .map_or(Draft::Twenty, |document| document.draft);
        let mut made = Map::new();
        self.references(place, from, draft, &mut made)?;
        if made.contains_key("$ref") && draft.ref_stands_alone() {
            return Ok(Value::Object(made));
        }
        for (keyword, value) in from {
            if !draft.has(keyword) || is_moot(keyword, from) {
                continue;
            }
            let below = place.below(keyword);
            let to = format!("{to}/{keyword}");
            if let Some(lowered) = self.keyword(keyword, value, &below, (&to, depth))? {
                made.insert(keyword.clone(), lowered);
            }
        }
        self.items(from, (place, draft), (to, depth), &mut made)?;
        self.dependencies(from, place, (to, depth), &mut made)?;
        bounds(from, draft, &mut made);
        Ok(Value::Object(made))
    }

    fn references(
        &mut self,
        place: &Place,
        from: &Map<String, Value>,
        draft: Draft,
        made: &mut Map<String, Value>,
    ) -> Result<(), JsonError> {
        let mut targets = Vec::new();
        for keyword in ["$ref", "$recursiveRef", "$dynamicRef"] {
            let Some(reference) = from.get(keyword).and_then(Value::as_str) else {
                continue;
            };
            if !draft.has(keyword) {
                continue;
            }
            let target = match keyword {
                "$ref" => self.bundle.resolve(reference, place),
                _ => self.bundle.resolve_dynamic(reference, place),
            };
            let target = target.ok_or_else(|| JsonError::Reference {
                name: self.name(place.document),
                pointer: format!("{}/{}", place.pointer, escape(keyword)),
                reference: reference.to_owned(),
            })?;
            targets.push(json!({"$ref": format!("#/$defs/{}", self.number(target))}));
        }
        match targets.as_slice() {
            [] => {}
            [Value::Object(one)] => made.extend(one.clone()),
            // Rare enough to lose its exact place: both stand beside each other in 2019-09 and later.
            _ => drop(made.insert("allOf".to_owned(), Value::Array(targets))),
        }
        Ok(())
    }

    fn keyword(
        &mut self,
        keyword: &str,
        value: &Value,
        place: &Place,
        (to, depth): (&str, usize),
    ) -> Result<Option<Value>, JsonError> {
        if KEPT.contains(&keyword) {
            return Ok(Some(value.clone()));
        }
        if ONES.contains(&keyword) {
            return Ok(Some(self.schema(place, value, to, depth + 1)?));
        }
        match value {
            Value::Array(list) if LISTS.contains(&keyword) => {
                let list = self.list(list, place, (to, depth))?;
                Ok(Some(Value::Array(list)))
            }
            Value::Object(map) if MAPS.contains(&keyword) => {
                let mut made = Map::new();
                for (name, schema) in map {
                    let to = format!("{to}/{}", escape(name));
                    let lowered = self.schema(&place.below(name), schema, &to, depth + 1)?;
                    made.insert(name.clone(), lowered);
                }
                Ok(Some(Value::Object(made)))
            }
            _ => Ok(None),
        }
    }

    fn list(
        &mut self,
        list: &[Value],
        place: &Place,
        (to, depth): (&str, usize),
    ) -> Result<Vec<Value>, JsonError> {
        let mut made = Vec::new();
        for (index, schema) in list.iter().enumerate() {
            let at = place.below(&index.to_string());
            made.push(self.schema(&at, schema, &format!("{to}/{index}"), depth + 1)?);
        }
        Ok(made)
    }

    /// `items` and what stands behind it: until 2019-09, `items` may be the list of the first.
    fn items(
        &mut self,
        from: &Map<String, Value>,
        (place, draft): (&Place, Draft),
        (to, depth): (&str, usize),
        made: &mut Map<String, Value>,
    ) -> Result<(), JsonError> {
        match from.get("items") {
            Some(Value::Array(list)) if draft < Draft::Twenty => {
                let below = place.below("items");
                let to_list = format!("{to}/prefixItems");
                self.places.insert(to_list.clone(), self.shown(&below));
                let list = self.list(list, &below, (&to_list, depth))?;
                if !list.is_empty() {
                    made.insert("prefixItems".to_owned(), Value::Array(list));
                }
                if let Some(rest) = from.get("additionalItems") {
                    let below = place.below("additionalItems");
                    let rest = self.schema(&below, rest, &format!("{to}/items"), depth + 1)?;
                    made.insert("items".to_owned(), rest);
                }
            }
            Some(one) => {
                let below = place.below("items");
                let one = self.schema(&below, one, &format!("{to}/items"), depth + 1)?;
                made.insert("items".to_owned(), one);
            }
            None => {}
        }
        Ok(())
    }

    /// `dependencies`, which later drafts have taken apart.
    fn dependencies(
        &mut self,
        from: &Map<String, Value>,
        place: &Place,
        (to, depth): (&str, usize),
        made: &mut Map<String, Value>,
    ) -> Result<(), JsonError> {
        let Some(Value::Object(all)) = from.get("dependencies") else {
            return Ok(());
        };
        let below = place.below("dependencies");
        for (name, wanted) in all {
            let keyword = match wanted {
                Value::Array(_) => "dependentRequired",
                _ => "dependentSchemas",
            };
            let to = format!("{to}/{keyword}");
            self.places.insert(to.clone(), self.shown(&below));
            let lowered = match wanted {
                Value::Array(_) => wanted.clone(),
                _ => {
                    let to = format!("{to}/{}", escape(name));
                    self.schema(&below.below(name), wanted, &to, depth + 1)?
                }
            };
            let group = made
                .entry(keyword)
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(group) = group {
                group.entry(name.clone()).or_insert(lowered);
            }
        }
        Ok(())
    }
}

/// Whether a keyword says nothing beside the others of its schema.
fn is_moot(keyword: &str, schema: &Map<String, Value>) -> bool {
    let has = |name| schema.contains_key(name);
    match keyword {
        // An `if` alone refuses nothing, but its fields and items count as looked at.
        "then" | "else" => !has("if"),
        "minContains" | "maxContains" => !has("contains"),
        _ => false,
    }
}

/// Draft 4 says with a boolean that a bound is not in the range.
fn bounds(from: &Map<String, Value>, draft: Draft, made: &mut Map<String, Value>) {
    for (bound, exclusive) in [
        ("minimum", "exclusiveMinimum"),
        ("maximum", "exclusiveMaximum"),
    ] {
        match from.get(exclusive) {
            Some(Value::Bool(true)) if draft == Draft::Four => {
                if let Some(limit) = made.remove(bound) {
                    made.insert(exclusive.to_owned(), limit);
                }
            }
            Some(limit) if draft > Draft::Four => {
                made.insert(exclusive.to_owned(), limit.clone());
            }
            _ => {}
        }
    }
}
