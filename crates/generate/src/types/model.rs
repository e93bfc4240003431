//! What the schemas of all formats are turned into before any language is written: records, open
//! enums, unions, and plain types. It describes the JSON form of an event, which Avro and Protobuf
//! have too.

use super::names::{Names, RESERVED_TYPES, pascal};

/// The types of one event.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// The definitions that are reached from the root, in the order found; the root first.
    pub definitions: Vec<Definition>,
}

/// The type of a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    /// Any JSON value, `null` too.
    Any,
    /// True or false.
    Boolean,
    /// A whole number of 64 bits.
    Integer,
    /// A number of double precision.
    Number,
    /// Text.
    Text,
    /// A whole number of 64 bits that is written as text, as Protobuf does; signed or not.
    LongText { signed: bool },
    /// Many of one type.
    List(Box<Type>),
    /// Many of one type, by text.
    Map(Box<Type>),
    /// `null`, or a value of the type.
    Nullable(Box<Type>),
    /// A definition, by its place.
    Named(usize),
}

impl Type {
    pub(crate) fn list(item: Self) -> Self {
        Self::List(Box::new(item))
    }

    pub(crate) fn map(value: Self) -> Self {
        Self::Map(Box::new(value))
    }

    /// The type with `null`, said once.
    pub(crate) fn nullable(self) -> Self {
        match self {
            Self::Any | Self::Nullable(_) => self,
            other => Self::Nullable(Box::new(other)),
        }
    }

    /// Whether `null` is one of its values.
    pub(crate) fn takes_null(&self) -> bool {
        matches!(self, Self::Any | Self::Nullable(_))
    }

    /// The type that has the values of both, and others too where no closer one has a name.
    pub(crate) fn join(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Nullable(a), b) | (b, Self::Nullable(a)) => {
                let b = match b {
                    Self::Nullable(inner) => *inner,
                    other => other,
                };
                a.join(b).nullable()
            }
            (Self::Integer, Self::Number) | (Self::Number, Self::Integer) => Self::Number,
            (Self::List(a), Self::List(b)) => Self::list(a.join(*b)),
            (Self::Map(a), Self::Map(b)) => Self::map(a.join(*b)),
            _ => Self::Any,
        }
    }

    /// The definition that is part of a value itself, not of a list or a map in it.
    pub(crate) fn direct(&self) -> Option<usize> {
        match self {
            Self::Named(id) => Some(*id),
            Self::Nullable(inner) => inner.direct(),
            _ => None,
        }
    }

    fn each_named(&mut self, visit: &mut impl FnMut(&mut usize)) {
        match self {
            Self::Named(id) => visit(id),
            Self::List(inner) | Self::Map(inner) | Self::Nullable(inner) => inner.each_named(visit),
            _ => {}
        }
    }
}

/// A type with a name.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    /// As a reader wants it; in the end in capitals and lower case, unique in its event, a word of no
    /// language.
    pub name: String,
    /// What the schema says about it.
    pub doc: String,
    pub shape: Shape,
}

#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// Fields; and the type of those that are not declared, where they are kept.
    Record {
        fields: Vec<Field>,
        rest: Option<Type>,
    },
    /// Text, of which these values are known. `fixed`: there will be no other one.
    Enum { values: Vec<String>, fixed: bool },
    /// One of several.
    Union { by: By, variants: Vec<Variant> },
    /// A type under another name.
    Wrapper(Type),
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// The name in JSON.
    pub wire: String,
    /// What else a reader takes it by.
    pub aliases: Vec<String>,
    pub doc: String,
    pub ty: Type,
    pub required: bool,
}

/// How a reader tells the variants of a union apart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum By {
    /// By the text of a property.
    Property(String),
    /// By the kind of the JSON value.
    Kind,
    /// By the only key of an object around the value, as Avro does.
    Key,
}

#[derive(Clone, Debug)]
pub(crate) struct Variant {
    /// In capitals and lower case, unique in its union.
    pub name: String,
    /// Of a union by property or key: the texts that stand for it.
    pub tags: Vec<String>,
    pub ty: Type,
}

/// The kinds of JSON values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Integer,
    Number,
    Text,
    List,
    Object,
}

impl Shape {
    fn types(&self) -> Vec<&Type> {
        match self {
            Self::Record { fields, rest } => fields.iter().map(|f| &f.ty).chain(rest).collect(),
            Self::Enum { .. } => Vec::new(),
            Self::Union { variants, .. } => variants.iter().map(|v| &v.ty).collect(),
            Self::Wrapper(ty) => vec![ty],
        }
    }

    fn types_mut(&mut self) -> Vec<&mut Type> {
        match self {
            Self::Record { fields, rest } => {
                let fields = fields.iter_mut().map(|field| &mut field.ty);
                fields.chain(rest).collect()
            }
            Self::Enum { .. } => Vec::new(),
            Self::Union { variants, .. } => variants.iter_mut().map(|v| &mut v.ty).collect(),
            Self::Wrapper(ty) => vec![ty],
        }
    }
}

impl Model {
    /// The definitions reached from the first one, in the order in which they were found. What is
    /// only another name of itself becomes any value.
    pub(crate) fn of(mut definitions: Vec<Definition>) -> Self {
        for at in 0..definitions.len() {
            if is_only_itself(&definitions, at)
                && let Some(definition) = definitions.get_mut(at)
            {
                definition.shape = Shape::Wrapper(Type::Any);
            }
        }
        let mut reached = vec![false; definitions.len()];
        let mut waiting = vec![0];
        while let Some(at) = waiting.pop() {
            let Some(seen) = reached.get_mut(at) else {
                continue;
            };
            if std::mem::replace(seen, true) {
                continue;
            }
            for ty in definitions.get(at).iter().flat_map(|d| d.shape.types()) {
                let mut ty = ty.clone();
                ty.each_named(&mut |id| waiting.push(*id));
            }
        }
        let mut places = Vec::with_capacity(reached.len());
        let mut next = 0;
        for is_reached in &reached {
            places.push(next);
            next += usize::from(*is_reached);
        }
        let kept = definitions.into_iter().zip(&reached);
        let mut kept: Vec<Definition> = kept
            .filter_map(|(definition, is_reached)| is_reached.then_some(definition))
            .collect();
        let mut names = Names::without(RESERVED_TYPES);
        for definition in &mut kept {
            definition.name = names.claim(&pascal(&definition.name));
            for ty in definition.shape.types_mut() {
                ty.each_named(&mut |id| *id = places.get(*id).copied().unwrap_or(0));
            }
        }
        Self { definitions: kept }
    }

    pub(crate) fn name(&self, id: usize) -> &str {
        self.definitions
            .get(id)
            .map_or("", |found| found.name.as_str())
    }

    /// Whether a value of `ty`, a part of `owner`, would hold a value of `owner` without end if it
    /// were not kept apart from it.
    pub(crate) fn recurs(&self, owner: usize, ty: &Type) -> bool {
        let mut seen = vec![false; self.definitions.len()];
        let mut waiting: Vec<usize> = ty.direct().into_iter().collect();
        while let Some(at) = waiting.pop() {
            if at == owner {
                return true;
            }
            let Some(seen) = seen.get_mut(at) else {
                continue;
            };
            if std::mem::replace(seen, true) {
                continue;
            }
            let types = self.definitions.get(at).map(|found| found.shape.types());
            waiting.extend(types.into_iter().flatten().filter_map(Type::direct));
        }
        false
    }
}

/// The kind of the JSON values of a type; `None` when it has several, or any.
pub(crate) fn kind(definitions: &[Definition], ty: &Type) -> Option<Kind> {
    Some(match ty {
        Type::Boolean => Kind::Boolean,
        Type::Integer => Kind::Integer,
        Type::Number => Kind::Number,
        Type::Text => Kind::Text,
        Type::List(_) => Kind::List,
        Type::Map(_) => Kind::Object,
        Type::Any | Type::Nullable(_) | Type::LongText { .. } => return None,
        Type::Named(id) => match &definitions.get(*id)?.shape {
            Shape::Record { .. } => Kind::Object,
            Shape::Enum { .. } => Kind::Text,
            Shape::Union { .. } | Shape::Wrapper(_) => return None,
        },
    })
}

/// Whether a definition leads, by names alone, back to itself.
fn is_only_itself(definitions: &[Definition], start: usize) -> bool {
    let mut at = start;
    for _ in 0..=definitions.len() {
        let Some(Shape::Wrapper(ty)) = definitions.get(at).map(|found| &found.shape) else {
            return false;
        };
        match ty.direct() {
            Some(next) => at = next,
            None => return false,
        }
    }
    true
}
