//! `POST /v1/events`: CloudEvents in binary, structured and batch mode.
//!
//! 202 means that every event of the request is durable; any other status that none is stored.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use tidegate_base::limit::BATCH_EVENTS_MAX;
use tidegate_base::{Envelope, EnvelopeError};
use tidegate_runtime::{
    Accept, Accepted, Behind, Measure, Problem as Invalid, PublishError, Runtime,
};

use crate::binding::decode_headers;
use crate::problem::Problem;

pub(crate) async fn publish(
    State(runtime): State<Runtime>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let events = read(&headers, body?)?;
    if events.is_empty() {
        // A batch may be empty, says the specification.
        return Ok((StatusCode::ACCEPTED, Json(json!({ "accepted": [] }))));
    }
    if events.len() > BATCH_EVENTS_MAX {
        let message = format!(
            "a batch of {} events; at most {BATCH_EVENTS_MAX} are taken",
            events.len()
        );
        return Err(Problem::new(StatusCode::BAD_REQUEST, "batch-size", message));
    }
    let accepted = runtime.publish(events).await.map_err(refused)?;
    let accepted: Vec<Value> = accepted.iter().map(receipt).collect();
    Ok((StatusCode::ACCEPTED, Json(json!({ "accepted": accepted }))))
}

fn receipt(accepted: &Accepted) -> Value {
    json!({
        "id": accepted.id,
        "event": accepted.event,
        "sequence": accepted.sequence,
        "duplicate": accepted.duplicate == Accept::Duplicate,
    })
}

/// Reads the events of a request by its media type.
fn read(headers: &HeaderMap, body: Bytes) -> Result<Vec<Envelope>, Problem> {
    let media = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = media
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    match essence.to_ascii_lowercase().as_str() {
        "application/cloudevents+json" => Envelope::from_json(&body)
            .map(|event| vec![event])
            .map_err(|error| malformed(0, &error)),
        "application/cloudevents-batch+json" => read_batch(&body),
        other if other.starts_with("application/cloudevents") => {
            let message = format!("media type `{other}` is not supported");
            Err(
                Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", message).hint(
                    "send application/cloudevents+json or application/cloudevents-batch+json",
                ),
            )
        }
        _ => {
            let event = decode_headers(headers, body).map_err(|error| {
                Problem::new(StatusCode::BAD_REQUEST, "not-an-event", error.to_string()).hint(
                    "send a CloudEvent: binary mode has `ce-id`, `ce-source`, `ce-type` and \
                     `ce-specversion: 1.0`; structured mode is application/cloudevents+json",
                )
            })?;
            Ok(vec![event])
        }
    }
}

fn read_batch(body: &[u8]) -> Result<Vec<Envelope>, Problem> {
    let values: Vec<Value> = serde_json::from_slice(body).map_err(|error| {
        let message = format!("the batch is not a JSON array: {error}");
        Problem::new(StatusCode::BAD_REQUEST, "malformed", message)
    })?;
    let read = |(index, value)| Envelope::from_value(value).map_err(|e| malformed(index, &e));
    values.into_iter().enumerate().map(read).collect()
}

fn malformed(index: usize, error: &EnvelopeError) -> Problem {
    let status = match error {
        EnvelopeError::PayloadLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    Problem::new(status, "malformed", error.to_string()).with("index", index)
}

/// The answer to a producer whose events were not taken.
fn refused(error: PublishError) -> Problem {
    let message = error.to_string();
    match error {
        PublishError::Invalid {
            index,
            event_id,
            problem,
        } => invalid(&message, &problem)
            .with("index", index)
            .with("id", event_id),
        PublishError::Full {
            retry_after,
            behind: Some(behind),
            ..
        } => too_far_behind(message, &behind).retry_after(retry_after),
        PublishError::Full { retry_after, .. } => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "full", message).retry_after(retry_after)
        }
        PublishError::Draining => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "draining", message)
                .hint("send it again to the next process")
        }
        PublishError::BatchLarge { .. } => {
            Problem::new(StatusCode::BAD_REQUEST, "batch-size", message)
        }
        PublishError::Stopped => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopped", message)
            .hint("the store has failed and takes nothing until the process is started again"),
    }
}

/// The answer while a consumer is further behind than the design allows. Times are in seconds.
fn too_far_behind(message: String, behind: &Behind) -> Problem {
    let (value, most) = match behind.measure {
        Measure::Events | Measure::Bytes => (behind.value.into(), behind.most.into()),
        Measure::Age => (seconds(behind.value), seconds(behind.most)),
    };
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "backlog", message)
        .with("event", behind.event.as_str())
        .with("consumer", behind.consumer.to_string())
        .with("limit", behind.measure.word())
        .with("behind", value)
        .with("most", most)
        .hint(
            "send it again, with the same id, after `Retry-After`; a handler that publishes it answers its \
             own delivery with 429 and `Retry-After`, which burns no attempt",
        )
}

fn seconds(nanos: u64) -> Value {
    json!(Duration::from_nanos(nanos).as_secs_f64())
}

pub(crate) fn invalid(message: &str, problem: &Invalid) -> Problem {
    let unprocessable = |code| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, message);
    match problem {
        Invalid::Envelope(error) => malformed(0, error),
        Invalid::UnknownType { .. } => {
            unprocessable("unknown-type").hint("GET /v1/state lists the events of the design")
        }
        Invalid::NotJson => unprocessable("not-json"),
        Invalid::Encoding { binary } => unprocessable("not-json")
            .with("encoding", *binary)
            .hint("send JSON, or bytes with this media type as `datacontenttype`"),
        Invalid::SchemaId { id, .. } => unprocessable("schema-id")
            .with("schema_id", id.as_str())
            .hint("register the schema under the event's subject, `EVENT-value`, before publishing with it"),
        Invalid::Key { .. } => unprocessable("key"),
        Invalid::Rule {
            rule,
            because,
            error,
        } => unprocessable("rule")
            .with("rule", rule.as_str())
            .with("because", because.clone())
            .with("reason", error.clone())
            .hint("the rule is in the design, under `rules` of the event"),
        Invalid::NotBefore { .. } => unprocessable("not-before"),
        Invalid::Schema { violations } => {
            let violations: Vec<Value> = violations
                .iter()
                .map(|v| json!({ "path": v.path, "message": v.message }))
                .collect();
            unprocessable("schema").with("violations", violations)
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    async fn answer(measure: Measure, value: u64, most: u64) -> (StatusCode, String, Value) {
        let behind = Behind {
            event: "OrderPlaced".parse().unwrap(),
            consumer: "billing/OrderPlaced".parse().unwrap(),
            measure,
            value,
            most,
        };
        let error = PublishError::Full {
            reason: behind.to_string(),
            retry_after: Duration::from_millis(12_300),
            behind: Some(Box::new(behind)),
        };
        let response = refused(error).into_response();
        let after = response.headers()[header::RETRY_AFTER].to_str().unwrap();
        let (status, after) = (response.status(), after.to_owned());
        let body = axum::body::to_bytes(response.into_body(), 10_000).await;
        (
            status,
            after,
            serde_json::from_slice(&body.unwrap()).unwrap(),
        )
    }

    #[tokio::test]
    async fn a_producer_is_told_who_is_behind_by_how_much_and_when_to_come_back() {
        let (status, after, body) = answer(Measure::Events, 1_000_000, 1_000_000).await;
        assert_eq!((status.as_u16(), after.as_str()), (429, "13"));
        let error = &body["error"];
        assert_eq!(error["code"], "backlog");
        assert_eq!(error["event"], "OrderPlaced");
        assert_eq!(error["consumer"], "billing/OrderPlaced");
        assert_eq!(
            (&error["limit"], &error["behind"]),
            (&json!("events"), &json!(1_000_000))
        );
        assert_eq!(
            error["message"],
            "consumer `billing/OrderPlaced` has 1000000 unfinished events; the most is 1000000 \
             (`events.OrderPlaced.backlog.events`); try again in 12.3s"
        );
        assert!(error["hint"].is_string());
        let hour = 3_600_000_000_000;
        let (.., body) = answer(Measure::Age, hour + hour / 2, hour).await;
        assert_eq!(
            (&body["error"]["behind"], &body["error"]["most"]),
            (&json!(5400.0), &json!(3600.0))
        );
        let (.., body) = answer(Measure::Bytes, 2_048, 1_024).await;
        assert_eq!(
            (&body["error"]["limit"], &body["error"]["most"]),
            (&json!("bytes"), &json!(1_024))
        );
    }
}
