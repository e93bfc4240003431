//! Push: one attempt as one HTTP request, and what its answer means.
//!
//! The event goes in CloudEvents binary mode. Beside it: `idempotency-key` (the same over all attempts
//! and redrives, another in each replay), `tidegate-delivery`, `tidegate-attempt`, `tidegate-epoch` (a
//! fencing token), `tidegate-timeout-ms`, and in a replay `tidegate-replay`. An answer in one of the modes of
//! CloudEvents is what the handler publishes.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::GaiResolver;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use std::sync::Arc;
use tidegate_base::limit::{ERROR_TEXT_BYTES_MAX, OUTPUT_BYTES_MAX};
use tidegate_base::{Clock, Envelope, Timestamp, parse_duration};
use tidegate_runtime::{Answer, Attempt, Caller, Outcome, RetryClass};

mod reach;

use self::reach::Names;
use crate::binding::{decode_headers, encode_headers};

/// Longest answer that is read; the rest is cut off.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Idle connections kept for each endpoint.
const IDLE_CONNECTIONS_MAX: usize = 64;

/// Calls consumers' endpoints over HTTP and HTTPS.
#[derive(Clone)]
pub struct HttpCaller {
    client: Client<HttpsConnector<HttpConnector<Names>>, Full<Bytes>>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for HttpCaller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpCaller")
    }
}

impl HttpCaller {
    /// A caller that trusts the system's certificates. The clock reads `Retry-After` dates.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Names(GaiResolver::new()));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // Without system certificates every HTTPS endpoint is refused; HTTP goes on.
        let builder = HttpsConnectorBuilder::new();
        let builder = builder.with_native_roots().unwrap_or_else(|error| {
            tracing::warn!("no system certificates, HTTPS endpoints cannot be reached: {error}");
            HttpsConnectorBuilder::new().with_tls_config(trust_nobody())
        });
        let connector = builder.https_or_http().enable_http1().wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build(connector);
        Self { client, clock }
    }

    async fn post(self, attempt: Attempt) -> Answer {
        let endpoint = &attempt.endpoint;
        let uri: Uri = match endpoint.parse() {
            Ok(uri) => uri,
            Err(error) => {
                let error = format!("`{endpoint}` is not a URL: {error}");
                return Outcome::EndpointFault { error }.into();
            }
        };
        let timeout = attempt.timeout;
        let request = match request(uri, &attempt) {
            Ok(request) => request,
            Err(error) => {
                let error = format!("not a request: {error}");
                return Outcome::Refused { error }.into();
            }
        };
        match tokio::time::timeout(timeout, self.send(request)).await {
            Ok(answer) => answer,
            Err(_) => {
                let time = tidegate_base::format_duration(timeout);
                let error = format!("no answer within {time}");
                retry(RetryClass::Timeout, error).into()
            }
        }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) => return reach::unreachable(&error).into(),
        };
        let (head, body) = response.into_parts();
        let publishes = head.status.is_success().then(|| format_of(&head.headers));
        if let Some(Some(format)) = publishes {
            return match Limited::new(body, OUTPUT_BYTES_MAX).collect().await {
                Ok(body) => published(format, &head.headers, body.to_bytes()),
                Err(error) => {
                    let error = format!("the events in the answer cannot be read: {error}");
                    retry(RetryClass::Retryable, error).into()
                }
            };
        }
        let text = match Limited::new(body, ANSWER_BYTES_MAX).collect().await {
            Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
            Err(_) => String::new(),
        };
        judge(head.status, &head.headers, &text, self.clock.now()).into()
    }
}

/// A TLS configuration without any certificate authority.
fn trust_nobody() -> rustls::ClientConfig {
    rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

impl Caller for HttpCaller {
    fn call(&self, attempt: Attempt) -> BoxFuture<'static, Answer> {
        self.clone().post(attempt).boxed()
    }
}

fn request(uri: Uri, attempt: &Attempt) -> Result<Request<Full<Bytes>>, http::Error> {
    let mut headers = encode_headers(&attempt.envelope);
    let mut add = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    add("idempotency-key", &attempt.delivery_id);
    add("tidegate-delivery", &attempt.delivery_id);
    add("tidegate-attempt", &attempt.attempt.to_string());
    add("tidegate-epoch", &attempt.epoch.to_string());
    if attempt.generation > 0 {
        add("tidegate-replay", &attempt.generation.to_string());
    }
    add(
        "tidegate-timeout-ms",
        &attempt.timeout.as_millis().to_string(),
    );
    if let Some(parent) = attempt.envelope.extensions.get("traceparent") {
        add("traceparent", parent);
    }
    let body = attempt.envelope.data.clone().unwrap_or_default();
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(uri)
        .body(Full::new(body))?;
    request.headers_mut().extend(headers);
    Ok(request)
}

fn retry(class: RetryClass, error: String) -> Outcome {
    let after = None;
    Outcome::Retry {
        class,
        error,
        after,
    }
}

/// How a handler that is done answers with events for its service to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// One, its attributes in the headers.
    Binary,
    /// One, as JSON.
    Structured,
    /// Several, as a JSON array.
    Batch,
}

/// Source: CloudEvents 1.0.2, HTTP Protocol Binding, section 3 (it holds for responses too).
fn format_of(headers: &HeaderMap) -> Option<Format> {
    if headers.contains_key("ce-specversion") {
        return Some(Format::Binary);
    }
    let media = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let media = media.split(';').next()?.trim().to_ascii_lowercase();
    match media.as_str() {
        "application/cloudevents+json" => Some(Format::Structured),
        "application/cloudevents-batch+json" => Some(Format::Batch),
        _ => None,
    }
}

/// Done, with the events of the answer; events that are none make it a failure of the handler.
fn published(format: Format, headers: &HeaderMap, body: Bytes) -> Answer {
    let events = match format {
        Format::Binary => decode_headers(headers, body)
            .map(|event| vec![event])
            .map_err(|error| error.to_string()),
        Format::Structured => read_one(&body).map(|event| vec![event]),
        Format::Batch => read_batch(&body),
    };
    match events {
        Ok(outputs) => Answer {
            outputs,
            ..Outcome::Done.into()
        },
        Err(error) => {
            let error = format!("the answer of the handler is not an event: {error}");
            Outcome::Refused { error }.into()
        }
    }
}

fn read_one(body: &[u8]) -> Result<Envelope, String> {
    let value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    Envelope::from_output(value).map_err(|error| error.to_string())
}

fn read_batch(body: &[u8]) -> Result<Vec<Envelope>, String> {
    let values: Vec<serde_json::Value> =
        serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let events = values.into_iter().map(Envelope::from_output);
    events
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

/// A handler that answers 2xx may still say that the event is to be retried or parked.
#[derive(Deserialize)]
struct Verdict {
    status: String,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    after: Option<String>,
}

/// What an answer means. Documented in `docs/reference/http-api.md`.
fn judge(status: StatusCode, headers: &HeaderMap, body: &str, now: Timestamp) -> Outcome {
    let after = headers
        .get(header::RETRY_AFTER)
        .and_then(|value| retry_after(value, now));
    let error = message(status, body);
    match status.as_u16() {
        200..=299 => judge_body(body),
        429 => Outcome::Overload { error, after },
        503 if after.is_some() => Outcome::Overload { error, after },
        502 | 503 => Outcome::Retry {
            class: RetryClass::Unavailable,
            error,
            after,
        },
        408 | 504 => Outcome::Retry {
            class: RetryClass::Timeout,
            error,
            after,
        },
        400 | 405 | 406 | 411..=417 | 422 | 431 => Outcome::Permanent { error },
        300..=399 | 401 | 402 | 403 | 404 | 407 | 410 | 421 | 426 | 451 => {
            Outcome::EndpointFault { error }
        }
        _ => Outcome::Retry {
            class: RetryClass::Retryable,
            error,
            after,
        },
    }
}

fn judge_body(body: &str) -> Outcome {
    let Ok(answer) = serde_json::from_str::<Verdict>(body) else {
        return Outcome::Done;
    };
    let error = answer
        .error
        .unwrap_or_else(|| "the handler gave no reason".to_owned());
    match answer.status.as_str() {
        "retry" => {
            let after = match answer.after.as_deref().map(parse_duration) {
                Some(Err(wrong)) => {
                    let error = format!("{error} (its `after`: {wrong})");
                    let class = RetryClass::Retryable;
                    return Outcome::Retry {
                        class,
                        error,
                        after: None,
                    };
                }
                Some(Ok(after)) => Some(after),
                None => None,
            };
            Outcome::Retry {
                class: RetryClass::Retryable,
                error,
                after,
            }
        }
        "park" => Outcome::Permanent { error },
        _ => Outcome::Done,
    }
}

/// The status and the start of the body, on one line.
fn message(status: StatusCode, body: &str) -> String {
    let line: String = body.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = format!("HTTP {}", status.as_u16());
    if !line.is_empty() {
        text.push_str(": ");
        let room = ERROR_TEXT_BYTES_MAX.saturating_sub(text.len());
        text.push_str(
            line.get(..line.floor_char_boundary(room))
                .unwrap_or_default(),
        );
    }
    text
}

/// Seconds or an HTTP date: RFC 9110, section 10.2.3.
fn retry_after(value: &HeaderValue, now: Timestamp) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(u64::from(seconds)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let since_epoch = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some((Timestamp::EPOCH + since_epoch).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, retry_after: Option<&str>, body: &str) -> String {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        }
        let now = Timestamp::parse_rfc3339("2015-10-21T07:27:00Z").unwrap();
        format!(
            "{:?}",
            judge(StatusCode::from_u16(status).unwrap(), &headers, body, now)
        )
    }

    /// The first one of an event for this endpoint.
    pub(super) fn attempt(endpoint: &str) -> Attempt {
        let event = r#"{"specversion":"1.0","id":"1","source":"/shop","type":"OrderPlaced"}"#;
        let envelope = tidegate_base::Envelope::from_json(event.as_bytes()).unwrap();
        Attempt {
            consumer: "billing/OrderPlaced".parse().unwrap(),
            endpoint: Arc::from(endpoint),
            envelope: Arc::new(envelope),
            delivery_id: "billing/OrderPlaced/4".to_owned(),
            sequence: 4,
            attempt: 1,
            state: None,
            generation: 0,
            epoch: 2,
            deadline: Timestamp::EPOCH,
            timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn a_replay_says_which_and_has_a_key_of_its_own() {
        let mut attempt = attempt("http://localhost/");
        let headers = |attempt: &Attempt| {
            let sent = request(Uri::from_static("http://localhost/"), attempt).unwrap();
            let text = |name: &str| Some(sent.headers().get(name)?.to_str().unwrap().to_owned());
            (text("idempotency-key"), text("tidegate-replay"))
        };
        let key = |key: &str| Some(key.to_owned());
        assert_eq!(headers(&attempt), (key("billing/OrderPlaced/4"), None));
        attempt.generation = 3;
        attempt.delivery_id = "billing/OrderPlaced/4/replay-3".to_owned();
        let expected = (key("billing/OrderPlaced/4/replay-3"), key("3"));
        assert_eq!(headers(&attempt), expected);
    }

    #[test]
    fn every_status_has_one_meaning() {
        let cases = [
            (200, "Done"),
            (204, "Done"),
            (302, "EndpointFault"),
            (400, "Permanent"),
            (401, "EndpointFault"),
            (403, "EndpointFault"),
            (404, "EndpointFault"),
            (408, "Retry { class: Timeout"),
            (409, "Retry { class: Retryable"),
            (410, "EndpointFault"),
            (413, "Permanent"),
            (415, "Permanent"),
            (422, "Permanent"),
            (425, "Retry { class: Retryable"),
            (429, "Overload"),
            (500, "Retry { class: Retryable"),
            (502, "Retry { class: Unavailable"),
            (503, "Retry { class: Unavailable"),
            (504, "Retry { class: Timeout"),
        ];
        for (status, expected) in cases {
            let found = judged(status, None, "");
            assert!(found.starts_with(expected), "{status}: {found}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert!(judged(503, Some("7"), "").contains("after: Some(7s)"));
        assert!(
            judged(503, Some("Wed, 21 Oct 2015 07:28:00 GMT"), "").contains("after: Some(60s)")
        );
        assert!(
            judged(503, Some("Wed, 21 Oct 2015 07:00:00 GMT"), "").contains("after: Some(0ns)")
        );
        assert!(judged(503, Some("soon"), "").starts_with("Retry { class: Unavailable"));
    }

    #[test]
    fn a_handler_may_decide_in_its_body() {
        let retry = judged(
            200,
            None,
            r#"{"status":"retry","error":"locked","after":"2s"}"#,
        );
        assert!(
            retry.contains("locked") && retry.contains("Some(2s)"),
            "{retry}"
        );
        assert!(judged(200, None, r#"{"status":"park","error":"no"}"#).starts_with("Permanent"));
        assert!(judged(200, None, r#"{"status":"shipped"}"#).starts_with("Done"));
        assert!(judged(200, None, "not json").starts_with("Done"));
    }

    #[test]
    fn an_answer_may_be_events_to_publish() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            let pairs = pairs.iter();
            let pairs = pairs.map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            });
            pairs.collect::<HeaderMap>()
        };
        let event = r#"{"specversion":"1.0","id":"1","source":"/b","type":"Paid","data":{"a":1}}"#;
        let binary = headers(&[
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", "/b"),
            ("ce-type", "Paid"),
            ("content-type", "application/json"),
        ]);
        let structured = headers(&[(
            "content-type",
            "application/cloudevents+json; charset=utf-8",
        )]);
        let batch = headers(&[("content-type", "application/cloudevents-batch+json")]);
        let cases = [
            (&binary, Format::Binary, r#"{"a":1}"#.to_owned(), 1),
            (&structured, Format::Structured, event.to_owned(), 1),
            (&batch, Format::Batch, format!("[{event},{event}]"), 2),
        ];
        for (headers, format, body, count) in cases {
            assert_eq!(format_of(headers), Some(format));
            let answer = published(format, headers, Bytes::from(body));
            assert_eq!(answer.outcome, Outcome::Done);
            assert_eq!(answer.outputs.len(), count);
            assert!(answer.outputs.iter().all(|event| event.id == "1"));
        }
        // Who leaves `id` and `source` out gets those that follow from the delivery.
        let nameless = r#"{"specversion":"1.0","type":"Paid","data":{"a":1}}"#;
        let bare = headers(&[("ce-specversion", "1.0"), ("ce-type", "Paid")]);
        let cases = [
            (&bare, Format::Binary, r#"{"a":1}"#.to_owned()),
            (&structured, Format::Structured, nameless.to_owned()),
            (&batch, Format::Batch, format!("[{nameless},{nameless}]")),
        ];
        for (headers, format, body) in cases {
            let answer = published(format, headers, Bytes::from(body));
            assert_eq!(answer.outcome, Outcome::Done, "{format:?}");
            assert!(!answer.outputs.is_empty());
            assert!(answer.outputs.iter().all(|event| event.id.is_empty()));
        }
        assert_eq!(
            format_of(&headers(&[("content-type", "application/json")])),
            None
        );
        for (format, body) in [(Format::Structured, "{}"), (Format::Batch, "[1]")] {
            let answer = published(format, &structured, Bytes::from_static(body.as_bytes()));
            assert!(matches!(answer.outcome, Outcome::Refused { .. }));
        }
    }

    #[test]
    fn a_long_answer_is_cut_at_a_character() {
        let error = message(StatusCode::BAD_REQUEST, &"é".repeat(4_000));
        assert!(error.len() <= ERROR_TEXT_BYTES_MAX && error.starts_with("HTTP 400: é"));
    }
}
