//! The published JSON Schema of the design file, made from the same tables as the reader.
//!
//! It accepts every design that the reader reads without an error. It cannot say everything that the
//! reader says: durations that must not be zero, values that contradict each other.

mod scalars;

use serde_json::{Map, Value, json};

use crate::findings::Findings;
use crate::language::{DESIGN, VERSION};
use crate::shape::{Field, Kind, Presence, Repeats, Section, Share};
use crate::yaml;

/// The JSON Schema (draft 2020-12) of a design file, for editors to complete and check it.
#[must_use]
pub fn json_schema() -> Value {
    let mut definitions = scalars::definitions();
    let mut schema = Map::new();
    schema.insert(
        "$schema".into(),
        "https://json-schema.org/draft/2020-12/schema".into(),
    );
    schema.insert("title".into(), "Tidegate design".into());
    for (keyword, value) in section(&DESIGN, &mut definitions) {
        schema.insert(keyword, value);
    }
    // Of all sections only the design itself cannot be empty.
    schema.insert("type".into(), "object".into());
    schema.insert("$defs".into(), Value::Object(definitions));
    Value::Object(schema)
}

/// The keywords of a section; the sections within it go into the definitions.
fn section(section: &Section, definitions: &mut Map<String, Value>) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in section.fields {
        properties.insert(field.name.to_owned(), property(field, definitions));
        if field.presence == Presence::Required {
            required.push(field.name);
        }
    }
    let mut keywords = Map::new();
    keywords.insert("description".into(), section.summary.into());
    keywords.insert("type".into(), json!(["object", "null"]));
    if !required.is_empty() {
        keywords.insert("required".into(), json!(required));
    }
    keywords.insert("properties".into(), Value::Object(properties));
    keywords.insert("additionalProperties".into(), Value::Bool(false));
    keywords
}

fn property(field: &Field, definitions: &mut Map<String, Value>) -> Value {
    let mut keywords = kind(&field.kind, definitions);
    let description = match field.presence {
        Presence::Derived(default) => format!("{} Default: {default}.", field.summary),
        Presence::Required | Presence::Optional | Presence::Default(_) => field.summary.to_owned(),
    };
    let description = match &field.kind {
        Kind::Word(choices) => choices.iter().fold(description, |text, choice| {
            format!("{text}\n- `{}`: {}", choice.word, choice.summary)
        }),
        _ => description,
    };
    keywords.insert("description".into(), description.into());
    if let (Presence::Default(text), false) =
        (field.presence, matches!(field.kind, Kind::Section(_)))
    {
        keywords.insert("default".into(), as_json(text));
    }
    keywords.insert("examples".into(), json!([as_json(field.example)]));
    Value::Object(keywords)
}

fn kind(kind: &Kind, definitions: &mut Map<String, Value>) -> Map<String, Value> {
    let keywords = match kind {
        Kind::Version => json!({"const": VERSION}),
        Kind::Text => reference("text"),
        Kind::Line => reference("line"),
        Kind::Name => reference("name"),
        Kind::Duration(_) => reference("duration"),
        Kind::Rate => reference("rate"),
        Kind::Bytes => reference("bytes"),
        Kind::Ratio(Share::FromZero) => reference("share"),
        Kind::Ratio(Share::AboveZero) => json!({"$ref": "#/$defs/share", "not": {"const": 0}}),
        Kind::Count(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Kind::Weights => json!({
            "type": ["object", "null"],
            "propertyNames": {"pattern": r"\S"},
            "additionalProperties": {"type": "number", "minimum": 0},
        }),
        Kind::Word(choices) => {
            let words: Vec<_> = choices.iter().map(|choice| choice.word).collect();
            json!({"enum": words})
        }
        Kind::Pointer => reference("pointer"),
        Kind::FieldPath => reference("field-path"),
        Kind::Url => json!({
            "type": "string",
            "format": "uri",
            "pattern": r"^https?://[^/?#@\s]+([/?][^#\s]*)?$",
        }),
        Kind::Schema => json!({
            "anyOf": [
                {"type": "string", "pattern": r"^[^/~].*\.(json|yaml|yml|avsc|proto#[A-Za-z_][A-Za-z0-9_.]*)$"},
                {"type": "object"},
            ],
        }),
        Kind::Literal => json!({"type": ["string", "number", "boolean", "null"]}),
        Kind::Short(short) => {
            let plain = self::kind(&short.kind, definitions);
            json!({"anyOf": [plain, define(short.section, definitions)]})
        }
        Kind::List(item, repeats) => {
            let items = self::kind(item, definitions);
            // The reader compares what is written in short alone.
            let is_unique = *repeats == Repeats::Refused && !matches!(item, Kind::Short(_));
            json!({"type": "array", "items": items, "uniqueItems": is_unique})
        }
        Kind::Section(inner) => define(inner, definitions),
        Kind::Named(inner) => json!({
            "type": ["object", "null"],
            "propertyNames": reference("name"),
            "additionalProperties": define(inner, definitions),
        }),
    };
    match keywords {
        Value::Object(keywords) => keywords,
        _ => Map::new(),
    }
}

/// A reference to a section, which is defined at the first one.
fn define(inner: &Section, definitions: &mut Map<String, Value>) -> Value {
    if !definitions.contains_key(inner.name) {
        let definition = section(inner, definitions);
        definitions.insert(inner.name.to_owned(), Value::Object(definition));
    }
    reference(inner.name)
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

/// A value of the tables, which is YAML on one line, as JSON.
fn as_json(text: &str) -> Value {
    let mut findings = Findings::in_files(Vec::new());
    let json = yaml::load(text, 0, &mut findings).map(|tree| tree.to_json());
    json.and_then(|json| serde_json::from_str(&json).ok())
        .unwrap_or_default()
}
