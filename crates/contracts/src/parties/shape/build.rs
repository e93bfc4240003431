//! From a JSON Schema to its shape. Places are worked out once each, so a recursive schema has an end.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::{Map, Value};
use tidegate_schema::Types;

use super::join::{both, either};
use super::{Field, Id, Node, Others, UNKNOWN};

/// Most places of one shape; of what is beyond, nothing is known.
const PLACES_MAX: usize = 20_000;
/// Deepest chain of subschemas that apply to one value.
const CHAIN_MAX: usize = 64;

/// Where a place comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// A subschema, by its address.
    Schema(*const Value),
    /// Values of both places.
    Both(Id, Id),
    /// Values of either.
    Either(Id, Id),
}

/// Works out the places of a schema.
pub(super) struct Builder<'a> {
    root: &'a Value,
    fills_defaults: bool,
    origins: Vec<(Origin, Option<&'a Value>)>,
    known: HashMap<Origin, Id>,
    nodes: Vec<Option<Node>>,
}

impl<'a> Builder<'a> {
    pub(super) fn build(root: &'a Value, fills_defaults: bool) -> (Vec<Node>, Id) {
        let mut builder = Self {
            root,
            fills_defaults,
            origins: Vec::new(),
            known: HashMap::new(),
            nodes: Vec::new(),
        };
        let start = builder.place(root);
        let mut next = 0;
        while next < builder.origins.len() {
            builder.work_out(next, 0);
            next += 1;
        }
        let nodes = builder.nodes.into_iter();
        (
            nodes.map(|node| node.unwrap_or_else(Node::any)).collect(),
            start,
        )
    }

    /// The place of a subschema.
    fn place(&mut self, schema: &'a Value) -> Id {
        self.intern(Origin::Schema(std::ptr::from_ref(schema)), Some(schema))
    }

    pub(super) fn intern(&mut self, origin: Origin, schema: Option<&'a Value>) -> Id {
        if let Some(known) = self.known.get(&origin) {
            return *known;
        }
        if self.origins.len() >= PLACES_MAX {
            return UNKNOWN;
        }
        let id = self.origins.len();
        self.origins.push((origin, schema));
        self.nodes.push(None);
        self.known.insert(origin, id);
        id
    }

    fn work_out(&mut self, id: Id, depth: usize) -> Node {
        if let Some(Some(node)) = self.nodes.get(id) {
            return node.clone();
        }
        let Some((origin, schema)) = self.origins.get(id).copied() else {
            return Node::any();
        };
        if depth > CHAIN_MAX {
            return Node::any();
        }
        let node = match (origin, schema) {
            (Origin::Schema(_), Some(schema)) => self.of_schema(schema, depth),
            (Origin::Both(one, other), _) => {
                let one = self.work_out(one, depth + 1);
                let other = self.work_out(other, depth + 1);
                both(self, &one, &other)
            }
            (Origin::Either(one, other), _) => {
                let one = self.work_out(one, depth + 1);
                let other = self.work_out(other, depth + 1);
                either(self, &one, &other)
            }
            (Origin::Schema(_), None) => Node::any(),
        };
        if let Some(slot) = self.nodes.get_mut(id) {
            *slot = Some(node.clone());
        }
        node
    }

    fn of_schema(&mut self, schema: &'a Value, depth: usize) -> Node {
        let own = match schema {
            Value::Object(own) => own,
            Value::Bool(false) => {
                return Node {
                    types: Types::NONE,
                    others: Others::Undeclared,
                    ..Node::any()
                };
            }
            _ => {
                return Node {
                    others: Others::Undeclared,
                    ..Node::any()
                };
            }
        };
        let mut node = self.own(own);
        let mut together: Vec<&'a Value> = list(own, "allOf").iter().collect();
        if let Some(reference) = own.get("$ref").and_then(Value::as_str) {
            match self.target(reference) {
                Some(target) => together.push(target),
                None => node.others = Others::Untold,
            }
        }
        for part in together {
            let id = self.place(part);
            let part = self.work_out(id, depth + 1);
            node = both(self, &node, &part);
        }
        for keyword in ["anyOf", "oneOf"] {
            node = self.with_alternatives(node, list(own, keyword).iter(), depth);
        }
        if own.contains_key("if") {
            let branches = ["then", "else"].map(|name| own.get(name).unwrap_or(&Value::Bool(true)));
            node = self.with_alternatives(node, branches.into_iter(), depth);
        }
        node
    }

    fn with_alternatives(
        &mut self,
        node: Node,
        branches: impl Iterator<Item = &'a Value>,
        depth: usize,
    ) -> Node {
        let mut all: Option<Node> = None;
        for branch in branches {
            let id = self.place(branch);
            let branch = self.work_out(id, depth + 1);
            all = Some(match all {
                Some(before) => either(self, &before, &branch),
                None => branch,
            });
        }
        match all {
            Some(all) => both(self, &node, &all),
            None => node,
        }
    }

    /// What the schema says without its parts.
    fn own(&mut self, own: &'a Map<String, Value>) -> Node {
        let required = names(own.get("required"));
        let mut fields = IndexMap::new();
        for (name, schema) in own
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let field = Field {
                node: self.place(schema),
                is_required: required.contains(&name.as_str()),
            };
            fields.insert(name.clone(), field);
        }
        let mut node = Node {
            types: types(own.get("type")),
            values: values(own),
            others: self.others(own),
            items: self.items(own),
            default: own.get("default").filter(|_| self.fills_defaults).cloned(),
            fields,
        };
        for name in required {
            if !node.fields.contains_key(name) {
                // It is there, and nothing is known of its value but by what covers it.
                let value = match node.others {
                    Others::Like(id) => id,
                    _ => UNKNOWN,
                };
                let field = Field {
                    node: value,
                    is_required: true,
                };
                node.fields.insert(name.to_owned(), field);
            }
        }
        if let Some(values) = &node.values {
            // Whether a number is a whole one is for `type` to say, not for how the values are written.
            let of_values = values
                .iter()
                .map(Types::of_value)
                .map(Types::with_fractions);
            node.types = node.types.and(of_values.fold(Types::NONE, Types::or));
            node.others = Others::Untold;
        }
        node
    }

    fn others(&mut self, own: &'a Map<String, Value>) -> Others {
        const UNTOLD: &[&str] = &[
            "patternProperties",
            "dependentSchemas",
            "dependencies",
            "unevaluatedProperties",
            "$dynamicRef",
            "$recursiveRef",
        ];
        let is_untold = |keyword: &&str| {
            own.get(*keyword)
                .is_some_and(|value| *value != Value::Bool(false))
        };
        if UNTOLD.iter().any(is_untold) {
            return Others::Untold;
        }
        match own.get("additionalProperties") {
            Some(schema @ Value::Object(_)) => Others::Like(self.place(schema)),
            _ => Others::Undeclared,
        }
    }

    fn items(&mut self, own: &'a Map<String, Value>) -> Option<Id> {
        let lists = ["prefixItems", "additionalItems", "unevaluatedItems"];
        let is_mixed = lists.iter().any(|keyword| own.contains_key(*keyword));
        let schema = own
            .get("items")
            .filter(|schema| schema.is_object() && !is_mixed)?;
        Some(self.place(schema))
    }

    fn target(&self, reference: &str) -> Option<&'a Value> {
        let pointer = reference
            .strip_prefix('#')
            .filter(|pointer| !pointer.contains('%'))?;
        self.root.pointer(pointer)
    }
}

fn list<'a>(schema: &'a Map<String, Value>, keyword: &str) -> &'a [Value] {
    let list = schema.get(keyword).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

fn names(list: Option<&Value>) -> Vec<&str> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).collect()
}

fn types(written: Option<&Value>) -> Types {
    // Of a word that is none nothing is known.
    let of_word = |word| Types::of_word(word).unwrap_or(Types::ALL);
    match written {
        Some(Value::String(word)) => of_word(word),
        Some(Value::Array(words)) => {
            let words = words.iter().filter_map(Value::as_str).map(of_word);
            words.fold(Types::NONE, Types::or)
        }
        _ => Types::ALL,
    }
}

fn values(own: &Map<String, Value>) -> Option<Vec<Value>> {
    match (own.get("const"), own.get("enum")) {
        (Some(only), _) => Some(vec![only.clone()]),
        (None, Some(Value::Array(values))) => {
            let kinds = types(own.get("type"));
            let fit = |value: &&Value| Types::of_value(value).meets(kinds);
            Some(values.iter().filter(fit).cloned().collect())
        }
        _ => None,
    }
}
