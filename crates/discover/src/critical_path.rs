//! The critical path of a trace: which span each moment of a request was spent in.
//!
//! From the end of a span backwards: the child that ended last, until it started; before it, the
//! next one; what no child covers is the span's own. Children of messages are not waited for.
//! Clocks of different hosts are never compared where it can be avoided: a call's answering span is
//! placed inside the asking span by its duration.
//!
//! Source: Z. Zhang et al., "CRISP: Critical Path Analysis of Large-Scale Microservice
//! Architectures", USENIX ATC 2022, without its allowance for overlap, and with ties allowed.

use tidegate_trace::Trace;

use crate::replay::place;

/// Children that end this much later than the next one starts, in nanoseconds, still come before
/// it: the resolution of the clocks of most tracers.
const TOLERANCE_NS: i128 = 1_000;

/// A part of a request that was spent in one span. Nanoseconds from the start of the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The span's index in the trace.
    pub span: usize,
    /// When the part starts.
    pub start: i128,
    /// When it ends; never before `start`.
    pub end: i128,
}

/// The critical path below one entry.
#[derive(Clone, Debug)]
pub struct CriticalPath {
    /// The index of the span that nobody waits for: a root, an orphan, or a message's handling.
    pub entry: usize,
    /// The entry's duration in nanoseconds.
    pub duration: i128,
    /// Parts that do not overlap, latest first; their lengths add up to `duration` exactly.
    pub segments: Vec<Segment>,
}

/// The critical path of every entry of the trace, by index of the entry.
#[must_use]
pub fn critical_paths(trace: &Trace) -> Vec<CriticalPath> {
    let known = Known {
        waits: &|parent, child| is_waited_for(trace, parent, child),
        may_precede: &|_, _, _| true,
    };
    paths(trace, &known)
}

/// The critical path of every entry of the trace, by what is known from all traces.
pub(crate) fn paths(trace: &Trace, known: &Known<'_>) -> Vec<CriticalPath> {
    let entries = (0..trace.spans().len()).filter(|index| match trace.parent(*index) {
        None => true,
        Some(parent) => !(known.waits)(parent, *index),
    });
    entries
        .filter_map(|entry| path(trace, entry, known))
        .collect()
}

/// What is known of one trace's spans, by their indexes.
pub(crate) struct Known<'a> {
    /// Whether a parent waits for a child.
    pub(crate) waits: &'a dyn Fn(usize, usize) -> bool,
    /// Whether a parent's second child, of two, may have waited for the first.
    pub(crate) may_precede: &'a dyn Fn(usize, usize, usize) -> bool,
}

/// Whether `parent` waits for `child`: not when it is a message, and not when the child started
/// after the parent's end. An asking span whose clock runs behind waits all the same.
#[must_use]
pub fn is_waited_for(trace: &Trace, parent: usize, child: usize) -> bool {
    place::is_waited_for(trace, parent, child)
}

/// A span to lay out: the part of the entry's time that it may cover, and what to add to its own
/// clock to get that time.
struct Window {
    span: usize,
    start: i128,
    end: i128,
    shift: i128,
}

fn path(trace: &Trace, entry: usize, known: &Known<'_>) -> Option<CriticalPath> {
    let span = trace.span(entry)?;
    let shift = -i128::from(span.start.nanos());
    let duration = i128::from(span.end.nanos()) + shift;
    let mut segments = Vec::new();
    let mut waiting = vec![Window {
        span: entry,
        start: 0,
        end: duration,
        shift,
    }];
    while let Some(window) = waiting.pop() {
        lay_out(trace, &window, known, &mut segments, &mut waiting);
    }
    segments.sort_by_key(|segment| std::cmp::Reverse((segment.start, segment.end)));
    Some(CriticalPath {
        entry,
        duration,
        segments,
    })
}

fn lay_out(
    trace: &Trace,
    own: &Window,
    known: &Known<'_>,
    segments: &mut Vec<Segment>,
    waiting: &mut Vec<Window>,
) {
    let one_answer = place::has_one_answer(trace, own.span);
    let mut children: Vec<Window> = trace
        .children(own.span)
        .iter()
        .filter(|child| (known.waits)(own.span, **child))
        .filter_map(|child| place_in(trace, own, *child, one_answer))
        .collect();
    // Latest end first; ties: later start first, which is the shorter; then the later in the trace.
    children.sort_by_key(|child| std::cmp::Reverse((child.end, child.start, child.span)));
    let mut current = own.end;
    let mut next: Option<usize> = None;
    let mut emit = |start: i128, end: i128| {
        if end > start {
            segments.push(Segment {
                span: own.span,
                start,
                end,
            });
        }
    };
    for mut child in children {
        if child.end > current + TOLERANCE_NS || child.start > current {
            continue;
        }
        if next.is_some_and(|next| !(known.may_precede)(own.span, child.span, next)) {
            continue;
        }
        next = Some(child.span);
        child.end = child.end.min(current);
        emit(child.end, current);
        current = child.start;
        waiting.push(child);
    }
    emit(own.start, current);
}

/// Where the child lies inside the parent's window; `None` when it lies outside.
fn place_in(trace: &Trace, own: &Window, index: usize, one_answer: bool) -> Option<Window> {
    let parent = trace.span(own.span)?;
    let child = trace.span(index)?;
    let start = i128::from(place::start_in(parent, child, one_answer));
    let shift =
        own.shift + i128::from(parent.start.nanos()) + start - i128::from(child.start.nanos());
    let raw_start = i128::from(child.start.nanos()) + shift;
    let raw_end = i128::from(child.end.nanos()) + shift;
    let (start, end) = (raw_start.max(own.start), raw_end.min(own.end));
    (start <= end && raw_start < own.end.max(own.start + 1)).then_some(Window {
        span: index,
        start,
        end,
        shift,
    })
}
