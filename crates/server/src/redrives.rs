//! Redrive jobs: begun, rehearsed, listed, turned.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tidegate_base::{Rate, Ratio};
use tidegate_runtime::{
    JobBegun, JobError, JobRefusal, JobRequest, JobTurn, RedriveDetail, Rehearsal, Runtime,
    StopRule,
};

use crate::dead_letters::{reason, refused_letters, refused_order};
use crate::letter_filter::selection;
use crate::problem::Problem;

/// Letters a second when nothing is said: a handler that has just been mended is not to be flooded.
const RATE: f64 = 10.0;
/// The least and the most.
const RATES: std::ops::RangeInclusive<f64> = 0.001..=1_000.0;
/// The share of failures at which a job stops when nothing is said.
const STOP_AT: f64 = 0.1;
/// The fewest verdicts before that counts.
const STOP_MINIMUM: u32 = 10;
/// Most letters that a rehearsal tells of each kind.
const TOLD_MAX: usize = 100;

/// How letters are to be sent back; which ones is beside it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct JobFields {
    rate: Option<String>,
    canary: Option<bool>,
    max_failures: Option<String>,
    min_verdicts: Option<u32>,
    note: Option<String>,
    dry_run: bool,
}

const JOB_FIELDS: [&str; 6] = [
    "rate",
    "canary",
    "max_failures",
    "min_verdicts",
    "note",
    "dry_run",
];

pub(crate) async fn begin(
    State(runtime): State<Runtime>,
    request: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(mut object) = request?;
    let mut fields = Map::new();
    for name in JOB_FIELDS {
        fields.extend(object.remove(name).map(|value| (name.to_owned(), value)));
    }
    let fields = JobFields::deserialize(Value::Object(fields))
        .map_err(|error| wrong("job", error.to_string()))?;
    let selection = selection(object)?;
    if fields.dry_run {
        let rehearsal = runtime.rehearse(selection).await.map_err(refused_letters)?;
        return Ok(Json(rehearsed(&rehearsal)).into_response());
    }
    let note = fields.note.filter(|note| !note.is_empty());
    let begun = runtime.start_job(JobRequest {
        selection,
        every: every(fields.rate.as_deref())?,
        canary: fields.canary.unwrap_or(true),
        stop: StopRule::new(
            share(fields.max_failures.as_deref())?,
            fields.min_verdicts.unwrap_or(STOP_MINIMUM),
        ),
        note: note.map_or(Ok(String::new()), |note| reason(&note))?,
    });
    let JobBegun { job, refused } = begun.await.map_err(refused_job)?;
    let mut answer = json!(job);
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("refused".to_owned(), refused_order(&refused));
    }
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

pub(crate) async fn list(State(runtime): State<Runtime>) -> Json<Value> {
    Json(json!({ "redrives": runtime.jobs().await }))
}

pub(crate) async fn one(
    State(runtime): State<Runtime>,
    id: Result<Path<u64>, PathRejection>,
) -> Result<Json<RedriveDetail>, Problem> {
    let id = number(id)?;
    let detail = runtime.job(id).await.map(Json);
    detail.ok_or_else(|| refused_job(JobError::Refused(JobRefusal::Unknown)))
}

pub(crate) async fn turn(
    State(runtime): State<Runtime>,
    path: Result<Path<(u64, String)>, PathRejection>,
) -> Result<Json<Value>, Problem> {
    let Ok(Path((id, word))) = path else {
        return Err(refused_job(JobError::Refused(JobRefusal::Unknown)));
    };
    let turn = match word.as_str() {
        "pause" => JobTurn::Pause,
        "resume" => JobTurn::Resume,
        "cancel" => JobTurn::Cancel,
        _ => {
            let message = format!("a redrive job takes no `{word}`");
            return Err(Problem::new(StatusCode::NOT_FOUND, "not-found", message)
                .hint("it takes pause, resume and cancel"));
        }
    };
    let view = runtime.turn_job(id, turn).await.map_err(refused_job)?;
    Ok(Json(json!(view)))
}

/// What is no number names no job.
fn number(id: Result<Path<u64>, PathRejection>) -> Result<u64, Problem> {
    let id = id.map(|Path(id)| id);
    id.map_err(|_| refused_job(JobError::Refused(JobRefusal::Unknown)))
}

fn wrong(code: &'static str, message: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, code, message)
}

fn every(text: Option<&str>) -> Result<Duration, Problem> {
    let rate = match text {
        None => RATE,
        Some(text) => Rate::parse(text)
            .map_err(|error| wrong("rate", error.to_string()))?
            .value(),
    };
    if !RATES.contains(&rate) {
        let message = format!("the rate is {rate} a second; it is from 0.001 to 1,000");
        return Err(wrong("rate", message));
    }
    Ok(Duration::from_secs_f64(1.0 / rate))
}

fn share(text: Option<&str>) -> Result<Ratio, Problem> {
    match text {
        None => Ok(Ratio::new(STOP_AT).unwrap_or_default()),
        Some(text) => Ratio::parse(text).map_err(|error| wrong("max-failures", error.to_string())),
    }
}

fn rehearsed(rehearsal: &Rehearsal) -> Value {
    let Rehearsal {
        ids,
        groups,
        refused,
        invalid,
        unreadable,
    } = rehearsal;
    let first = |all: &[(String, String)]| refused_order(all.get(..TOLD_MAX).unwrap_or(all));
    json!({
        "dry_run": true,
        "would_redrive": ids.len(),
        "ids": ids,
        "groups": groups,
        "refused_total": refused.len(),
        "refused": first(refused),
        "invalid_total": invalid.len(),
        "invalid": invalid.get(..TOLD_MAX).unwrap_or(invalid),
        "unreadable_total": unreadable.len(),
        "unreadable": first(unreadable),
    })
}

fn refused_job(error: JobError) -> Problem {
    let message = error.to_string();
    match error {
        JobError::Letters(error) => refused_letters(error),
        JobError::Refused(JobRefusal::Unknown) => {
            Problem::new(StatusCode::NOT_FOUND, "unknown-redrive", message)
                .hint("GET /v1/redrives lists those that are known")
        }
        JobError::Refused(JobRefusal::Empty) => {
            Problem::new(StatusCode::CONFLICT, "no-letters", message)
                .hint("GET /v1/dead-letters lists those that wait")
        }
        JobError::Refused(JobRefusal::Large(_)) => {
            wrong("too-many", message).hint("narrow the selection down")
        }
        JobError::Refused(JobRefusal::Full) => Problem::new(StatusCode::CONFLICT, "full", message)
            .hint("cancel one: POST /v1/redrives/{id}/cancel"),
        JobError::Refused(JobRefusal::Ended(_)) => {
            Problem::new(StatusCode::CONFLICT, "ended", message)
                .hint("begin another one: POST /v1/redrives")
        }
    }
}
