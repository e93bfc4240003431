//! What operators do to consumers and dependencies, and what they ask about an event.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tidegate_base::limit::SEARCH_RECORDS_MAX;
use tidegate_base::{BreakerName, Name};
use tidegate_runtime::{Command, OperateError, Runtime, Why};

use crate::dead_letters::reason;
use crate::problem::Problem;
use crate::pull::consumer;

/// What is said when no reason is given.
const NO_REASON: &str = "no reason was given";

/// Why something is stopped.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Because {
    reason: Option<String>,
}

pub(crate) async fn pause(
    State(runtime): State<Runtime>,
    Path((service, event)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let (consumer, reason) = (consumer(&service, &event)?, because(&body)?);
    let id = consumer.to_string();
    operate(&runtime, Command::Pause { consumer, reason }).await?;
    Ok(Json(json!({ "consumer": id, "paused": true })))
}

pub(crate) async fn resume(
    State(runtime): State<Runtime>,
    Path((service, event)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let consumer = consumer(&service, &event)?;
    let id = consumer.to_string();
    operate(&runtime, Command::Resume { consumer }).await?;
    Ok(Json(json!({ "consumer": id, "paused": false })))
}

pub(crate) async fn open(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    open_breaker(&runtime, dependency(&name)?.into(), &body).await
}

pub(crate) async fn reset(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    reset_breaker(&runtime, dependency(&name)?.into()).await
}

pub(crate) async fn open_own(
    State(runtime): State<Runtime>,
    Path((service, event)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    open_breaker(&runtime, consumer(&service, &event)?.into(), &body).await
}

pub(crate) async fn reset_own(
    State(runtime): State<Runtime>,
    Path((service, event)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    reset_breaker(&runtime, consumer(&service, &event)?.into()).await
}

async fn open_breaker(
    runtime: &Runtime,
    breaker: BreakerName,
    body: &[u8],
) -> Result<Json<Value>, Problem> {
    let (name, reason) = (breaker.to_string(), because(body)?);
    operate(runtime, Command::OpenBreaker { breaker, reason }).await?;
    Ok(Json(json!({ "dependency": name, "state": "open" })))
}

async fn reset_breaker(runtime: &Runtime, breaker: BreakerName) -> Result<Json<Value>, Problem> {
    let name = breaker.to_string();
    operate(runtime, Command::ResetBreaker { breaker }).await?;
    Ok(Json(json!({ "dependency": name, "state": "closed" })))
}

/// Which event is asked about.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhyQuery {
    event: String,
    source: Option<String>,
}

pub(crate) async fn why(
    State(runtime): State<Runtime>,
    query: Result<Query<WhyQuery>, QueryRejection>,
) -> Result<Json<Why>, Problem> {
    let Query(WhyQuery { event, source }) = query?;
    let why = runtime.why(&event, source.as_deref()).await;
    why.map(Json).ok_or_else(|| {
        let message = format!("there is no event `{event}`");
        Problem::new(StatusCode::NOT_FOUND, "unknown-event", message).hint(format!(
            "it may have been removed, or be older than the last {SEARCH_RECORDS_MAX} events of its type"
        ))
    })
}

/// The reason in a body that may be absent.
fn because(body: &[u8]) -> Result<String, Problem> {
    let because: Because = match body.trim_ascii().is_empty() {
        true => Because::default(),
        false => serde_json::from_slice(body).map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "body", error.to_string())
                .hint("send {\"reason\": \"…\"}, or no body")
        })?,
    };
    match because.reason {
        Some(text) => reason(&text),
        None => Ok(NO_REASON.to_owned()),
    }
}

fn dependency(name: &str) -> Result<Name, Problem> {
    let unknown = |error: tidegate_base::NameError| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "unknown-dependency",
            error.to_string(),
        )
    };
    Name::new(name).map_err(unknown)
}

async fn operate(runtime: &Runtime, command: Command) -> Result<(), Problem> {
    runtime
        .operate(command)
        .await
        .map_err(|error| not_done(&error))
}

/// Why an order was not carried out.
pub(crate) fn not_done(error: &OperateError) -> Problem {
    let known = "GET /v1/state lists the consumers and dependencies of the design";
    let (status, code, hint) = match error {
        OperateError::UnknownConsumer { .. } => (StatusCode::NOT_FOUND, "unknown-consumer", known),
        OperateError::UnknownBreaker { .. } => (StatusCode::NOT_FOUND, "unknown-dependency", known),
        OperateError::ReplayRefused { .. } => (
            StatusCode::CONFLICT,
            "replay-refused",
            "with `replay: allowed` in its design it takes them",
        ),
        OperateError::Unconfirmed { .. } => (
            StatusCode::CONFLICT,
            "unconfirmed",
            "send \"confirm\": true to skip them for good",
        ),
        OperateError::Seek { .. } => (StatusCode::CONFLICT, "seek", ""),
        OperateError::Stopped => (StatusCode::SERVICE_UNAVAILABLE, "stopped", ""),
    };
    let problem = Problem::new(status, code, error.to_string());
    match hint.is_empty() {
        true => problem,
        false => problem.hint(hint),
    }
}
