//! Push: one attempt as one HTTP request, and what its answer means.
//!
//! The event goes in CloudEvents binary mode. Beside it: `idempotency-key` (the same over all attempts
//! and redrives, another in each replay), `tidegate-delivery`, `tidegate-attempt`, `tidegate-epoch` (a
//! fencing token), `tidegate-timeout-ms`, and in a replay `tidegate-replay`.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use std::sync::Arc;
use tidegate_base::limit::ERROR_TEXT_BYTES_MAX;
use tidegate_base::{Clock, Timestamp, parse_duration};
use tidegate_runtime::{Attempt, Caller, Outcome, RetryClass};

use crate::binding::encode_headers;

/// Longest answer that is read; the rest is cut off.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Idle connections kept for each endpoint.
const IDLE_CONNECTIONS_MAX: usize = 64;

/// Calls consumers' endpoints over HTTP and HTTPS.
#[derive(Clone)]
pub struct HttpCaller {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
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
        let mut tcp = HttpConnector::new();
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

    async fn post(self, attempt: Attempt) -> Outcome {
        let endpoint = &attempt.endpoint;
        let uri: Uri = match endpoint.parse() {
            Ok(uri) => uri,
            Err(error) => {
                let error = format!("`{endpoint}` is not a URL: {error}");
                return Outcome::EndpointFault { error };
            }
        };
        let timeout = attempt.timeout;
        let request = match request(uri, &attempt) {
            Ok(request) => request,
            Err(error) => {
                return Outcome::Permanent {
                    error: format!("not a request: {error}"),
                };
            }
        };
        match tokio::time::timeout(timeout, self.send(request)).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::Retry {
                class: RetryClass::Timeout,
                error: format!(
                    "no answer within {}",
                    tidegate_base::format_duration(timeout)
                ),
                after: None,
            },
        }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Outcome {
        let response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) => return unreachable(&error),
        };
        let (head, body) = response.into_parts();
        let text = match Limited::new(body, ANSWER_BYTES_MAX).collect().await {
            Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
            Err(_) => String::new(),
        };
        judge(head.status, &head.headers, &text, self.clock.now())
    }
}

/// A TLS configuration without any certificate authority.
fn trust_nobody() -> rustls::ClientConfig {
    rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

impl Caller for HttpCaller {
    fn call(&self, attempt: Attempt) -> BoxFuture<'static, Outcome> {
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

/// A connection that failed: the endpoint is wrong when its name or certificate is, else away.
fn unreachable(error: &hyper_util::client::legacy::Error) -> Outcome {
    let text = causes(error);
    let fault = [
        "dns error",
        "failed to lookup address",
        "certificate",
        "invalid dnsname",
        "tls",
    ];
    let lower = text.to_ascii_lowercase();
    if fault.iter().any(|word| lower.contains(word)) {
        return Outcome::EndpointFault { error: text };
    }
    Outcome::Retry {
        class: RetryClass::Unavailable,
        error: text,
        after: None,
    }
}

/// An error with its causes, each said once.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = next.source();
    }
    text
}

/// A handler that answers 2xx may still say that the event is to be retried or parked.
#[derive(Deserialize)]
struct Answer {
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
    let Ok(answer) = serde_json::from_str::<Answer>(body) else {
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

    #[test]
    fn a_replay_says_which_and_has_a_key_of_its_own() {
        let event = r#"{"specversion":"1.0","id":"1","source":"/shop","type":"OrderPlaced"}"#;
        let envelope = tidegate_base::Envelope::from_json(event.as_bytes()).unwrap();
        let mut attempt = Attempt {
            consumer: "billing/OrderPlaced".parse().unwrap(),
            endpoint: Arc::from("http://localhost/"),
            envelope: Arc::new(envelope),
            delivery_id: "billing/OrderPlaced/4".to_owned(),
            attempt: 1,
            generation: 0,
            epoch: 2,
            deadline: Timestamp::EPOCH,
            timeout: Duration::from_secs(1),
        };
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
    fn a_long_answer_is_cut_at_a_character() {
        let error = message(StatusCode::BAD_REQUEST, &"é".repeat(4_000));
        assert!(error.len() <= ERROR_TEXT_BYTES_MAX && error.starts_with("HTTP 400: é"));
    }
}
