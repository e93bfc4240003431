//! Jaeger JSON: an API answer (`data`), one trace (`spans`, `processes`), or single spans as its
//! storage keeps them (`process` inside the span). Times are microseconds.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Deserializer};

use crate::attributes::cut;
use crate::identifier::Id;
use crate::json::{Scalar, Type, Whole};
use crate::raw::RawSpan;
use crate::scanner::{Scanner, parse};
use crate::sink::Sink;
use crate::{ReadError, SpanKind, Status, payload};

/// One trace with its processes.
#[derive(Debug, Deserialize)]
struct JsonTrace<'a> {
    #[serde(default, borrow)]
    spans: Option<Vec<JsonSpan<'a>>>,
    #[serde(default, borrow)]
    processes: Option<HashMap<Cow<'a, str>, Process<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Process<'a> {
    #[serde(default, borrow)]
    service_name: Scalar<'a>,
    #[serde(default, borrow)]
    tags: Option<Vec<Tag<'a>>>,
}

#[derive(Debug, Deserialize)]
struct Tag<'a> {
    #[serde(default, borrow)]
    key: Scalar<'a>,
    #[serde(rename = "type", default)]
    of: TagType,
    #[serde(default, borrow)]
    value: Scalar<'a>,
}

/// What a tag says of its value.
#[derive(Debug, Default)]
struct TagType(Type);

impl<'de> Deserialize<'de> for TagType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = Scalar::deserialize(deserializer)?;
        Ok(Self(match word.text() {
            Some("string") => Type::Text,
            Some("bool") => Type::Flag,
            Some("int64") => Type::Whole,
            Some("float64") => Type::Real,
            _ => Type::Untold,
        }))
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonSpan<'a> {
    #[serde(rename = "traceID", default, borrow)]
    trace_id: Scalar<'a>,
    #[serde(rename = "spanID", default, borrow)]
    span_id: Scalar<'a>,
    #[serde(rename = "parentSpanID", default, borrow)]
    parent_span_id: Scalar<'a>,
    #[serde(default, borrow)]
    operation_name: Scalar<'a>,
    #[serde(default, borrow)]
    references: Option<Vec<Reference<'a>>>,
    start_time: Whole,
    duration: Whole,
    #[serde(default, borrow)]
    tags: Option<Vec<Tag<'a>>>,
    #[serde(rename = "processID", default, borrow)]
    process_id: Scalar<'a>,
    #[serde(default, borrow)]
    process: Option<Process<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference<'a> {
    #[serde(default, borrow)]
    ref_type: Scalar<'a>,
    #[serde(rename = "traceID", default, borrow)]
    trace_id: Scalar<'a>,
    #[serde(rename = "spanID", default, borrow)]
    span_id: Scalar<'a>,
}

/// Takes an answer of the query API, one trace after the other.
///
/// # Errors
///
/// With the place of what is wrong.
pub(crate) fn answer(scanner: &mut Scanner<'_, '_>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    scanner.members(&mut |scanner, key| match key {
        "data" => scanner.elements(&mut |scanner| trace(scanner, sink)),
        _ => scanner.skip().map(|_| ()),
    })
}

/// Takes one trace with its processes.
///
/// # Errors
///
/// With the place of what is wrong.
pub(crate) fn trace(scanner: &mut Scanner<'_, '_>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    scanner.unit(|text| {
        let trace: JsonTrace<'_> = parse(text)?;
        for span in trace.spans.iter().flatten() {
            let process = span
                .process
                .as_ref()
                .or_else(|| trace.processes.as_ref()?.get(span.process_id.text()?));
            span.add_to(process, sink);
        }
        Ok(())
    })?;
    sink.breathe()
}

/// Takes one span that carries its own process.
///
/// # Errors
///
/// With the place of what is wrong.
pub(crate) fn span(scanner: &mut Scanner<'_, '_>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    scanner.unit(|text| {
        let span: JsonSpan<'_> = parse(text)?;
        span.add_to(span.process.as_ref(), sink);
        Ok(())
    })?;
    sink.breathe()
}

impl JsonSpan<'_> {
    fn add_to(&self, process: Option<&Process<'_>>, sink: &mut Sink<'_>) {
        let Some(trace) = self.trace_id.text().and_then(Id::from_text) else {
            sink.skipped.without_trace_id += 1;
            return;
        };
        let Some(id) = self.span_id.text().and_then(Id::from_text) else {
            sink.skipped.without_span_id += 1;
            return;
        };
        let nanos = |micros: u64| micros.saturating_mul(1_000);
        let start = nanos(self.start_time.0);
        let end = nanos(self.start_time.0.saturating_add(self.duration.0));
        let mut span = RawSpan::new(trace, id, start, end);
        self.references(&mut span);
        if let Some(service) = process.and_then(|process| process.service_name.text()) {
            span.service = Cow::Borrowed(service);
        }
        let process_tags = process.and_then(|process| process.tags.as_deref());
        let host = HOST_TAGS
            .iter()
            .find_map(|name| find(process_tags.unwrap_or_default(), name));
        span.host = host.map(Cow::Borrowed);
        span.kind = self.kind();
        span.status = self.status();
        span.operation = Cow::Borrowed(cut(self.operation_name.text().unwrap_or_default()));
        let asks_for_payloads = sink.asks_for_payloads();
        for tag in self.tags.iter().flatten() {
            if let Some(name) = tag.key.text() {
                if asks_for_payloads && payload::tells(name) {
                    let given = tag.value.text().map(|text| tag.of.0.given(text));
                    span.payload.extend(given.map(|given| (name.into(), given)));
                }
                span.attribute(name, || tag.value.text().map(Cow::Borrowed));
            }
        }
        sink.add(&mut span);
    }

    /// The first `CHILD_OF` of this trace is the parent, or else the first `FOLLOWS_FROM`; the
    /// others are links.
    fn references<'a>(&'a self, span: &mut RawSpan<'a>) {
        let references: Vec<(bool, Id<'a>, Id<'a>)> = self
            .references
            .iter()
            .flatten()
            .filter_map(|reference| {
                let trace = reference.trace_id.text().and_then(Id::from_text)?;
                let id = reference.span_id.text().and_then(Id::from_text)?;
                Some((reference.ref_type.text() != Some("CHILD_OF"), trace, id))
            })
            .collect();
        let chosen = references
            .iter()
            .enumerate()
            .filter(|(_, (_, trace, _))| *trace == span.trace)
            .min_by_key(|(_, (follows, _, _))| *follows)
            .map(|(index, _)| index);
        for (index, (_, trace, id)) in references.into_iter().enumerate() {
            if Some(index) == chosen {
                span.parent = Some(id);
            } else {
                span.links.push((trace, id));
            }
        }
        if span.parent.is_none() {
            span.parent = self.parent_span_id.text().and_then(Id::from_text);
        }
    }

    fn tag(&self, name: &str) -> Option<&str> {
        find(self.tags.as_deref().unwrap_or_default(), name)
    }

    fn kind(&self) -> SpanKind {
        match self.tag("span.kind") {
            Some("server") => SpanKind::Server,
            Some("client") => SpanKind::Client,
            Some("producer") => SpanKind::Producer,
            Some("consumer") => SpanKind::Consumer,
            Some("internal") => SpanKind::Internal,
            _ => SpanKind::Unspecified,
        }
    }

    fn status(&self) -> Status {
        match (self.tag("error"), self.tag("otel.status_code")) {
            (Some("true"), _) | (_, Some("ERROR")) => Status::Error,
            (_, Some("OK")) => Status::Ok,
            _ => Status::Unset,
        }
    }
}

/// Process tags that name a clock, the most telling first.
const HOST_TAGS: [&str; 5] = ["service.instance.id", "pod", "hostname", "host.name", "ip"];

fn find<'a>(tags: &'a [Tag<'_>], name: &str) -> Option<&'a str> {
    tags.iter()
        .find(|tag| tag.key.text() == Some(name))
        .and_then(|tag| tag.value.text())
}
