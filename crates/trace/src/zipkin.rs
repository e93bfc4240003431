//! Zipkin v2 JSON: one span, an array of spans, or an array of arrays. Times are microseconds.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::attributes::cut;
use crate::identifier::Id;
use crate::json::{Scalar, Type, Whole};
use crate::raw::RawSpan;
use crate::scanner::{Scanner, Wrong, parse};
use crate::sink::Sink;
use crate::{ReadError, SpanKind, Status, payload};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonSpan<'a> {
    #[serde(default, borrow)]
    trace_id: Scalar<'a>,
    #[serde(default, borrow)]
    id: Scalar<'a>,
    #[serde(default, borrow)]
    parent_id: Scalar<'a>,
    #[serde(default, borrow)]
    kind: Scalar<'a>,
    #[serde(default, borrow)]
    name: Scalar<'a>,
    #[serde(default)]
    timestamp: Option<Whole>,
    #[serde(default)]
    duration: Option<Whole>,
    #[serde(default, borrow)]
    local_endpoint: Option<Endpoint<'a>>,
    #[serde(default, borrow)]
    remote_endpoint: Option<Endpoint<'a>>,
    /// Annotations of v1 name the endpoint.
    #[serde(default)]
    annotations: Option<Vec<Annotation>>,
    #[serde(default)]
    binary_annotations: Option<IgnoredAny>,
    #[serde(default, borrow)]
    tags: Option<IndexMap<Cow<'a, str>, Scalar<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint<'a> {
    #[serde(default, borrow)]
    service_name: Scalar<'a>,
    #[serde(default, borrow)]
    ipv4: Scalar<'a>,
    #[serde(default, borrow)]
    ipv6: Scalar<'a>,
}

#[derive(Debug, Deserialize)]
struct Annotation {
    #[serde(default)]
    endpoint: Option<IgnoredAny>,
}

/// Takes one span.
///
/// # Errors
///
/// With the place of what is wrong, or when it is a span of Zipkin v1.
pub(crate) fn span(scanner: &mut Scanner<'_, '_>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    scanner.unit(|text| {
        let span: JsonSpan<'_> = parse(text)?;
        if span.is_v1() {
            return Err(Wrong::ZipkinV1);
        }
        span.add_to(sink);
        Ok(())
    })?;
    sink.breathe()
}

impl JsonSpan<'_> {
    fn is_v1(&self) -> bool {
        let mut annotations = self.annotations.iter().flatten();
        self.binary_annotations.is_some() || annotations.any(|one| one.endpoint.is_some())
    }

    fn add_to(&self, sink: &mut Sink<'_>) {
        let Some(trace) = self.trace_id.text().and_then(Id::from_zipkin) else {
            sink.skipped.without_trace_id += 1;
            return;
        };
        let Some(id) = self.id.text().and_then(Id::from_zipkin) else {
            sink.skipped.without_span_id += 1;
            return;
        };
        // Zipkin lets a tracer leave the time out, for the side that did not measure it.
        let Some(start) = self.timestamp.filter(|time| time.0 > 0) else {
            sink.skipped.without_time += 1;
            return;
        };
        let end = start.0.saturating_add(self.duration.unwrap_or_default().0);
        let nanos = |micros: u64| micros.saturating_mul(1_000);
        let mut span = RawSpan::new(trace, id, nanos(start.0), nanos(end));
        span.is_endless |= self.duration.is_none();
        let local = self.local_endpoint.as_ref();
        if let Some(service) = local.and_then(|local| local.service_name.text()) {
            span.service = Cow::Borrowed(service);
        }
        let host = local.and_then(|local| local.ipv4.text().or_else(|| local.ipv6.text()));
        span.host = host.map(Cow::Borrowed);
        span.parent = self.parent_id.text().and_then(Id::from_zipkin);
        span.kind = self.kind();
        span.status = self.status();
        span.operation = Cow::Borrowed(cut(self.name.text().unwrap_or_default()));
        let asks_for_payloads = sink.asks_for_payloads();
        for (key, value) in self.tags.iter().flatten() {
            if asks_for_payloads && payload::tells(key) {
                let given = value.text().map(|text| Type::Untold.given(text));
                let key = key.as_ref().into();
                span.payload.extend(given.map(|given| (key, given)));
            }
            span.attribute(key, || value.text().map(Cow::Borrowed));
        }
        let remote = self
            .remote_endpoint
            .as_ref()
            .and_then(|remote| remote.service_name.text());
        if matches!(span.kind, SpanKind::Client | SpanKind::Producer) {
            span.attribute("peer.service", || remote.map(Cow::Borrowed));
        }
        sink.add(&mut span);
    }

    fn kind(&self) -> SpanKind {
        match self.kind.text() {
            Some("CLIENT") => SpanKind::Client,
            Some("SERVER") => SpanKind::Server,
            Some("PRODUCER") => SpanKind::Producer,
            Some("CONSUMER") => SpanKind::Consumer,
            _ => SpanKind::Unspecified,
        }
    }

    /// The `error` tag means failure whatever its value, by Zipkin's convention, unless `false`.
    fn status(&self) -> Status {
        let error = self
            .tags
            .as_ref()
            .and_then(|tags| tags.get("error"))
            .and_then(Scalar::text);
        if error.is_some_and(|text| text != "false") {
            Status::Error
        } else {
            Status::Unset
        }
    }
}
