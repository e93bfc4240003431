//! Traces as trees of spans.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use tidegate_base::Timestamp;

use crate::{Format, Identifier, Keys, Span};

/// Every trace of one capture.
#[derive(Clone, Debug)]
pub struct Traces {
    /// What the capture was written in: what it begins with.
    pub format: Format,
    /// What else it holds, in the order of its content.
    pub other_formats: Vec<Format>,
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
    /// Spans whose end is absent or before their start; they are kept, as 0 ns long.
    pub without_end: usize,
    /// Spans that were reported more than once; one report is kept.
    pub duplicates: usize,
    /// Traces in which a span is its own ancestor, by id.
    pub cyclic_traces: Vec<Arc<str>>,
    /// The spans of those traces.
    pub cyclic_spans: usize,
    /// Traces that were not chosen, as there are too many to look at each.
    pub traces_not_chosen: usize,
    /// The spans of those traces.
    pub spans_not_chosen: usize,
}

impl Skipped {
    /// Adds what was left out of another capture.
    pub fn add(&mut self, other: Self) {
        self.metrics += other.metrics;
        self.logs += other.logs;
        self.without_trace_id += other.without_trace_id;
        self.without_span_id += other.without_span_id;
        self.without_time += other.without_time;
        self.without_end += other.without_end;
        self.duplicates += other.duplicates;
        self.cyclic_traces.extend(other.cyclic_traces);
        self.cyclic_spans += other.cyclic_spans;
        self.traces_not_chosen += other.traces_not_chosen;
        self.spans_not_chosen += other.spans_not_chosen;
    }
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
    /// A bit for each attribute that any span has.
    attributes: u64,
    parents: Vec<Option<usize>>,
    /// The children of all spans, those of one span together.
    children: Vec<usize>,
    /// Where the children of each span begin in `children`, and where those of the last end.
    first_child: Vec<usize>,
}

/// Why spans are no tree.
pub(crate) enum NoTree {
    /// A span is its own ancestor.
    Cyclic(Arc<str>),
    /// Several have the same id.
    Repeated(Arc<str>, Vec<Span>),
}

/// The spans by their times, longer ones first, then id.
fn in_order(spans: Vec<Span>) -> Vec<Span> {
    // A span is large: the keys are sorted apart, and each is moved once.
    let keys = spans.iter().enumerate();
    let mut keys: Vec<(Timestamp, Reverse<Timestamp>, usize)> = keys
        .map(|(index, span)| (span.start, Reverse(span.end), index))
        .collect();
    let id = |index: usize| spans.get(index).map(|span| &span.id);
    keys.sort_unstable_by(|a, b| {
        (a.0, a.1)
            .cmp(&(b.0, b.1))
            .then_with(|| id(a.2).cmp(&id(b.2)))
    });
    let mut places: Vec<Option<Span>> = spans.into_iter().map(Some).collect();
    let sorted = keys.into_iter();
    sorted
        .filter_map(|(_, _, index)| places.get_mut(index)?.take())
        .collect()
}

/// The index of each span's parent; and whether several spans have the same id.
fn parents(spans: &[Span]) -> (Vec<Option<usize>>, bool) {
    // Looked up by binary search: no table is built for a trace of few spans.
    let mut by_id: Vec<(&Identifier, usize)> = spans
        .iter()
        .enumerate()
        .map(|(index, span)| (&span.id, index))
        .collect();
    by_id.sort_unstable();
    let mut pairs = by_id.windows(2);
    let is_repeated = pairs.any(|pair| matches!(pair, [a, b] if a.0 == b.0));
    let parent = |span: &Span| {
        let parent = span.parent.as_ref()?;
        let found = by_id.binary_search_by(|(id, _)| (*id).cmp(parent));
        by_id.get(found.ok()?).map(|(_, index)| *index)
    };
    (spans.iter().map(parent).collect(), is_repeated)
}

/// The children of all spans and where those of each begin.
fn children(parents: &[Option<usize>]) -> (Vec<usize>, Vec<usize>) {
    let mut first = vec![0; parents.len() + 1];
    for parent in parents.iter().flatten() {
        if let Some(count) = first.get_mut(parent + 1) {
            *count += 1;
        }
    }
    let mut total = 0;
    for begin in &mut first {
        total += *begin;
        *begin = total;
    }
    let mut next = first.clone();
    let mut children = vec![0; total];
    for (child, parent) in parents.iter().enumerate() {
        let Some(place) = parent.and_then(|parent| next.get_mut(parent)) else {
            continue;
        };
        if let Some(slot) = children.get_mut(*place) {
            *slot = child;
        }
        *place += 1;
    }
    (children, first)
}

impl Trace {
    /// Builds the tree of spans, of which several may have the same id when that was looked into before.
    pub(crate) fn build(id: Arc<str>, spans: Vec<Span>, may_repeat: bool) -> Result<Self, NoTree> {
        let spans = in_order(spans);
        let (parents, is_repeated) = parents(&spans);
        if is_repeated && !may_repeat {
            return Err(NoTree::Repeated(id, spans));
        }
        let (children, first_child) = children(&parents);
        let trace = Self {
            id,
            attributes: spans
                .iter()
                .fold(0, |all, span| all | span.attributes.bits()),
            spans,
            parents,
            children,
            first_child,
        };
        if trace.depth_first().count() != trace.spans.len() {
            return Err(NoTree::Cyclic(trace.id));
        }
        Ok(trace)
    }

    /// Whether any span has one of these attributes.
    #[must_use]
    pub fn has_any<const N: usize>(&self, keys: &Keys<N>) -> bool {
        self.attributes & keys.bits() != 0
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
        let bounds = self
            .first_child
            .get(index)
            .zip(self.first_child.get(index + 1));
        bounds
            .and_then(|(begin, end)| self.children.get(*begin..*end))
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
