//! From spans in any order to traces: duplicates removed, shared spans split, trees built.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::attributes::Texts;
use crate::tree::{Skipped, Trace, Traces};
use crate::{Format, Span, SpanKind};

/// Collects the spans of one capture.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    pub(crate) texts: Texts,
    pub(crate) skipped: Skipped,
    spans: IndexMap<Arc<str>, Vec<Span>>,
}

impl Assembler {
    /// Adds one span of the trace.
    pub(crate) fn add(&mut self, trace_id: Arc<str>, mut span: Span) {
        span.attributes.sort();
        span.attributes
            .dedup_by(|later, earlier| later.0 == earlier.0);
        self.spans.entry(trace_id).or_default().push(span);
    }

    /// The traces, by start time and then id; spans of a trace likewise.
    pub(crate) fn finish(mut self, format: Format) -> Traces {
        let mut traces = Vec::with_capacity(self.spans.len());
        for (id, spans) in std::mem::take(&mut self.spans) {
            let count = spans.len();
            let spans = split_shared(spans, &mut self.skipped);
            match Trace::build(id, spans) {
                Ok(trace) => traces.push(trace),
                Err(id) => {
                    self.skipped.cyclic_traces.push(id);
                    self.skipped.cyclic_spans += count;
                }
            }
        }
        traces.sort_by(|a, b| (a.start(), a.id()).cmp(&(b.start(), b.id())));
        self.skipped.cyclic_traces.sort();
        Traces {
            format,
            traces,
            skipped: self.skipped,
        }
    }
}

/// Gives every span of the trace an id of its own.
///
/// Two spans with one id are the two sides of one Zipkin call when their kinds or their services
/// differ; then the answering side becomes the asking side's child. Otherwise they are one span
/// that was reported twice, and the longer report counts.
fn split_shared(mut spans: Vec<Span>, skipped: &mut Skipped) -> Vec<Span> {
    spans.sort_by(|a, b| {
        (
            &a.id,
            side(a.kind),
            &a.service,
            std::cmp::Reverse(a.duration()),
            a.start,
        )
            .cmp(&(
                &b.id,
                side(b.kind),
                &b.service,
                std::cmp::Reverse(b.duration()),
                b.start,
            ))
    });
    let mut kept: Vec<Span> = Vec::with_capacity(spans.len());
    let mut answering: HashMap<Arc<str>, (Arc<str>, Arc<str>)> = HashMap::new();
    for mut span in spans {
        let asking = kept.last().filter(|last| last.id == span.id);
        let already_split = answering.contains_key(&span.id);
        match asking {
            Some(asking) if !already_split && is_other_side(asking, &span) => {
                let shared = Arc::clone(&span.id);
                let own: Arc<str> = Arc::from(format!("{shared}/server"));
                answering.insert(
                    Arc::clone(&shared),
                    (Arc::clone(&own), Arc::clone(&asking.service)),
                );
                span.id = own;
                span.parent = Some(shared);
                kept.push(span);
            }
            Some(_) => skipped.duplicates += 1,
            None if already_split => skipped.duplicates += 1,
            None => kept.push(span),
        }
    }
    adopt(&mut kept, &answering);
    kept
}

/// Children named the shared id: those of another service than the asking one belong to the
/// answering side.
fn adopt(spans: &mut [Span], answering: &HashMap<Arc<str>, (Arc<str>, Arc<str>)>) {
    for span in spans {
        let Some((own, asking_service)) = span.parent.as_ref().and_then(|id| answering.get(id))
        else {
            continue;
        };
        if span.id != *own && span.service != *asking_service {
            span.parent = Some(Arc::clone(own));
        }
    }
}

fn is_other_side(asking: &Span, span: &Span) -> bool {
    side(asking.kind) != side(span.kind) || asking.service != span.service
}

/// The asking side sorts first.
fn side(kind: SpanKind) -> u8 {
    match kind {
        SpanKind::Client | SpanKind::Producer => 0,
        SpanKind::Unspecified | SpanKind::Internal => 1,
        SpanKind::Server | SpanKind::Consumer => 2,
    }
}
