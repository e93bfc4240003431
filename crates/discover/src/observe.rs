//! What one occurrence of a call shows.

use std::time::Duration;

use tidegate_trace::{Keys, Span, Trace};

use crate::calls::{self, Found};
use crate::replay::{NO_REQUEST, Site};
use crate::signals::{self, Marks};
use crate::survey::Survey;
use crate::told::Told;

/// One occurrence of a call and what can be seen of it.
#[derive(Clone, Debug)]
pub(crate) struct Observation {
    pub(crate) site: Site,
    /// The number of the request that waits for it.
    pub(crate) request: u32,
    /// The caller's span for the request that it was handling.
    pub(crate) entry: usize,
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
    pub(crate) marks: Marks,
}

const ANSWER: Keys<3> = Keys::of([
    "http.response.body.size",
    "http.response_content_length",
    "response_size",
]);
const REQUEST: Keys<4> = Keys::of([
    "http.request.body.size",
    "http.request_content_length",
    "request_size",
    "messaging.message.body.size",
]);

/// The size that one of the spans tells.
fn bytes<const N: usize>(spans: [Option<&Span>; 2], names: &Keys<N>) -> Option<u64> {
    let told = spans.into_iter().flatten();
    let mut told = told.filter_map(|span| span.first(names));
    told.find_map(|text| text.parse().ok())
}

/// Looks at one call. `critical` is the critical-path time of the call's subtree.
pub(crate) fn observe(
    trace: &Trace,
    (survey, told): (&mut Survey, &[Told]),
    (found, names): (Found, &[u32]),
    offset: Duration,
    critical: Duration,
) -> Option<Observation> {
    let call = trace.span(found.call)?;
    let answer = found.answer.and_then(|index| trace.span(index));
    let entry = trace.span(found.entry)?;
    let below = survey.below(found.call);
    let facts = survey.entry(trace, told, found.entry);
    let of_call = *told.get(found.call)?;
    let of_answer = found.answer.and_then(|index| told.get(index));
    let (asking, answering) = (Some(call), answer);
    Some(Observation {
        site: Site { trace: 0, span: 0 },
        request: NO_REQUEST,
        entry: found.entry,
        offset,
        waited: call.duration(),
        handled: answer.unwrap_or(call).duration(),
        critical,
        failed: calls::has_failed(trace, told, found),
        request_failed: told.get(found.entry)?.failed,
        is_tail: is_tail(trace, survey, found),
        // The call is all that the request causes elsewhere, and at least four fifths of its time:
        // true for a caller that is where requests come from.
        is_forwarded: facts.remote_children <= 1 && call.duration() * 5 >= entry.duration() * 4,
        serves_get: matches!(survey.outermost_method(found.entry), Some("GET" | "HEAD")),
        is_message: found.is_message,
        reads: below.reads,
        writes: below.writes,
        sends: below.sends,
        writes_locally: facts.writes,
        method: of_answer.and_then(|told| told.method).or(of_call.method),
        answer_bytes: bytes([asking, answering], &ANSWER),
        request_bytes: bytes([asking, answering], &REQUEST),
        has_answer_span: answer.is_some(),
        marks: signals::look(trace, (told, below.has_upsert), found, names),
    })
}

/// Whether nothing in the caller starts after the call has ended: all spans of the caller on the
/// way from the call up to its request share one clock.
fn is_tail(trace: &Trace, survey: &Survey, found: Found) -> bool {
    let Some(end) = trace.span(found.call).map(|span| span.end) else {
        return false;
    };
    let mut inner = found.call;
    while inner != found.entry {
        let Some(outer) = trace.parent(inner) else {
            break;
        };
        if survey.goes_on_after(outer, inner, end) {
            return false;
        }
        inner = outer;
    }
    true
}
