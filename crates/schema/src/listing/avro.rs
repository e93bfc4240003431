//! An Avro schema's fields.

use super::{DEPTH_MAX, LISTED_MAX, Listed, below, some_of};
use crate::avro::{Avro, Field, Kind, Logical, NodeId};

pub(super) fn list(schema: &Avro) -> Vec<Listed> {
    let mut walk = Walk {
        schema,
        open: Vec::new(),
        listed: Vec::new(),
    };
    walk.field(String::new(), schema.root(), None);
    walk.listed
}

struct Walk<'a> {
    schema: &'a Avro,
    open: Vec<NodeId>,
    listed: Vec<Listed>,
}

impl Walk<'_> {
    fn field(&mut self, path: String, id: NodeId, of: Option<&Field>) {
        if self.listed.len() >= LISTED_MAX {
            return;
        }
        let mut constraints = self.constraints(id);
        if let Some(field) = of {
            let default = field.default.as_ref();
            constraints.extend(default.map(|value| format!("default {value}")));
            if !field.aliases.is_empty() {
                constraints.push(format!("also called {}", field.aliases.join(", ")));
            }
        }
        let is_again = self.open.contains(&id) || self.open.len() >= DEPTH_MAX;
        if is_again {
            constraints.push("as above, again".to_owned());
        }
        self.listed.push(Listed {
            path: path.clone(),
            kind: self.kind(id),
            // A writer writes every field; without a default a reader needs it.
            required: of.is_none_or(|field| field.default.is_none()),
            constraints,
        });
        if !is_again {
            self.open.push(id);
            self.inside(&path, id);
            self.open.pop();
        }
    }

    fn inside(&mut self, path: &str, id: NodeId) {
        match &self.schema.node(id).kind {
            Kind::Record { fields, .. } => {
                for field in fields {
                    self.field(below(path, &field.name), field.node, Some(field));
                }
            }
            Kind::Array(item) if self.has_inside(*item) => {
                self.inside_of(&below(path, "[]"), *item);
            }
            Kind::Map(value) if self.has_inside(*value) => {
                self.inside_of(&below(path, "*"), *value);
            }
            Kind::Union(branches) => {
                for branch in branches {
                    if self.has_inside(*branch) {
                        self.inside_of(path, *branch);
                    }
                }
            }
            _ => {}
        }
    }

    /// What is inside of a part that has no line of its own.
    fn inside_of(&mut self, path: &str, id: NodeId) {
        if !self.open.contains(&id) && self.open.len() < DEPTH_MAX {
            self.open.push(id);
            self.inside(path, id);
            self.open.pop();
        }
    }

    fn has_inside(&self, id: NodeId) -> bool {
        matches!(
            self.schema.node(id).kind,
            Kind::Record { .. } | Kind::Array(_) | Kind::Map(_) | Kind::Union(_)
        )
    }

    fn kind(&self, id: NodeId) -> String {
        let node = self.schema.node(id);
        match &node.kind {
            Kind::Array(item) => format!("array of {}", self.schema.name(*item)),
            Kind::Map(value) => format!("map of {}", self.schema.name(*value)),
            Kind::Union(branches) => {
                let names: Vec<String> = branches.iter().map(|id| self.schema.name(*id)).collect();
                names.join(" | ")
            }
            Kind::Record { name, .. } | Kind::Enum { name, .. } | Kind::Fixed { name, .. } => {
                format!("{} {name}", node.kind.word())
            }
            kind => kind.word().to_owned(),
        }
    }

    fn constraints(&self, id: NodeId) -> Vec<String> {
        let node = self.schema.node(id);
        let mut found = Vec::new();
        match &node.kind {
            Kind::Enum {
                symbols, default, ..
            } => {
                found.push(format!("one of {}", some_of(symbols.iter().cloned())));
                let default = default.as_ref();
                found.extend(default.map(|symbol| format!("unknown ones are read as {symbol}")));
            }
            Kind::Fixed { size, .. } => found.push(format!("{size} bytes")),
            _ => {}
        }
        found.extend(node.logical.as_ref().map(|logical| match logical {
            Logical::Decimal { precision, scale } => {
                format!("decimal of {precision} digits, {scale} behind the point")
            }
            Logical::Uuid => "uuid".to_owned(),
            Logical::TimeOfDay { .. } => "time of day".to_owned(),
            Logical::Other(name) => name.clone(),
        }));
        found
    }
}
