//! Avro, read for the types of its JSON encoding: a union is `null` or the value under the name of its
//! branch, bytes are text of one character a byte.

use std::collections::HashMap;

use serde_json::Value;
use tidegate_schema::SchemaError;
use tidegate_schema::avro::{Avro, Kind, NodeId};

use super::model::{By, Definition, Field, Model, Shape, Type, Variant};
use super::names::{Names, pascal};

/// The types of the event that the schema describes, called `name`.
pub(super) fn model(text: &str, name: &str) -> Result<Model, SchemaError> {
    let schema = Avro::parse(text)?;
    let written = serde_json::from_str(text).unwrap_or(Value::Null);
    let mut reading = Reading {
        schema: &schema,
        written: &written,
        definitions: Vec::new(),
        known: HashMap::new(),
    };
    let root = reading.slot(name, String::new());
    let ty = reading.ty(schema.root(), name);
    if ty != Type::Named(root) {
        reading.fill(root, Shape::Wrapper(ty));
    }
    Ok(Model::of(reading.definitions))
}

struct Reading<'a> {
    schema: &'a Avro,
    written: &'a Value,
    definitions: Vec<Definition>,
    known: HashMap<NodeId, usize>,
}

impl Reading<'_> {
    fn slot(&mut self, name: &str, doc: String) -> usize {
        self.definitions.push(Definition {
            name: name.to_owned(),
            doc,
            shape: Shape::Wrapper(Type::Any),
        });
        self.definitions.len() - 1
    }

    /// The definition of a named type: for that of the event, the first one.
    fn place(&mut self, id: NodeId, name: &str) -> usize {
        let doc = self.doc(id);
        let slot = match self.definitions.first_mut() {
            Some(first) if id == self.schema.root() => {
                first.doc = doc;
                0
            }
            _ => self.slot(name, doc),
        };
        self.known.insert(id, slot);
        slot
    }

    fn fill(&mut self, slot: usize, shape: Shape) -> Type {
        if let Some(definition) = self.definitions.get_mut(slot) {
            definition.shape = shape;
        }
        Type::Named(slot)
    }

    fn doc(&self, id: NodeId) -> String {
        self.doc_at(&self.schema.node(id).pointer)
    }

    fn doc_at(&self, pointer: &str) -> String {
        let written = self.written.pointer(pointer);
        let doc = written.and_then(|written| written.get("doc")?.as_str());
        doc.unwrap_or_default().to_owned()
    }

    fn ty(&mut self, id: NodeId, name: &str) -> Type {
        if let Some(slot) = self.known.get(&id) {
            return Type::Named(*slot);
        }
        let schema = self.schema;
        match &schema.node(id).kind {
            Kind::Null => Type::Any,
            Kind::Boolean => Type::Boolean,
            Kind::Int | Kind::Long => Type::Integer,
            Kind::Float | Kind::Double => Type::Number,
            Kind::Bytes | Kind::String | Kind::Fixed { .. } => Type::Text,
            Kind::Array(item) => Type::list(self.ty(*item, &format!("{name} item"))),
            Kind::Map(value) => Type::map(self.ty(*value, &format!("{name} value"))),
            Kind::Union(branches) => self.union(id, branches, name),
            Kind::Enum { name, symbols, .. } => {
                let slot = self.place(id, name.short());
                let values = symbols.clone();
                self.fill(
                    slot,
                    Shape::Enum {
                        values,
                        fixed: false,
                    },
                )
            }
            Kind::Record { name, fields, .. } => {
                let slot = self.place(id, name.short());
                let fields = fields.iter().map(|field| Field {
                    wire: field.name.clone(),
                    aliases: Vec::new(),
                    doc: self.note(&field.pointer, field.node),
                    ty: self.ty(field.node, &field.name),
                    required: true,
                });
                let fields = fields.collect();
                self.fill(slot, Shape::Record { fields, rest: None })
            }
        }
    }

    /// What is said about a field, with its logical type.
    fn note(&self, pointer: &str, node: NodeId) -> String {
        let mut doc = self.doc_at(pointer);
        let node = self.schema.node(node);
        let written = self.written.pointer(&node.pointer);
        let logical = written.and_then(|written| written.get("logicalType")?.as_str());
        if let Some(logical) = logical.filter(|_| node.logical.is_some()) {
            if !doc.is_empty() {
                doc.push_str("\n\n");
            }
            doc.push_str(&format!("Logical type: {logical}."));
        }
        doc
    }

    fn union(&mut self, id: NodeId, branches: &[NodeId], name: &str) -> Type {
        let slot = self.slot(name, String::new());
        self.known.insert(id, slot);
        let mut null = false;
        let mut variants = Vec::new();
        let mut names = Names::without(&["Other"]);
        for branch in branches {
            if self.schema.node(*branch).kind == Kind::Null {
                null = true;
                continue;
            }
            let tag = self.schema.name(*branch);
            let short = tag.rsplit('.').next().unwrap_or_default();
            let ty = self.ty(*branch, &format!("{name} {short}"));
            variants.push(Variant {
                name: names.claim(&pascal(&format!("as {short}"))),
                tags: vec![tag.clone()],
                ty,
            });
        }
        if variants.is_empty() {
            return Type::Any;
        }
        let union = self.fill(
            slot,
            Shape::Union {
                by: By::Key,
                variants,
            },
        );
        if !null {
            return union;
        }
        // A union cannot stand in a union, so only what leads back to it meets it without its null.
        self.nullable_union(id, union)
    }

    /// A name for the union with its `null`, for those who meet it again.
    fn nullable_union(&mut self, id: NodeId, union: Type) -> Type {
        let name = match &union {
            Type::Named(slot) => self.definitions.get(*slot).map(|found| found.name.clone()),
            _ => None,
        };
        let slot = self.slot(
            &format!("{} or null", name.unwrap_or_default()),
            String::new(),
        );
        let ty = union.nullable();
        self.fill(slot, Shape::Wrapper(ty.clone()));
        self.known.insert(id, slot);
        ty
    }
}
