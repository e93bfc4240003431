//! Receives traces by OTLP: HTTP at `/v1/traces`, and gRPC's `TraceService/Export`.
//!
//! A call of gRPC without streams is one message each way, with five bytes in front and the status in
//! trailers: that is all of gRPC that is needed here.
//!
//! Source: OTLP 1.9, "OTLP/HTTP" and "OTLP/gRPC"; gRPC over HTTP2, "Requests" and "Responses".

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http_body_util::{BodyExt as _, Full};
use tidegate_base::limit::REQUEST_BODY_BYTES_MAX;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::access::{Access, guard};
use crate::app::{ServeError, timed};
use crate::observe::{Observed, Refused};
use crate::problem::Problem;

/// How messages come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Protobuf or JSON by HTTP.
    Http,
    /// Protobuf by gRPC.
    Grpc,
}

/// A receiver that listens. Dropping it does not stop it: call [`OtlpReceiver::stop`].
#[derive(Debug)]
pub struct OtlpReceiver {
    address: SocketAddr,
    ended: watch::Sender<bool>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl OtlpReceiver {
    /// Listens, and puts what comes into `observed`, until [`OtlpReceiver::stop`].
    ///
    /// # Errors
    ///
    /// [`ServeError::Bind`] when the address cannot be listened on.
    pub async fn start(
        transport: Transport,
        access: Access,
        observed: Observed,
    ) -> Result<Self, ServeError> {
        let wanted = access.listen();
        let bind = |source| ServeError::Bind {
            address: wanted,
            source,
        };
        let listener = TcpListener::bind(wanted).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let (ended, mut until) = watch::channel(false);
        let app = routes(transport, access, observed);
        let serving = tokio::spawn(async move {
            let stop = async move {
                let _gone = until.wait_for(|ended| *ended).await.is_err();
            };
            axum::serve(listener, app)
                .with_graceful_shutdown(stop)
                .await
        });
        Ok(Self {
            address,
            ended,
            serving,
        })
    }

    /// Where it listens, with the port that the system chose for port 0.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections and waits for running requests, at most `limit`.
    pub async fn stop(self, limit: Duration) {
        self.ended.send_replace(true);
        let abort = self.serving.abort_handle();
        if tokio::time::timeout(limit, self.serving).await.is_err() {
            // Exporters keep their connections: nothing is lost with them.
            abort.abort();
        }
    }
}

fn routes(transport: Transport, access: Access, observed: Observed) -> Router {
    let router = match transport {
        Transport::Http => Router::new().route("/v1/traces", post(over_http)),
        Transport::Grpc => Router::new().route(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            post(over_grpc),
        ),
    };
    timed(router)
        .layer(DefaultBodyLimit::max(REQUEST_BODY_BYTES_MAX))
        .layer(from_fn_with_state(access, guard))
        .with_state(observed)
}

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// What of compression is read; which of it a body is in is told by the content.
const ENCODINGS: [&str; 3] = ["gzip", "zstd", "identity"];

async fn over_http(
    State(observed): State<Observed>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let media = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split(';').next())
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let (media, answer) = match media.as_str() {
        PROTOBUF => (PROTOBUF, ""),
        JSON => (JSON, "{}"),
        other => {
            let message = format!("media type `{other}` is not of OTLP");
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "media-type", message)
                .hint("send application/x-protobuf or application/json"));
        }
    };
    let encoding = headers.get(header::CONTENT_ENCODING);
    let encoding = encoding.map(|value| String::from_utf8_lossy(value.as_bytes()));
    let is_known = |name: &str| ENCODINGS.contains(&name.trim().to_ascii_lowercase().as_str());
    if let Some(other) = encoding.filter(|encoding| !is_known(encoding)) {
        let message = format!("the content encoding `{other}` is not read");
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Problem::new(status, "content-encoding", message)
            .hint("send gzip, zstd, or no compression"));
    }
    match observed.take(&body?).await {
        Ok(()) => Ok(([(header::CONTENT_TYPE, media)], answer).into_response()),
        Err(Refused::Busy(after)) => {
            let message = "more traces came in this second than are taken";
            let status = StatusCode::TOO_MANY_REQUESTS;
            Err(Problem::new(status, "too-fast", message).retry_after(after))
        }
        Err(Refused::Invalid(message)) => {
            Err(Problem::new(StatusCode::BAD_REQUEST, "malformed", message))
        }
        Err(Refused::Ended) => {
            let message = "the receiver ends";
            Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "draining",
                message,
            ))
        }
    }
}

/// The statuses of gRPC that are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Ok = 0,
    InvalidArgument = 3,
    ResourceExhausted = 8,
    Unimplemented = 12,
    /// Exporters send it again.
    Unavailable = 14,
}

async fn over_grpc(
    State(observed): State<Observed>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let media = headers.get(header::CONTENT_TYPE);
    let is_grpc = media.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    if !is_grpc {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let body = match body {
        Ok(body) => body,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return status(
                Code::ResourceExhausted,
                "the message is too large; send smaller batches",
            );
        }
        Err(rejection) => return status(Code::Unavailable, &rejection.body_text()),
    };
    let encoding = headers.get("grpc-encoding").map(HeaderValue::as_bytes);
    let message = match message(&body, encoding) {
        Ok(message) => message,
        Err((code, text)) => return status(code, text),
    };
    match observed.take(message).await {
        Ok(()) => accepted(),
        Err(Refused::Busy(_)) => status(
            Code::Unavailable,
            "more traces came in this second than are taken",
        ),
        Err(Refused::Invalid(text)) => status(Code::InvalidArgument, &text),
        Err(Refused::Ended) => status(Code::Unavailable, "the receiver ends"),
    }
}

/// The one message of the body: a byte that says whether it is compressed, four of length, and it.
fn message<'b>(body: &'b [u8], encoding: Option<&[u8]>) -> Result<&'b [u8], (Code, &'static str)> {
    let invalid = |text| (Code::InvalidArgument, text);
    let (head, rest) = body
        .split_first_chunk::<5>()
        .ok_or_else(|| invalid("the message has no length"))?;
    let [flag, length @ ..] = *head;
    if usize::try_from(u32::from_be_bytes(length)) != Ok(rest.len()) {
        return Err(invalid("the body is not one message"));
    }
    match (flag, encoding) {
        (0, _) | (1, Some(b"gzip" | b"zstd")) => Ok(rest),
        (1, _) => Err((
            Code::Unimplemented,
            "messages may be compressed with gzip or zstd",
        )),
        _ => Err(invalid("the message's flag is unknown")),
    }
}

/// An empty answer, and the status behind it.
fn accepted() -> Response {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(Code::Ok as u16));
    let message = Full::new(Bytes::from_static(&[0; 5]));
    let body = message.with_trailers(std::future::ready(Some(Ok(trailers))));
    (
        [(header::CONTENT_TYPE, "application/grpc")],
        Body::new(body),
    )
        .into_response()
}

/// The status alone.
fn status(code: Code, text: &str) -> Response {
    let mut response = [(header::CONTENT_TYPE, "application/grpc")].into_response();
    let headers = response.headers_mut();
    headers.insert("grpc-status", HeaderValue::from(code as u16));
    if let Ok(text) = HeaderValue::from_str(&percent_encoded(text)) {
        headers.insert("grpc-message", text);
    }
    response
}

/// As gRPC writes a message: what is not printable ASCII, and percent signs, encoded.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b' '..=b'~' if byte != b'%' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests;
