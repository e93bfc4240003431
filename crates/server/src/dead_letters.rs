//! Dead letters: the list with its groups, one in full; redrive, discard and restore.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tidegate_base::ConsumerId;
use tidegate_runtime::view::DeadLetterDetail;
use tidegate_runtime::{DeadLetterFilter, LettersError, LettersReport, LettersSelection, Runtime};

use crate::problem::Problem;

/// Most dead letters of one page.
const PAGE_MAX: usize = 1_000;
/// Longest reason of an operator, in bytes.
const REASON_BYTES_MAX: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    consumer: Option<ConsumerId>,
    group: Option<String>,
    limit: Option<usize>,
    after: Option<String>,
    #[serde(default)]
    discarded: bool,
}

/// Which dead letters to redrive: some by id, a group of a consumer, or all of a consumer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedriveRequest {
    ids: Option<Vec<String>>,
    consumer: Option<ConsumerId>,
    group: Option<String>,
}

/// Which dead letters to give up, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiscardRequest {
    ids: Option<Vec<String>>,
    consumer: Option<ConsumerId>,
    group: Option<String>,
    reason: String,
}

/// Which discarded letters to take back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestoreRequest {
    ids: Vec<String>,
}

pub(crate) async fn list(
    State(runtime): State<Runtime>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let after = query.after.filter(|after| !after.is_empty());
    if let Some(after) = after.as_deref().filter(|after| !is_id(after)) {
        let message = format!("`after` is `{after}`, which is not the id of a dead letter");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "after", message)
            .hint("give the id of the last one of the page before: service/event/sequence"));
    }
    let filter = DeadLetterFilter {
        consumer: query.consumer,
        group: query.group.filter(|group| !group.is_empty()),
        limit: query.limit.unwrap_or(100).clamp(1, PAGE_MAX),
        after,
        discarded: query.discarded,
    };
    let page = runtime.dead_letters(filter).await;
    Ok(Json(
        json!({ "letters": page.letters, "groups": page.groups, "total": page.total }),
    ))
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
) -> Result<Json<DeadLetterDetail>, Problem> {
    let id = format!("{service}/{event}/{sequence}");
    runtime.dead_letter(&id).await.map(Json).ok_or_else(|| {
        let message = format!("there is no dead letter `{id}`");
        Problem::new(StatusCode::NOT_FOUND, "unknown-dead-letter", message)
            .hint("it may have been redriven; GET /v1/dead-letters lists those that wait")
    })
}

pub(crate) async fn redrive(
    State(runtime): State<Runtime>,
    request: Result<Json<RedriveRequest>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(request) = request?;
    let selection = selection(request.ids, request.consumer, request.group)?;
    answer("redriven", runtime.redrive(selection).await)
}

pub(crate) async fn discard(
    State(runtime): State<Runtime>,
    request: Result<Json<DiscardRequest>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(request) = request?;
    let reason = reason(&request.reason)?;
    let selection = selection(request.ids, request.consumer, request.group)?;
    answer("discarded", runtime.discard(selection, reason).await)
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

fn selection(
    ids: Option<Vec<String>>,
    consumer: Option<ConsumerId>,
    group: Option<String>,
) -> Result<LettersSelection, Problem> {
    match (ids, consumer, group) {
        (Some(ids), None, None) => Ok(LettersSelection::Ids(ids)),
        (None, Some(consumer), Some(group)) => Ok(LettersSelection::Group { consumer, group }),
        (None, Some(consumer), None) => Ok(LettersSelection::Consumer(consumer)),
        _ => {
            let message = "the selection is neither `ids`, nor `consumer` with or without `group`";
            Err(Problem::new(StatusCode::BAD_REQUEST, "selection", message))
        }
    }
}

/// What became of the letters; `done` names what was done with them.
fn answer(done: &str, report: Result<LettersReport, LettersError>) -> Result<Json<Value>, Problem> {
    let report = report.map_err(|error| {
        let status = match error {
            LettersError::UnknownConsumer { .. } => StatusCode::NOT_FOUND,
            LettersError::Draining | LettersError::Stopped => StatusCode::SERVICE_UNAVAILABLE,
        };
        Problem::new(status, "dead-letters", error.to_string())
    })?;
    let refused: Vec<Value> = report
        .refused
        .iter()
        .map(|(id, reason)| json!({ "id": id, "reason": reason }))
        .collect();
    Ok(Json(
        json!({ done: report.done.len(), "ids": report.done, "refused": refused }),
    ))
}
