//! What a refused request says: a stable code, a sentence, the next step.

use axum::Json;
use axum::extract::rejection::{BytesRejection, JsonRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use std::time::Duration;
use tidegate_base::limit::REQUEST_BODY_BYTES_MAX;

/// A refused request. Its body is `{"error":{"code","message","hint",…}}`.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    retry_after: Option<Duration>,
    error: Box<Map<String, Value>>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let problem = Self {
            status,
            retry_after: None,
            error: Box::default(),
        };
        problem.with("code", code).with("message", message.into())
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        self.with("hint", hint.into())
    }

    pub(crate) fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Adds a field beside `code` and `message`.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.error.insert(name.to_owned(), value.into());
        self
    }
}

/// A body that is not the JSON that the request needs.
impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), "body", rejection.body_text())
    }
}

/// A body that cannot be read, or is too large.
impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        let problem = Self::new(rejection.status(), "body", rejection.body_text());
        problem.hint(format!(
            "a request has at most {REQUEST_BODY_BYTES_MAX} bytes"
        ))
    }
}

/// A query that the request does not take.
impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), "query", rejection.body_text())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({ "error": self.error }))).into_response();
        if let Some(after) = self.retry_after {
            // Whole seconds, rounded up: RFC 9110, section 10.2.3.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}
