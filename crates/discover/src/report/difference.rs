//! The difference of two captures, for a terminal and for programs.

use serde_json::{Value, json};

use super::human::clean;
use super::table::{Align, Table};
use crate::difference::{Changed, Difference, Turn, Turned};
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
    let turned = difference.turned.iter().map(|call| {
        json!({
            "caller": call.caller,
            "callee": call.callee,
            "operation": call.operation,
            "turn": call.turn.code(),
            "waited_ns": nanos(call.waited),
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
        "turned": turned.collect::<Vec<_>>(),
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
    lines.push(culprit(difference));
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
    for call in &difference.turned {
        let turn = match call.turn {
            Turn::Gone => "gone",
            Turn::New => "new",
            Turn::LeftBehind => "no longer waited for",
            Turn::WaitedFor => "now waited for",
        };
        let waited = match (call.waited > 0.0, call.turn.is_later()) {
            (false, _) => String::new(),
            (true, false) => format!(", which took {} of a request", time(call.waited)),
            (true, true) => format!(", which takes {} of a request", time(call.waited)),
        };
        let Turned {
            caller,
            callee,
            operation,
            ..
        } = call;
        lines.push(clean(&format!(
            "{turn}: {caller} -> {callee}: {operation}{waited}"
        )));
    }
    lines.join("\n") + "\n"
}

/// What differs most of what chance does not explain.
fn culprit(difference: &Difference) -> String {
    let changes = &difference.changes;
    let most = changes
        .first()
        .filter(|first| matches!(first.verdict(), Verdict::Less | Verdict::More));
    // Of all requests, as the changes are.
    let requests = crate::interval::number(difference.traces.1);
    let most = most.map_or(0.0, |first| first.total.abs());
    if let Some(call) = difference
        .turned
        .first()
        .filter(|call| call.waited * requests > most)
    {
        return turned(call);
    }
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

/// In words, what became of a call that requests waited for, or do now.
fn turned(call: &Turned) -> String {
    let what = match call.turn {
        Turn::Gone => "is not made any more",
        Turn::New => "was not made before",
        Turn::LeftBehind => "is not waited for any more",
        Turn::WaitedFor => "was not waited for before",
    };
    clean(&format!(
        "The largest change: {} of {} {what} by {}; it {} {} of a request.",
        call.operation,
        call.callee,
        call.caller,
        if call.turn.is_later() {
            "takes"
        } else {
            "took"
        },
        time(call.waited)
    ))
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
