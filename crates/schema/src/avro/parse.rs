//! From JSON to the graph of types.

use std::collections::HashMap;

use serde_json::{Map, Value};
use tidegate_base::limit::SCHEMA_TYPES_MAX;

use super::logical;
use super::name::{FullName, is_name};
use super::{Field, Kind, Node, NodeId};
use crate::error::SchemaError;
use crate::keyword::escape;
use crate::violation::short;

/// The words of primitive types.
const PRIMITIVES: [(&str, Kind); 8] = [
    ("null", Kind::Null),
    ("boolean", Kind::Boolean),
    ("int", Kind::Int),
    ("long", Kind::Long),
    ("float", Kind::Float),
    ("double", Kind::Double),
    ("bytes", Kind::Bytes),
    ("string", Kind::String),
];

pub(super) fn is_primitive(word: &str) -> bool {
    PRIMITIVES.iter().any(|(name, _)| *name == word)
}

/// The types of a schema, and the one of a whole datum.
pub(super) fn parse(root: &Value) -> Result<(Vec<Node>, NodeId), SchemaError> {
    let mut reading = Reading {
        nodes: Vec::new(),
        names: HashMap::new(),
    };
    let id = reading.schema(root, "", String::new())?;
    Ok((reading.nodes, id))
}

struct Reading {
    nodes: Vec<Node>,
    names: HashMap<FullName, NodeId>,
}

fn wrong<T>(pointer: &str, message: impl Into<String>) -> Result<T, SchemaError> {
    Err(SchemaError::Keyword {
        pointer: short(pointer),
        message: short(&message.into()),
    })
}

impl Reading {
    fn add(&mut self, kind: Kind, pointer: String) -> Result<NodeId, SchemaError> {
        if self.nodes.len() >= SCHEMA_TYPES_MAX {
            return wrong(
                &pointer,
                format!("the schema has more than {SCHEMA_TYPES_MAX} types"),
            );
        }
        let id = NodeId(self.nodes.len());
        self.nodes.push(Node {
            kind,
            logical: None,
            pointer,
        });
        Ok(id)
    }

    /// Serde limits the depth of the text, and with it the depth of this walk.
    fn schema(
        &mut self,
        value: &Value,
        namespace: &str,
        pointer: String,
    ) -> Result<NodeId, SchemaError> {
        match value {
            Value::String(word) => self.word(word, namespace, pointer),
            Value::Array(branches) => self.union(branches, namespace, pointer),
            Value::Object(object) => self.object(object, namespace, pointer),
            Value::Null | Value::Bool(_) | Value::Number(_) => wrong(
                &pointer,
                "a schema is a name, a list of schemas or an object",
            ),
        }
    }

    fn word(
        &mut self,
        word: &str,
        namespace: &str,
        pointer: String,
    ) -> Result<NodeId, SchemaError> {
        let primitive = PRIMITIVES.into_iter().find(|(name, _)| *name == word);
        if let Some((_, kind)) = primitive {
            return self.add(kind, pointer);
        }
        let found = FullName::read(word, None, namespace)
            .and_then(|name| self.names.get(&name))
            // A name of the null namespace is found from everywhere, as the libraries do.
            .or_else(|| FullName::read(word, None, "").and_then(|name| self.names.get(&name)));
        match found {
            Some(id) => Ok(*id),
            None => Err(SchemaError::Reference {
                pointer: short(&pointer),
                reference: short(word),
            }),
        }
    }

    fn union(
        &mut self,
        branches: &[Value],
        namespace: &str,
        pointer: String,
    ) -> Result<NodeId, SchemaError> {
        let id = self.add(Kind::Union(Vec::new()), pointer.clone())?;
        let mut ids: Vec<NodeId> = Vec::with_capacity(branches.len());
        let mut seen = std::collections::HashSet::new();
        for (index, branch) in branches.iter().enumerate() {
            let place = format!("{pointer}/{index}");
            let branch = self.schema(branch, namespace, place.clone())?;
            let (is_union, label) = match self.nodes.get(branch.0).map(|node| &node.kind) {
                Some(Kind::Union(_)) => (true, String::new()),
                Some(kind) => {
                    let named = kind.named().map(|(name, _)| name.to_string());
                    (false, named.unwrap_or_else(|| kind.word().to_owned()))
                }
                None => (false, String::new()),
            };
            if is_union {
                return wrong(&place, "a union cannot be a branch of a union");
            }
            if !seen.insert(label.clone()) {
                return wrong(&place, format!("the union has `{label}` twice"));
            }
            ids.push(branch);
        }
        self.replace(id, Kind::Union(ids));
        Ok(id)
    }

    fn replace(&mut self, id: NodeId, kind: Kind) {
        if let Some(node) = self.nodes.get_mut(id.0) {
            node.kind = kind;
        }
    }

    fn object(
        &mut self,
        object: &Map<String, Value>,
        namespace: &str,
        pointer: String,
    ) -> Result<NodeId, SchemaError> {
        let Some(kind) = object.get("type") else {
            return wrong(&pointer, "`type` is missing");
        };
        let below = format!("{pointer}/type");
        let Value::String(word) = kind else {
            // `{"type": {"type": "string"}}` is how a field's type is written by some tools.
            return self.schema(kind, namespace, below);
        };
        let id = match word.as_str() {
            "array" => {
                let id = self.add(Kind::Null, pointer.clone())?;
                let items = self.member(object, "items", namespace, &pointer)?;
                self.replace(id, Kind::Array(items));
                id
            }
            "map" => {
                let id = self.add(Kind::Null, pointer.clone())?;
                let values = self.member(object, "values", namespace, &pointer)?;
                self.replace(id, Kind::Map(values));
                id
            }
            "record" | "error" => return self.record(object, namespace, pointer),
            "enum" => self.enumeration(object, namespace, pointer)?,
            "fixed" => self.fixed(object, namespace, pointer)?,
            word if is_primitive(word) => {
                let id = self.word(word, namespace, pointer)?;
                self.logical(id, object);
                return Ok(id);
            }
            // A name with attributes: they cannot change the type that it stands for.
            word => return self.word(word, namespace, below),
        };
        self.logical(id, object);
        Ok(id)
    }

    fn logical(&mut self, id: NodeId, object: &Map<String, Value>) {
        if let Some(node) = self.nodes.get_mut(id.0) {
            node.logical = logical::read(&node.kind, object);
        }
    }

    fn member(
        &mut self,
        object: &Map<String, Value>,
        key: &str,
        namespace: &str,
        pointer: &str,
    ) -> Result<NodeId, SchemaError> {
        match object.get(key) {
            Some(value) => self.schema(value, namespace, format!("{pointer}/{key}")),
            None => wrong(pointer, format!("`{key}` is missing")),
        }
    }

    /// The name and the aliases that an object defines.
    fn names(
        object: &Map<String, Value>,
        namespace: &str,
        pointer: &str,
    ) -> Result<(FullName, Vec<FullName>), SchemaError> {
        let Some(Value::String(written)) = object.get("name") else {
            return wrong(pointer, "`name` is missing");
        };
        let own = object.get("namespace").and_then(Value::as_str);
        let Some(name) = FullName::read(written, own, namespace) else {
            let place = format!("{pointer}/name");
            return wrong(&place, format!("`{written}` is not a name"));
        };
        if is_primitive(written) {
            let place = format!("{pointer}/name");
            return wrong(
                &place,
                format!("`{written}` is the name of a primitive type"),
            );
        }
        let mut aliases = Vec::new();
        let list = object.get("aliases").and_then(Value::as_array);
        for (index, alias) in list.into_iter().flatten().enumerate() {
            let place = format!("{pointer}/aliases/{index}");
            let Some(text) = alias.as_str() else {
                return wrong(&place, "an alias is a name");
            };
            match FullName::read(text, None, name.namespace()) {
                Some(alias) => aliases.push(alias),
                None => return wrong(&place, format!("`{text}` is not a name")),
            }
        }
        Ok((name, aliases))
    }

    fn define(&mut self, name: FullName, kind: Kind, pointer: &str) -> Result<NodeId, SchemaError> {
        if self.names.contains_key(&name) {
            return wrong(pointer, format!("`{name}` is defined twice"));
        }
        let id = self.add(kind, pointer.to_owned())?;
        self.names.insert(name, id);
        Ok(id)
    }

    fn record(
        &mut self,
        object: &Map<String, Value>,
        namespace: &str,
        pointer: String,
    ) -> Result<NodeId, SchemaError> {
        let (name, aliases) = Self::names(object, namespace, &pointer)?;
        let Some(Value::Array(list)) = object.get("fields") else {
            return wrong(&pointer, "`fields` is missing");
        };
        // Known before its fields are read: they may be of its own type.
        let empty = Kind::Record {
            name: name.clone(),
            aliases: Vec::new(),
            fields: Vec::new(),
        };
        let id = self.define(name.clone(), empty, &pointer)?;
        let mut fields: Vec<Field> = Vec::with_capacity(list.len());
        let mut known = std::collections::HashSet::new();
        for (index, value) in list.iter().enumerate() {
            let place = format!("{pointer}/fields/{index}");
            let field = self.field(value, name.namespace(), place)?;
            if !known.insert(field.name.clone()) {
                let message = format!("the record has the field `{}` twice", field.name);
                return wrong(&field.pointer, message);
            }
            fields.push(field);
        }
        let kind = Kind::Record {
            name,
            aliases,
            fields,
        };
        self.replace(id, kind);
        Ok(id)
    }

    fn field(
        &mut self,
        value: &Value,
        namespace: &str,
        pointer: String,
    ) -> Result<Field, SchemaError> {
        let Value::Object(object) = value else {
            return wrong(&pointer, "a field is an object");
        };
        let Some(Value::String(name)) = object.get("name") else {
            return wrong(&pointer, "`name` is missing");
        };
        if !is_name(name) {
            let place = format!("{pointer}/{}", escape("name"));
            return wrong(&place, format!("`{name}` is not a name"));
        }
        let aliases = object.get("aliases").and_then(Value::as_array);
        let aliases = aliases.into_iter().flatten().filter_map(Value::as_str);
        let node = self.member(object, "type", namespace, &pointer)?;
        Ok(Field {
            name: name.clone(),
            aliases: aliases.map(str::to_owned).collect(),
            node,
            default: object.get("default").cloned(),
            pointer,
        })
    }

    fn enumeration(
        &mut self,
        object: &Map<String, Value>,
        namespace: &str,
        pointer: String,
    ) -> Result<NodeId, SchemaError> {
        let (name, aliases) = Self::names(object, namespace, &pointer)?;
        let Some(Value::Array(list)) = object.get("symbols") else {
            return wrong(&pointer, "`symbols` is missing");
        };
        let mut symbols = Vec::with_capacity(list.len());
        let mut known = std::collections::HashSet::new();
        for (index, symbol) in list.iter().enumerate() {
            let place = format!("{pointer}/symbols/{index}");
            let symbol = symbol.as_str().filter(|symbol| is_name(symbol));
            let Some(symbol) = symbol else {
                return wrong(
                    &place,
                    "a symbol is letters, digits and `_`, no digit first",
                );
            };
            if !known.insert(symbol) {
                return wrong(&place, format!("the enum has `{symbol}` twice"));
            }
            symbols.push(symbol.to_owned());
        }
        let default = match object.get("default") {
            None => None,
            Some(Value::String(symbol)) if known.contains(symbol.as_str()) => Some(symbol.clone()),
            Some(_) => {
                let place = format!("{pointer}/default");
                return wrong(&place, "the default of an enum is one of its symbols");
            }
        };
        let kind = Kind::Enum {
            name: name.clone(),
            aliases,
            symbols,
            default,
        };
        self.define(name, kind, &pointer)
    }

    fn fixed(
        &mut self,
        object: &Map<String, Value>,
        namespace: &str,
        pointer: String,
    ) -> Result<NodeId, SchemaError> {
        let (name, aliases) = Self::names(object, namespace, &pointer)?;
        let size = object.get("size").and_then(Value::as_u64);
        let size = size.and_then(|size| usize::try_from(size).ok());
        let Some(size) = size else {
            return wrong(&pointer, "`size` is a whole number");
        };
        let kind = Kind::Fixed {
            name: name.clone(),
            aliases,
            size,
        };
        self.define(name, kind, &pointer)
    }
}
