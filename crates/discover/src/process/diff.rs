//! Two discoveries of one process compared: before a change, and after.

use std::time::Duration;

use serde_json::{Value, json};

use super::found::{Cause, Estimate, ProcessDiscovery};
use super::report::words::{long, per_day};
use crate::Quantile;
use crate::report::ReportFormat;
use crate::report::human::clean;
use crate::report::markdown::text;
use crate::report::table::{Align, Table};
use crate::report::words::percent;
use crate::verdict::Verdict;

/// Most activities that are compared.
const ACTIVITIES_MAX: usize = 30;

/// One number on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// What it is.
    pub what: String,
    /// Before, in words.
    pub before: String,
    /// After, in words.
    pub after: String,
    /// What that says. Intervals of 95 % that do not overlap are a difference.
    pub verdict: Verdict,
}

/// Compares two discoveries number by number.
#[must_use]
pub fn compare(before: &ProcessDiscovery, after: &ProcessDiscovery) -> Vec<Compared> {
    let mut rows = vec![
        plain("cases", before.cases.to_string(), after.cases.to_string()),
        plain("cases a day", a_day(before), a_day(after)),
        quantiles("a case, median", before.cycle.p50, after.cycle.p50),
        quantiles("a case, 95th percentile", before.cycle.p95, after.cycle.p95),
    ];
    rows.push(estimates(
        "work of work and waiting",
        before.efficiency,
        after.efficiency,
    ));
    for cause in Cause::ALL {
        let share = |one: &ProcessDiscovery| {
            let causes = one.causes.as_ref()?;
            Some(causes.iter().find(|share| share.cause == cause)?.share)
        };
        let name = format!("waiting for {}", cause.code());
        rows.push(estimates(&name, share(before), share(after)));
    }
    let mut names: Vec<&str> = before
        .activities
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    for one in &after.activities {
        if !names.contains(&one.name.as_str()) {
            names.push(&one.name);
        }
    }
    for name in names.into_iter().take(ACTIVITIES_MAX) {
        let find = |side: &ProcessDiscovery| {
            let found = side.activities.iter().find(|one| one.name == name);
            found.map(|one| one.waiting.p50)
        };
        let what = format!("wait before {name}, median");
        rows.push(match (find(before), find(after)) {
            (Some(one), Some(two)) => quantiles(&what, one, two),
            (one, two) => plain(&what, there(one), there(two)),
        });
    }
    rows
}

fn a_day(side: &ProcessDiscovery) -> String {
    per_day(super::load::per_day(side.cases, side.window))
}

fn there(quantile: Option<Quantile>) -> String {
    quantile.map_or_else(|| "absent".to_owned(), shown)
}

fn plain(what: &str, before: String, after: String) -> Compared {
    Compared {
        what: what.to_owned(),
        before,
        after,
        verdict: Verdict::Unknown,
    }
}

fn shown(quantile: Quantile) -> String {
    match quantile {
        Quantile::Estimated {
            value, low, high, ..
        } => {
            format!("{} ({} to {})", long(value), long(low), long(high))
        }
        Quantile::NotEstimable { n, needed } => format!("not estimable (n={n}, needs {needed})"),
    }
}

fn quantiles(what: &str, before: Quantile, after: Quantile) -> Compared {
    let ends = |quantile: Quantile| -> Option<(Duration, Duration)> {
        match quantile {
            Quantile::Estimated { low, high, .. } => Some((low, high)),
            Quantile::NotEstimable { .. } => None,
        }
    };
    Compared {
        what: what.to_owned(),
        before: shown(before),
        after: shown(after),
        verdict: verdict(ends(before), ends(after)),
    }
}

fn estimates(what: &str, before: Option<Estimate>, after: Option<Estimate>) -> Compared {
    let words = |estimate: Option<Estimate>| {
        estimate.map_or_else(
            || "not in the log".to_owned(),
            |one| {
                format!(
                    "{} ({} to {})",
                    percent(one.value),
                    percent(one.low),
                    percent(one.high)
                )
            },
        )
    };
    let ends = |estimate: Option<Estimate>| estimate.map(|one| (one.low, one.high));
    Compared {
        what: what.to_owned(),
        before: words(before),
        after: words(after),
        verdict: verdict(ends(before), ends(after)),
    }
}

fn verdict<T: PartialOrd>(before: Option<(T, T)>, after: Option<(T, T)>) -> Verdict {
    match (before, after) {
        (Some(before), Some(after)) if after.1 < before.0 => Verdict::Less,
        (Some(before), Some(after)) if after.0 > before.1 => Verdict::More,
        (Some(_), Some(_)) => Verdict::NoDifference,
        _ => Verdict::Unknown,
    }
}

/// The comparison as text; as HTML it is Markdown's.
#[must_use]
pub fn report_diff(rows: &[Compared], format: ReportFormat) -> String {
    match format {
        ReportFormat::Human => human(rows),
        ReportFormat::Json => json(rows),
        ReportFormat::Markdown | ReportFormat::Html => markdown(rows),
    }
}

fn human(rows: &[Compared]) -> String {
    let table = Table {
        head: vec![
            ("", Align::Left),
            ("before", Align::Right),
            ("after", Align::Right),
            ("is", Align::Left),
        ],
        rows: rows
            .iter()
            .map(|row| {
                vec![
                    clean(&row.what),
                    row.before.clone(),
                    row.after.clone(),
                    row.verdict.word().to_owned(),
                ]
            })
            .collect(),
    };
    table.lines().join("\n") + "\n"
}

fn markdown(rows: &[Compared]) -> String {
    let mut out =
        "# Before and after\n\n| | before | after | is |\n|---|---:|---:|---|\n".to_owned();
    for row in rows {
        let verdict = row.verdict.word();
        out.push_str(&format!(
            "| {} | {} | {} | {verdict} |\n",
            text(&row.what),
            row.before,
            row.after
        ));
    }
    out
}

fn json(rows: &[Compared]) -> String {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "what": row.what,
                "before": row.before,
                "after": row.after,
                "verdict": row.verdict.code(),
            })
        })
        .collect();
    let document = json!({"schema": "tidegate/process-diff/v1", "compared": rows});
    format!("{document:#}\n")
}
