//! A running daemon, asked over HTTP. The only place of the program that knows its paths' manners:
//! the token, the time that an answer may take, and what a refusal means for the exit code.

use std::io::ErrorKind;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidegate_base::format_duration;
use tidegate_base::limit::ANSWER_BYTES_MAX;
use ureq::http::{Response, StatusCode, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::typestate::WithBody;
use ureq::{Agent, Body, RequestBuilder, Timeout};

use crate::arguments::operate::Asked;
use crate::daemon;
use crate::exit::{Failure, Kind};
use crate::terminal::shown;

/// How long a connection may take: a daemon that is there answers at once.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Deepest nesting of an answer: an event as deep as a daemon takes it, and what is around it.
const NESTING_MAX: usize = 256;

/// Where a daemon answers: `http://127.0.0.1:7070`, or a path behind another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DaemonUrl {
    /// Without a slash at its end.
    text: String,
    is_https: bool,
}

impl FromStr for DaemonUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "it is not a URL such as http://127.0.0.1:7070".to_owned();
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let is_https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        if authority.host().is_empty() || uri.query().is_some() {
            return Err(wrong());
        }
        // What is on the command line, every user of the machine can read.
        if authority.as_str().contains('@') {
            return Err("a secret does not belong into a URL: use --token-file FILE".to_owned());
        }
        Ok(Self {
            text: text.trim_end_matches('/').to_owned(),
            is_https,
        })
    }
}

impl DaemonUrl {
    /// Without a slash at its end.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it takes TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.is_https
    }
}

/// What a daemon answers: the JSON as it came, and what is read of it.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    pub(crate) json: Value,
    pub(crate) read: T,
}

/// A daemon and the right to ask it.
pub(crate) struct Client {
    agent: Agent,
    url: DaemonUrl,
    bearer: Option<String>,
    timeout: Duration,
}

/// What came back for something that was handed over.
pub(crate) struct Handed {
    pub(crate) status: u16,
    pub(crate) json: Option<Value>,
    pub(crate) retry_after: Option<Duration>,
}

/// What came back, whatever it says.
struct Reply {
    status: StatusCode,
    json: Option<Value>,
}

/// Whether a request changes something: then no answer does not mean that nothing was done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Question,
    Order,
}

/// What a refused request says.
#[derive(Deserialize)]
struct Problem {
    code: String,
    message: String,
    hint: Option<String>,
    #[serde(default)]
    violations: Vec<Violation>,
}

/// One way in which a payload breaks its schema.
#[derive(Deserialize)]
struct Violation {
    path: String,
    message: String,
}

impl Client {
    /// A client of the daemon that the arguments name. It does not connect yet.
    ///
    /// # Errors
    ///
    /// When the token cannot be read, or there are no certificates to check `https` against.
    pub(crate) fn new(asked: &Asked) -> Result<Self, Failure> {
        let bearer = match &asked.token_file {
            None => None,
            Some(file) => Some(daemon::token(file)?.bearer()),
        };
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // A token goes to nobody but the daemon that was named: no redirect, no proxy.
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_LIMIT))
            .timeout_global(Some(asked.timeout));
        if asked.url.is_https {
            config = config.tls_config(tls()?);
        }
        Ok(Self {
            agent: config.build().into(),
            url: asked.url.clone(),
            bearer,
            timeout: asked.timeout,
        })
    }

    /// Asks something.
    ///
    /// # Errors
    ///
    /// When the daemon does not answer, refuses, or answers something else than `T`.
    pub(crate) fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Answer<T>, Failure> {
        self.answer(self.asked(path, query)?)
    }

    /// Asks for something that may not be there: `None` when the daemon says so.
    ///
    /// # Errors
    ///
    /// As [`Client::get`].
    pub(crate) fn find<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<Option<Answer<T>>, Failure> {
        let reply = self.asked(path, &[])?;
        let is_absent = reply.status == StatusCode::NOT_FOUND
            && reply
                .problem()
                .is_some_and(|problem| !problem.is_no_such_request());
        if is_absent {
            return Ok(None);
        }
        self.answer(reply).map(Some)
    }

    /// Orders something, with a body or without.
    ///
    /// # Errors
    ///
    /// As [`Client::get`].
    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer<T>, Failure> {
        let request = self.agent.post(format!("{}{path}", self.url.text));
        self.order(request, body)
    }

    /// Puts something in the place of what is there, if that is at this version.
    ///
    /// # Errors
    ///
    /// As [`Client::get`].
    pub(crate) fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        version: u64,
        body: &Value,
    ) -> Result<Answer<T>, Failure> {
        let request = self.agent.put(format!("{}{path}", self.url.text));
        let request = request.header("if-match", format!("\"{version}\""));
        self.order(request, Some(body))
    }

    fn order<T: DeserializeOwned>(
        &self,
        mut request: RequestBuilder<WithBody>,
        body: Option<&Value>,
    ) -> Result<Answer<T>, Failure> {
        if let Some(bearer) = &self.bearer {
            request = request.header("authorization", bearer);
        }
        let sent = match body {
            None => request.send_empty(),
            Some(body) => request
                .header("content-type", "application/json")
                .send(body.to_string()),
        };
        self.answer(self.received(sent, Effect::Order)?)
    }

    /// Hands something over; what came back, whatever it says.
    ///
    /// # Errors
    ///
    /// When nothing comes back.
    pub(crate) fn hand_over(
        &self,
        path: &str,
        media: &str,
        body: String,
    ) -> Result<Handed, Failure> {
        let mut request = self.agent.post(format!("{}{path}", self.url.text));
        if let Some(bearer) = &self.bearer {
            request = request.header("authorization", bearer);
        }
        let unreached = |error| self.unreached(&error, Effect::Order);
        let sent = request.header("content-type", media).send(body);
        let mut response = sent.map_err(unreached)?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after");
        let seconds = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        let limited = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        let json = json(&limited.read_to_vec().map_err(unreached)?);
        Ok(Handed {
            status,
            json,
            retry_after: seconds.map(Duration::from_secs),
        })
    }

    fn asked(&self, path: &str, query: &[(&str, &str)]) -> Result<Reply, Failure> {
        let mut request = self.agent.get(format!("{}{path}", self.url.text));
        if let Some(bearer) = &self.bearer {
            request = request.header("authorization", bearer);
        }
        let sent = request.query_pairs(query.iter().copied()).call();
        self.received(sent, Effect::Question)
    }

    fn received(
        &self,
        sent: Result<Response<Body>, ureq::Error>,
        effect: Effect,
    ) -> Result<Reply, Failure> {
        let unreached = |error| self.unreached(&error, effect);
        let mut response = sent.map_err(unreached)?;
        let status = response.status();
        let limited = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        let bytes = limited.read_to_vec().map_err(unreached)?;
        let json = json(&bytes);
        Ok(Reply { status, json })
    }

    fn answer<T: DeserializeOwned>(&self, reply: Reply) -> Result<Answer<T>, Failure> {
        if !reply.status.is_success() {
            return Err(match reply.problem() {
                Some(problem) => self.refused(reply.status, &problem),
                None if reply.status == StatusCode::METHOD_NOT_ALLOWED => self.unknown_request(),
                None => self.stranger(&format!("it answers with status {}", reply.status)),
            });
        }
        let Some(json) = reply.json else {
            return Err(self.stranger("its answer is not JSON"));
        };
        match T::deserialize(&json) {
            Ok(read) => Ok(Answer { json, read }),
            Err(error) => Err(self.stranger(&format!("its answer is another one: {error}"))),
        }
    }

    fn refused(&self, status: StatusCode, problem: &Problem) -> Failure {
        if problem.is_no_such_request() {
            return self.unknown_request();
        }
        let kind = match status.as_u16() {
            401 | 403 => Kind::NotAllowed,
            404 | 409 | 412 | 429 | 500 | 503 => Kind::No,
            408 | 502 | 504 => Kind::Unreachable,
            _ => Kind::Configuration,
        };
        let mut message = shown(&problem.message);
        for Violation {
            path,
            message: said,
        } in &problem.violations
        {
            message.push_str(&format!("\n  {}: {}", shown(path), shown(said)));
        }
        let failure = Failure::new(kind, message);
        let of_token = match (status, &self.bearer) {
            (StatusCode::UNAUTHORIZED, None) => Some("name the file with it: --token-file FILE"),
            (StatusCode::UNAUTHORIZED, Some(_)) => Some("the one of --token-file is another"),
            _ => None,
        };
        match of_token.or(problem.hint.as_deref()) {
            Some(hint) => failure.hint(shown(hint)),
            None => failure,
        }
    }

    fn unreached(&self, error: &ureq::Error, effect: Effect) -> Failure {
        let url = &self.url.text;
        let failure = |message: String| Failure::new(Kind::Unreachable, message);
        match error {
            ureq::Error::Timeout(which) => {
                let limit = match which {
                    Timeout::Connect => CONNECT_LIMIT.min(self.timeout),
                    _ => self.timeout,
                };
                let message = format!("{url} did not answer within {}", format_duration(limit));
                failure(message).hint(match effect {
                    Effect::Question => "give it more time with --timeout",
                    Effect::Order => {
                        "it may have been done all the same: look before you repeat it"
                    }
                })
            }
            ureq::Error::Io(cause) if cause.kind() == ErrorKind::ConnectionRefused => {
                failure(format!("nothing listens at {url}"))
                    .hint("start the daemon with `tidegate run`, or name another one with --url")
            }
            ureq::Error::Io(cause) => {
                let failure = failure(format!("cannot reach {url}: {}", shown(&cause.to_string())));
                match effect {
                    Effect::Question => failure.hint("name another daemon with --url"),
                    Effect::Order => failure.hint("look whether it was done before you repeat it"),
                }
            }
            ureq::Error::HostNotFound => {
                failure(format!("cannot reach {url}: there is no such host"))
                    .hint("name another daemon with --url")
            }
            other => self.stranger(&other.to_string()),
        }
    }

    fn unknown_request(&self) -> Failure {
        let url = &self.url.text;
        Failure::configuration(format!("the daemon at {url} does not know this request"))
            .hint("it may be older than this program")
    }

    /// Something answers, and it is no daemon of this program.
    fn stranger(&self, reason: &str) -> Failure {
        let url = &self.url.text;
        let message = format!(
            "what answers at {url} is no Tidegate daemon: {}",
            shown(reason)
        );
        Failure::new(Kind::Unreachable, message).hint("name the daemon with --url")
    }
}

impl Reply {
    fn problem(&self) -> Option<Problem> {
        Problem::deserialize(self.json.as_ref()?.get("error")?).ok()
    }
}

impl Problem {
    /// Whether the daemon has no such path, or takes no such method there.
    fn is_no_such_request(&self) -> bool {
        matches!(self.code.as_str(), "not-found" | "method")
    }
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

/// TLS with the certificates of the system, as the daemon itself has it towards consumers.
pub(crate) fn tls() -> Result<TlsConfig, Failure> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let message = "there are no certificates on this machine to check https against";
        return Err(Failure::configuration(message)
            .hint("install them, or name a file of them in SSL_CERT_FILE"));
    }
    let certificates: Vec<Certificate<'static>> = found
        .certs
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::new_with_certs(&certificates))
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_or_refused_with_a_reason() {
        let good = [
            "http://127.0.0.1:7070",
            "https://tidegate.example/a/b/",
            "http://[::1]:1",
        ];
        for text in good {
            let url: DaemonUrl = text.parse().unwrap();
            assert_eq!(url.text, text.trim_end_matches('/'));
            assert_eq!(url.is_https, text.starts_with("https"));
        }
        for text in [
            "",
            "localhost:7070",
            "ftp://x",
            "http://",
            "http://x/?a=1",
            "/v1",
        ] {
            assert!(text.parse::<DaemonUrl>().is_err(), "{text}");
        }
        let secret = "http://me:secret@127.0.0.1:7070".parse::<DaemonUrl>();
        assert!(secret.unwrap_err().contains("--token-file"));
    }
    #[test]
    fn an_answer_may_nest_deeper_than_an_event_and_not_for_ever() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(json(nested(NESTING_MAX).as_bytes()).is_some());
        assert!(json(nested(NESTING_MAX + 1).as_bytes()).is_none());
        assert!(json("[".repeat(1 << 20).as_bytes()).is_none());
        let text = format!(r#"["{}\\\"", "{}"]"#, "[".repeat(300), "{".repeat(300));
        assert_eq!(nesting(text.as_bytes()), 1);
        assert!(json(text.as_bytes()).is_some());
        assert!(json(b"{} {}").is_none());
    }
}
