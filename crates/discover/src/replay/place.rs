//! Where a span lies in time inside the span that waits for it, without comparing clocks of hosts.
//!
//! Across a hop only durations count: the answering span is centred in the asking span, so that a
//! wrong clock on one host changes nothing. Times of several spans of another host inside one
//! span, as captures without asking spans have them, are compared as they are where they fit.

use tidegate_trace::{Span, SpanKind, Trace};

use crate::messaging;

/// A number of nanoseconds as the difference of two times has it.
pub(crate) fn length(span: &Span) -> i64 {
    i64::try_from(span.end.nanos().saturating_sub(span.start.nanos())).unwrap_or(i64::MAX)
}

/// An answer may end this much after what waited for it has gone on, in nanoseconds, or a tenth of that:
/// servers close their spans once the last byte is sent.
const LATE_NS: i64 = 1_000_000;

/// Whether `parent` waits for `child` as far as one trace tells: not when it is a message, and not
/// when the child started after the parent's end. Of a child on another host durations tell, not clocks:
/// a span that only asks waits for its answer; any other one does not wait for what takes longer than
/// itself.
pub(crate) fn is_waited_for(
    trace: &Trace,
    (parent, has_one_answer): (usize, bool),
    child: usize,
) -> bool {
    let (Some(asking), Some(answering)) = (trace.span(parent), trace.span(child)) else {
        return false;
    };
    if messaging::is_message(asking, answering) {
        return false;
    }
    let started_inside = answering.start < asking.end || asking.start == asking.end;
    if !is_across_hosts(asking, answering) {
        return started_inside;
    }
    if asking.kind == SpanKind::Client {
        return true;
    }
    if !has_one_answer {
        return started_inside;
    }
    let (waits, answers) = (length(asking), length(answering));
    waits == 0 || answers <= waits.saturating_add(LATE_NS.max(waits / 10))
}

/// Whether a request begins with the span: nothing above it is there, it handles a message, or its parent has sent the
/// one who asked on to it. What a parent merely does not wait for is work that a request leaves behind, and no request of
/// its own.
pub(crate) fn is_request(trace: &Trace, index: usize) -> bool {
    let Some(parent) = trace.parent(index) else {
        return true;
    };
    let sides = trace.span(parent).zip(trace.span(index));
    sides.is_some_and(|(asking, answering)| messaging::is_message(asking, answering))
        || is_sent_on(trace, parent, index)
}

/// The HTTP answers that send whoever asked on to another place.
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// Whether `child` is where the answer of `parent` has sent the one who asked, such as the next page of a browser: its parent
/// waits for it no more than for a call after the answer, but somebody does.
pub(crate) fn is_sent_on(trace: &Trace, parent: usize, child: usize) -> bool {
    let (Some(asking), Some(answering)) = (trace.span(parent), trace.span(child)) else {
        return false;
    };
    // Most spans are told apart by this alone.
    let may_be_after = match is_across_hosts(asking, answering) {
        true => asking.kind != SpanKind::Client,
        false => answering.start >= asking.end && asking.start != asking.end,
    };
    if !may_be_after
        || !(asking.http_status()).is_some_and(|status| REDIRECTS.contains(&status))
        || messaging::is_message(asking, answering)
    {
        return false;
    }
    // One clock has told already; the other children are only looked at where there are two.
    !is_across_hosts(asking, answering)
        || !is_waited_for(trace, (parent, has_one_answer(trace, parent)), child)
}

/// Whether two spans were timed by different clocks, as far as the capture tells.
pub(crate) fn is_across_hosts(parent: &Span, child: &Span) -> bool {
    if parent.kind == SpanKind::Client && child.kind == SpanKind::Server {
        return true;
    }
    match (&parent.host, &child.host) {
        (Some(parent), Some(child)) => parent != child,
        _ => parent.service != child.service,
    }
}

/// Whether durations place the parent's children of other clocks: there is one at most, and the parent only asks, by
/// its kind or as it has no other children. Beside work of the parent's own clock a span in the middle would lie
/// where it never was.
pub(crate) fn has_one_answer(trace: &Trace, parent: usize) -> bool {
    let Some(asking) = trace.span(parent) else {
        return true;
    };
    let asks = asking.kind == SpanKind::Client;
    let children = trace.children(parent).iter();
    let beside = children.filter(|child| {
        let child = trace.span(**child);
        child.is_some_and(|child| {
            let is_counted = !asks || is_across_hosts(asking, child);
            is_counted && !messaging::is_message(asking, child)
        })
    });
    beside.take(2).count() < 2
}

/// Whether the child lies where the clocks of two hosts say: neither one clock nor durations tell.
pub(crate) fn is_by_clocks(parent: &Span, child: &Span, has_one_answer: bool) -> bool {
    !has_one_answer && is_across_hosts(parent, child) && !messaging::is_message(parent, child)
}

/// When the child starts, from the parent's start, by the parent's clock; it may be before it.
pub(crate) fn start_in(parent: &Span, child: &Span, has_one_answer: bool) -> i64 {
    let raw = i128::from(child.start.nanos()) - i128::from(parent.start.nanos());
    let raw = i64::try_from(raw).unwrap_or(if raw < 0 { i64::MIN } else { i64::MAX });
    if !is_across_hosts(parent, child) {
        return raw;
    }
    let inside = parent.start <= child.start && child.end <= parent.end;
    if inside && !has_one_answer {
        return raw;
    }
    (length(parent) - length(child)).max(0) / 2
}
