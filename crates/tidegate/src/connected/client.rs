//! A daemon, asked over HTTP.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::Value;
use tidegate_base::format_duration;
use tidegate_base::limit::ANSWER_BYTES_MAX;

/// How long an answer may take, beside what the request itself waits for.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// How long a connection may take: a daemon that is there answers at once.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Deepest nesting of an answer: an event as deep as a daemon takes it, and what is around it.
const NESTING_MAX: usize = 256;
/// The media type of every request but those that publish.
pub(crate) const JSON: &str = "application/json";

/// A daemon and the right to ask it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Client {
    http: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: String,
    bearer: Option<HeaderValue>,
}

/// What went wrong with a request.
#[derive(Debug)]
pub(crate) enum AskError {
    /// No answer, or not one of a daemon: whether it was done is not known.
    Unanswered(String),
    /// The daemon says no.
    Refused(Refusal),
}

/// What a daemon says when it says no.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    /// With the hint, when there is one.
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unanswered(reason) => f.write_str(reason),
            Self::Refused(refusal) => f.write_str(&refusal.message),
        }
    }
}

impl Client {
    /// A client of the daemon at `url`. It does not connect yet.
    ///
    /// # Errors
    ///
    /// When `url` or `token` is not one.
    pub(crate) fn new(url: &str, token: Option<&str>) -> Result<Self, String> {
        check(url)?;
        let bearer = match token.map(str::trim) {
            None => None,
            Some("") => return Err("the token is empty".to_owned()),
            Some(token) => {
                let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))
                    .map_err(|_| "the token has characters that are not visible ASCII")?;
                bearer.set_sensitive(true);
                Some(bearer)
            }
        };
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_LIMIT));
        let builder = HttpsConnectorBuilder::new();
        // Without system certificates every https daemon is refused; http goes on.
        let builder = builder.with_native_roots().unwrap_or_else(|error| {
            tracing::warn!("no system certificates, https cannot be used: {error}");
            HttpsConnectorBuilder::new().with_tls_config(trust_nobody())
        });
        let connector = builder.https_or_http().enable_http1().wrap_connector(tcp);
        let http = HttpClient::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(20))
            .build(connector);
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { http, url, bearer })
    }

    /// Where the daemon is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, AskError> {
        self.ask(Method::GET, path, JSON, Bytes::new(), Duration::ZERO)
            .await
    }

    /// Posts `body`; the daemon may take `wait` before it even begins to answer.
    pub(crate) async fn post(
        &self,
        path: &str,
        media_type: &'static str,
        body: &Value,
        wait: Duration,
    ) -> Result<Value, AskError> {
        let body = Bytes::from(body.to_string());
        self.ask(Method::POST, path, media_type, body, wait).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        media_type: &'static str,
        body: Bytes,
        wait: Duration,
    ) -> Result<Value, AskError> {
        let limit = ANSWER_LIMIT + wait;
        let asked = self.exchange(method, path, media_type, body);
        match tokio::time::timeout(limit, asked).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(AskError::Unanswered(format!(
                "no answer within {}",
                format_duration(limit)
            ))),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        media_type: &'static str,
        body: Bytes,
    ) -> Result<Value, AskError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = format!("{}{path}", self.url)
            .parse()
            .map_err(|error| AskError::Unanswered(format!("not a URL: {error}")))?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        let agent = concat!("tidegate-rust/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        if let Some(bearer) = &self.bearer {
            headers.insert(AUTHORIZATION, bearer.clone());
        }
        let unanswered = |error: &dyn Error| AskError::Unanswered(causes(error));
        let response = self.http.request(request).await;
        let (head, body) = response.map_err(|error| unanswered(&error))?.into_parts();
        let most = usize::try_from(ANSWER_BYTES_MAX).unwrap_or(usize::MAX);
        let body = Limited::new(body, most).collect().await;
        let body = body.map_err(|error| unanswered(&*error))?.to_bytes();
        let json = if body.is_empty() {
            Some(Value::Null)
        } else {
            json(&body)
        };
        if head.status.is_success() {
            let stranger =
                || AskError::Unanswered("what answers there is no Tidegate daemon".to_owned());
            return json.ok_or_else(stranger);
        }
        let retry_after = head.headers.get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        Err(refused(
            head.status,
            json,
            retry_after.map(Duration::from_secs),
        ))
    }
}

/// What an answer says that says no.
fn refused(status: StatusCode, json: Option<Value>, retry_after: Option<Duration>) -> AskError {
    #[derive(Deserialize)]
    struct Problem {
        code: String,
        message: String,
        hint: Option<String>,
    }
    let problem = json.and_then(|json| Problem::deserialize(json.get("error")?).ok());
    let Some(Problem {
        code,
        message,
        hint,
    }) = problem
    else {
        return AskError::Unanswered(format!(
            "what answers there is no Tidegate daemon: status {status}"
        ));
    };
    let message = match hint {
        Some(hint) => format!("{message} ({hint})"),
        None => message,
    };
    AskError::Refused(Refusal {
        status,
        code,
        message,
        retry_after,
    })
}

/// Whether a text is the URL of a daemon.
fn check(url: &str) -> Result<(), String> {
    let wrong = || format!("`{url}` is no URL of a daemon, such as http://127.0.0.1:7070");
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let authority = uri.authority().ok_or_else(wrong)?;
    // The text is not repeated: it may hold a password.
    if authority.as_str().contains('@') {
        return Err("a secret does not belong into a URL: use `token_file`".to_owned());
    }
    let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    if !scheme || authority.host().is_empty() || uri.query().is_some() {
        return Err(wrong());
    }
    Ok(())
}

/// A TLS configuration without any certificate authority.
fn trust_nobody() -> rustls::ClientConfig {
    rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

/// An error with what caused it.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

/// The JSON of an answer; `None` when it is none, or nests too deep to be one of a daemon.
fn json(bytes: &[u8]) -> Option<Value> {
    if nesting(bytes) > NESTING_MAX {
        return None;
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    // Its own limit is also that of events: an event as deep as it allows has no room left in an
    // answer around it.
    reader.disable_recursion_limit();
    let json = Value::deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(json)
}

/// How deep arrays and objects are within each other.
fn nesting(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_text, mut is_escaped) = (false, false);
    for byte in bytes {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = in_text,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_or_refused_with_a_reason() {
        for url in [
            "http://127.0.0.1:7070",
            "https://tidegate.example/a/",
            "http://[::1]:1",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
        for url in ["", "localhost:7070", "ftp://x", "http://x/?a=1", "/v1"] {
            assert!(check(url).is_err(), "{url}");
        }
        let secret = check("http://me:secret@127.0.0.1:7070").unwrap_err();
        assert!(!secret.contains("secret@"), "{secret}");
    }

    #[test]
    fn an_answer_may_nest_deeper_than_an_event_and_not_for_ever() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(json(nested(NESTING_MAX).as_bytes()).is_some());
        assert!(json(nested(NESTING_MAX + 1).as_bytes()).is_none());
        assert!(json("[".repeat(1 << 20).as_bytes()).is_none());
    }
}
