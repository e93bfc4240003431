//! `/registry`: the REST API of the Confluent Schema Registry, on the system's own registry.
//!
//! A client is given `http://HOST/registry` as the URL of its registry. Source: Confluent Schema
//! Registry API Reference.

mod answer;
mod request;
mod schemas;
mod settings;
mod subjects;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tidegate_registry::ApiError;
use tidegate_runtime::{Registry, Runtime};

use crate::app::Shared;

/// Where it is mounted.
pub(crate) const MOUNT: &str = "/registry";
/// Largest refusal of another layer that is put into the registry's shape.
const REFUSAL_BYTES_MAX: usize = 64 << 10;
/// The media types of answers, the preferred one first.
const ANSWERS: [&str; 3] = [
    "application/vnd.schemaregistry.v1+json",
    "application/vnd.schemaregistry+json",
    "application/json",
];

/// A refusal, as clients of registries read it.
#[derive(Debug)]
pub(crate) struct Refusal(ApiError);

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl Refusal {
    pub(crate) fn new(code: u32, message: impl Into<String>) -> Self {
        Self(ApiError::new(code, message))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = json!({ "error_code": self.0.code, "message": self.0.message });
        let mut response = (status, axum::Json(body)).into_response();
        if status == StatusCode::TOO_MANY_REQUESTS {
            let second = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, second);
        }
        response
    }
}

/// The registry of the system.
pub(crate) fn of(runtime: &Runtime) -> Result<&Registry, Refusal> {
    let registry = runtime.registry();
    registry.ok_or_else(|| Refusal::new(404, "this system runs without a schema registry"))
}

/// The routes, below [`MOUNT`].
pub(crate) fn routes() -> Router<Shared> {
    let version = "/subjects/{subject}/versions/{version}";
    Router::new()
        .route("/", get(answer::root))
        .route("/contexts", get(answer::contexts))
        .route("/subjects", get(subjects::list))
        .route(
            "/subjects/{subject}",
            post(subjects::lookup).delete(subjects::delete),
        )
        .route(
            "/subjects/{subject}/versions",
            get(subjects::versions).post(subjects::register),
        )
        .route(
            version,
            get(subjects::version).delete(subjects::delete_version),
        )
        .route(&format!("{version}/schema"), get(subjects::version_text))
        .route(
            &format!("{version}/referencedby"),
            get(subjects::referenced_by),
        )
        .route("/schemas", get(schemas::list))
        .route("/schemas/types", get(schemas::types))
        .route("/schemas/ids/{id}", get(schemas::by_id))
        .route("/schemas/ids/{id}/schema", get(schemas::text))
        .route("/schemas/ids/{id}/subjects", get(schemas::subjects))
        .route("/schemas/ids/{id}/versions", get(schemas::versions))
        .route("/schemas/guids/{guid}", get(schemas::by_guid))
        .route("/schemas/guids/{guid}/ids", get(schemas::ids_of_guid))
        .route(
            &format!("/compatibility{version}"),
            post(schemas::compatible_with),
        )
        .route(
            "/compatibility/subjects/{subject}/versions",
            post(schemas::compatible),
        )
        .route(
            "/config",
            get(settings::config_of_all)
                .put(settings::set_config_of_all)
                .delete(settings::delete_config_of_all),
        )
        .route(
            "/config/{subject}",
            get(settings::config)
                .put(settings::set_config)
                .delete(settings::delete_config),
        )
        .route(
            "/mode",
            get(settings::mode_of_all)
                .put(settings::set_mode_of_all)
                .delete(settings::delete_mode_of_all),
        )
        .route(
            "/mode/{subject}",
            get(settings::mode)
                .put(settings::set_mode)
                .delete(settings::delete_mode),
        )
        .fallback(answer::nothing)
        .layer(from_fn(negotiated))
}

/// Takes the media types of registries, and answers in the one that is asked for.
async fn negotiated(request: Request, next: Next) -> Response {
    let Some(answer) = answer_type(request.headers()) else {
        return Refusal::new(406, "HTTP 406 Not Acceptable").into_response();
    };
    if has_body(request.method()) && !is_taken(request.headers()) {
        return Refusal::new(415, "HTTP 415 Unsupported Media Type").into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|media| media == "application/json");
    if is_json {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer));
    }
    response
}

fn has_body(method: &Method) -> bool {
    *method == Method::POST || *method == Method::PUT
}

fn essences(value: &str) -> impl Iterator<Item = String> {
    let parts = value.split(',');
    parts.map(|part| {
        let essence = part.split(';').next().unwrap_or_default();
        essence.trim().to_ascii_lowercase()
    })
}

/// The first media type of an answer that the request names; the preferred one when it names none.
fn answer_type(headers: &HeaderMap) -> Option<&'static str> {
    let asked: Vec<String> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(essences)
        .collect();
    if asked.is_empty() {
        return ANSWERS.first().copied();
    }
    asked.iter().find_map(|asked| match asked.as_str() {
        "*/*" | "application/*" => ANSWERS.first().copied(),
        named => ANSWERS.into_iter().find(|answer| *answer == named),
    })
}

fn is_taken(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE);
    let Some(media) = media else { return true };
    let essence = media.to_str().map(essences);
    let essence = essence.ok().and_then(|mut all| all.next());
    essence.is_some_and(|essence| {
        ANSWERS.contains(&essence.as_str()) || essence == "application/octet-stream"
    })
}

/// Refusals of the layers around, such as of a stranger or of a body that is too large, in the shape
/// that clients of registries read.
pub(crate) async fn shaped(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_ours = path
        .strip_prefix(MOUNT)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let response = next.run(request).await;
    if !is_ours || !(response.status().is_client_error() || response.status().is_server_error()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, REFUSAL_BYTES_MAX).await;
    let bytes = bytes.unwrap_or_default();
    let said: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    if said.get("error_code").is_some() {
        return Response::from_parts(parts, Body::from(bytes));
    }
    let code = match parts.status {
        StatusCode::UNAUTHORIZED => 40101,
        StatusCode::FORBIDDEN => 40301,
        status => u32::from(status.as_u16()),
    };
    let message = said.pointer("/error/message").and_then(Value::as_str);
    let message = message.unwrap_or_else(|| parts.status.canonical_reason().unwrap_or_default());
    let shaped = json!({ "error_code": code, "message": message }).to_string();
    parts.headers.remove(header::CONTENT_LENGTH);
    let media = HeaderValue::from_static("application/vnd.schemaregistry.v1+json");
    parts.headers.insert(header::CONTENT_TYPE, media);
    Response::from_parts(parts, Body::from(shaped))
}
