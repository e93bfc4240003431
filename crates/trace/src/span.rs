//! One span, the same for every format.

use std::sync::Arc;
use std::time::Duration;

use tidegate_base::Timestamp;

use crate::attributes::{Group, Key};

/// One timed piece of work. Times are those of the clock of the host that did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Unique in its trace. The server half of a shared Zipkin span ends in `/server`.
    pub id: Arc<str>,
    /// The span that caused it; it may be absent from the trace.
    pub parent: Option<Arc<str>>,
    /// Other spans that it names.
    pub links: Vec<Link>,
    /// Which side of which interaction it is.
    pub kind: SpanKind,
    /// When it started.
    pub start: Timestamp,
    /// When it ended; never before `start`.
    pub end: Timestamp,
    /// The service that did it; `unknown` when the capture does not tell.
    pub service: Arc<str>,
    /// The host, pod or instance; spans with the same one share a clock.
    pub host: Option<Arc<str>>,
    /// What was done, as the capture names it.
    pub operation: Arc<str>,
    /// The attributes that discovery reads, values cut to a limit; sorted by name.
    pub attributes: Vec<(Key, Arc<str>)>,
    /// How it went, as the instrumentation says.
    pub status: Status,
}

/// A span named by another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The named span's trace.
    pub trace_id: Arc<str>,
    /// The named span.
    pub span_id: Arc<str>,
}

/// Which side of which interaction a span is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SpanKind {
    /// The capture does not tell.
    #[default]
    Unspecified,
    /// Work inside a service.
    Internal,
    /// The answering side of a call.
    Server,
    /// The asking side of a call.
    Client,
    /// The sending side of a message.
    Producer,
    /// The receiving side of a message.
    Consumer,
}

/// How a span went, as the instrumentation says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Status {
    /// It does not say.
    #[default]
    Unset,
    /// It went well.
    Ok,
    /// It failed.
    Error,
}

impl Span {
    /// How long it took, on its own host's clock.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.end.since(self.start)
    }

    /// The value of an attribute that is kept.
    #[inline]
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        if self.attributes.is_empty() {
            return None;
        }
        let wanted = Key::of(name)?;
        let mut all = self.attributes.iter();
        all.find(|(key, _)| *key == wanted)
            .map(|(_, value)| value.as_ref())
    }

    /// The value of the first of `names` that is kept.
    #[inline]
    #[must_use]
    pub fn first_attribute(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.attribute(name))
    }

    /// Whether any attribute of the group is kept.
    #[inline]
    #[must_use]
    pub fn has_attributes(&self, group: Group) -> bool {
        self.attributes.iter().any(|(key, _)| key.is_of(group))
    }

    /// The HTTP status code of the answer.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        self.first_attribute(&["http.response.status_code", "http.status_code"])?
            .parse()
            .ok()
    }

    /// Whether it failed for a reason of infrastructure: an error status, HTTP 5xx, or a gRPC code
    /// that is not about the request's content. A rejected request (4xx) did not fail.
    #[must_use]
    pub fn failed(&self) -> bool {
        let http = self.http_status();
        if http.is_some_and(|code| (400..500).contains(&code)) {
            return false;
        }
        self.status == Status::Error
            || http.is_some_and(|code| code >= 500)
            || self
                .attribute("rpc.grpc.status_code")
                .is_some_and(|code| ["2", "4", "8", "13", "14", "15"].contains(&code))
    }
}
