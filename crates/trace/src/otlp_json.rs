//! OTLP JSON: `resourceSpans`, or Tempo's `batches`, also inside `trace` or `result`.

use std::borrow::Cow;

use serde::Deserialize;

use crate::any_value::AnyValue;
use crate::attributes::{SAMPLING_PROBABILITY, cut};
use crate::identifier::Id;
use crate::json::{Scalar, Whole};
use crate::raw::RawSpan;
use crate::sampling::from_tracestate;
use crate::scanner::{Scanner, Wrong, parse};
use crate::sink::Sink;
use crate::{ReadError, SpanKind, Status, payload};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResourceSpans<'a> {
    #[serde(default, borrow)]
    resource: Option<Resource<'a>>,
    #[serde(
        default,
        borrow,
        alias = "scope_spans",
        alias = "instrumentationLibrarySpans",
        alias = "instrumentation_library_spans"
    )]
    scope_spans: Option<Vec<ScopeSpans<'a>>>,
}

#[derive(Debug, Deserialize)]
struct Resource<'a> {
    #[serde(default, borrow)]
    attributes: Option<Vec<KeyValue<'a>>>,
}

#[derive(Debug, Deserialize)]
struct ScopeSpans<'a> {
    #[serde(default, borrow)]
    spans: Option<Vec<JsonSpan<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct KeyValue<'a> {
    #[serde(default, borrow)]
    pub(crate) key: Scalar<'a>,
    #[serde(default, borrow)]
    pub(crate) value: Option<AnyValue<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonSpan<'a> {
    #[serde(default, borrow, alias = "trace_id")]
    trace_id: Scalar<'a>,
    #[serde(default, borrow, alias = "span_id")]
    span_id: Scalar<'a>,
    #[serde(default, borrow, alias = "parent_span_id")]
    parent_span_id: Scalar<'a>,
    #[serde(default, borrow, alias = "trace_state")]
    trace_state: Scalar<'a>,
    #[serde(default, borrow)]
    name: Scalar<'a>,
    #[serde(default, borrow)]
    kind: Scalar<'a>,
    #[serde(default, alias = "start_time_unix_nano")]
    start_time_unix_nano: Option<Whole>,
    #[serde(default, alias = "end_time_unix_nano")]
    end_time_unix_nano: Option<Whole>,
    #[serde(default, borrow)]
    attributes: Option<Vec<KeyValue<'a>>>,
    #[serde(default, borrow)]
    links: Option<Vec<JsonLink<'a>>>,
    #[serde(default, borrow)]
    status: Option<JsonStatus<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonLink<'a> {
    #[serde(default, borrow, alias = "trace_id")]
    trace_id: Scalar<'a>,
    #[serde(default, borrow, alias = "span_id")]
    span_id: Scalar<'a>,
}

#[derive(Debug, Deserialize)]
struct JsonStatus<'a> {
    #[serde(default, borrow)]
    code: Scalar<'a>,
}

/// Takes one document: an export request of any signal, or Tempo's answers.
///
/// # Errors
///
/// With the place of what is wrong, an identifier among them.
pub(crate) fn document(
    scanner: &mut Scanner<'_, '_>,
    sink: &mut Sink<'_>,
) -> Result<(), ReadError> {
    nested(scanner, sink, 0)
}

/// How often a document may be inside `trace` or `result`.
const NESTING_MAX: usize = 8;

fn nested(
    scanner: &mut Scanner<'_, '_>,
    sink: &mut Sink<'_>,
    depth: usize,
) -> Result<(), ReadError> {
    scanner.members(&mut |scanner, key| match key {
        "resourceSpans" | "resource_spans" | "batches" => scanner.elements(&mut |scanner| {
            scanner.unit(|text| {
                let spans: ResourceSpans<'_> = parse(text)?;
                spans.add_to(sink).map_err(Wrong::Content)
            })?;
            sink.breathe()
        }),
        "resourceMetrics" | "resource_metrics" => {
            sink.skipped.metrics += usize::from(scanner.skip()?);
            Ok(())
        }
        "resourceLogs" | "resource_logs" => {
            sink.skipped.logs += usize::from(scanner.skip()?);
            Ok(())
        }
        "trace" | "result" if depth < NESTING_MAX && scanner.peek()? == Some(b'{') => {
            nested(scanner, sink, depth + 1)
        }
        _ => scanner.skip().map(|_| ()),
    })
}

impl ResourceSpans<'_> {
    fn add_to(&self, sink: &mut Sink<'_>) -> Result<(), String> {
        let attributes = self
            .resource
            .as_ref()
            .and_then(|resource| resource.attributes.as_deref());
        let attributes = attributes.unwrap_or_default();
        let find = |name: &str| {
            attributes
                .iter()
                .find(|entry| entry.key.text() == Some(name))
                .and_then(KeyValue::text)
        };
        let service = find("service.name").unwrap_or(Cow::Borrowed("unknown"));
        let host = HOST_ATTRIBUTES.iter().find_map(|name| find(name));
        for span in self
            .scope_spans
            .iter()
            .flatten()
            .flat_map(|scope| scope.spans.iter().flatten())
        {
            if let Some(mut read) = span.read(sink)? {
                read.service = Cow::Borrowed(&service);
                read.host = host.as_deref().map(Cow::Borrowed);
                sink.add(&mut read);
            }
        }
        Ok(())
    }
}

/// Resource attributes that name a clock, the most telling first.
pub(crate) const HOST_ATTRIBUTES: [&str; 5] = [
    "service.instance.id",
    "k8s.pod.name",
    "container.id",
    "host.id",
    "host.name",
];

impl KeyValue<'_> {
    fn text(&self) -> Option<Cow<'_, str>> {
        self.value.as_ref()?.text()
    }
}

impl JsonSpan<'_> {
    fn read(&self, sink: &mut Sink<'_>) -> Result<Option<RawSpan<'_>>, String> {
        let Some(trace) = Id::from_otlp_text::<16>(self.trace_id.text().unwrap_or_default())?
        else {
            sink.skipped.without_trace_id += 1;
            return Ok(None);
        };
        let Some(id) = Id::from_otlp_text::<8>(self.span_id.text().unwrap_or_default())? else {
            sink.skipped.without_span_id += 1;
            return Ok(None);
        };
        let start = self.start_time_unix_nano.unwrap_or_default().0;
        if start == 0 {
            sink.skipped.without_time += 1;
            return Ok(None);
        }
        let end = self.end_time_unix_nano.unwrap_or_default().0;
        let mut span = RawSpan::new(trace, id, start, end);
        span.parent = Id::from_otlp_text::<8>(self.parent_span_id.text().unwrap_or_default())?;
        span.kind = kind(self.kind.text());
        span.status = status(self.status.as_ref().and_then(|status| status.code.text()));
        span.operation = Cow::Borrowed(cut(self.name.text().unwrap_or_default()));
        let asks_for_payloads = sink.asks_for_payloads();
        for entry in self.attributes.iter().flatten() {
            if let Some(name) = entry.key.text() {
                if asks_for_payloads && payload::tells(name) {
                    let given = entry.value.as_ref().and_then(AnyValue::given);
                    span.payload.extend(given.map(|given| (name.into(), given)));
                }
                span.attribute(name, || entry.text());
            }
        }
        if let Some(probability) = self.trace_state.text().and_then(from_tracestate) {
            span.attribute(SAMPLING_PROBABILITY, || {
                Some(probability.to_string().into())
            });
        }
        for link in self.links.iter().flatten() {
            let trace = Id::from_otlp_text::<16>(link.trace_id.text().unwrap_or_default())?;
            let id = Id::from_otlp_text::<8>(link.span_id.text().unwrap_or_default())?;
            span.links.extend(trace.zip(id));
        }
        Ok(Some(span))
    }
}

/// The kind by its number or name.
pub(crate) fn kind(text: Option<&str>) -> SpanKind {
    match text {
        Some("1" | "SPAN_KIND_INTERNAL") => SpanKind::Internal,
        Some("2" | "SPAN_KIND_SERVER") => SpanKind::Server,
        Some("3" | "SPAN_KIND_CLIENT") => SpanKind::Client,
        Some("4" | "SPAN_KIND_PRODUCER") => SpanKind::Producer,
        Some("5" | "SPAN_KIND_CONSUMER") => SpanKind::Consumer,
        _ => SpanKind::Unspecified,
    }
}

fn status(code: Option<&str>) -> Status {
    match code {
        Some("1" | "STATUS_CODE_OK") => Status::Ok,
        Some("2" | "STATUS_CODE_ERROR") => Status::Error,
        _ => Status::Unset,
    }
}
