//! Schemas of payloads, moved into the document.

use serde_json::{Map, Value, json};
use tidegate_base::Name;
use tidegate_model::design::{Schema, SchemaFormat};

/// Keywords that mean something in JSON Schema 2020-12 and nothing in draft-07.
const NEWER_KEYWORDS: [&str; 9] = [
    "prefixItems",
    "unevaluatedProperties",
    "unevaluatedItems",
    "dependentRequired",
    "dependentSchemas",
    "minContains",
    "maxContains",
    "$dynamicRef",
    "$anchor",
];

/// Keywords whose value is a map from names to schemas: its keys are not keywords.
const MAPS_OF_SCHEMAS: [&str; 6] = [
    "properties",
    "patternProperties",
    "$defs",
    "definitions",
    "dependentSchemas",
    "dependencies",
];

/// Keywords whose value is data, not a schema.
const DATA: [&str; 4] = ["const", "default", "enum", "examples"];

/// The media type of a payload of this format.
pub(super) fn content_type(format: SchemaFormat) -> &'static str {
    match format {
        SchemaFormat::JsonSchema => "application/json",
        SchemaFormat::Avro => "application/vnd.apache.avro",
        SchemaFormat::Protobuf => "application/vnd.google.protobuf",
    }
}

/// The dialect of a JSON Schema that says none.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What [`bundled`] leaves out of a JSON Schema: its dialect, and its id where it has one.
pub(super) fn dialect(schema: &Schema) -> Option<(String, Option<String>)> {
    if schema.format != SchemaFormat::JsonSchema {
        return None;
    }
    let root: Value = serde_json::from_str(schema.text.as_deref()?).ok()?;
    let text = |key: &str| root.get(key).and_then(Value::as_str).map(str::to_owned);
    let dialect = text("$schema").unwrap_or_else(|| DIALECT.to_owned());
    Some((dialect, text("$id")))
}

/// The schema of event `name` as it stands under `components/schemas/<name>`, its local references
/// pointing there; `None` when there is no text or it cannot be read.
pub(super) fn bundled(name: &Name, schema: &Schema) -> Option<Value> {
    let text = schema.text.as_deref()?;
    match schema.format {
        SchemaFormat::JsonSchema => {
            let root = serde_json::from_str(text).ok()?;
            Some(json_schema(name, root))
        }
        SchemaFormat::Avro => {
            let root: Value = serde_json::from_str(text).ok()?;
            Some(
                json!({"schemaFormat": "application/vnd.apache.avro;version=1.9.0", "schema": root}),
            )
        }
        SchemaFormat::Protobuf => {
            // Without a word about its syntax, a file is `proto2`.
            let is_3 = ["\"proto3\"", "'proto3'"]
                .iter()
                .any(|word| text.contains(word));
            let version = if is_3 { 3 } else { 2 };
            let format = format!("application/vnd.google.protobuf;version={version}");
            Some(json!({"schemaFormat": format, "schema": text}))
        }
    }
}

/// A schema that draft-07 reads the same way stands by itself: AsyncAPI's own schemas extend
/// draft-07. Any other one says what it is.
fn json_schema(name: &Name, mut root: Value) -> Value {
    if let Value::Object(object) = &mut root {
        // Within the document these would name the wrong thing.
        object.shift_remove("$schema");
        object.shift_remove("$id");
    }
    if needs_newer(&root) {
        move_references(&mut root, &format!("#/components/schemas/{name}/schema"));
        return json!({"schemaFormat": "application/schema+json;version=2020-12", "schema": root});
    }
    move_references(&mut root, &format!("#/components/schemas/{name}"));
    root
}

/// Whether draft-07 would read the schema differently.
fn needs_newer(schema: &Value) -> bool {
    let Value::Object(object) = schema else {
        return false;
    };
    let keyword = object
        .keys()
        .any(|key| NEWER_KEYWORDS.contains(&key.as_str()));
    // Draft-07 ignores everything beside `$ref`.
    let beside = object.contains_key("$ref")
        && object
            .keys()
            .any(|key| !["$ref", "title", "description", "$comment"].contains(&key.as_str()));
    let items = object.get("items").is_some_and(|items| items.is_boolean());
    keyword || beside || items || schemas_within(object).any(needs_newer)
}

/// The schemas directly within a schema.
fn schemas_within(object: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    object
        .iter()
        .filter(|(key, _)| !DATA.contains(&key.as_str()))
        .flat_map(|(key, value)| match value {
            Value::Object(map) if MAPS_OF_SCHEMAS.contains(&key.as_str()) => {
                map.values().collect::<Vec<_>>()
            }
            Value::Array(items) => items.iter().collect(),
            other => vec![other],
        })
}

/// Makes references to the schema's own root (`#`, `#/…`) point to where it now stands.
fn move_references(schema: &mut Value, root: &str) {
    let Value::Object(object) = schema else {
        return;
    };
    if let Some(Value::String(target)) = object.get_mut("$ref")
        && let Some(pointer) = target.strip_prefix('#')
        && (pointer.is_empty() || pointer.starts_with('/'))
    {
        *target = format!("{root}{pointer}");
    }
    for (key, value) in object
        .iter_mut()
        .filter(|(key, _)| !DATA.contains(&key.as_str()))
    {
        match value {
            Value::Object(map) if MAPS_OF_SCHEMAS.contains(&key.as_str()) => {
                map.values_mut()
                    .for_each(|inner| move_references(inner, root));
            }
            Value::Array(items) => items
                .iter_mut()
                .for_each(|inner| move_references(inner, root)),
            other => move_references(other, root),
        }
    }
}
