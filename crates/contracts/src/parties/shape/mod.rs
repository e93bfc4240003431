//! What a schema says of the values at each place: types, values, fields, items.
//!
//! It says no less than is possible: a value that fits the schema fits its shape. So what holds of the
//! shape holds of every event, and what the shape does not know is no proof of anything.

mod build;
mod join;

use indexmap::IndexMap;
use serde_json::Value;
use tidegate_schema::Types;

use build::Builder;

/// A place of a shape.
pub(crate) type Id = usize;

/// A place of which nothing is known.
pub(crate) const UNKNOWN: Id = usize::MAX;

/// What is known of the values at one place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The types that they may have.
    pub(crate) types: Types,
    /// The only values that they may have; `None`: any of the types.
    pub(crate) values: Option<Vec<Value>>,
    /// The fields that are declared.
    pub(crate) fields: IndexMap<String, Field>,
    /// What is known of fields that are not declared.
    pub(crate) others: Others,
    /// What is known of items.
    pub(crate) items: Option<Id>,
    /// What stands for an absent value, where a format says so.
    pub(crate) default: Option<Value>,
}

/// A field of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// Its values.
    pub(crate) node: Id,
    /// Whether every object has it.
    pub(crate) is_required: bool,
}

/// Fields that are not declared by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Others {
    /// Nothing declares one.
    Undeclared,
    /// They have values of this shape.
    Like(Id),
    /// It cannot be told.
    Untold,
}

impl Node {
    /// Of which nothing is known.
    pub(crate) fn any() -> Self {
        Self {
            types: Types::ALL,
            values: None,
            fields: IndexMap::new(),
            others: Others::Untold,
            items: None,
            default: None,
        }
    }
}

/// The shape of a schema.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    nodes: Vec<Node>,
    root: Id,
    any: Node,
}

/// What was found at the end of a path.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// Values of this shape; the flag says that every event has one there.
    Node(Id, bool),
    /// A name on the way is not declared; these are.
    Undeclared {
        /// The name.
        name: String,
        /// Those that are declared there.
        known: Vec<&'a str>,
    },
    /// It cannot be told.
    Untold,
}

impl Shape {
    /// The shape of a JSON Schema. With `fills_defaults`, `default` is what an absent value means.
    pub(crate) fn of(root: &Value, fills_defaults: bool) -> Self {
        let (nodes, root) = Builder::build(root, fills_defaults);
        Self {
            nodes,
            root,
            any: Node::any(),
        }
    }

    /// The whole event.
    pub(crate) fn root(&self) -> Id {
        self.root
    }

    /// What is known at a place.
    pub(crate) fn node(&self, id: Id) -> &Node {
        self.nodes.get(id).unwrap_or(&self.any)
    }

    /// One step into a value by a name or an index.
    pub(crate) fn step(&self, at: Id, name: &str) -> Found<'_> {
        let node = self.node(at);
        if let Some(field) = node.fields.get(name) {
            let is_sure = field.is_required && node.types.is_within(Types::OBJECT);
            return Found::Node(field.node, is_sure);
        }
        let is_index = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        if let (Some(items), true) = (node.items, is_index) {
            return Found::Node(items, false);
        }
        match node.others {
            Others::Like(id) => Found::Node(id, false),
            Others::Undeclared if !node.fields.is_empty() => Found::Undeclared {
                name: name.to_owned(),
                known: node.fields.keys().map(String::as_str).collect(),
            },
            Others::Undeclared | Others::Untold => Found::Untold,
        }
    }

    /// What is at the end of a path.
    pub(crate) fn at(&self, path: &[String]) -> Found<'_> {
        let (mut id, mut is_sure) = (self.root, true);
        for name in path {
            match self.step(id, name) {
                Found::Node(next, sure) => {
                    id = next;
                    is_sure &= sure;
                }
                other => return other,
            }
        }
        Found::Node(id, is_sure)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(schema: &Value, pointer: &str) -> String {
        let shape = Shape::of(schema, false);
        let path: Vec<String> = pointer.split('/').skip(1).map(str::to_owned).collect();
        match shape.at(&path) {
            Found::Node(id, sure) => {
                let node = shape.node(id);
                format!(
                    "{:?} {:?} {sure}",
                    node.types,
                    node.values.as_ref().map(Vec::len)
                )
            }
            Found::Undeclared { name, known } => format!("no {name}, but {known:?}"),
            Found::Untold => "untold".to_owned(),
        }
    }

    #[test]
    fn what_applies_together_is_joined_and_what_applies_apart_is_not() {
        let schema = json!({
            "type": "object",
            "required": ["a"],
            "properties": {"a": {"type": ["string", "null"]}, "n": {"$ref": "#/$defs/n"}},
            "allOf": [{"properties": {"a": {"enum": ["x", "y", 1]}}, "required": ["n"]}],
            "anyOf": [
                {"properties": {"b": {"type": "integer"}}, "required": ["b"]},
                {"properties": {"b": {"type": "string"}, "c": {}}, "required": ["b", "c"]},
            ],
            "$defs": {"n": {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}, "v": {"type": "number"}}, "required": ["v"]}},
        });
        assert_eq!(seen(&schema, "/a"), "Types(16) Some(2) true");
        assert_eq!(seen(&schema, "/b"), "Types(20) None true");
        assert_eq!(seen(&schema, "/c"), "Types(127) None false");
        assert_eq!(seen(&schema, "/n/v"), "Types(12) None true");
        assert_eq!(seen(&schema, "/n/n/n/n/v"), "Types(12) None false");
        assert_eq!(seen(&schema, "/n/w"), "no w, but [\"n\", \"v\"]");
        assert_eq!(
            seen(&schema, "/z"),
            "no z, but [\"a\", \"n\", \"b\", \"c\"]"
        );
    }

    #[test]
    fn names_that_a_pattern_or_another_keyword_may_cover_are_not_called_undeclared() {
        for keyword in [
            json!({"patternProperties": {"^x": {}}}),
            json!({"dependentSchemas": {"a": {"properties": {"z": {}}}}}),
            json!({"$dynamicRef": "#a"}),
            json!({"unevaluatedProperties": {"type": "string"}}),
        ] {
            let mut schema = json!({"properties": {"a": {}}});
            schema
                .as_object_mut()
                .unwrap()
                .extend(keyword.as_object().unwrap().clone());
            assert_eq!(seen(&schema, "/z"), "untold", "{schema}");
        }
        let map = json!({"type": "object", "additionalProperties": {"type": "integer"}});
        assert_eq!(seen(&map, "/z"), "Types(4) None false");
        let list = json!({"type": "array", "items": {"type": "integer"}});
        assert_eq!(seen(&list, "/0"), "Types(4) None false");
        assert_eq!(seen(&json!(true), "/0"), "untold");
    }
}
