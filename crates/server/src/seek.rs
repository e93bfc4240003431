//! Seek: a consumer is sent back to what it has finished, or on past what it has not.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use tidegate_runtime::{Runtime, SeekReport, SeekRequest, SeekTo};

use crate::dead_letters::reason;
use crate::operate::not_done;
use crate::problem::Problem;
use crate::pull::consumer;

/// What a seek asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seek {
    to: Place,
    until: Option<Place>,
    reason: String,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    confirm: bool,
}

/// A place in a channel: a number, or a word or time.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Place {
    Sequence(u64),
    Text(String),
}

impl Place {
    fn read(&self) -> Result<SeekTo, Problem> {
        match self {
            Self::Sequence(sequence) => Ok(SeekTo::Sequence(*sequence)),
            Self::Text(text) => text
                .parse()
                .map_err(|error: tidegate_runtime::SeekToError| {
                    Problem::new(StatusCode::BAD_REQUEST, "place", error.to_string())
                }),
        }
    }
}

pub(crate) async fn seek(
    State(runtime): State<Runtime>,
    Path((service, event)): Path<(String, String)>,
    request: Result<Json<Seek>, JsonRejection>,
) -> Result<Json<SeekReport>, Problem> {
    let Json(request) = request?;
    let asked = SeekRequest {
        consumer: consumer(&service, &event)?,
        to: request.to.read()?,
        until: request.until.as_ref().map(Place::read).transpose()?,
        reason: reason(&request.reason)?,
        dry_run: request.dry_run,
        confirmed: request.confirm,
    };
    let report = runtime.seek(asked).await;
    report.map(Json).map_err(|error| not_done(&error))
}
