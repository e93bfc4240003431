//! What single occurrences of a call show beyond their times: answers, values, retries, sessions.

pub(crate) mod independence;
pub(crate) mod judge;
pub(crate) mod taint;

use std::hash::{BuildHasher as _, Hash, Hasher as _};

use foldhash::fast::FixedState;

use tidegate_trace::{Group, Keys, Span, SpanKind, Trace};

use crate::calls::{self, Found};
use crate::operation;
use crate::told::{Border, Told};

/// Answers up to this size carry no result that matters.
pub(crate) const SMALL_ANSWER_BYTES: u64 = 64;

/// What one occurrence shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    /// When the caller started to wait, in nanoseconds of the clock of the trace's first span; marked later.
    pub(crate) start: u64,
    /// Whether the answer refuses the request for a reason of business, and whether the caller's
    /// own answer then refuses too.
    pub(crate) rejected: bool,
    pub(crate) request_rejected: bool,
    /// How it was answered, coarsely, when anything tells: class of status and size.
    pub(crate) answer: Option<u64>,
    /// What the caller does afterwards.
    pub(crate) next: u64,
    /// Whether the answer is empty by its status.
    pub(crate) is_empty: bool,
    /// Whether a value that was first seen below the call is seen elsewhere later; `None` when
    /// below it no value is seen that is this request's alone.
    pub(crate) tainted: Option<bool>,
    /// The span of the one call that uses its answer, and nothing else does.
    pub(crate) feeds: Option<u32>,
    /// The entity that the request names, by the identifiers in its path.
    pub(crate) entity: Option<u64>,
    /// Whose session it belongs to.
    pub(crate) session: Option<u64>,
    /// Whether doing it twice is harmless by its method, statement or key; `None` when nothing
    /// tells.
    pub(crate) idempotent: Option<bool>,
    /// How many attempts the caller made for it, this one included, when it is the first.
    pub(crate) attempts: Option<usize>,
    /// How many calls of the same operation the caller made one after the other.
    pub(crate) in_row: usize,
    /// Whether the caller commits a transaction of its own around it.
    pub(crate) in_transaction: bool,
    /// Whether the caller undoes something after it failed.
    pub(crate) compensated: bool,
    /// Whether no request waits for it: it is work that one leaves behind, and no message.
    pub(crate) is_left_behind: bool,
    /// Whether that is not sure: what asks for it had ended, and the request had not when it was answered.
    pub(crate) may_be_joined: bool,
    /// Whether it failed and no call below it did.
    pub(crate) is_origin: bool,
}

/// Looks at one occurrence; values are marked later, when all traces are known.
pub(crate) fn look(
    trace: &Trace,
    (told, has_upsert): (&[Told], bool),
    found: Found,
    names: &[u32],
) -> Marks {
    let Some(call) = trace.span(found.call) else {
        return Marks::default();
    };
    let answer = found.answer.and_then(|index| trace.span(index));
    let entry = told.get(found.entry);
    let told_by = |index: Option<usize>| index.and_then(|index| told.get(index)).copied();
    let sides = [told_by(found.answer), told_by(Some(found.call))];
    let tell = || sides.into_iter().flatten();
    let both = || [answer, Some(call)].into_iter().flatten();
    let siblings = Siblings::of(trace, found.call);
    let failed = calls::has_failed(trace, told, found);
    let within = calls::answers(trace, found).count();
    Marks {
        start: 0,
        rejected: tell().any(|told| told.rejected),
        request_rejected: entry.is_some_and(|told| told.rejected),
        answer: answer_class([answer, Some(call)], sides),
        next: siblings.next(names, entry),
        is_empty: tell().any(|told| matches!(told.http_status, Some(202 | 204))),
        tainted: None,
        feeds: None,
        entity: both().find_map(entity),
        session: session(trace, found.entry),
        idempotent: idempotent([answer, Some(call)], sides, has_upsert),
        attempts: siblings
            .attempts(trace, told, call)
            .map(|each| each + within.saturating_sub(1)),
        in_row: siblings.in_row(trace, told),
        in_transaction: siblings.in_transaction(told),
        compensated: failed && siblings.compensates(trace),
        is_left_behind: false,
        may_be_joined: false,
        is_origin: false,
    }
}

/// The status and the size of the answer, in powers of four; nothing without both. The whole code of HTTP: after a 202
/// a caller may do something else than after a 200.
fn answer_class(spans: [Option<&Span>; 2], told: [Option<Told>; 2]) -> Option<u64> {
    const SIZES: Keys<3> = Keys::of([
        "http.response.body.size",
        "http.response_content_length",
        "response_size",
    ]);
    let both = || spans.into_iter().zip(told);
    let status = both().find_map(|(span, told)| {
        let http = told?.http_status;
        http.or_else(|| span?.grpc_status()?.parse::<u16>().ok())
    });
    let failed = both().any(|(_, told)| told.is_some_and(|told| told.failed));
    let size = both()
        .find_map(|(span, _)| span?.first(&SIZES)?.parse::<u64>().ok())
        .map(|bytes| bytes.max(1).ilog2() / 2);
    if status.is_none() && size.is_none() && !failed {
        return None;
    }
    Some(hash(&(status, size, failed)))
}

pub(crate) fn hash(value: &impl Hash) -> u64 {
    // The seed is fixed, so the numbers are the same in every run.
    FixedState::default().hash_one(value)
}

/// The identifiers in the path of the request.
fn entity(span: &Span) -> Option<u64> {
    if !span.has_attributes(Group::Url) && !span.has_attributes(Group::Http) {
        return None;
    }
    const PATHS: Keys<5> = Keys::of([
        "url.path",
        "http.target",
        "http.path",
        "url.full",
        "http.url",
    ]);
    let path = span.first(&PATHS)?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let identifiers: Vec<&str> = path
        .split('/')
        .filter(|segment| operation::is_identifier(segment))
        .collect();
    (!identifiers.is_empty()).then(|| hash(&identifiers))
}

/// The session, or else the user, that a span on the way to the request names.
fn session(trace: &Trace, entry: usize) -> Option<u64> {
    const NAMES: Keys<3> = Keys::of(["session.id", "enduser.id", "user.id"]);
    let mut span = Some(entry).filter(|_| trace.has_any(&NAMES));
    while let Some(index) = span {
        let named = trace.span(index)?.first(&NAMES);
        if let Some(named) = named {
            return Some(hash(&named));
        }
        span = trace.parent(index);
    }
    None
}

fn idempotent(
    spans: [Option<&Span>; 2],
    told: [Option<Told>; 2],
    has_upsert: bool,
) -> Option<bool> {
    const KEYS: Keys<2> = Keys::of([
        "http.request.header.idempotency-key",
        "http.request.header.idempotency_key",
    ]);
    let mut spans = spans.into_iter().flatten();
    if spans.any(|span| span.first(&KEYS).is_some()) || has_upsert {
        return Some(true);
    }
    match told.into_iter().flatten().find_map(|told| told.method)? {
        "PUT" | "DELETE" | "GET" | "HEAD" => Some(true),
        "POST" | "PATCH" => Some(false),
        _ => None,
    }
}

/// What a span asks of whom: of the span of another service below it, or else its own operation.
fn asked<'t>(trace: &'t Trace, told: &[Told], index: usize) -> Option<(&'t str, &'t str)> {
    let asked = trace.span(told.get(index)?.asks)?;
    Some((&asked.service, &asked.operation))
}

/// The spans beside a call, and the call's place among them.
struct Siblings<'a> {
    all: &'a [usize],
    at: usize,
}

impl<'a> Siblings<'a> {
    fn of(trace: &'a Trace, call: usize) -> Self {
        let all = trace
            .parent(call)
            .map_or(&[][..], |parent| trace.children(parent));
        let at = all.iter().position(|child| *child == call).unwrap_or(0);
        Self { all, at }
    }

    fn later(&self) -> impl Iterator<Item = usize> {
        self.all.iter().copied().skip(self.at + 1).take(64)
    }

    /// What is called afterwards, and how the caller's request ends.
    fn next(&self, names: &[u32], entry: Option<&Told>) -> u64 {
        let mut hasher = FixedState::default().build_hasher();
        for index in self.all.iter().skip(self.at + 1).take(64) {
            names.get(*index).hash(&mut hasher);
        }
        let ended = entry.map(|entry| (entry.failed, entry.rejected));
        ended.hash(&mut hasher);
        hasher.finish()
    }

    /// Calls like this one right after it, until one went well, when none like it is before.
    fn attempts(&self, trace: &Trace, told: &[Told], call: &Span) -> Option<usize> {
        const RESENT: Keys<1> = Keys::of(["http.request.resend_count"]);
        let failed = |index: usize| told.get(index).is_some_and(|told| told.failed);
        let same = |index: usize| {
            let span = trace.span(index);
            span.is_some_and(|span| span.kind == call.kind && span.operation == call.operation)
        };
        let before = self.at.checked_sub(1).and_then(|at| self.all.get(at));
        let resent = call.first(&RESENT);
        if resent.is_some_and(|count| count != "0")
            || before.is_some_and(|index| failed(*index) && same(*index))
        {
            return None;
        }
        let mut attempts = 1;
        let mut went_well = !self.all.get(self.at).is_some_and(|index| failed(*index));
        for index in self.later() {
            if went_well || !same(index) {
                break;
            }
            attempts += 1;
            went_well = !failed(index);
        }
        Some(attempts)
    }

    /// Calls of the same operation that do not overlap.
    fn in_row(&self, trace: &Trace, told: &[Told]) -> usize {
        let mut count = 0;
        let mut end = None;
        let own = self
            .all
            .get(self.at)
            .map(|index| asked(trace, told, *index));
        for index in self.all.iter().take(256) {
            let Some(span) = trace.span(*index) else {
                continue;
            };
            let same = own == Some(asked(trace, told, *index));
            if same && end.is_none_or(|end| span.start >= end) {
                count += 1;
                end = Some(span.end);
            }
        }
        count
    }

    fn in_transaction(&self, told: &[Told]) -> bool {
        let is = |index: usize, border: Border| {
            told.get(index)
                .is_some_and(|told| told.border == Some(border))
        };
        let mut before = self.all.iter().take(self.at);
        before.any(|index| is(*index, Border::Begin))
            && self.later().any(|index| is(index, Border::Commit))
    }

    fn compensates(&self, trace: &Trace) -> bool {
        const UNDOING: [&str; 8] = [
            "cancel",
            "rollback",
            "refund",
            "release",
            "compensate",
            "revert",
            "undo",
            "void",
        ];
        self.later()
            .filter_map(|index| trace.span(index))
            .filter(|span| span.kind != SpanKind::Internal)
            .any(|span| {
                let words = operation::words(&operation::name(span));
                words
                    .first()
                    .is_some_and(|word| UNDOING.contains(&word.as_str()))
            })
    }
}
