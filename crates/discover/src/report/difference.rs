//! The difference of two captures, for a terminal and for programs.

use serde_json::json;

use super::table::{Align, Table};
use crate::difference::{Changed, Difference};

/// Most rows of the table.
const ROWS_MAX: usize = 15;

/// One JSON document, schema `tidegate/discover-diff/v1`; times are nanoseconds.
pub(super) fn json(difference: &Difference) -> String {
    let nanos = |seconds: f64| (seconds * 1e9).round();
    let changes = difference.changes.iter().map(|change| {
        json!({
            "service": change.service,
            "operation": change.operation,
            "asks": change.asks,
            "count": {"before": change.count.0, "after": change.count.1},
            "own_critical_ns": {"before": nanos(change.each.0), "after": nanos(change.each.1)},
            "total_ns": nanos(change.total),
        })
    });
    let only = difference
        .only
        .iter()
        .map(|(caller, callee, operation, later)| {
            json!({
                "caller": caller,
                "callee": callee,
                "operation": operation,
                "in": if *later { "after" } else { "before" },
            })
        });
    let document = json!({
        "schema": "tidegate/discover-diff/v1",
        "traces": {"before": difference.traces.0, "after": difference.traces.1},
        "request_ns": {
            "before": nanos(difference.request.0),
            "after": nanos(difference.request.1),
        },
        "changes": changes.collect::<Vec<_>>(),
        "only": only.collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

/// A verdict and a table.
pub(super) fn table(difference: &Difference) -> String {
    let (before, after) = difference.request;
    let mut lines = vec![format!(
        "{} traces before, {} after; a request takes {} on average, and took {}",
        difference.traces.0,
        difference.traces.1,
        time(after),
        time(before)
    )];
    if let Some(first) = difference.changes.first() {
        lines.push(verdict(first));
    }
    lines.push(String::new());
    let rows = difference.changes.iter().take(ROWS_MAX).map(|change| {
        let cells = [
            change.service.clone(),
            change.operation.clone(),
            change.asks.clone().unwrap_or_else(|| "-".to_owned()),
            change.count.1.to_string(),
            time(change.each.0),
            time(change.each.1),
            time(change.total),
        ];
        cells.map(|cell| clean(&cell)).to_vec()
    });
    let table = Table {
        head: vec![
            ("service", Align::Left),
            ("operation", Align::Left),
            ("asks", Align::Left),
            ("count", Align::Right),
            ("before", Align::Right),
            ("after", Align::Right),
            ("in all", Align::Right),
        ],
        rows: rows.collect(),
    };
    lines.extend(table.lines());
    for (caller, callee, operation, later) in &difference.only {
        let when = if *later { "new" } else { "gone" };
        lines.push(clean(&format!("{when}: {caller} -> {callee}: {operation}")));
    }
    lines.join("\n") + "\n"
}

fn verdict(change: &Changed) -> String {
    let slower = if change.total > 0.0 { "more" } else { "less" };
    let place = match &change.asks {
        Some(callee) => format!(
            "while it asks {callee}: on its own side or on the way, as {callee}'s own time is not in it"
        ),
        None => "in its own work".to_owned(),
    };
    clean(&format!(
        "The largest change: {} spends {slower} time in {}, {place}.",
        change.service, change.operation
    ))
}

fn time(seconds: f64) -> String {
    format!("{:.2}ms", seconds * 1e3)
}

fn clean(text: &str) -> String {
    let shown = |letter: char| {
        if letter.is_control() {
            '\u{fffd}'
        } else {
            letter
        }
    };
    text.chars().map(shown).collect()
}
