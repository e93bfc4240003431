//! What was asked, for readers: what if calls were made otherwise?

use serde_json::{Value, json};

use super::json::{nanos, saving};
use super::table::{Align, Table};
use super::words::{duration, estimate};
use crate::discovery::Discovery;
use crate::supposition::{Answer, Supposed};

/// The heading of the answers.
pub(super) const TITLE: &str = "What was asked";

/// What the table says, in a sentence.
pub(super) const MEANING: &str =
    "By how much requests would be shorter, and with a minus longer, if just this were otherwise.";

/// The heads of the columns.
pub(super) const HEAD: [&str; 7] = [
    "what if",
    "calls",
    "requests",
    "differ",
    "mean of today's",
    "p95",
    "p99",
];

/// The cells of each answer: a row for each endpoint.
pub(super) fn rows(discovery: &Discovery) -> Vec<[String; 7]> {
    discovery
        .answers
        .iter()
        .flat_map(|answer| match answer.savings.as_slice() {
            [] => vec![nothing(discovery, answer)],
            savings => savings
                .iter()
                .map(|saving| {
                    [
                        answer.supposition.to_string(),
                        answer.calls.to_string(),
                        format!("{} {}", saving.service, saving.operation),
                        format!("{} of {}", saving.affected, saving.requests),
                        format!("{} of {}", estimate(saving.mean), duration(saving.before)),
                        estimate(saving.p95),
                        estimate(saving.p99),
                    ]
                })
                .collect(),
        })
        .collect()
}

fn nothing(discovery: &Discovery, answer: &Answer) -> [String; 7] {
    let why = match &discovery.completeness.withheld {
        Some(reason) => format!("withheld: {reason}"),
        None => "no request waits for them".to_owned(),
    };
    let none = String::new;
    let calls = answer.calls.to_string();
    [
        answer.supposition.to_string(),
        calls,
        why,
        none(),
        none(),
        none(),
        none(),
    ]
}

pub(super) fn table(discovery: &Discovery) -> Table {
    let column = |(index, name): (usize, &&'static str)| match index {
        0 | 2 => (*name, Align::Left),
        _ => (*name, Align::Right),
    };
    let rows = rows(discovery).into_iter();
    Table {
        head: HEAD.iter().enumerate().map(column).collect(),
        rows: rows
            .map(|cells| cells.map(|cell| super::human::clean(&cell)).to_vec())
            .collect(),
    }
}

pub(super) fn answer(answer: &Answer) -> Value {
    let by = match answer.supposition.supposed {
        Supposed::Slowed(by) => Some(nanos(by)),
        Supposed::Asynchronous | Supposed::Parallel | Supposed::Removed => None,
    };
    json!({
        "change": answer.supposition.supposed.word(),
        "by_ns": by,
        "callee": answer.supposition.callee,
        "operation": answer.supposition.operation,
        "calls": answer.calls,
        "savings": answer.savings.iter().map(saving).collect::<Vec<_>>(),
    })
}
