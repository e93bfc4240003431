//! Protobuf by its mapping to JSON. A field without presence is always there: a reader gets its
//! default, which `default` says. Of an enum only the names that are declared are taken to be sent.

use std::collections::BTreeMap;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};
use tidegate_schema::protobuf::Protobuf;

/// Most messages that are followed.
const MESSAGES_MAX: usize = 5_000;

/// All that the message allows; `None` without a message.
pub(super) fn json_schema(schema: &Protobuf) -> Option<Value> {
    let root = schema.root()?;
    let mut known: BTreeMap<String, Value> = BTreeMap::new();
    let mut waiting = vec![root.clone()];
    while let Some(message) = waiting.pop() {
        let name = message.full_name().to_owned();
        if known.contains_key(&name) || known.len() >= MESSAGES_MAX {
            continue;
        }
        let (value, more) = of(&message);
        known.insert(name, value);
        waiting.extend(more);
    }
    Some(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": reference(root),
        "$defs": known,
    }))
}

fn reference(message: &MessageDescriptor) -> String {
    format!("#/$defs/{}", message.full_name())
}

/// A message, with those that it has in it.
fn of(message: &MessageDescriptor) -> (Value, Vec<MessageDescriptor>) {
    if let Some(known) = well_known(message.full_name()) {
        return (known, Vec::new());
    }
    let mut inner = Vec::new();
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in message.fields() {
        let mut value = field_schema(&field, &mut inner);
        let name = field.json_name().to_owned();
        if field.is_required() || !field.supports_presence() {
            required.push(name.clone());
        }
        if !field.supports_presence()
            && let Value::Object(value) = &mut value
        {
            value.insert("default".to_owned(), default(&field));
        }
        properties.insert(name, value);
    }
    let value = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    (value, inner)
}

fn field_schema(field: &FieldDescriptor, inner: &mut Vec<MessageDescriptor>) -> Value {
    if field.is_map() {
        let kind = field.kind();
        let entry = kind.as_message();
        let value = entry.map(|entry| kind_schema(&entry.map_entry_value_field(), inner));
        return json!({"type": "object", "additionalProperties": value.unwrap_or(Value::Bool(true))});
    }
    let value = kind_schema(field, inner);
    if field.is_list() {
        return json!({"type": "array", "items": value});
    }
    value
}

fn kind_schema(field: &FieldDescriptor, inner: &mut Vec<MessageDescriptor>) -> Value {
    match field.kind() {
        Kind::Double | Kind::Float => json!({"type": "number"}),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            json!({"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX})
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            json!({"type": "integer", "minimum": i64::MIN, "maximum": i64::MAX})
        }
        Kind::Uint32 | Kind::Fixed32 => {
            json!({"type": "integer", "minimum": 0, "maximum": u32::MAX})
        }
        Kind::Uint64 | Kind::Fixed64 => {
            json!({"type": "integer", "minimum": 0, "maximum": u64::MAX})
        }
        Kind::Bool => json!({"type": "boolean"}),
        Kind::String | Kind::Bytes => json!({"type": "string"}),
        Kind::Enum(of) => {
            let names = of.values().map(|value| value.name().to_owned());
            json!({"type": "string", "enum": names.collect::<Vec<_>>()})
        }
        Kind::Message(message) => {
            let value = json!({"$ref": reference(&message)});
            inner.push(message);
            value
        }
    }
}

/// What a reader gets for a field that was not sent.
fn default(field: &FieldDescriptor) -> Value {
    if field.is_map() {
        return json!({});
    }
    if field.is_list() {
        return json!([]);
    }
    match field.kind() {
        Kind::Bool => json!(false),
        Kind::String | Kind::Bytes => json!(""),
        Kind::Enum(of) => json!(of.default_value().name()),
        Kind::Double | Kind::Float => json!(0.0),
        _ => json!(0),
    }
}

/// The messages that JSON writes in a way of their own.
fn well_known(name: &str) -> Option<Value> {
    let name = name.strip_prefix("google.protobuf.")?;
    Some(match name {
        "Timestamp" => json!({
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}",
        }),
        "Duration" => json!({"type": "string", "pattern": "^-?[0-9.]+s$"}),
        "FieldMask" => json!({"type": "string"}),
        "DoubleValue" | "FloatValue" => json!({"type": ["number", "null"]}),
        "Int64Value" | "UInt64Value" | "Int32Value" | "UInt32Value" => {
            json!({"type": ["integer", "null"]})
        }
        "BoolValue" => json!({"type": ["boolean", "null"]}),
        "StringValue" | "BytesValue" => json!({"type": ["string", "null"]}),
        "Struct" | "Any" => json!({"type": "object"}),
        "ListValue" => json!({"type": "array"}),
        "Value" => json!(true),
        "Empty" => json!({"type": "object", "additionalProperties": false}),
        _ => return None,
    })
}
