//! How schemas may change, and what may be done.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use serde_json::{Map, Value, json};
use tidegate_registry::{Access, ApiError, Command, Config, Done};
use tidegate_runtime::Runtime;

use super::request::{self, ConfigRequest, ModeRequest, Parameters, flag, read};
use super::{Refusal, of};

/// What is said of how schemas may change; answers and requests call the level differently.
fn shown(config: &Config, level: &str) -> Json<Value> {
    let mut answer = Map::new();
    if let Some(mode) = config.compatibility {
        answer.insert(level.to_owned(), json!(mode.name()));
    }
    if let Some(normalize) = config.normalize {
        answer.insert("normalize".to_owned(), json!(normalize));
    }
    if let Some(group) = &config.compatibility_group {
        answer.insert("compatibilityGroup".to_owned(), json!(group));
    }
    Json(Value::Object(answer))
}

const ANSWERED: &str = "compatibilityLevel";
const SENT: &str = "compatibility";

async fn changed_config(runtime: &Runtime, command: Command) -> Result<Config, Refusal> {
    match of(runtime)?.change(command).await? {
        Done::Config(config) => Ok(config),
        _ => Err(ApiError::new(50001, "nothing was changed").into()),
    }
}

async fn changed_access(runtime: &Runtime, command: Command) -> Result<Json<Value>, Refusal> {
    match of(runtime)?.change(command).await? {
        Done::Access(access) => Ok(Json(json!({ "mode": access.name() }))),
        _ => Err(ApiError::new(50001, "nothing was changed").into()),
    }
}

pub(super) async fn config_of_all(State(runtime): State<Runtime>) -> Result<Json<Value>, Refusal> {
    let config = of(&runtime)?.index().config(None).unwrap_or_default();
    Ok(shown(&config, ANSWERED))
}

pub(super) async fn config(
    State(runtime): State<Runtime>,
    Path(subject): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, Refusal> {
    let index = of(&runtime)?.index();
    let subject = request::subject(&subject);
    if flag(&parameters, "defaultToGlobal") {
        return Ok(shown(&index.config_of(&subject), ANSWERED));
    }
    let config = index.config(Some(&subject)).ok_or_else(|| {
        Refusal::new(
            40408,
            format!("Subject '{subject}' does not have subject-level compatibility configured"),
        )
    })?;
    Ok(shown(&config, ANSWERED))
}

async fn put_config(
    runtime: &Runtime,
    subject: Option<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Refusal> {
    let change = read::<ConfigRequest>(body)?.change()?;
    let config = changed_config(runtime, Command::SetConfig { subject, change });
    Ok(shown(&config.await?, SENT))
}

pub(super) async fn set_config_of_all(
    State(runtime): State<Runtime>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Refusal> {
    put_config(&runtime, None, body).await
}

pub(super) async fn set_config(
    State(runtime): State<Runtime>,
    Path(subject): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Refusal> {
    put_config(&runtime, Some(request::subject(&subject)), body).await
}

pub(super) async fn delete_config_of_all(
    State(runtime): State<Runtime>,
) -> Result<Json<Value>, Refusal> {
    let config = changed_config(&runtime, Command::DeleteConfig { subject: None });
    Ok(shown(&config.await?, ANSWERED))
}

pub(super) async fn delete_config(
    State(runtime): State<Runtime>,
    Path(subject): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let subject = Some(request::subject(&subject));
    let config = changed_config(&runtime, Command::DeleteConfig { subject });
    Ok(shown(&config.await?, ANSWERED))
}

pub(super) async fn mode_of_all(State(runtime): State<Runtime>) -> Result<Json<Value>, Refusal> {
    let access = of(&runtime)?.index().access(None).unwrap_or_default();
    Ok(Json(json!({ "mode": access.name() })))
}

pub(super) async fn mode(
    State(runtime): State<Runtime>,
    Path(subject): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, Refusal> {
    let index = of(&runtime)?.index();
    let subject = request::subject(&subject);
    let access = if flag(&parameters, "defaultToGlobal") {
        Some(index.access_of(&subject))
    } else {
        index.access(Some(&subject))
    };
    let access = access.ok_or_else(|| {
        Refusal::new(
            40409,
            format!("Subject '{subject}' does not have subject-level mode configured"),
        )
    })?;
    Ok(Json(json!({ "mode": access.name() })))
}

async fn put_mode(
    runtime: &Runtime,
    subject: Option<String>,
    parameters: &Parameters,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Refusal> {
    let asked: ModeRequest = read(body)?;
    let access = Access::named(&asked.mode).ok_or_else(|| {
        Refusal::new(
            42204,
            "Invalid mode. Valid values are READWRITE, READONLY and IMPORT",
        )
    })?;
    let force = flag(parameters, "force");
    let command = Command::SetAccess {
        subject,
        access,
        force,
    };
    changed_access(runtime, command).await
}

pub(super) async fn set_mode_of_all(
    State(runtime): State<Runtime>,
    Query(parameters): Query<Parameters>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Refusal> {
    put_mode(&runtime, None, &parameters, body).await
}

pub(super) async fn set_mode(
    State(runtime): State<Runtime>,
    Path(subject): Path<String>,
    Query(parameters): Query<Parameters>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Refusal> {
    let subject = Some(request::subject(&subject));
    put_mode(&runtime, subject, &parameters, body).await
}

pub(super) async fn delete_mode_of_all(
    State(runtime): State<Runtime>,
) -> Result<Json<Value>, Refusal> {
    changed_access(&runtime, Command::DeleteAccess { subject: None }).await
}

pub(super) async fn delete_mode(
    State(runtime): State<Runtime>,
    Path(subject): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let subject = Some(request::subject(&subject));
    changed_access(&runtime, Command::DeleteAccess { subject }).await
}
