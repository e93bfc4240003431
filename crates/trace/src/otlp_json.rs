//! OTLP JSON: `resourceSpans`, or Tempo's `batches`, also inside `trace` or `result`.

use serde::Deserialize;
use tidegate_base::Timestamp;

use crate::assemble::Assembler;
use crate::attributes::is_kept;
use crate::identifier::from_otlp_text;
use crate::json::{Scalar, Whole};
use crate::{Link, Span, SpanKind, Status};

/// One document: an export request of any signal.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document<'a> {
    #[serde(default, borrow, alias = "batches", alias = "resource_spans")]
    resource_spans: Option<Vec<ResourceSpans<'a>>>,
    #[serde(default, alias = "resource_metrics")]
    resource_metrics: Option<serde::de::IgnoredAny>,
    #[serde(default, alias = "resource_logs")]
    resource_logs: Option<serde::de::IgnoredAny>,
    #[serde(default, borrow, alias = "result")]
    trace: Option<Box<Document<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
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
struct KeyValue<'a> {
    #[serde(default, borrow)]
    key: Scalar<'a>,
    #[serde(default, borrow)]
    value: Option<AnyValue<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyValue<'a> {
    #[serde(
        default,
        borrow,
        alias = "stringValue",
        alias = "intValue",
        alias = "boolValue",
        alias = "doubleValue",
        alias = "string_value",
        alias = "int_value",
        alias = "bool_value",
        alias = "double_value"
    )]
    scalar: Scalar<'a>,
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

impl Document<'_> {
    /// Adds the document's spans; the error says which identifier is wrong.
    pub(crate) fn add_to(&self, assembler: &mut Assembler) -> Result<(), String> {
        assembler.skipped.metrics += usize::from(self.resource_metrics.is_some());
        assembler.skipped.logs += usize::from(self.resource_logs.is_some());
        if let Some(inner) = &self.trace {
            inner.add_to(assembler)?;
        }
        for resource_spans in self.resource_spans.iter().flatten() {
            resource_spans.add_to(assembler)?;
        }
        Ok(())
    }
}

impl ResourceSpans<'_> {
    fn add_to(&self, assembler: &mut Assembler) -> Result<(), String> {
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
        let service = assembler
            .texts
            .share(find("service.name").unwrap_or("unknown"));
        let host = HOST_ATTRIBUTES.iter().find_map(|name| find(name));
        let host = host.map(|host| assembler.texts.share(host));
        for span in self
            .scope_spans
            .iter()
            .flatten()
            .flat_map(|scope| scope.spans.iter().flatten())
        {
            let Some(trace_id) = from_otlp_text::<16>(span.trace_id.text().unwrap_or_default())?
            else {
                assembler.skipped.without_trace_id += 1;
                continue;
            };
            let Some(mut read) = span.read(assembler)? else {
                continue;
            };
            read.service = service.clone();
            read.host.clone_from(&host);
            assembler.add(trace_id, read);
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
    fn text(&self) -> Option<&str> {
        self.value.as_ref().and_then(|value| value.scalar.text())
    }
}

impl JsonSpan<'_> {
    fn read(&self, assembler: &mut Assembler) -> Result<Option<Span>, String> {
        let Some(id) = from_otlp_text::<8>(self.span_id.text().unwrap_or_default())? else {
            assembler.skipped.without_span_id += 1;
            return Ok(None);
        };
        let start = self.start_time_unix_nano.unwrap_or_default().0;
        if start == 0 {
            assembler.skipped.without_time += 1;
            return Ok(None);
        }
        let end = self.end_time_unix_nano.unwrap_or_default().0;
        let mut span = Span {
            id,
            parent: from_otlp_text::<8>(self.parent_span_id.text().unwrap_or_default())?,
            links: Vec::new(),
            kind: kind(self.kind.text()),
            start: Timestamp::from_nanos(start),
            end: Timestamp::from_nanos(end.max(start)),
            service: assembler.texts.share(""),
            host: None,
            operation: assembler
                .texts
                .share_cut(self.name.text().unwrap_or_default()),
            attributes: Vec::new(),
            status: status(self.status.as_ref().and_then(|status| status.code.text())),
        };
        for entry in self.attributes.iter().flatten() {
            if let (Some(key), Some(value)) =
                (entry.key.text().filter(|key| is_kept(key)), entry.text())
            {
                let pair = (assembler.texts.share(key), assembler.texts.share_cut(value));
                span.attributes.push(pair);
            }
        }
        for link in self.links.iter().flatten() {
            let trace_id = from_otlp_text::<16>(link.trace_id.text().unwrap_or_default())?;
            let span_id = from_otlp_text::<8>(link.span_id.text().unwrap_or_default())?;
            if let (Some(trace_id), Some(span_id)) = (trace_id, span_id) {
                span.links.push(Link { trace_id, span_id });
            }
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
