//! Pull: leases of deliveries, taken and settled by consumers that prefer to ask.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tidegate_base::{ConsumerId, Envelope, Name, format_duration, parse_duration};
use tidegate_runtime::{
    Answer, KeyState, Outcome, PullError, PulledDelivery, RetryClass, Runtime, SettleError,
};

use crate::problem::Problem;

/// Longest wait of one pull.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Most deliveries of one pull.
const PULL_MAX: usize = 256;

/// What a pull asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PullRequest {
    max: Option<usize>,
    wait: Option<String>,
    /// How payloads are wanted.
    #[serde(default)]
    payload: PayloadWanted,
}

/// How the payloads of pulled events are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PayloadWanted {
    /// As they were published.
    #[default]
    Raw,
    /// As JSON, where they can be read.
    Json,
}

/// How a delivery went.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettleRequest {
    outcome: SettleOutcome,
    error: Option<String>,
    after: Option<String>,
    /// What kind of failure a retry is for; breakers count `unavailable` and `timeout`.
    class: Option<RetryClass>,
    /// CloudEvents to publish, when it is done.
    #[serde(default)]
    outputs: Vec<Value>,
    /// What is kept for the event's key from now on, when it is done; `null`: nothing.
    #[serde(default, deserialize_with = "present")]
    state: Option<Value>,
}

/// `null` that is there is not the same as nothing.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SettleOutcome {
    Done,
    Retry,
    Park,
    Overload,
    Release,
}

/// The consumer of a path.
pub(crate) fn consumer(service: &str, event: &str) -> Result<ConsumerId, Problem> {
    let name = |text: &str| {
        Name::new(text).map_err(|error| {
            Problem::new(StatusCode::NOT_FOUND, "unknown-consumer", error.to_string())
        })
    };
    Ok(ConsumerId {
        service: name(service)?,
        event: name(event)?,
    })
}

fn duration(text: Option<&str>) -> Result<Option<Duration>, Problem> {
    text.map(parse_duration)
        .transpose()
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "duration", error.to_string()))
}

pub(crate) async fn pull(
    State(runtime): State<Runtime>,
    Path((service, event)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let consumer = consumer(&service, &event)?;
    let request = pull_request(&body)?;
    let max = request.max.unwrap_or(1);
    if !(1..=PULL_MAX).contains(&max) {
        let message = format!("`max` is {max}; 1 to {PULL_MAX} is allowed");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "max", message));
    }
    let wait = duration(request.wait.as_deref())?.unwrap_or_default();
    if wait > WAIT_MAX {
        let message = format!("`wait` is over {}", format_duration(WAIT_MAX));
        return Err(Problem::new(StatusCode::BAD_REQUEST, "wait", message));
    }
    let deliveries = runtime
        .pull(&consumer, max, wait)
        .await
        .map_err(|error| not_pulled(&error))?;
    let leased = |delivery: PulledDelivery| match request.payload {
        PayloadWanted::Raw => lease(&delivery, &delivery.envelope),
        PayloadWanted::Json => lease(&delivery, &runtime.decoded(&delivery.envelope)),
    };
    let deliveries: Vec<Value> = deliveries.into_iter().map(leased).collect();
    Ok(Json(json!({ "deliveries": deliveries })))
}

/// What a body asks for; nothing asks for the defaults.
fn pull_request(body: &[u8]) -> Result<PullRequest, Problem> {
    if body.is_empty() {
        return Ok(PullRequest::default());
    }
    serde_json::from_slice(body).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "body", error.to_string())
            .hint("send `{\"max\": 10, \"wait\": \"20s\"}`, with `\"payload\": \"json\"` if wanted, or nothing")
    })
}

fn lease(delivery: &PulledDelivery, event: &Envelope) -> Value {
    let mut lease = json!({
        "lease": delivery.lease,
        "deadline": delivery.deadline.to_string(),
        "delivery": delivery.delivery_id,
        "sequence": delivery.sequence,
        "attempt": delivery.attempt,
        "epoch": delivery.epoch,
        "timeout_ms": u64::try_from(delivery.timeout.as_millis()).unwrap_or(u64::MAX),
        "state": delivery.state.as_deref().map(state),
        "event": event.to_value(),
    });
    if delivery.generation > 0
        && let Some(lease) = lease.as_object_mut()
    {
        lease.insert("replay".to_owned(), json!(delivery.generation));
    }
    lease
}

/// A state that was kept by a handler of another kind may be any text.
fn state(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

fn not_pulled(error: &PullError) -> Problem {
    let message = error.to_string();
    match error {
        PullError::UnknownConsumer { .. } => {
            Problem::new(StatusCode::NOT_FOUND, "unknown-consumer", message)
                .hint("GET /v1/state lists the consumers")
        }
        PullError::Busy { .. } => Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", message)
            .retry_after(Duration::from_secs(1)),
        PullError::Pushed { .. } => Problem::new(StatusCode::CONFLICT, "push-consumer", message)
            .hint("remove `deliver.to` from the design to pull"),
        PullError::Draining | PullError::Stopped => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "draining", message)
                .retry_after(Duration::from_secs(1))
        }
    }
}

pub(crate) async fn settle(
    State(runtime): State<Runtime>,
    Path(lease): Path<String>,
    request: Result<Json<SettleRequest>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Json(request) = request?;
    let after = duration(request.after.as_deref())?;
    let error = request
        .error
        .unwrap_or_else(|| "the consumer gave no reason".to_owned());
    let outcome = match request.outcome {
        SettleOutcome::Done => Outcome::Done,
        SettleOutcome::Retry => Outcome::Retry {
            class: request.class.unwrap_or(RetryClass::Retryable),
            error,
            after,
        },
        SettleOutcome::Park => Outcome::Permanent { error },
        SettleOutcome::Overload => Outcome::Overload { error, after },
        SettleOutcome::Release => Outcome::Cancelled,
    };
    let outputs = request.outputs.into_iter().map(Envelope::from_output);
    let outputs: Vec<Envelope> = outputs.collect::<Result<_, _>>().map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "outputs", error.to_string())
            .hint("`outputs` is a list of CloudEvents in the JSON format")
    })?;
    let state = request.state.map(|state| match state {
        Value::Null => KeyState::Gone,
        state => KeyState::Is(state.to_string().into()),
    });
    if !outcome.is_done() && (!outputs.is_empty() || state.is_some()) {
        let message = "`outputs` and `state` go with the outcome `done` only";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "outcome", message));
    }
    let answer = Answer {
        outcome,
        outputs,
        state,
    };
    runtime
        .settle(&lease, answer)
        .await
        .map_err(|error| not_settled(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

fn not_settled(error: &SettleError) -> Problem {
    let message = error.to_string();
    match error {
        SettleError::Malformed { .. } => Problem::new(StatusCode::BAD_REQUEST, "lease", message),
        SettleError::Stale { .. } => Problem::new(StatusCode::CONFLICT, "stale-lease", message)
            .hint("the delivery runs again, or has been settled; nothing is to be done"),
        SettleError::NotTaken { .. } => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-taken", message)
                .retry_after(Duration::from_secs(1))
        }
        SettleError::DeadLettered { letter, .. } => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "dead-letter", message)
                .with("letter", letter.as_str())
                .hint("mend the handler or the design, then redrive it; nothing was published")
        }
        SettleError::Stopped => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopped", message),
    }
}
