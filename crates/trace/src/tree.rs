//! Traces as trees of spans.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tidegate_base::Timestamp;

use crate::{Format, Span};

/// Every trace of one capture.
#[derive(Clone, Debug)]
pub struct Traces {
    /// What the capture was written in.
    pub format: Format,
    /// The traces, by start time and then id.
    pub traces: Vec<Trace>,
    /// What was left out, and why.
    pub skipped: Skipped,
}

/// What was left out of a capture, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Documents of metrics.
    pub metrics: usize,
    /// Documents of logs.
    pub logs: usize,
    /// Spans without a trace id.
    pub without_trace_id: usize,
    /// Spans without an id.
    pub without_span_id: usize,
    /// Spans without a start time.
    pub without_time: usize,
    /// Spans that were reported more than once; one report is kept.
    pub duplicates: usize,
    /// Traces in which a span is its own ancestor, by id.
    pub cyclic_traces: Vec<Arc<str>>,
    /// The spans of those traces.
    pub cyclic_spans: usize,
}

/// How much of what spans name is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Completeness {
    /// Spans that are there.
    pub spans: usize,
    /// Spans that name a parent which is not there.
    pub orphans: usize,
}

impl Completeness {
    /// The share of spans whose parent is there or not needed: 0.0 to 1.0; 1.0 without spans.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share is printed with three digits"
    )]
    pub fn share(self) -> f64 {
        if self.spans == 0 {
            1.0
        } else {
            1.0 - self.orphans as f64 / self.spans as f64
        }
    }
}

impl Traces {
    /// All spans of all traces.
    pub fn spans(&self) -> impl Iterator<Item = &Span> {
        self.traces.iter().flat_map(|trace| trace.spans())
    }

    /// How much of what spans name is there.
    #[must_use]
    pub fn completeness(&self) -> Completeness {
        Completeness {
            spans: self.traces.iter().map(|trace| trace.spans().len()).sum(),
            orphans: self
                .traces
                .iter()
                .map(|trace| trace.orphans().count())
                .sum(),
        }
    }
}

/// One trace: spans, by start time, and who caused whom. Spans are named by their index.
#[derive(Clone, Debug)]
pub struct Trace {
    id: Arc<str>,
    spans: Vec<Span>,
    parents: Vec<Option<usize>>,
    children: Vec<Vec<usize>>,
}

impl Trace {
    /// Builds the tree; the id back when a span is its own ancestor.
    pub(crate) fn build(id: Arc<str>, mut spans: Vec<Span>) -> Result<Self, Arc<str>> {
        spans.sort_by(|a, b| {
            (a.start, std::cmp::Reverse(a.end), &a.id).cmp(&(
                b.start,
                std::cmp::Reverse(b.end),
                &b.id,
            ))
        });
        let index: HashMap<&Arc<str>, usize> = spans
            .iter()
            .enumerate()
            .map(|(index, span)| (&span.id, index))
            .collect();
        let parents: Vec<Option<usize>> = spans
            .iter()
            .map(|span| {
                span.parent
                    .as_ref()
                    .and_then(|parent| index.get(parent).copied())
            })
            .collect();
        let mut children = vec![Vec::new(); spans.len()];
        for (child, parent) in parents.iter().enumerate() {
            if let Some(list) = parent.and_then(|parent| children.get_mut(parent)) {
                list.push(child);
            }
        }
        let trace = Self {
            id,
            spans,
            parents,
            children,
        };
        if trace.depth_first().count() == trace.spans.len() {
            Ok(trace)
        } else {
            Err(trace.id)
        }
    }

    /// The trace's id.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The spans, by start time, longer ones first, then id.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The span at `index`.
    #[must_use]
    pub fn span(&self, index: usize) -> Option<&Span> {
        self.spans.get(index)
    }

    /// The index of the span that caused the one at `index`; `None` for a root, an orphan, or an
    /// index that is not there.
    #[must_use]
    pub fn parent(&self, index: usize) -> Option<usize> {
        self.parents.get(index).copied().flatten()
    }

    /// The indexes of the spans that the one at `index` caused, by start time.
    #[must_use]
    pub fn children(&self, index: usize) -> &[usize] {
        self.children
            .get(index)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// The indexes of the spans without a parent in the trace: true roots and orphans.
    pub fn roots(&self) -> impl Iterator<Item = usize> {
        self.parents
            .iter()
            .enumerate()
            .filter(|(_, parent)| parent.is_none())
            .map(|(index, _)| index)
    }

    /// The indexes of the spans that name a parent which is not there.
    pub fn orphans(&self) -> impl Iterator<Item = usize> {
        self.roots()
            .filter(|index| self.span(*index).is_some_and(|span| span.parent.is_some()))
    }

    /// Every index that can be reached from a root, parents before children.
    pub fn depth_first(&self) -> impl Iterator<Item = usize> {
        let mut waiting: Vec<usize> = self.roots().collect();
        waiting.reverse();
        std::iter::from_fn(move || {
            let next = waiting.pop()?;
            waiting.extend(self.children(next).iter().rev());
            Some(next)
        })
    }

    /// The indexes of `index` and everything below it.
    pub fn subtree(&self, index: usize) -> impl Iterator<Item = usize> {
        let mut waiting = vec![index];
        std::iter::from_fn(move || {
            let next = waiting.pop()?;
            waiting.extend(self.children(next).iter().rev());
            Some(next)
        })
    }

    /// When the first span started; the epoch without spans.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        self.spans
            .first()
            .map_or(Timestamp::EPOCH, |span| span.start)
    }

    /// When the last span ended; the epoch without spans.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.spans
            .iter()
            .map(|span| span.end)
            .max()
            .unwrap_or(Timestamp::EPOCH)
    }

    /// From the first start to the last end.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.end().since(self.start())
    }
}
