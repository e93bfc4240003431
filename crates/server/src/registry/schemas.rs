//! Schemas by their numbers, and how they stand to each other.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde_json::{Map, Value, json};
use tidegate_registry::{ApiError, SchemaType, VersionWanted};
use tidegate_runtime::Runtime;

use super::request::{self, Parameters, SchemaRequest, flag, listed, page, read};
use super::{Refusal, answer, of};

pub(super) async fn list(
    State(runtime): State<Runtime>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, Refusal> {
    let found = of(&runtime)?.beside(move |registry, _| {
        let index = registry.index();
        let latest_only = flag(&parameters, "latestOnly");
        let all = index.schemas(
            request::prefix(&parameters),
            listed(&parameters),
            latest_only,
        );
        let all = page(all, &parameters).into_iter();
        let all = all.map(|one| answer::versioned(&index, &one, ""));
        all.collect::<Result<Vec<_>, _>>()
    });
    Ok(Json(json!(found.await?)))
}

pub(super) async fn types() -> Json<Value> {
    let all = [SchemaType::Json, SchemaType::Protobuf, SchemaType::Avro];
    Json(json!(all.map(SchemaType::name)))
}

fn number(text: &str) -> Result<u32, ApiError> {
    text.parse().map_err(|_| ApiError::schema(text))
}

async fn find(
    runtime: &Runtime,
    id: u32,
    parameters: Parameters,
) -> Result<Map<String, Value>, Refusal> {
    let found = of(runtime)?.beside(move |registry, _| {
        let index = registry.index();
        let body = index.by_id(id)?;
        let format = parameters.get("format").map_or("", String::as_str);
        let mut found = answer::schema(&index, &body, format)?;
        found.insert("guid".to_owned(), json!(index.guid_of(id)));
        if flag(&parameters, "fetchMaxId") {
            found.insert("maxId".to_owned(), json!(index.last_id()));
        }
        Ok(found)
    });
    Ok(found.await?)
}

pub(super) async fn by_id(
    State(runtime): State<Runtime>,
    Path(id): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, Refusal> {
    let found = find(&runtime, number(&id)?, parameters).await?;
    Ok(Json(Value::Object(found)))
}

pub(super) async fn by_guid(
    State(runtime): State<Runtime>,
    Path(guid): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, Refusal> {
    let id = of(&runtime)?.index().by_guid(&guid)?;
    let found = find(&runtime, id, parameters).await?;
    Ok(Json(Value::Object(found)))
}

pub(super) async fn ids_of_guid(
    State(runtime): State<Runtime>,
    Path(guid): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let id = of(&runtime)?.index().by_guid(&guid)?;
    Ok(Json(json!([{ "context": ".", "id": id }])))
}

pub(super) async fn text(
    State(runtime): State<Runtime>,
    Path(id): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Refusal> {
    let found = find(&runtime, number(&id)?, parameters).await?;
    let text = found.get("schema").and_then(Value::as_str);
    Ok(answer::text(text.unwrap_or_default().to_owned()))
}

fn uses(
    runtime: &Runtime,
    id: &str,
    parameters: &Parameters,
) -> Result<Vec<(String, u32)>, Refusal> {
    let index = of(runtime)?.index();
    let mut found = index.uses(number(id)?, listed(parameters))?;
    if let Some(subject) = parameters.get("subject") {
        found.retain(|(name, _)| *name == request::subject(subject));
    }
    Ok(page(found, parameters))
}

pub(super) async fn subjects(
    State(runtime): State<Runtime>,
    Path(id): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, Refusal> {
    let found = uses(&runtime, &id, &parameters)?;
    let mut names: Vec<String> = found.into_iter().map(|(subject, _)| subject).collect();
    names.dedup();
    Ok(Json(json!(names)))
}

pub(super) async fn versions(
    State(runtime): State<Runtime>,
    Path(id): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, Refusal> {
    let found = uses(&runtime, &id, &parameters)?.into_iter();
    let found = found.map(|(subject, version)| json!({ "subject": subject, "version": version }));
    Ok(Json(Value::Array(found.collect())))
}

pub(super) async fn compatible_with(
    State(runtime): State<Runtime>,
    Path((subject, version)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Refusal> {
    let wanted = VersionWanted::parse(&version)?;
    judged(&runtime, &subject, Some(wanted), &parameters, body).await
}

pub(super) async fn compatible(
    State(runtime): State<Runtime>,
    Path(subject): Path<String>,
    Query(parameters): Query<Parameters>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Refusal> {
    judged(&runtime, &subject, None, &parameters, body).await
}

async fn judged(
    runtime: &Runtime,
    subject: &str,
    wanted: Option<VersionWanted>,
    parameters: &Parameters,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Refusal> {
    let asked: SchemaRequest = read(body)?;
    let registry = of(runtime)?;
    let subject = request::subject(subject);
    let body = asked.body(&registry.index())?;
    let normalize = flag(parameters, "normalize");
    let judgement = registry.judge(subject, wanted, body, normalize).await?;
    let mut answer = json!({ "is_compatible": judgement.is_compatible() });
    if flag(parameters, "verbose")
        && let Some(answer) = answer.as_object_mut()
    {
        answer.insert("messages".to_owned(), json!(judgement.sentences()));
    }
    Ok(Json(answer))
}
