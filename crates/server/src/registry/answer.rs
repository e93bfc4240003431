//! What is answered.

use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use tidegate_registry::{ApiError, Body, Index, Versioned, parse};

use super::Refusal;

pub(super) async fn root() -> Json<Value> {
    Json(json!({}))
}

/// The one context that there is.
pub(super) async fn contexts() -> Json<Value> {
    Json(json!(["."]))
}

pub(super) async fn nothing() -> Refusal {
    Refusal::new(404, "HTTP 404 Not Found")
}

/// The text of a schema, alone.
pub(super) fn text(text: String) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], text).into_response()
}

/// The text in the form that is asked for.
pub(super) fn formatted(index: &Index, body: &Body, format: &str) -> Result<String, ApiError> {
    if !["serialized", "resolved"].contains(&format) {
        return Ok(body.schema.clone());
    }
    let whole = parse(index, body)?.formatted(format);
    Ok(whole.unwrap_or_else(|| body.schema.clone()))
}

/// What a schema is, without where it is registered.
pub(super) fn schema(
    index: &Index,
    body: &Body,
    format: &str,
) -> Result<Map<String, Value>, ApiError> {
    let mut answer = Map::new();
    // Clients take a schema without a type for Avro, and the oldest know no other.
    if body.schema_type != tidegate_registry::SchemaType::Avro {
        answer.insert("schemaType".to_owned(), json!(body.schema_type.name()));
    }
    if !body.references.is_empty() {
        answer.insert("references".to_owned(), json!(body.references));
    }
    if let Some(metadata) = &body.metadata {
        answer.insert("metadata".to_owned(), metadata.clone());
    }
    if let Some(rules) = &body.rule_set {
        answer.insert("ruleSet".to_owned(), rules.clone());
    }
    let text = formatted(index, body, format)?;
    answer.insert("schema".to_owned(), json!(text));
    Ok(answer)
}

/// A version of a subject with its schema.
pub(super) fn versioned(index: &Index, one: &Versioned, format: &str) -> Result<Value, ApiError> {
    let mut answer = Map::new();
    answer.insert("subject".to_owned(), json!(one.subject));
    answer.insert("version".to_owned(), json!(one.version));
    answer.insert("id".to_owned(), json!(one.id));
    answer.insert("guid".to_owned(), json!(one.guid));
    answer.extend(schema(index, &one.body, format)?);
    if one.is_deleted {
        answer.insert("deleted".to_owned(), json!(true));
    }
    Ok(Value::Object(answer))
}
