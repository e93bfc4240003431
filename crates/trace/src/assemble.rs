//! From stored spans in any order to traces: duplicates removed, shared spans split, trees built.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_base::Random;

use crate::record::Stored;
use crate::store::Bucket;
use crate::tree::{NoTree, Trace};
use crate::{Identifier, Span, SpanKind};

/// What a trace turned out to be.
pub(crate) enum Assembled {
    /// A tree.
    Whole(Trace),
    /// A span of it is its own ancestor.
    Cyclic {
        /// The trace.
        id: Arc<str>,
        /// Its spans.
        spans: usize,
    },
    /// Left out, as the traces are too many to be looked at one by one.
    NotChosen {
        /// Its spans, duplicates among them.
        spans: usize,
    },
}

/// Which traces are looked at: by their identifiers alone, so that every run chooses the same.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Choice {
    /// Those whose hash is above it are left out; `None` takes all.
    most: Option<u64>,
}

impl Choice {
    /// So many of so many, on average.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of the range of hashes needs no last bit"
    )]
    pub(crate) fn of(wanted: usize, all: usize) -> Self {
        let share = wanted as f64 / all.max(1) as f64;
        Self {
            most: (wanted < all).then_some((share * u64::MAX as f64) as u64),
        }
    }

    fn takes(self, trace: &[u8]) -> bool {
        let Some(most) = self.most else { return true };
        // Other bits than those that choose the bucket.
        let hash = trace.iter().fold(0x9e37_79b9_7f4a_7c15_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0xff51_afd7_ed55_8ccd)
        });
        // Identifiers that count up are chosen as random ones are.
        Random::new(1, "choice of traces", "").bits(hash) <= most
    }
}

/// One trace and where it comes from.
pub(crate) struct One {
    pub(crate) trace: Assembled,
    /// The first capture that has a span of it.
    pub(crate) source: u64,
    /// Spans that were reported more than once.
    pub(crate) duplicates: usize,
}

/// The traces of a bucket, by identifier as stored: the same whatever the order of their spans.
pub(crate) fn each(bucket: &Bucket<'_>, choice: Choice, mut take: impl FnMut(One)) {
    let mut records: Vec<Stored<'_>> = bucket.records().collect();
    records.sort_unstable_by(|a, b| (a.first, a.trace).cmp(&(b.first, b.trace)));
    for records in records.chunk_by(|a, b| a.trace == b.trace) {
        let Some(id) = records.first().and_then(Stored::trace_id) else {
            continue;
        };
        let source = records.iter().map(|record| record.source).min();
        if !choice.takes(records.first().map_or(&[], |record| record.trace)) {
            take(One {
                trace: Assembled::NotChosen {
                    spans: records.len(),
                },
                source: source.unwrap_or_default(),
                duplicates: 0,
            });
            continue;
        }
        let has_payloads = bucket.has_payloads(records.first().map_or(&[], |record| record.trace));
        let spans = records
            .iter()
            .filter_map(|record| record.span(bucket.names, has_payloads))
            .collect();
        let (trace, duplicates) = build(id, spans);
        take(One {
            trace,
            source: source.unwrap_or_default(),
            duplicates,
        });
    }
}

/// The trace of these spans, and how many of them were duplicates.
pub(crate) fn build(id: Arc<str>, spans: Vec<Span>) -> (Assembled, usize) {
    let count = spans.len();
    let mut duplicates = 0;
    let built = match Trace::build(id, spans, false) {
        Err(NoTree::Repeated(id, spans)) => {
            let spans = split_shared(spans, &mut duplicates);
            Trace::build(id, spans, true)
        }
        built => built,
    };
    let trace = match built {
        Ok(trace) => Assembled::Whole(trace),
        Err(NoTree::Cyclic(id) | NoTree::Repeated(id, _)) => Assembled::Cyclic { id, spans: count },
    };
    (trace, duplicates)
}

/// Gives every span of the trace an id of its own.
///
/// Two spans with one id are the two sides of one Zipkin call when their kinds or their services
/// differ; then the answering side becomes the asking side's child. Otherwise they are one span
/// that was reported twice, and the longer report counts.
fn split_shared(mut spans: Vec<Span>, duplicates: &mut usize) -> Vec<Span> {
    spans.sort_by(|a, b| by_side(a).cmp(&by_side(b)).then_with(|| by_content(a, b)));
    let mut kept: Vec<Span> = Vec::with_capacity(spans.len());
    let mut answering: HashMap<Identifier, (Identifier, Arc<str>)> = HashMap::new();
    for mut span in spans {
        let asking = kept.last().filter(|last| last.id == span.id);
        let already_split = answering.contains_key(&span.id);
        match asking {
            Some(asking) if !already_split && is_other_side(asking, &span) => {
                let shared = span.id.clone();
                let own = shared.with("server");
                answering.insert(shared.clone(), (own.clone(), Arc::clone(&asking.service)));
                span.id = own;
                span.parent = Some(shared);
                kept.push(span);
            }
            Some(_) => *duplicates += 1,
            None if already_split => *duplicates += 1,
            None => kept.push(span),
        }
    }
    adopt(&mut kept, &answering);
    kept
}

/// Children named the shared id: those of another service than the asking one belong to the
/// answering side.
fn adopt(spans: &mut [Span], answering: &HashMap<Identifier, (Identifier, Arc<str>)>) {
    for span in spans {
        let Some((own, asking_service)) = span.parent.as_ref().and_then(|id| answering.get(id))
        else {
            continue;
        };
        if span.id != *own && span.service != *asking_service {
            span.parent = Some(own.clone());
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

fn by_side(
    span: &Span,
) -> (
    &Identifier,
    u8,
    &str,
    std::cmp::Reverse<std::time::Duration>,
) {
    (
        &span.id,
        side(span.kind),
        &span.service,
        std::cmp::Reverse(span.duration()),
    )
}

/// Two reports of one span that differ: which is kept does not depend on their order.
fn by_content(a: &Span, b: &Span) -> std::cmp::Ordering {
    let key = |span: &Span| (span.start, span.kind, span.status as u8);
    (key(a), &a.operation, &a.parent, &a.host)
        .cmp(&(key(b), &b.operation, &b.parent, &b.host))
        .then_with(|| a.attributes.iter().cmp(b.attributes.iter()))
        .then_with(|| {
            let link = |span: &Span| -> Vec<(Identifier, Identifier)> {
                let links = span.links.iter();
                links
                    .map(|link| (link.trace_id.clone(), link.span_id.clone()))
                    .collect()
            };
            link(a).cmp(&link(b))
        })
}
