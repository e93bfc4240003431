//! Avro by its JSON encoding: a union is `null` or `{"branch": value}`.

use serde_json::{Map, Value, json};
use tidegate_schema::avro::{Avro, Kind, Logical, NodeId};

/// A UUID as text.
const UUID: &str = "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$";

/// All that the schema allows. What is no number (`NaN`, `Infinity`) counts for no event.
pub(super) fn json_schema(schema: &Avro) -> Value {
    let definitions = schema.ids().map(|id| (name(id), of(schema, id)));
    let definitions: Map<String, Value> = definitions.collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": reference(schema.root()),
        "$defs": definitions,
    })
}

fn name(id: NodeId) -> String {
    format!("t{}", id.index())
}

fn reference(id: NodeId) -> String {
    format!("#/$defs/{}", name(id))
}

fn of(schema: &Avro, id: NodeId) -> Value {
    let node = schema.node(id);
    match &node.kind {
        Kind::Null => json!({"type": "null"}),
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Int => json!({"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX}),
        Kind::Long => json!({"type": "integer", "minimum": i64::MIN, "maximum": i64::MAX}),
        Kind::Float | Kind::Double => json!({"type": "number"}),
        Kind::String if node.logical == Some(Logical::Uuid) => {
            json!({"type": "string", "pattern": UUID})
        }
        Kind::Bytes | Kind::String => json!({"type": "string"}),
        Kind::Fixed { size, .. } => {
            json!({"type": "string", "minLength": size, "maxLength": size})
        }
        Kind::Enum { symbols, .. } => json!({"type": "string", "enum": symbols}),
        Kind::Array(items) => json!({"type": "array", "items": {"$ref": reference(*items)}}),
        Kind::Map(values) => {
            json!({"type": "object", "additionalProperties": {"$ref": reference(*values)}})
        }
        Kind::Union(branches) => {
            let branches = branches.iter().map(|id| branch(schema, *id));
            json!({"anyOf": branches.collect::<Vec<_>>()})
        }
        Kind::Record { fields, .. } => {
            let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            let properties = fields.iter();
            let properties = properties
                .map(|field| (field.name.clone(), json!({"$ref": reference(field.node)})));
            json!({
                "type": "object",
                "properties": properties.collect::<Map<_, _>>(),
                "required": names,
                "additionalProperties": false,
            })
        }
    }
}

fn branch(schema: &Avro, id: NodeId) -> Value {
    if schema.node(id).kind == Kind::Null {
        return json!({"type": "null"});
    }
    let name = schema.name(id);
    let value = json!({"$ref": reference(id)});
    json!({
        "type": "object",
        "properties": Map::from_iter([(name.clone(), value)]),
        "required": [name],
        "additionalProperties": false,
    })
}
