//! The critical path of a trace: which span each moment of a request was spent in.
//!
//! From the end of a span backwards: the child that ended last, until it started; before it, the
//! next one; what no child covers is the span's own. Children of messages are not waited for.
//! Clocks of different hosts are never compared where it can be avoided: a call's answering span is
//! placed inside the asking span by its duration.
//!
//! Source: Z. Zhang et al., "CRISP: Critical Path Analysis of Large-Scale Microservice
//! Architectures", USENIX ATC 2022, without its allowance for overlap, and with ties allowed.

use std::cmp::Reverse;

use tidegate_trace::Trace;

use crate::replay::place;

/// Children that end this much later than the next one starts, in nanoseconds, still come before
/// it: the resolution of the clocks of most tracers.
const TOLERANCE_NS: i64 = 1_000;

/// A part of a request that was spent in one span. Nanoseconds from the start of the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The span's index in the trace.
    pub span: usize,
    /// When the part starts.
    pub start: i64,
    /// When it ends; never before `start`.
    pub end: i64,
}

/// The critical path of one request.
#[derive(Clone, Debug)]
pub struct CriticalPath {
    /// The index of the span that it begins with: a root, an orphan, or a message's handling.
    pub entry: usize,
    /// The entry's duration in nanoseconds.
    pub duration: i64,
    /// Parts that do not overlap, latest first; their lengths add up to `duration` exactly.
    pub segments: Vec<Segment>,
}

/// The critical path of every request of the trace, by the index of its first span. Work that a request
/// leaves behind, so that nobody waits for it, is on none.
#[must_use]
pub fn critical_paths(trace: &Trace) -> Vec<CriticalPath> {
    let spans = 0..trace.spans().len();
    let one_answer: Vec<bool> = spans
        .map(|span| place::has_one_answer(trace, span))
        .collect();
    let known = Known {
        waits: &|parent, child| {
            let one_answer = one_answer.get(parent).copied().unwrap_or_default();
            place::is_waited_for(trace, (parent, one_answer), child)
        },
        may_precede: &|_, _, _| true,
    };
    paths(trace, &known)
}

/// The critical path of every request of the trace, by what is known from all traces.
pub(crate) fn paths(trace: &Trace, known: &Known<'_>) -> Vec<CriticalPath> {
    let requests = (0..trace.spans().len()).filter(|index| place::is_request(trace, *index));
    let mut layout = Layout {
        trace,
        known,
        waiting: Vec::new(),
        children: Vec::new(),
        segments: Vec::new(),
    };
    requests.filter_map(|entry| layout.path(entry)).collect()
}

/// What is known of one trace's spans, by their indexes.
pub(crate) struct Known<'a> {
    /// Whether a parent waits for a child.
    pub(crate) waits: &'a dyn Fn(usize, usize) -> bool,
    /// Whether a parent's second child, of two, may have waited for the first.
    pub(crate) may_precede: &'a dyn Fn(usize, usize, usize) -> bool,
}

/// A span to lay out: the part of the entry's time that it may cover, and where in that time it starts,
/// which may be before that part.
struct Window {
    span: usize,
    start: i64,
    end: i64,
    origin: i64,
}

/// What lays out the spans of a trace, with room that is used again.
struct Layout<'a> {
    trace: &'a Trace,
    known: &'a Known<'a>,
    waiting: Vec<Window>,
    children: Vec<Window>,
    segments: Vec<Segment>,
}

impl Layout<'_> {
    fn path(&mut self, entry: usize) -> Option<CriticalPath> {
        let duration = place::length(self.trace.span(entry)?);
        self.waiting.push(Window {
            span: entry,
            start: 0,
            end: duration,
            origin: 0,
        });
        while let Some(window) = self.waiting.pop() {
            self.lay_out(&window);
        }
        self.segments
            .sort_unstable_by_key(|segment| Reverse((segment.start, segment.end)));
        Some(CriticalPath {
            entry,
            duration,
            segments: self.segments.drain(..).collect(),
        })
    }

    fn lay_out(&mut self, own: &Window) {
        let (trace, known) = (self.trace, self.known);
        let one_answer = place::has_one_answer(trace, own.span);
        let children = trace.children(own.span).iter().copied();
        let waited_for = children.filter(|child| (known.waits)(own.span, *child));
        let placed = waited_for.filter_map(|child| place_in(trace, own, child, one_answer));
        self.children.extend(placed);
        // Latest end first; ties: later start first, which is the shorter; then the later in the trace.
        self.children
            .sort_unstable_by_key(|child| Reverse((child.end, child.start, child.span)));
        let mut current = own.end;
        let mut next: Option<usize> = None;
        let mut emit = |start: i64, end: i64| {
            if end > start {
                self.segments.push(Segment {
                    span: own.span,
                    start,
                    end,
                });
            }
        };
        for mut child in self.children.drain(..) {
            if child.end > current.saturating_add(TOLERANCE_NS) || child.start > current {
                continue;
            }
            if next.is_some_and(|next| !(known.may_precede)(own.span, child.span, next)) {
                continue;
            }
            next = Some(child.span);
            child.end = child.end.min(current);
            emit(child.end, current);
            current = child.start;
            self.waiting.push(child);
        }
        emit(own.start, current);
    }
}

/// Where the child lies inside the parent's window; `None` when it lies outside.
fn place_in(trace: &Trace, own: &Window, index: usize, one_answer: bool) -> Option<Window> {
    let (parent, child) = (trace.span(own.span)?, trace.span(index)?);
    let start = place::start_in(parent, child, one_answer);
    let origin = own.origin.saturating_add(start);
    let last = origin.saturating_add(place::length(child));
    let (start, end) = (origin.max(own.start), last.min(own.end));
    let begins = own.end.max(own.start.saturating_add(1));
    (start <= end && origin < begins).then_some(Window {
        span: index,
        start,
        end,
        origin,
    })
}
