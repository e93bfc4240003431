//! One span, the same for every format.

use std::sync::Arc;
use std::time::Duration;

use tidegate_base::Timestamp;

use crate::attributes::{Attributes, Group, Key, Keys, PAYLOAD_MARKS, PAYLOAD_SHAPE};
use crate::{Identifier, Payload};

/// One timed piece of work. Times are those of the clock of the host that did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Unique in its trace. The server half of a shared Zipkin span ends in `/server`.
    pub id: Identifier,
    /// The span that caused it; it may be absent from the trace.
    pub parent: Option<Identifier>,
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
    pub attributes: Attributes,
    /// How it went, as the instrumentation says.
    pub status: Status,
}

/// A span named by another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The named span's trace.
    pub trace_id: Identifier,
    /// The named span.
    pub span_id: Identifier,
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
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(Key::of(name)?).map(AsRef::as_ref)
    }

    /// The value of the first of these attributes that is there.
    #[inline]
    #[must_use]
    pub fn first<const N: usize>(&self, keys: &Keys<N>) -> Option<&str> {
        self.attributes.first(keys).map(AsRef::as_ref)
    }

    /// Whether any attribute of the group is kept.
    #[inline]
    #[must_use]
    pub fn has_attributes(&self, group: Group) -> bool {
        self.attributes.has(group)
    }

    /// What it tells of its payload, where that was asked for while reading.
    #[must_use]
    pub fn payload(&self) -> Option<Payload> {
        const SHAPE: Keys<1> = Keys::of([PAYLOAD_SHAPE]);
        const MARKS: Keys<1> = Keys::of([PAYLOAD_MARKS]);
        let kept = &self.attributes;
        Payload::of(kept.first(&SHAPE), kept.first(&MARKS))
    }

    /// The HTTP status code of the answer.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        const NAMES: Keys<2> = Keys::of(["http.response.status_code", "http.status_code"]);
        self.first(&NAMES)?.parse().ok()
    }

    /// The gRPC status code of the answer, as text.
    #[must_use]
    pub fn grpc_status(&self) -> Option<&str> {
        const NAME: Keys<1> = Keys::of(["rpc.grpc.status_code"]);
        self.first(&NAME)
    }

    /// Whether it failed for a reason of infrastructure: an error status, HTTP 5xx, or a gRPC code
    /// that is not about the request's content. A rejected request (4xx) did not fail.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed_with(self.http_status())
    }

    /// The same, where the HTTP status is known.
    #[must_use]
    pub fn failed_with(&self, http: Option<u16>) -> bool {
        if http.is_some_and(|code| (400..500).contains(&code)) {
            return false;
        }
        self.status == Status::Error
            || http.is_some_and(|code| code >= 500)
            || self
                .grpc_status()
                .is_some_and(|code| ["2", "4", "8", "13", "14", "15"].contains(&code))
    }
}
