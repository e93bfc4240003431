//! The difference of two captures, for a terminal and for programs.

use serde_json::{Value, json};

use super::human::clean;
use super::table::{Align, Table};
use crate::difference::{Changed, Difference};
use crate::interval::Estimate;
use crate::verdict::Verdict;

/// Most rows of the table.
const ROWS_MAX: usize = 15;

/// One JSON document, schema `tidegate/discover-diff/v1`; times are nanoseconds.
pub(super) fn json(difference: &Difference) -> String {
    let changes = difference.changes.iter().map(|change| {
        json!({
            "service": change.service,
            "operation": change.operation,
            "asks": change.asks,
            "count": {"before": change.count.0, "after": change.count.1},
            "own_critical_ns": {"before": nanos(change.each.0), "after": nanos(change.each.1)},
            "longer_ns": estimate(change.longer),
            "verdict": change.verdict().code(),
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
            "longer": estimate(difference.longer),
            "verdict": difference.verdict().code(),
        },
        "changes": changes.collect::<Vec<_>>(),
        "only": only.collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

/// Nanoseconds; never -0.0, which is a number to JSON and none to readers.
fn nanos(seconds: f64) -> f64 {
    (seconds * 1e9).round() + 0.0
}

fn estimate(estimate: Estimate) -> Value {
    match estimate {
        Estimate::Estimated {
            value,
            low,
            high,
            n,
        } => json!({"value": nanos(value), "low": nanos(low), "high": nanos(high), "n": n}),
        Estimate::NotEstimable { n, needed } => {
            json!({"value": null, "low": null, "high": null, "n": n, "needed": needed})
        }
    }
}

/// A verdict and a table.
pub(super) fn table(difference: &Difference) -> String {
    let (before, after) = difference.request;
    let mut lines = vec![format!(
        "{} traces before, {} after; a request takes {} on average, and took {}: {}",
        difference.traces.0,
        difference.traces.1,
        time(after),
        time(before),
        difference.verdict().word_or_few()
    )];
    lines.push(culprit(&difference.changes));
    lines.push(String::new());
    let rows = difference.changes.iter().take(ROWS_MAX).map(|change| {
        let cells = [
            change.service.clone(),
            change.operation.clone(),
            change.asks.clone().unwrap_or_else(|| "-".to_owned()),
            change.count.1.to_string(),
            time(change.each.0),
            time(change.each.1),
            longer(change.longer),
            time(change.total),
            change.verdict().word_or_few().to_owned(),
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
            ("longer by", Align::Right),
            ("in all", Align::Right),
            ("is", Align::Left),
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

/// What differs most of what chance does not explain.
fn culprit(changes: &[Changed]) -> String {
    let has = |wanted: Verdict| changes.iter().any(|change| change.verdict() == wanted);
    match changes.first() {
        Some(first) if matches!(first.verdict(), Verdict::Less | Verdict::More) => verdict(first),
        Some(_) if has(Verdict::NoDifference) => {
            "Nothing differs by more than chance explains: the 95 % intervals, which hold together, \
             all have zero in them."
                .to_owned()
        }
        _ => "There are too few requests to tell a difference from chance.".to_owned(),
    }
}

fn longer(estimate: Estimate) -> String {
    match estimate {
        Estimate::Estimated {
            value, low, high, ..
        } => format!("{} ({} to {})", time(value), time(low), time(high)),
        Estimate::NotEstimable { n, needed } => format!("n={n}, needs {needed}"),
    }
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
        "The largest change that chance does not explain: {} spends {slower} time in {}, {place}.",
        change.service, change.operation
    ))
}

fn time(seconds: f64) -> String {
    // Without the sign of what is nothing once it is rounded.
    format!("{:.2}ms", (seconds * 1e5).round() / 1e2 + 0.0)
}
