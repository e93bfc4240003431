//! What every span of a trace tells by its texts, read once: many questions are asked of each.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use tidegate_trace::{Group, Keys, Span, Trace};

use crate::operation;
use crate::statement::{self, Statement};

/// Most texts of which it is remembered what they say.
const TEXTS_MAX: usize = 1 << 16;

/// What one span tells.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    pub(crate) http_status: Option<u16>,
    /// Whether it failed for a reason of infrastructure.
    pub(crate) failed: bool,
    /// Whether the answer refuses the request's content.
    pub(crate) rejected: bool,
    pub(crate) method: Option<&'static str>,
    /// What it does to a database.
    pub(crate) statement: Option<Statement>,
    /// Whether doing its statement twice is harmless.
    pub(crate) is_upsert: bool,
    pub(crate) border: Option<Border>,
    /// The span of another service below it that it asks, or itself.
    pub(crate) asks: usize,
}

/// Where a transaction begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Border {
    Begin,
    Commit,
}

/// What one text says.
#[derive(Clone, Copy, Debug)]
struct Says {
    method: Option<&'static str>,
    by_name: Option<Statement>,
    by_first_word: Option<Statement>,
    is_upsert: bool,
    border: Option<Border>,
}

impl Says {
    fn of(text: &str) -> Self {
        Self {
            method: operation::method_in(text),
            by_name: statement::by_name(text),
            by_first_word: statement::first_word_statement(text),
            is_upsert: is_upsert(text),
            border: border(text),
        }
    }
}

/// Reads spans, and remembers what their texts say: texts that are the same are mostly shared.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// By where the text lies. It is held, so that no other one comes to lie there.
    texts: HashMap<usize, (Arc<str>, Says), RandomState>,
}

impl Reader {
    /// What each span of the trace tells.
    pub(crate) fn read(&mut self, trace: &Trace, told: &mut Vec<Told>) {
        told.clear();
        let spans = trace.spans().iter().enumerate();
        told.extend(spans.map(|(index, span)| Told {
            asks: asks(trace, index, span),
            ..self.span(span)
        }));
    }

    fn span(&mut self, span: &Span) -> Told {
        const STATEMENTS: Keys<5> = Keys::of([
            "db.operation.name",
            "db.operation",
            "db.query.text",
            "db.statement",
            "sql.query",
        ]);
        const WORDS: Keys<4> = Keys::of([
            "db.operation.name",
            "db.operation",
            "db.query.text",
            "db.statement",
        ]);
        const QUERIES: Keys<2> = Keys::of(["db.query.text", "db.statement"]);
        let name = self.says(&span.operation);
        let statement = span.attributes.first(&STATEMENTS);
        let statement = statement.and_then(|text| self.says(text).by_first_word);
        let of_database = span.has_attributes(Group::Database);
        let query = span.attributes.first(&QUERIES).filter(|_| of_database);
        let words = span.attributes.first(&WORDS).filter(|_| of_database);
        let http_status = span.http_status();
        Told {
            http_status,
            failed: span.failed_with(http_status),
            rejected: is_rejected(span, http_status),
            method: operation::method_attribute(span).or(name.method),
            statement: statement.or(name.by_name),
            is_upsert: query.is_some_and(|text| self.says(text).is_upsert),
            border: words.map_or(name, |text| self.says(text)).border,
            asks: 0,
        }
    }

    fn says(&mut self, text: &Arc<str>) -> Says {
        let place = text.as_ptr().addr();
        if let Some((_, says)) = self.texts.get(&place) {
            return *says;
        }
        let says = Says::of(text);
        if self.texts.len() < TEXTS_MAX {
            self.texts.insert(place, (Arc::clone(text), says));
        }
        says
    }
}

/// The first child of another service, or else the span itself.
fn asks(trace: &Trace, index: usize, span: &Span) -> usize {
    let mut children = trace.children(index).iter().copied();
    let other = children.find(|child| {
        let child = trace.span(*child);
        child.is_some_and(|child| child.service != span.service)
    });
    other.unwrap_or(index)
}

/// Whether the answer refuses the request's content: HTTP 4xx, or a gRPC code of that kind.
fn is_rejected(span: &Span, http_status: Option<u16>) -> bool {
    let http = http_status
        .is_some_and(|status| (400..500).contains(&status) && status != 408 && status != 429);
    let grpc = span
        .grpc_status()
        .is_some_and(|code| ["3", "5", "6", "7", "9", "10", "11", "16"].contains(&code));
    http || grpc
}

fn is_upsert(text: &str) -> bool {
    let text = text.to_ascii_uppercase();
    ["ON CONFLICT", "ON DUPLICATE KEY", "MERGE INTO", "UPSERT"]
        .iter()
        .any(|word| text.contains(word))
}

fn border(text: &str) -> Option<Border> {
    let first = text.split(|c: char| !c.is_ascii_alphabetic()).next()?;
    let is = |words: &[&str]| words.iter().any(|word| first.eq_ignore_ascii_case(word));
    if is(&["BEGIN", "START"]) {
        Some(Border::Begin)
    } else {
        is(&["COMMIT"]).then_some(Border::Commit)
    }
}
