//! The schema of a drafted event: what the spans of its calls tell of payloads, which is often nothing;
//! and its identity.

use serde_json::{Map, Value, json};
use tidegate_base::Name;

use super::comment::one_line;
use super::samples::{Basis, Field, Object, Samples};
use super::{key, naming};
use crate::operation;

/// Most names of one object in a schema: those that most payloads have.
const NAMES_MAX: usize = 100;
/// An object with more names than this, none of which half of its kind have, is a map: its names are
/// values.
const MAP_NAMES: usize = 24;
/// Of so many objects, a name that one of them has may be a value as well.
const ONCE_OF: usize = 20;
/// So few different values are worth a word.
const FEW: usize = 12;

/// What is drafted of an event's payload.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    /// The schema, as JSON.
    pub(super) text: String,
    /// The JSON pointer of the key.
    pub(super) key: String,
    /// Why it is the key, where payloads say so.
    pub(super) reason: Option<String>,
    /// How many payloads the schema is from, and of which attributes.
    pub(super) origin: Option<String>,
}

impl Schema {
    /// What consumers rely on: the key, by its name where it is a field of the payload itself.
    pub(super) fn required(&self) -> &str {
        let name = self.key.strip_prefix('/').unwrap_or(&self.key);
        if name.contains('/') { &self.key } else { name }
    }
}

/// Where a value is.
#[derive(Clone, Copy, Debug)]
enum Where {
    /// In a payload.
    Payload,
    /// In an element of a list.
    List,
}

/// Where the event's schema is, in the folder.
pub(super) fn path(event: &Name) -> String {
    format!("schemas/{}.json", naming::kebab(event))
}

/// Who asks whom for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) event: &'a Name,
    pub(super) publisher: &'a Name,
    pub(super) consumer: &'a Name,
    pub(super) operation: &'a str,
    /// How many calls there are.
    pub(super) calls: usize,
}

/// An open object with the fields that payloads have, and its key.
pub(super) fn of(asked: &Asked<'_>, (samples, basis): &(Samples, Basis)) -> Schema {
    let key = key::of(samples, &operation::split_words(asked.operation));
    let mut object = object(&samples.root, samples.count, Where::Payload);
    if let Some(key) = &key {
        promise(&mut object, &key.path);
    } else {
        identify(&mut object, samples);
    }
    let origin = (samples.count > 0).then(|| origin(asked, samples));
    let what = match (&origin, basis) {
        (None, _) => "Its spans hold no payload: add the fields that the handler reads.".to_owned(),
        (Some(origin), Basis::Payload) => {
            format!("The fields are inferred from {origin}; there may be others.")
        }
        (Some(origin), Basis::Business) => format!(
            "The fields are inferred from {origin}, which is what applications say beside payloads: some may be \
             of the answer, and others are missing."
        ),
    };
    let Asked {
        publisher,
        consumer,
        operation,
        ..
    } = asked;
    let asks = one_line(operation);
    let mut schema = Map::new();
    schema.insert(
        "$schema".into(),
        "https://json-schema.org/draft/2020-12/schema".into(),
    );
    schema.insert("title".into(), asked.event.as_str().into());
    let description = format!("{publisher} asks {consumer} for {asks}. {what}");
    schema.insert("description".into(), description.into());
    schema.extend(object);
    let reason = key.as_ref().map(|key| {
        format!(
            "in all of {} payloads, with {} different values",
            samples.count, key.different
        )
    });
    Schema {
        text: format!("{:#}\n", Value::Object(schema)),
        key: key.map_or_else(
            || "/id".to_owned(),
            |key| format!("/{}", key.path.join("/")),
        ),
        reason,
        origin,
    }
}

fn origin(asked: &Asked<'_>, samples: &Samples) -> String {
    let names = samples.attributes.iter().map(|name| format!("`{name}`"));
    format!(
        "{} of {} calls, from {}",
        samples.count,
        asked.calls,
        names.collect::<Vec<_>>().join(", ")
    )
}

/// Adds an `id`, where payloads have none that can be the key.
fn identify(object: &mut Map<String, Value>, samples: &Samples) {
    object.entry("required").or_insert_with(|| json!([]));
    let own = samples.root.fields.get("id").is_some_and(Field::is_plain);
    let properties = object.entry("properties").or_insert_with(|| json!({}));
    if let (false, Some(properties)) = (own, properties.as_object_mut()) {
        let told = if samples.count > 0 {
            " No field of the payloads is it for sure."
        } else {
            ""
        };
        let id = json!({
            "type": "string",
            "minLength": 1,
            "description":
                format!("What the event is about; events with the same id keep their order.{told}"),
        });
        properties.shift_insert(0, "id".to_owned(), id);
    }
    promise(object, &["id".to_owned()]);
}

/// Requires the field at the path, and takes any text where it is one: what orders events in a
/// recording is not of any format.
fn promise(object: &mut Map<String, Value>, path: &[String]) {
    let Some((name, below)) = path.split_first() else {
        return;
    };
    let required = object.entry("required").or_insert_with(|| json!([]));
    if let Some(required) = required.as_array_mut()
        && !required.iter().any(|known| known == name)
    {
        required.insert(0, name.as_str().into());
    }
    let field = object
        .get_mut("properties")
        .and_then(|properties| properties.get_mut(name))
        .and_then(Value::as_object_mut);
    let Some(field) = field else { return };
    if !below.is_empty() {
        return promise(field, below);
    }
    if let Some(format) = field.shift_remove("format") {
        let form = format.as_str().unwrap_or_default().to_owned();
        field.insert(
            "description".into(),
            format!("Every value seen is a {form}.").into(),
        );
    }
}

/// Objects of which there are so many.
fn object(of: &Object, count: usize, at: Where) -> Map<String, Value> {
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    let fields = named(of);
    let always = fields.iter().filter(|(_, field)| field.count == count);
    let required: Vec<&str> = always.map(|(name, _)| *name).collect();
    if !required.is_empty() {
        schema.insert("required".into(), json!(required));
    }
    if !fields.is_empty() {
        let properties = fields.iter();
        let properties: Map<String, Value> = properties
            .map(|(name, field)| ((*name).to_owned(), Value::Object(value(field, count, at))))
            .collect();
        schema.insert("properties".into(), properties.into());
    }
    schema
}

/// The fields whose names are no values, by name.
fn named(of: &Object) -> Vec<(&str, &Field)> {
    let most = of.fields.values().map(|field| field.count).max();
    if of.fields.len() > MAP_NAMES && most.unwrap_or(0) * 2 < of.count {
        return Vec::new();
    }
    let is_name = |field: &Field| field.count > 1 || of.count < ONCE_OF;
    let fields = of.fields.iter().filter(|(_, field)| is_name(field));
    let mut fields: Vec<(&str, &Field)> =
        fields.map(|(name, field)| (name.as_str(), field)).collect();
    fields.sort_by_key(|(name, field)| (std::cmp::Reverse(field.count), *name));
    fields.truncate(NAMES_MAX);
    fields.sort_by_key(|(name, _)| *name);
    fields
}

/// One field of objects of which there are so many.
fn value(field: &Field, count: usize, at: Where) -> Map<String, Value> {
    let mut schema = Map::new();
    let types = types(field);
    // What the capture does not tell is left open.
    let is_known = field.unknown == 0 && !types.is_empty();
    if is_known {
        let types = match types.as_slice() {
            [one] => json!(one),
            several => json!(several),
        };
        schema.insert("type".into(), types);
        schema.extend(format(field));
        if let Some(elements) = &field.elements
            && elements.count > 0
        {
            schema.insert(
                "items".into(),
                value(elements, elements.count, Where::List).into(),
            );
        }
    }
    if is_known && field.objects.count > 0 {
        let objects = object(&field.objects, field.objects.count, at);
        schema.extend(objects.into_iter().filter(|(name, _)| name != "type"));
    }
    if let Some(description) = description(field, count, at) {
        schema.insert("description".into(), description.into());
    }
    schema
}

fn types(field: &Field) -> Vec<&'static str> {
    let all = [
        (field.texts, "string"),
        (if field.reals == 0 { field.wholes } else { 0 }, "integer"),
        (field.reals, "number"),
        (field.flags, "boolean"),
        (field.lists, "array"),
        (field.objects.count, "object"),
        (field.nulls, "null"),
    ];
    let there = all.iter().filter(|(count, _)| *count > 0);
    there.map(|(_, name)| *name).collect()
}

/// A format that every text has.
fn format(field: &Field) -> Option<(String, Value)> {
    let all = |count: usize| count > 0 && count == field.texts;
    let format = match (all(field.date_times), all(field.uuids)) {
        (true, _) => "date-time",
        (_, true) => "uuid",
        _ => return None,
    };
    Some(("format".to_owned(), format.into()))
}

fn description(field: &Field, count: usize, at: Where) -> Option<String> {
    let mut parts = Vec::new();
    if field.count < count {
        parts.push(match at {
            Where::Payload => format!("in {} of {count}", field.count),
            // There only the different shapes of elements are counted.
            Where::List => "not in all".to_owned(),
        });
    }
    if field.unknown > 0 {
        parts.push("of a type that the capture does not tell".to_owned());
    }
    let (different, seen) = (field.different(), field.count);
    if field.is_plain()
        && (1..=FEW).contains(&different)
        && seen >= ONCE_OF
        && different * 5 <= seen
    {
        let values = if different == 1 {
            "value"
        } else {
            "different values"
        };
        parts.push(format!("{different} {values} in {seen}"));
    }
    (!parts.is_empty()).then(|| {
        let text = parts.join("; ");
        let mut letters = text.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).chain(['.']).collect()
    })
}
