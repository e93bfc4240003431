//! Avro schemas: parsed with the place of every type, data judged in both encodings.
//!
//! A schema is a graph of [`Node`]s, so a recursive one is finite. What the library of Apache makes
//! of a schema is asked once, when it is parsed: what it refuses is refused here.

mod datum;
mod decode;
mod inline;
mod json;
mod logical;
mod name;
mod parse;

use serde_json::Value;
use tidegate_base::limit::SCHEMA_BYTES_MAX;

use crate::error::SchemaError;
use crate::refusal;
use crate::violation::{Violation, short};

pub use datum::Datum;
pub use inline::inline;
pub use name::FullName;

/// Deepest nesting of a datum that is read or written.
pub const DATUM_DEPTH_MAX: usize = 128;

/// A type of a schema, by its place in [`Avro`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) usize);

impl NodeId {
    /// The place, counted from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// One type of a schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// The logical type on top of it, where it is a known one that fits the type.
    pub logical: Option<Logical>,
    /// Where it is written: a JSON pointer into the schema.
    pub pointer: String,
}

/// The kinds of types.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// No value.
    Null,
    /// True or false.
    Boolean,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// A number of single precision.
    Float,
    /// A number of double precision.
    Double,
    /// Bytes.
    Bytes,
    /// Text.
    String,
    /// Many of one type.
    Array(NodeId),
    /// Many of one type, by text.
    Map(NodeId),
    /// One of several types.
    Union(Vec<NodeId>),
    /// Fields in an order.
    Record {
        /// What it is called.
        name: FullName,
        /// What else it may be called by a writer.
        aliases: Vec<FullName>,
        /// The fields, in the order in which they are written.
        fields: Vec<Field>,
    },
    /// One of several symbols.
    Enum {
        /// What it is called.
        name: FullName,
        /// What else it may be called by a writer.
        aliases: Vec<FullName>,
        /// The symbols.
        symbols: Vec<String>,
        /// The symbol that a reader takes for one that it does not know.
        default: Option<String>,
    },
    /// Bytes of one length.
    Fixed {
        /// What it is called.
        name: FullName,
        /// What else it may be called by a writer.
        aliases: Vec<FullName>,
        /// How many bytes.
        size: usize,
    },
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What else it may be called by a writer.
    pub aliases: Vec<String>,
    /// Its type.
    pub node: NodeId,
    /// What a reader takes when the writer has no such field.
    pub default: Option<Value>,
    /// Where it is written: a JSON pointer into the schema.
    pub pointer: String,
}

/// The logical types of the specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Logical {
    /// A decimal number: its digits in all, and those behind the point.
    Decimal {
        /// The digits in all.
        precision: usize,
        /// The digits behind the point.
        scale: usize,
    },
    /// A UUID.
    Uuid,
    /// A time of day in thousandths or millionths of a second.
    TimeOfDay {
        /// How many there are in a day.
        per_day: i64,
    },
    /// Another one, which restricts nothing: `date`, `timestamp-millis`, `duration`.
    Other(String),
}

/// A compiled Avro schema.
#[derive(Clone, Debug)]
pub struct Avro {
    nodes: Vec<Node>,
    root: NodeId,
    text: String,
}

impl Avro {
    /// Reads a schema: JSON, with every name defined before it is used, as the specification says.
    ///
    /// # Errors
    ///
    /// [`SchemaError`] with the place when the text is not JSON, a type is wrong, a name leads
    /// nowhere, or a limit is exceeded.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        if text.len() > SCHEMA_BYTES_MAX {
            return Err(SchemaError::Large(text.len()));
        }
        let root: Value = match serde_json::from_str(text) {
            Ok(root) => root,
            // A bare name is how many tools write a primitive.
            Err(_) if parse::is_primitive(text.trim()) => Value::String(text.trim().to_owned()),
            Err(error) => return Err(refusal::syntax(&error)),
        };
        let (nodes, id) = parse::parse(&root)?;
        let avro = Self {
            nodes,
            root: id,
            text: root.to_string(),
        };
        avro.defaults_fit()?;
        Ok(avro)
    }

    /// The type of a whole datum.
    #[must_use]
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// The type with this place.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        const NONE: &Node = &Node {
            kind: Kind::Null,
            logical: None,
            pointer: String::new(),
        };
        // An id of another schema is the caller's mistake, and no reason to stop the process.
        self.nodes.get(id.0).unwrap_or(NONE)
    }

    /// The place of every type, in the order of the text.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId)
    }

    /// How many types there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no type; never so for a schema that was parsed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The schema as JSON text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is wrong with `payload` as the JSON encoding of a datum; empty when it fits.
    #[must_use]
    pub fn validate_json(&self, payload: &Value) -> Vec<Violation> {
        self.from_json(payload).err().unwrap_or_default()
    }

    /// What is wrong with `payload` as the binary encoding of a datum; empty when it fits.
    #[must_use]
    pub fn validate_binary(&self, payload: &[u8]) -> Vec<Violation> {
        self.decode(payload).err().into_iter().collect()
    }

    /// How the messages of violations and unions call a type.
    #[must_use]
    pub fn name(&self, id: NodeId) -> String {
        match &self.node(id).kind {
            Kind::Record { name, .. } | Kind::Enum { name, .. } | Kind::Fixed { name, .. } => {
                name.to_string()
            }
            Kind::Union(_) => "union".to_owned(),
            kind => kind.word().to_owned(),
        }
    }

    /// Every default of a field fits the field's type, one branch of it for a union.
    fn defaults_fit(&self) -> Result<(), SchemaError> {
        for node in &self.nodes {
            let Kind::Record { fields, .. } = &node.kind else {
                continue;
            };
            for field in fields {
                let Some(default) = &field.default else {
                    continue;
                };
                if let Err(violation) = self.default_datum(field.node, default) {
                    let place = violation.path;
                    return Err(SchemaError::Keyword {
                        pointer: short(&format!("{}/default{place}", field.pointer)),
                        message: short(&violation.message),
                    });
                }
            }
        }
        Ok(())
    }
}

impl Kind {
    /// The word of the specification for the kind.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::Bytes => "bytes",
            Self::String => "string",
            Self::Array(_) => "array",
            Self::Map(_) => "map",
            Self::Union(_) => "union",
            Self::Record { .. } => "record",
            Self::Enum { .. } => "enum",
            Self::Fixed { .. } => "fixed",
        }
    }

    /// The name of a record, an enum or a fixed, with its aliases.
    #[must_use]
    pub fn named(&self) -> Option<(&FullName, &[FullName])> {
        match self {
            Self::Record { name, aliases, .. }
            | Self::Enum { name, aliases, .. }
            | Self::Fixed { name, aliases, .. } => Some((name, aliases)),
            _ => None,
        }
    }
}
