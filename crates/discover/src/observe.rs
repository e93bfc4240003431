//! What one occurrence of a call shows.

use std::time::Duration;

use tidegate_trace::{SpanKind, Trace};

use crate::calls::Found;
use crate::operation;
use crate::statement::{self, Statement};

/// One occurrence of a call and what can be seen of it.
#[derive(Clone, Debug)]
pub(crate) struct Observation {
    pub(crate) trace_id: std::sync::Arc<str>,
    /// When the caller started to wait, from the start of the window.
    pub(crate) offset: Duration,
    /// How long the caller waited.
    pub(crate) waited: Duration,
    /// How long the callee worked.
    pub(crate) handled: Duration,
    /// The time of the critical path inside the call.
    pub(crate) critical: Duration,
    pub(crate) failed: bool,
    /// Whether the caller's request failed.
    pub(crate) request_failed: bool,
    /// Whether the caller calls or does nothing visible afterwards.
    pub(crate) is_tail: bool,
    /// Whether the caller does hardly anything else.
    pub(crate) is_forwarded: bool,
    /// Whether it serves a request that is a GET or HEAD from its root on.
    pub(crate) serves_get: bool,
    pub(crate) is_message: bool,
    /// Database statements below the call.
    pub(crate) reads: usize,
    pub(crate) writes: usize,
    /// Messages sent below the call.
    pub(crate) sends: usize,
    /// Whether the caller itself changes a database in this request.
    pub(crate) writes_locally: bool,
    pub(crate) method: Option<&'static str>,
    pub(crate) answer_bytes: Option<u64>,
    pub(crate) request_bytes: Option<u64>,
    pub(crate) has_answer_span: bool,
}

/// Looks at one call. `critical` is the critical-path time of the call's subtree.
pub(crate) fn observe(
    trace: &Trace,
    found: Found,
    offset: Duration,
    critical: Duration,
) -> Option<Observation> {
    let call = trace.span(found.call)?;
    let answer = found.answer.and_then(|index| trace.span(index));
    let entry = trace.span(found.entry)?;
    let below = || {
        trace
            .subtree(found.call)
            .filter_map(|index| trace.span(index))
    };
    let statements = |wanted| {
        below()
            .filter(|span| statement::statement(span) == Some(wanted))
            .count()
    };
    let bytes = |names: &[&str]| {
        [Some(call), answer]
            .into_iter()
            .flatten()
            .find_map(|span| span.first_attribute(names)?.parse().ok())
    };
    Some(Observation {
        trace_id: trace.id().clone(),
        offset,
        waited: call.duration(),
        handled: answer.unwrap_or(call).duration(),
        critical,
        failed: call.failed() || answer.is_some_and(tidegate_trace::Span::failed),
        request_failed: entry.failed(),
        is_tail: is_tail(trace, found),
        is_forwarded: is_forwarded(trace, found),
        serves_get: serves_get(trace, found.entry),
        is_message: found.is_message,
        reads: statements(Statement::Read),
        writes: statements(Statement::Write),
        sends: below()
            .filter(|span| span.kind == SpanKind::Producer)
            .count(),
        writes_locally: writes_locally(trace, found),
        method: answer
            .and_then(operation::method)
            .or_else(|| operation::method(call)),
        answer_bytes: bytes(&[
            "http.response.body.size",
            "http.response_content_length",
            "response_size",
        ]),
        request_bytes: bytes(&[
            "http.request.body.size",
            "http.request_content_length",
            "request_size",
            "messaging.message.body.size",
        ]),
        has_answer_span: answer.is_some(),
    })
}

/// Whether nothing in the caller starts after the call has ended: all spans of the caller on the
/// way from the call up to its request share one clock.
fn is_tail(trace: &Trace, found: Found) -> bool {
    let Some(end) = trace.span(found.call).map(|span| span.end) else {
        return false;
    };
    let mut inner = found.call;
    while inner != found.entry {
        let Some(outer) = trace.parent(inner) else {
            break;
        };
        let later = trace
            .children(outer)
            .iter()
            .filter(|sibling| **sibling != inner)
            .filter_map(|sibling| trace.span(*sibling))
            .any(|sibling| sibling.start >= end || sibling.end > end);
        if later {
            return false;
        }
        inner = outer;
    }
    true
}

/// Whether the call takes at least four fifths of the request and the request makes no other call:
/// true for a caller that is where requests come from.
fn is_forwarded(trace: &Trace, found: Found) -> bool {
    let (Some(call), Some(entry)) = (trace.span(found.call), trace.span(found.entry)) else {
        return false;
    };
    let alone = own_spans(trace, found.entry).all(|index| {
        trace.children(index).iter().all(|child| {
            let elsewhere = trace
                .span(*child)
                .is_some_and(|span| span.service != entry.service);
            !elsewhere || *child == found.call || index == found.call
        })
    });
    alone && call.duration() * 5 >= entry.duration() * 4
}

/// The spans below `entry` that its own service did, without passing through another service.
fn own_spans(trace: &Trace, entry: usize) -> impl Iterator<Item = usize> {
    let service = trace.span(entry).map(|span| span.service.clone());
    let mut waiting = vec![entry];
    std::iter::from_fn(move || {
        let next = waiting.pop()?;
        waiting.extend(
            trace
                .children(next)
                .iter()
                .filter(|child| trace.span(**child).map(|span| &span.service) == service.as_ref()),
        );
        Some(next)
    })
}

fn writes_locally(trace: &Trace, found: Found) -> bool {
    own_spans(trace, found.entry)
        .filter_map(|index| trace.span(index))
        .any(|span| statement::statement(span) == Some(Statement::Write))
}

/// Whether the outermost span with an HTTP method above `index` is a GET or HEAD.
fn serves_get(trace: &Trace, index: usize) -> bool {
    let mut method = None;
    let mut next = Some(index);
    while let Some(index) = next {
        method = trace.span(index).and_then(operation::method).or(method);
        next = trace.parent(index);
    }
    matches!(method, Some("GET" | "HEAD"))
}
