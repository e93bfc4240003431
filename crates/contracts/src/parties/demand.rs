//! What one consumer asks of an event, clause by clause.

use serde_json::{Map, Value, json};
use tidegate_model::Place;
use tidegate_model::design::{Consume, Event, FieldType, Presence, Requirement, Rule};
use tidegate_model::{Word as _, field_segments};
use tidegate_schema::Types;

use super::shape::{Found, Shape};

/// One thing that a consumer relies on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clause<'a> {
    /// A field.
    Field(&'a Requirement),
    /// A rule.
    Rule(&'a Rule),
    /// Everything that the schema of the version says that it was built to read.
    Whole(&'a str),
}

/// What a consumer asks of an event: what it requires, or else the whole event.
pub(crate) fn clauses<'a>(consume: &'a Consume, event: &'a Event) -> Vec<Clause<'a>> {
    if consume.requires.is_empty() && consume.rules.is_empty() {
        return vec![Clause::Whole(version_read(consume, event))];
    }
    let fields = consume.requires.iter().map(Clause::Field);
    fields
        .chain(consume.rules.iter().map(Clause::Rule))
        .collect()
}

/// The version that a consumer was built to read.
pub(crate) fn version_read<'a>(consume: &'a Consume, event: &'a Event) -> &'a str {
    let reads = consume.reads.as_ref();
    reads.map_or(event.newest(), |version| version.value.as_str())
}

impl Clause<'_> {
    /// Where it is written; `None` for the whole event.
    pub(crate) fn place(&self) -> Option<&Place> {
        match self {
            Self::Field(requirement) => Some(&requirement.field.place),
            Self::Rule(rule) => Some(&rule.expression.place),
            Self::Whole(_) => None,
        }
    }

    /// What is asked, in words.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Field(requirement) => field_words(requirement),
            Self::Rule(rule) => format!("`{}`", rule.expression.value.trim()),
            Self::Whole(version) => format!("all of version {version}"),
        }
    }

    /// Why, as the design says.
    pub(crate) fn because(&self) -> Option<&str> {
        match self {
            Self::Field(requirement) => requirement.because.as_deref(),
            Self::Rule(rule) => rule.because.as_deref(),
            Self::Whole(_) => None,
        }
    }
}

fn field_words(requirement: &Requirement) -> String {
    let mut words = format!("`{}`", requirement.field.value);
    if requirement.presence == Presence::Optional {
        words.push_str(", if it is there");
    }
    if let Some(kind) = &requirement.field_type {
        words.push_str(&format!(", of type {}", kind.value.word()));
    }
    if let Some(values) = &requirement.values {
        let values: Vec<String> = values.iter().map(|value| value.value.to_string()).collect();
        words.push_str(&match values.is_empty() {
            true => ", of no value at all".to_owned(),
            false => format!(", one of {}", values.join(", ")),
        });
    }
    words
}

/// The types that a requirement takes.
pub(crate) fn types(requirement: &Requirement) -> Types {
    match requirement.field_type.as_ref().map(|kind| kind.value) {
        None => Types::ALL,
        Some(FieldType::String) => Types::STRING,
        Some(FieldType::Number) => Types::NUMBER,
        Some(FieldType::Integer) => Types::INTEGER,
        Some(FieldType::Boolean) => Types::BOOLEAN,
        Some(FieldType::Object) => Types::OBJECT,
        Some(FieldType::Array) => Types::ARRAY,
    }
}

/// The names that lead to a required field.
pub(crate) fn path(requirement: &Requirement) -> Vec<String> {
    // What is no pointer was reported when the design was read.
    field_segments(&requirement.field.value).unwrap_or_default()
}

/// Whether the shape alone shows that a requirement is met by every event.
pub(crate) fn is_plainly_met(requirement: &Requirement, shape: &Shape) -> bool {
    let Found::Node(id, is_sure) = shape.at(&path(requirement)) else {
        return false;
    };
    let node = shape.node(id);
    let is_listed = |value: &Value| {
        let wanted = requirement.values.iter().flatten();
        wanted
            .map(|wanted| &wanted.value)
            .any(|wanted| wanted == value)
    };
    let values = match (&requirement.values, &node.values) {
        (None, _) => true,
        (Some(_), Some(values)) => values.iter().all(is_listed),
        (Some(_), None) => false,
    };
    let is_there = is_sure || requirement.presence == Presence::Optional;
    is_there && values && node.types.is_within(types(requirement))
}

/// The events that keep a requirement, as a JSON Schema.
pub(crate) fn schema(requirement: &Requirement, shape: &Shape) -> Value {
    let mut leaf = Map::new();
    if let Some(kind) = &requirement.field_type {
        leaf.insert("type".to_owned(), json!(kind.value.word()));
    }
    if let Some(values) = &requirement.values {
        let values: Vec<&Value> = values.iter().map(|value| &value.value).collect();
        leaf.insert("enum".to_owned(), json!(values));
    }
    let path = path(requirement);
    let is_always = requirement.presence == Presence::Always;
    inside(&path, Value::Object(leaf), is_always, shape)
}

/// The value at a path fits a schema. A number leads into a list, and into an object that has such a name.
fn inside(path: &[String], leaf: Value, is_always: bool, shape: &Shape) -> Value {
    let mut types = Vec::with_capacity(path.len());
    let mut at = Some(shape.root());
    for name in path {
        let known = at.map_or(Types::ALL, |id| shape.node(id).types);
        types.push(if known.is_none() { Types::ALL } else { known });
        at = match at.map(|id| shape.step(id, name)) {
            Some(Found::Node(next, _)) => Some(next),
            _ => None,
        };
    }
    let steps = path.iter().zip(types).rev();
    steps.fold(leaf, |schema, (name, types)| {
        let index = name
            .parse::<usize>()
            .ok()
            .filter(|index| *index <= INDEX_MAX);
        let may_be = |kind: Types| !types.and(kind).is_none();
        match index.filter(|_| may_be(Types::ARRAY)) {
            None => named(name, schema, is_always),
            Some(index) if !may_be(Types::OBJECT) => indexed(index, schema, is_always),
            Some(index) => {
                let object = named(name, schema.clone(), is_always);
                let list = indexed(index, schema, is_always);
                let joined = if is_always { "anyOf" } else { "allOf" };
                json!({joined: [object, list]})
            }
        }
    })
}

/// Largest index of an item that is looked at.
const INDEX_MAX: usize = 64;

/// Whether a requirement leads to an item that is not looked at.
pub(crate) fn is_far(requirement: &Requirement) -> bool {
    let path = path(requirement);
    let mut indexes = path.iter().filter_map(|name| name.parse::<usize>().ok());
    indexes.any(|index| index > INDEX_MAX)
}

fn named(name: &str, schema: Value, is_always: bool) -> Value {
    match is_always {
        true => super::rule::schema::inside(&[name.to_owned()], schema),
        false => json!({"properties": Map::from_iter([(name.to_owned(), schema)])}),
    }
}

fn indexed(index: usize, schema: Value, is_always: bool) -> Value {
    let mut items = vec![Value::Bool(true); index];
    items.push(schema);
    match is_always {
        true => json!({"type": "array", "minItems": index + 1, "prefixItems": items}),
        false => json!({"prefixItems": items}),
    }
}
