//! `GET /v1/state`, `/v1/stream`, `/v1/history`, and the health checks.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt};
use serde_json::{Value, json};
use tidegate_base::ConsumerId;
use tidegate_runtime::Runtime;
use tidegate_runtime::view::{Mode, SystemView};
use tokio_stream::wrappers::WatchStream;

use crate::app::Shared;
use crate::problem::Problem;
use crate::pull;

pub(crate) async fn state(State(runtime): State<Runtime>) -> Json<SystemView> {
    Json(SystemView::clone(&runtime.view()))
}

/// What an inbox of a consumer's own may forget. It is asked for now: an older answer may be from before a replay.
pub(crate) async fn consumer(
    State(runtime): State<Runtime>,
    Path((service, event)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let consumer = pull::consumer(&service, &event)?;
    let Some(mark) = runtime.replay_watermark(&consumer).await else {
        return Err(unknown(&runtime, &consumer));
    };
    Ok(Json(json!({
        "consumer": consumer.to_string(),
        "replay_watermark": mark.below,
        "replay_generation": mark.generation,
    })))
}

fn unknown(runtime: &Runtime, consumer: &ConsumerId) -> Problem {
    if runtime.view().mode == Mode::Stopped {
        let message = "the system has stopped";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopped", message);
    }
    let message = format!("consumer `{consumer}` is not in the design");
    Problem::new(StatusCode::NOT_FOUND, "unknown-consumer", message)
        .hint("GET /v1/state lists the consumers")
}

pub(crate) async fn history(State(shared): State<Shared>) -> Json<Value> {
    Json(shared.history.to_json())
}

/// The state as server-sent events, one a second; the first at once.
pub(crate) async fn stream(
    State(shared): State<Shared>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let ended = shared.ended.clone();
    let states = WatchStream::new(shared.sampled.clone()).filter_map(async |view| {
        let event = Event::default()
            .event("state")
            .json_data(view.as_ref()?.as_ref());
        event.ok().map(Ok)
    });
    let until_end = states.take_until(async move {
        let mut ended = ended;
        // An error means that the sender is gone, which is an end as well.
        let _gone = ended.wait_for(|ended| *ended).await.is_err();
    });
    Sse::new(until_end).keep_alive(KeepAlive::new().interval(Duration::from_secs(10)))
}

/// 200 while the process lives.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// 200 while events are taken, 503 while draining or stopped.
pub(crate) async fn readyz(State(runtime): State<Runtime>) -> impl IntoResponse {
    let mode = runtime.view().mode;
    let status = match mode {
        Mode::Running => StatusCode::OK,
        Mode::Draining | Mode::Stopped => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(json!({ "mode": mode })))
}
