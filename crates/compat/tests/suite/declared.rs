//! Whether a writer sends an event where names that it does not declare are reserved: said once more,
//! of schemas as they were written, by nothing that proves or searches.

use std::collections::HashMap;

use jsonschema::Validator;
use serde_json::{Value, json};
use tidegate_compat::json::Draft;

/// A schema as it was written, with the patterns that were met.
pub(crate) struct Declared<'s> {
    root: &'s Value,
    draft: Draft,
    patterns: HashMap<&'s str, Validator>,
}

impl<'s> Declared<'s> {
    pub(crate) fn of(root: &'s Value, draft: Draft) -> Self {
        Self {
            root,
            draft,
            patterns: HashMap::new(),
        }
    }

    /// Whether the writer sends an event that its schema allows.
    pub(crate) fn sends(&mut self, event: &Value) -> bool {
        self.sends_by(&[self.root], event)
    }

    fn sends_by(&mut self, schemas: &[&'s Value], value: &Value) -> bool {
        let mut all: Vec<&Value> = Vec::new();
        schemas.iter().for_each(|one| self.take(one, &mut all));
        match value {
            Value::Object(fields) => fields
                .iter()
                .all(|(name, field)| self.sends_field(&all, name, field)),
            Value::Array(items) => items.iter().enumerate().all(|(position, item)| {
                let inside: Vec<&Value> = all
                    .iter()
                    .flat_map(|one| self.schemas_of_item(one, position))
                    .collect();
                self.sends_by(&inside, item)
            }),
            _ => true,
        }
    }

    /// What a keyword says, if the draft has it.
    fn get(&self, schema: &'s Value, keyword: &str) -> Option<&'s Value> {
        let is_alone = self.draft <= Draft::Seven && schema.get("$ref").is_some();
        let first = match keyword {
            "contains" => Draft::Six,
            "if" | "then" | "else" => Draft::Seven,
            "dependentRequired" | "dependentSchemas" => Draft::Nineteen,
            "unevaluatedProperties" | "unevaluatedItems" => Draft::Nineteen,
            "prefixItems" => Draft::Twenty,
            _ => Draft::Four,
        };
        let has = self.draft >= first && (!is_alone || keyword == "$ref");
        schema.get(keyword).filter(|_| has)
    }

    /// A schema and those beside it that speak of the same value, taken or not.
    fn take(&self, schema: &'s Value, all: &mut Vec<&'s Value>) {
        if !schema.is_object() || all.iter().any(|known| std::ptr::eq(*known, schema)) {
            return;
        }
        all.push(schema);
        if self.get(schema, "$ref").is_some() {
            self.take(&self.root["$defs"]["d"], all);
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let list = self.get(schema, keyword).and_then(Value::as_array);
            list.into_iter()
                .flatten()
                .for_each(|one| self.take(one, all));
        }
        if let Some(condition) = self.get(schema, "if") {
            let follows = ["then", "else"].map(|keyword| self.get(schema, keyword));
            self.take(condition, all);
            follows
                .into_iter()
                .flatten()
                .for_each(|one| self.take(one, all));
        }
        for keyword in ["dependentSchemas", "dependencies"] {
            let map = self.get(schema, keyword).and_then(Value::as_object);
            for one in map.into_iter().flat_map(|map| map.values()) {
                self.take(one, all);
            }
        }
    }

    fn sends_field(&mut self, all: &[&'s Value], name: &str, field: &Value) -> bool {
        let mut inside: Vec<&Value> = Vec::new();
        let (mut is_described, mut is_declared) = (false, false);
        for schema in all {
            let properties = self.get(schema, "properties").and_then(Value::as_object);
            for (declared, of_it) in properties.into_iter().flatten() {
                is_described = true;
                if declared == name {
                    is_declared = true;
                    inside.push(of_it);
                }
            }
            let patterns = self
                .get(schema, "patternProperties")
                .and_then(Value::as_object);
            for (pattern, of_it) in patterns.into_iter().flatten() {
                is_described = true;
                let matcher = self.patterns.entry(pattern).or_insert_with(|| {
                    jsonschema::validator_for(&json!({"pattern": pattern})).unwrap()
                });
                if matcher.is_valid(&Value::from(name)) {
                    is_declared = true;
                    inside.push(of_it);
                }
            }
            for keyword in ["additionalProperties", "unevaluatedProperties"] {
                let others = self.get(schema, keyword);
                if let Some(others) =
                    others.filter(|it| it.as_object().is_some_and(|o| !o.is_empty()))
                {
                    is_declared = true;
                    inside.push(others);
                }
            }
            let listed = |names: &Value| {
                names
                    .as_array()
                    .is_some_and(|all| all.contains(&name.into()))
            };
            is_declared |= self.get(schema, "required").is_some_and(listed);
            for keyword in ["dependentRequired", "dependencies"] {
                let map = self.get(schema, keyword).and_then(Value::as_object);
                is_declared |= map.into_iter().flat_map(|map| map.values()).any(listed);
            }
        }
        (is_declared || !is_described) && self.sends_by(&inside, field)
    }

    fn schemas_of_item(&self, schema: &'s Value, position: usize) -> Vec<&'s Value> {
        let list = |keyword| self.get(schema, keyword).and_then(Value::as_array);
        let mut lists = ["prefixItems", "items"].into_iter().filter_map(list);
        let first = lists.find_map(|list| list.get(position));
        let rest = match list("items") {
            Some(_) => "additionalItems",
            None => "items",
        };
        let own = first.or(self.get(schema, rest));
        let others = ["contains", "unevaluatedItems"].map(|keyword| self.get(schema, keyword));
        own.into_iter()
            .chain(others.into_iter().flatten())
            .collect()
    }
}
