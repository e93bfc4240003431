//! Jaeger JSON: an API answer (`data`), one trace (`spans`, `processes`), or single spans as its
//! storage keeps them (`process` inside the span). Times are microseconds.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use tidegate_base::Timestamp;

use crate::assemble::Assembler;
use crate::attributes::is_kept;
use crate::identifier::from_text;
use crate::json::{Scalar, Whole};
use crate::{Link, Span, SpanKind, Status};

/// The answer of the query API.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer<'a> {
    #[serde(default, borrow)]
    pub(crate) data: Option<Vec<JsonTrace<'a>>>,
}

/// One trace with its processes.
#[derive(Debug, Deserialize)]
pub(crate) struct JsonTrace<'a> {
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
    #[serde(default, borrow)]
    value: Scalar<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JsonSpan<'a> {
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

impl Answer<'_> {
    pub(crate) fn add_to(&self, assembler: &mut Assembler) {
        for trace in self.data.iter().flatten() {
            trace.add_to(assembler);
        }
    }
}

impl JsonTrace<'_> {
    pub(crate) fn add_to(&self, assembler: &mut Assembler) {
        for span in self.spans.iter().flatten() {
            let process = span
                .process
                .as_ref()
                .or_else(|| self.processes.as_ref()?.get(span.process_id.text()?));
            span.add_to(process, assembler);
        }
    }
}

impl JsonSpan<'_> {
    /// Adds a span that carries its own process.
    pub(crate) fn add_alone_to(&self, assembler: &mut Assembler) {
        self.add_to(self.process.as_ref(), assembler);
    }

    fn add_to(&self, process: Option<&Process<'_>>, assembler: &mut Assembler) {
        let Some(trace_id) = self.trace_id.text().and_then(from_text) else {
            assembler.skipped.without_trace_id += 1;
            return;
        };
        let Some(id) = self.span_id.text().and_then(from_text) else {
            assembler.skipped.without_span_id += 1;
            return;
        };
        let (parent, links) = self.references(&trace_id);
        let start = Timestamp::from_micros(self.start_time.0);
        let micros = self.start_time.0.saturating_add(self.duration.0);
        let service = process
            .and_then(|process| process.service_name.text())
            .unwrap_or("unknown");
        let host = process.and_then(|process| {
            HOST_TAGS
                .iter()
                .find_map(|name| find(process.tags.as_deref().unwrap_or_default(), name))
        });
        let mut span = Span {
            id,
            parent,
            links,
            kind: self.kind(),
            start,
            end: Timestamp::from_micros(micros),
            service: assembler.texts.share(service),
            host: host.map(|host| assembler.texts.share(host)),
            operation: assembler
                .texts
                .share_cut(self.operation_name.text().unwrap_or_default()),
            attributes: Vec::new(),
            status: self.status(),
        };
        for tag in self.tags.iter().flatten() {
            if let (Some(key), Some(value)) =
                (tag.key.text().filter(|key| is_kept(key)), tag.value.text())
            {
                let pair = (assembler.texts.share(key), assembler.texts.share_cut(value));
                span.attributes.push(pair);
            }
        }
        assembler.add(trace_id, span);
    }

    /// The parent (the first `CHILD_OF` of the same trace, else the first `FOLLOWS_FROM`), and the
    /// references that are not it.
    fn references(&self, trace_id: &str) -> (Option<std::sync::Arc<str>>, Vec<Link>) {
        let references: Vec<_> = self
            .references
            .iter()
            .flatten()
            .filter_map(|reference| {
                let span_id = reference.span_id.text().and_then(from_text)?;
                let named = reference.trace_id.text().and_then(from_text)?;
                let rank = usize::from(reference.ref_type.text() != Some("CHILD_OF"));
                Some((rank, named, span_id))
            })
            .collect();
        let chosen = references
            .iter()
            .enumerate()
            .filter(|(_, (_, named, _))| named.as_ref() == trace_id)
            .min_by_key(|(_, (rank, _, _))| *rank)
            .map(|(index, _)| index);
        let parent = chosen
            .and_then(|index| references.get(index))
            .map(|(_, _, id)| id.clone());
        let links = references
            .into_iter()
            .enumerate()
            .filter(|(index, _)| Some(*index) != chosen)
            .map(|(_, (_, trace_id, span_id))| Link { trace_id, span_id })
            .collect();
        (
            parent.or_else(|| self.parent_span_id.text().and_then(from_text)),
            links,
        )
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
