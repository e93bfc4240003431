//! What single occurrences of a call show beyond their times: answers, values, retries, sessions.

pub(crate) mod independence;
pub(crate) mod judge;
pub(crate) mod taint;

use std::hash::{BuildHasher as _, Hash, Hasher as _};

use foldhash::fast::FixedState;

use tidegate_trace::{Group, Span, SpanKind, Trace};

use crate::calls::Found;
use crate::operation;

/// Answers up to this size carry no result that matters.
pub(crate) const SMALL_ANSWER_BYTES: u64 = 64;

/// What one occurrence shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    /// When the caller started to wait, in nanoseconds of its clock.
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
    /// Whether the caller was seen not to wait for it.
    pub(crate) is_forgotten: bool,
    /// Whether it failed and no call below it did.
    pub(crate) is_origin: bool,
}

/// Looks at one occurrence; values are marked later, when all traces are known.
pub(crate) fn look(trace: &Trace, found: Found, names: &[u32]) -> Marks {
    let Some(call) = trace.span(found.call) else {
        return Marks::default();
    };
    let answer = found.answer.and_then(|index| trace.span(index));
    let entry = trace.span(found.entry);
    let both = || [answer, Some(call)].into_iter().flatten();
    let siblings = Siblings::of(trace, found.call);
    let failed = call.failed() || answer.is_some_and(Span::failed);
    Marks {
        start: call.start.nanos(),
        rejected: both().any(is_rejected),
        request_rejected: entry.is_some_and(is_rejected),
        answer: answer_class(call, answer),
        next: siblings.next(names, entry),
        is_empty: both().any(|span| matches!(span.http_status(), Some(202 | 204))),
        tainted: None,
        feeds: None,
        entity: both().find_map(entity),
        session: session(trace, found.entry),
        idempotent: idempotent(trace, found.call, call, answer),
        attempts: siblings.attempts(trace, call),
        in_row: siblings.in_row(trace),
        in_transaction: siblings.in_transaction(trace),
        compensated: failed && siblings.compensates(trace),
        is_forgotten: false,
        is_origin: false,
    }
}

/// Whether the answer refuses the request's content: HTTP 4xx, or a gRPC code of that kind.
fn is_rejected(span: &Span) -> bool {
    let http = span
        .http_status()
        .is_some_and(|status| (400..500).contains(&status) && status != 408 && status != 429);
    let grpc = span
        .attribute("rpc.grpc.status_code")
        .is_some_and(|code| ["3", "5", "6", "7", "9", "10", "11", "16"].contains(&code));
    http || grpc
}

/// The class of the status and the size of the answer, in powers of four; nothing without both.
fn answer_class(call: &Span, answer: Option<&Span>) -> Option<u64> {
    const SIZES: [&str; 3] = [
        "http.response.body.size",
        "http.response_content_length",
        "response_size",
    ];
    let both = || [answer, Some(call)].into_iter().flatten();
    let status = both().find_map(|span| {
        let grpc = || span.attribute("rpc.grpc.status_code")?.parse::<u16>().ok();
        span.http_status().map(|code| code / 100).or_else(grpc)
    });
    let failed = both().any(Span::failed);
    let size = both()
        .find_map(|span| span.first_attribute(&SIZES)?.parse::<u64>().ok())
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
    let path = span.first_attribute(&[
        "url.path",
        "http.target",
        "http.path",
        "url.full",
        "http.url",
    ])?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let identifiers: Vec<&str> = path
        .split('/')
        .filter(|segment| operation::is_identifier(segment))
        .collect();
    (!identifiers.is_empty()).then(|| hash(&identifiers))
}

/// The session, or else the user, that a span on the way to the request names.
fn session(trace: &Trace, entry: usize) -> Option<u64> {
    let mut span = Some(entry);
    while let Some(index) = span {
        let named = trace
            .span(index)?
            .first_attribute(&["session.id", "enduser.id", "user.id"]);
        if let Some(named) = named {
            return Some(hash(&named));
        }
        span = trace.parent(index);
    }
    None
}

fn idempotent(trace: &Trace, index: usize, call: &Span, answer: Option<&Span>) -> Option<bool> {
    const KEYS: [&str; 2] = [
        "http.request.header.idempotency-key",
        "http.request.header.idempotency_key",
    ];
    let both = || [answer, Some(call)].into_iter().flatten();
    if both().any(|span| span.first_attribute(&KEYS).is_some()) {
        return Some(true);
    }
    let upsert = trace.subtree(index).take(200).any(|below| {
        let text = trace
            .span(below)
            .filter(|span| span.has_attributes(Group::Database))
            .and_then(|span| span.first_attribute(&["db.query.text", "db.statement"]));
        text.is_some_and(|text| {
            let text = text.to_ascii_uppercase();
            ["ON CONFLICT", "ON DUPLICATE KEY", "MERGE INTO", "UPSERT"]
                .iter()
                .any(|word| text.contains(word))
        })
    });
    if upsert {
        return Some(true);
    }
    match both().find_map(operation::method)? {
        "PUT" | "DELETE" | "GET" | "HEAD" => Some(true),
        "POST" | "PATCH" => Some(false),
        _ => None,
    }
}

/// What a span asks of whom: of the span of another service below it, or else its own operation.
fn asked(trace: &Trace, index: usize) -> Option<(&str, &str)> {
    let span = trace.span(index)?;
    let other = trace.children(index).iter().find_map(|child| {
        let child = trace.span(*child)?;
        (child.service != span.service).then_some(child)
    });
    let asked = other.unwrap_or(span);
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

    fn later<'t>(&self, trace: &'t Trace) -> impl Iterator<Item = &'t Span> {
        let rest = self.all.iter().skip(self.at + 1).take(64);
        rest.filter_map(|index| trace.span(*index))
    }

    /// What is called afterwards, and how the caller's request ends.
    fn next(&self, names: &[u32], entry: Option<&Span>) -> u64 {
        let mut hasher = FixedState::default().build_hasher();
        for index in self.all.iter().skip(self.at + 1).take(64) {
            names.get(*index).hash(&mut hasher);
        }
        let ended = entry.map(|entry| (entry.failed(), is_rejected(entry)));
        ended.hash(&mut hasher);
        hasher.finish()
    }

    /// Calls like this one right after it, until one went well, when none like it is before.
    fn attempts(&self, trace: &Trace, call: &Span) -> Option<usize> {
        let same = |span: &Span| span.operation == call.operation && span.kind == call.kind;
        let before = self.at.checked_sub(1).and_then(|at| self.all.get(at));
        let before = before.and_then(|index| trace.span(*index));
        let resent = call.attribute("http.request.resend_count");
        if resent.is_some_and(|count| count != "0")
            || before.is_some_and(|span| same(span) && span.failed())
        {
            return None;
        }
        let mut attempts = 1;
        let mut went_well = !call.failed();
        for span in self.later(trace) {
            if went_well || !same(span) {
                break;
            }
            attempts += 1;
            went_well = !span.failed();
        }
        Some(attempts)
    }

    /// Calls of the same operation that do not overlap.
    fn in_row(&self, trace: &Trace) -> usize {
        let mut count = 0;
        let mut end = None;
        let own = self.all.get(self.at).map(|index| asked(trace, *index));
        for index in self.all.iter().take(256) {
            let Some(span) = trace.span(*index) else {
                continue;
            };
            let same = own == Some(asked(trace, *index));
            if same && end.is_none_or(|end| span.start >= end) {
                count += 1;
                end = Some(span.end);
            }
        }
        count
    }

    fn in_transaction(&self, trace: &Trace) -> bool {
        let word = |span: &Span, words: &[&str]| {
            const NAMES: [&str; 4] = [
                "db.operation.name",
                "db.operation",
                "db.query.text",
                "db.statement",
            ];
            let of_database = span.has_attributes(Group::Database);
            let text = of_database.then(|| span.first_attribute(&NAMES)).flatten();
            let text = text.unwrap_or(&span.operation);
            let first = text.split(|c: char| !c.is_ascii_alphabetic()).next();
            first.is_some_and(|first| words.iter().any(|word| first.eq_ignore_ascii_case(word)))
        };
        let before = self.all.iter().take(self.at);
        before
            .filter_map(|index| trace.span(*index))
            .any(|span| word(span, &["BEGIN", "START"]))
            && self.later(trace).any(|span| word(span, &["COMMIT"]))
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
        self.later(trace)
            .filter(|span| span.kind != SpanKind::Internal)
            .any(|span| {
                let words = operation::words(&operation::name(span));
                words
                    .first()
                    .is_some_and(|word| UNDOING.contains(&word.as_str()))
            })
    }
}
