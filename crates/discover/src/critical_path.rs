//! The critical path of a trace: which span each moment of a request was spent in.
//!
//! From the end of a span backwards: the child that ended last, until it started; before it, the
//! next one; what no child covers is the span's own. Children of messages are not waited for.
//! Clocks of different hosts are never compared where it can be avoided: a call's answering span is
//! placed inside the asking span by its duration.
//!
//! Source: Z. Zhang et al., "CRISP: Critical Path Analysis of Large-Scale Microservice
//! Architectures", USENIX ATC 2022, without its allowance for overlap, and with ties allowed.

use tidegate_trace::{Span, SpanKind, Trace};

use crate::messaging;

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
    let entries = (0..trace.spans().len()).filter(|index| match trace.parent(*index) {
        None => true,
        Some(parent) => !is_waited_for(trace, parent, *index),
    });
    entries.filter_map(|entry| path(trace, entry)).collect()
}

/// Whether `parent` waits for `child`: not when it is a message, and not when the child started
/// after the parent's end. An asking span whose clock runs behind waits all the same.
#[must_use]
pub fn is_waited_for(trace: &Trace, parent: usize, child: usize) -> bool {
    let (Some(asking), Some(answering)) = (trace.span(parent), trace.span(child)) else {
        return false;
    };
    if messaging::is_message(asking, answering) {
        return false;
    }
    let skewed = asking.kind == SpanKind::Client && is_across_hosts(asking, answering);
    skewed || answering.start < asking.end || asking.start == asking.end
}

/// A span to lay out: the part of the entry's time that it may cover, and what to add to its own
/// clock to get that time.
struct Window {
    span: usize,
    start: i128,
    end: i128,
    shift: i128,
}

fn path(trace: &Trace, entry: usize) -> Option<CriticalPath> {
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
        lay_out(trace, &window, &mut segments, &mut waiting);
    }
    segments.sort_by_key(|segment| std::cmp::Reverse((segment.start, segment.end)));
    Some(CriticalPath {
        entry,
        duration,
        segments,
    })
}

fn lay_out(trace: &Trace, own: &Window, segments: &mut Vec<Segment>, waiting: &mut Vec<Window>) {
    let mut children: Vec<Window> = trace
        .children(own.span)
        .iter()
        .filter(|child| is_waited_for(trace, own.span, **child))
        .filter_map(|child| place(trace, own, *child))
        .collect();
    // Latest end first; ties: later start first, which is the shorter; then the later in the trace.
    children.sort_by_key(|child| std::cmp::Reverse((child.end, child.start, child.span)));
    let mut current = own.end;
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
        child.end = child.end.min(current);
        emit(child.end, current);
        current = child.start;
        waiting.push(child);
    }
    emit(own.start, current);
}

/// Where the child lies inside the parent's window; `None` when it lies outside.
fn place(trace: &Trace, own: &Window, index: usize) -> Option<Window> {
    let parent = trace.span(own.span)?;
    let child = trace.span(index)?;
    let shift = own.shift + hop_shift(parent, child);
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

/// What to add to the child's clock to get the parent's: zero on one host and where the child lies
/// inside the parent. Else the child is centred, so that request and answer travel equally long;
/// a child that is longer starts with the parent.
fn hop_shift(parent: &Span, child: &Span) -> i128 {
    let inside = parent.start <= child.start && child.end <= parent.end;
    if inside || !is_across_hosts(parent, child) {
        return 0;
    }
    let length = |span: &Span| i128::from(span.end.nanos()) - i128::from(span.start.nanos());
    let room = (length(parent) - length(child)).max(0);
    i128::from(parent.start.nanos()) + room / 2 - i128::from(child.start.nanos())
}

/// Whether two spans were timed by different clocks, as far as the capture tells.
fn is_across_hosts(parent: &Span, child: &Span) -> bool {
    if parent.kind == SpanKind::Client && child.kind == SpanKind::Server {
        return true;
    }
    match (&parent.host, &child.host) {
        (Some(parent), Some(child)) => parent != child,
        _ => parent.service != child.service,
    }
}
