//! Dead letters: the list with its groups, one in full; redrive, discard and restore.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tidegate_base::ConsumerId;
use tidegate_runtime::view::DeadLetterDetail;
use tidegate_runtime::{DeadLetterFilter, LetterFilter, LettersError, LettersReport, Runtime};

use crate::letter_filter::{FilterFields, object, selection};
use crate::problem::Problem;

/// Most dead letters of one page.
const PAGE_MAX: usize = 1_000;
/// Longest reason of an operator, in bytes.
const REASON_BYTES_MAX: usize = 1_000;

/// Which discarded letters to take back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestoreRequest {
    ids: Vec<String>,
}

pub(crate) async fn list(
    State(runtime): State<Runtime>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(pairs) = query?;
    let mut object = object(pairs);
    let mut take = |name: &str| object.remove(name);
    let (limit, after, discarded) = (take("limit"), take("after"), take("discarded"));
    let after = after.and_then(|after| after.as_str().map(str::to_owned));
    if let Some(after) = after.as_deref().filter(|after| !is_id(after)) {
        let message = format!("`after` is `{after}`, which is not the id of a dead letter");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "after", message)
            .hint("give the id of the last one of the page before: service/event/sequence"));
    }
    let limit = limit.map_or(Some(100), |limit| usize::try_from(limit.as_u64()?).ok());
    let discarded = discarded.map_or(Some(false), |discarded| discarded.as_bool());
    let (Some(limit), Some(discarded)) = (limit, discarded) else {
        let message = "`limit` is a number, and `discarded` is true or false";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "query", message));
    };
    let filter = DeadLetterFilter {
        which: LetterFilter {
            discarded,
            ..FilterFields::of(object)?.read()?
        },
        limit: limit.clamp(1, PAGE_MAX),
        after,
    };
    let page = runtime.dead_letters(filter).await;
    Ok(Json(json!(page)))
}

/// `service/event/sequence`.
fn is_id(text: &str) -> bool {
    let parts = text.rsplit_once('/');
    parts.is_some_and(|(consumer, sequence)| {
        consumer.parse::<ConsumerId>().is_ok() && sequence.parse::<u64>().is_ok()
    })
}

pub(crate) async fn one(
    State(runtime): State<Runtime>,
    Path((service, event, sequence)): Path<(String, String, String)>,
) -> Result<([(header::HeaderName, String); 1], Json<DeadLetterDetail>), Problem> {
    let id = format!("{service}/{event}/{sequence}");
    let detail = runtime.dead_letter(&id).await.ok_or_else(|| {
        let message = format!("there is no dead letter `{id}`");
        Problem::new(StatusCode::NOT_FOUND, "unknown-dead-letter", message)
            .hint("it may have been redriven; GET /v1/dead-letters lists those that wait")
    })?;
    let version = etag(detail.letter.version);
    Ok(([(header::ETAG, version)], Json(detail)))
}

/// The version of a letter as an entity tag.
pub(crate) fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

pub(crate) async fn redrive(
    State(runtime): State<Runtime>,
    request: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(request) = request?;
    answer("redriven", runtime.redrive(selection(request)?).await)
}

pub(crate) async fn discard(
    State(runtime): State<Runtime>,
    request: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(mut request) = request?;
    let Some(Value::String(why)) = request.remove("reason") else {
        let message = "`reason` is absent: why nothing is to come of the letters";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "reason", message));
    };
    let why = reason(&why)?;
    answer("discarded", runtime.discard(selection(request)?, why).await)
}

pub(crate) async fn restore(
    State(runtime): State<Runtime>,
    request: Result<Json<RestoreRequest>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(request) = request?;
    answer("restored", runtime.restore(request.ids).await)
}

/// A reason in an operator's words: there, and not too long.
pub(crate) fn reason(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if (1..=REASON_BYTES_MAX).contains(&text.len()) {
        return Ok(text.to_owned());
    }
    let message = format!(
        "the reason has {} bytes; it needs 1 to {REASON_BYTES_MAX}",
        text.len()
    );
    Err(Problem::new(StatusCode::BAD_REQUEST, "reason", message)
        .hint("say why, for those who find it later"))
}

/// What became of the letters; `done` names what was done with them.
fn answer(done: &str, report: Result<LettersReport, LettersError>) -> Result<Json<Value>, Problem> {
    let report = report.map_err(refused_letters)?;
    let refused = refused_order(&report.refused);
    Ok(Json(
        json!({ done: report.done.len(), "ids": report.done, "refused": refused }),
    ))
}

/// Letters with which nothing was done, each with the reason.
pub(crate) fn refused_order(refused: &[(String, String)]) -> Value {
    let each = refused.iter();
    each.map(|(id, reason)| json!({ "id": id, "reason": reason }))
        .collect()
}

/// Why nothing was done with any letter.
pub(crate) fn refused_letters(error: LettersError) -> Problem {
    let status = match error {
        LettersError::UnknownConsumer { .. } => StatusCode::NOT_FOUND,
        LettersError::Many => StatusCode::BAD_REQUEST,
        LettersError::Draining | LettersError::Stopped => StatusCode::SERVICE_UNAVAILABLE,
    };
    Problem::new(status, "dead-letters", error.to_string())
}
