//! Which spans are calls between services, with or without span kinds.

use tidegate_trace::{Keys, Span, SpanKind, Trace};

use crate::replay::place;
use crate::told::Told;
use crate::tops::Tops;
use crate::{messaging, statement};

/// Most children of a span without a kind that only asks: one answer, or those of retries.
const ANSWERS_MAX: usize = 8;

/// One call found in a trace, by indexes of spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The span during which the caller waits: the asking span, or the answering one where the
    /// capture has no asking spans.
    pub(crate) call: usize,
    /// The answering span; `None` when the callee is not traced.
    pub(crate) answer: Option<usize>,
    /// The caller's span for the request that it was handling.
    pub(crate) entry: usize,
    /// Whether it is a message.
    pub(crate) is_message: bool,
}

/// Every call of the trace, by the time of its span. `is_known` says of an asking span without an answer whether others
/// tell who answers it.
pub(crate) fn find(trace: &Trace, told: &[Told], is_known: &dyn Fn(usize) -> bool) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut known = vec![false; trace.spans().len()];
    let mut entries = Tops::default();
    entries.begin(trace.spans().len());
    for ((index, span), told) in trace.spans().iter().enumerate().zip(told) {
        let parent = trace.parent(index);
        let answered = parent.and_then(|parent| answered(trace, parent, index, &mut entries));
        let call =
            answered.or_else(|| untraced(trace, (index, span), told, is_known, &mut entries));
        // Where an answer sends whoever asked, that one goes: it is no call of the one who answered.
        let call = call.filter(|call| {
            let parent = trace.parent(call.call);
            !parent.is_some_and(|parent| place::is_sent_on(trace, parent, call.call))
        });
        // A second answer to one asking span, as after a retry, is the same call.
        if let Some(call) = call
            && let Some(known) = known.get_mut(call.call)
            && !std::mem::replace(known, true)
        {
            found.push(call);
        }
    }
    found
}

/// The call that `child` answers.
fn answered(trace: &Trace, parent: usize, child: usize, entries: &mut Tops) -> Option<Found> {
    let (asking, answering) = (trace.span(parent)?, trace.span(child)?);
    let kinds = asking.kind == SpanKind::Client && answering.kind == SpanKind::Server;
    if asking.service == answering.service && !kinds {
        return None;
    }
    let call = if is_asking_span(trace, parent, &answering.service) {
        parent
    } else {
        child
    };
    Some(Found {
        call,
        answer: Some(child),
        entry: entries.of(parent, |index| around(trace, index)),
        is_message: messaging::is_message(asking, answering),
    })
}

/// The answers to a call: several where a client tried again within one asking span.
pub(crate) fn answers(trace: &Trace, found: Found) -> impl Iterator<Item = usize> {
    let alone = found.answer.filter(|answer| *answer == found.call);
    let asked = found.answer.and_then(|answer| trace.span(answer));
    let below = trace
        .children(found.call)
        .iter()
        .copied()
        .filter(move |child| {
            let (child, asked) = (trace.span(*child), asked);
            alone.is_none()
                && child.zip(asked).is_some_and(|(child, asked)| {
                    child.service == asked.service && child.kind == asked.kind
                })
        });
    alone.into_iter().chain(below)
}

/// Whether a call failed: for its caller, or with every answer.
pub(crate) fn has_failed(trace: &Trace, told: &[Told], found: Found) -> bool {
    let failed = |index: usize| told.get(index).is_some_and(|told| told.failed);
    let mut answers = answers(trace, found).peekable();
    failed(found.call) || answers.peek().is_some() && answers.all(failed)
}

/// Whether the span only asks another service: by its kind, or, without kinds, because all its
/// children are in that one service and its own parent is in the caller's.
fn is_asking_span(trace: &Trace, index: usize, callee: &str) -> bool {
    let Some(span) = trace.span(index) else {
        return false;
    };
    match span.kind {
        SpanKind::Client | SpanKind::Producer => true,
        SpanKind::Server | SpanKind::Consumer | SpanKind::Internal => false,
        SpanKind::Unspecified => {
            let answers = trace.children(index);
            let all_there = answers.len() <= ANSWERS_MAX
                && answers
                    .iter()
                    .filter_map(|child| trace.span(*child))
                    .all(|child| child.service.as_ref() == callee);
            let parent = trace.parent(index).and_then(|parent| trace.span(parent));
            all_there && parent.is_some_and(|parent| parent.service == span.service)
        }
    }
}

/// A call of a service that is named and not traced, or whose answer is lost.
fn untraced(
    trace: &Trace,
    (index, span): (usize, &Span),
    told: &Told,
    is_known: &dyn Fn(usize) -> bool,
    entries: &mut Tops,
) -> Option<Found> {
    let asks = matches!(span.kind, SpanKind::Client | SpanKind::Producer);
    let leaf = trace.children(index).iter().all(|child| {
        trace.span(*child).is_some_and(|child| {
            child.service == span.service
                && !matches!(child.kind, SpanKind::Server | SpanKind::Consumer)
        })
    });
    if !asks || !leaf || statement::is_data_store(span, told) {
        return None;
    }
    if peer(span).is_none() && !is_known(index) {
        return None;
    }
    Some(Found {
        call: index,
        answer: None,
        entry: entries.of(index, |index| around(trace, index)),
        is_message: messaging::is_producer(span),
    })
}

/// The service that an asking span names as its other side; addresses do not count.
pub(crate) fn peer(span: &Span) -> Option<String> {
    const NAMES: [Keys<1>; 5] = [
        Keys::of(["peer.service"]),
        Keys::of(["messaging.destination.name"]),
        Keys::of(["messaging.destination"]),
        Keys::of(["server.address"]),
        Keys::of(["net.peer.name"]),
    ];
    const INTERFACE: Keys<1> = Keys::of(["rpc.service"]);
    let name = NAMES
        .iter()
        .find_map(|name| span.first(name).filter(|text| !text.is_empty()));
    let name = name
        .filter(|name| name.parse::<std::net::IpAddr>().is_err())
        .map(str::to_owned);
    // The last word of an interface, such as `shop.CartService`, in the way services are named.
    let interface = span
        .first(&INTERFACE)
        .and_then(|full| full.rsplit('.').next());
    name.or_else(|| interface.map(str::to_ascii_lowercase))
}

/// The span of the same service around `index`, as part of the same request; the outermost is what the service was
/// handling.
fn around(trace: &Trace, index: usize) -> Option<usize> {
    let parent = trace.parent(index)?;
    let (outer, inner) = (trace.span(parent)?, trace.span(index)?);
    let hop = outer.kind == SpanKind::Client && inner.kind == SpanKind::Server;
    (outer.service == inner.service && !hop).then_some(parent)
}
