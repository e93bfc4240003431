//! Zipkin v2 JSON: one span, an array of spans, or an array of arrays. Times are microseconds.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde::Deserialize;
use tidegate_base::Timestamp;

use crate::assemble::Assembler;
use crate::attributes::is_kept;
use crate::identifier::from_zipkin;
use crate::json::{Scalar, Whole};
use crate::{Span, SpanKind, Status};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JsonSpan<'a> {
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

impl JsonSpan<'_> {
    pub(crate) fn add_to(&self, assembler: &mut Assembler) {
        let Some(trace_id) = self.trace_id.text().and_then(from_zipkin) else {
            assembler.skipped.without_trace_id += 1;
            return;
        };
        let Some(id) = self.id.text().and_then(from_zipkin) else {
            assembler.skipped.without_span_id += 1;
            return;
        };
        // Zipkin lets a tracer leave the time out, for the side that did not measure it.
        let Some(start) = self.timestamp.filter(|time| time.0 > 0) else {
            assembler.skipped.without_time += 1;
            return;
        };
        let end = start.0.saturating_add(self.duration.unwrap_or_default().0);
        let local = self.local_endpoint.as_ref();
        let service = local
            .and_then(|local| local.service_name.text())
            .unwrap_or("unknown");
        let host = local.and_then(|local| local.ipv4.text().or_else(|| local.ipv6.text()));
        let mut span = Span {
            id,
            parent: self.parent_id.text().and_then(from_zipkin),
            links: Vec::new(),
            kind: self.kind(),
            start: Timestamp::from_micros(start.0),
            end: Timestamp::from_micros(end),
            service: assembler.texts.share(service),
            host: host.map(|host| assembler.texts.share(host)),
            operation: assembler
                .texts
                .share_cut(self.name.text().unwrap_or_default()),
            attributes: Vec::new(),
            status: self.status(),
        };
        for (key, value) in self.tags.iter().flatten() {
            if let (true, Some(value)) = (is_kept(key), value.text()) {
                span.attributes
                    .push((assembler.texts.share(key), assembler.texts.share_cut(value)));
            }
        }
        let remote = self
            .remote_endpoint
            .as_ref()
            .and_then(|remote| remote.service_name.text());
        if let (Some(remote), SpanKind::Client | SpanKind::Producer) = (remote, span.kind) {
            span.attributes.push((
                assembler.texts.share("peer.service"),
                assembler.texts.share_cut(remote),
            ));
        }
        assembler.add(trace_id, span);
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
