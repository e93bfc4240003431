//! The discovery as Markdown.

use tidegate_base::format_duration;

use super::{asked, dependence, words};
use crate::discovery::{Call, Discovery, Weight};

/// Most other calls that are listed.
const ROWS_MAX: usize = 30;

pub(super) fn render(discovery: &Discovery) -> String {
    let mut lines = vec!["# What could become events".to_owned(), String::new()];
    lines.extend(
        words::scope(discovery)
            .iter()
            .map(|line| format!("- {}", text(line))),
    );
    lines.extend([
        String::new(),
        format!("**{}**", text(&words::verdict(discovery))),
        String::new(),
    ]);
    lines.push(words::PREDICTED.to_owned());
    let (feasible, others): (Vec<&Call>, Vec<&Call>) = discovery
        .calls
        .iter()
        .partition(|call| call.class.is_feasible());
    for (place, call) in feasible.iter().enumerate() {
        candidate(&mut lines, place + 1, discovery, call);
    }
    answers(&mut lines, discovery);
    available(&mut lines, discovery);
    if !others.is_empty() {
        lines.extend(["", "## Calls that stay", ""].map(str::to_owned));
        lines.push("| call | operation | during | calls | critical | because |".to_owned());
        lines.push("|---|---|---|---:|---:|---|".to_owned());
        lines.extend(others.iter().take(ROWS_MAX).map(|call| {
            format!(
                "| {} → {} | {} | {} | {} | {} | {} |",
                text(&call.caller),
                text(&call.callee),
                text(&call.callee_operation),
                text(&call.caller_operation),
                call.count,
                format_duration(call.critical),
                text(&call.class.explanation())
            )
        }));
        if others.len() > ROWS_MAX {
            lines.extend([
                String::new(),
                format!("… and {} more.", others.len() - ROWS_MAX),
            ]);
        }
    }
    lines.join("\n") + "\n"
}

fn answers(lines: &mut Vec<String>, discovery: &Discovery) {
    let rows = asked::rows(discovery);
    if rows.is_empty() {
        return;
    }
    lines.extend([String::new(), format!("## {}", asked::TITLE), String::new()]);
    lines.extend([asked::MEANING.to_owned(), String::new()]);
    lines.push(format!("| {} |", asked::HEAD.join(" | ")));
    lines.push("|---|---:|---|---:|---:|---:|---:|".to_owned());
    lines.extend(rows.into_iter().map(|cells| {
        let cells = cells.map(|cell| text(&cell));
        format!("| {} |", cells.join(" | "))
    }));
}

/// How available endpoints are, and by what.
fn available(lines: &mut Vec<String>, discovery: &Discovery) {
    let rows = dependence::rows(discovery);
    if rows.is_empty() {
        return;
    }
    lines.extend(["", "## How available requests are, and by what", ""].map(str::to_owned));
    lines.push(dependence::AVAILABILITY.to_owned());
    lines.push(String::new());
    lines.push(format!("| {} |", dependence::HEAD.join(" | ")));
    lines.push("|---|---:|---|---:|---:|---:|---:|".to_owned());
    lines.extend(rows.into_iter().map(|(endpoint, one)| {
        let cells = dependence::cells(endpoint, one).map(|cell| text(&cell));
        format!("| {} |", cells.join(" | "))
    }));
}

fn candidate(lines: &mut Vec<String>, place: usize, discovery: &Discovery, call: &Call) {
    let title = format!(
        "## {place}. {} → {}",
        text(&call.caller),
        text(&call.callee)
    );
    lines.extend([String::new(), title, String::new()]);
    lines.push(format!(
        "`{}`: {}.",
        call.class.code(),
        call.class.explanation()
    ));
    lines.push(String::new());
    let facts = [
        ("operation", text(&call.callee_operation)),
        ("during", text(&call.caller_operation)),
        (
            "volume",
            format!(
                "{} calls, {}, at most {} in a second",
                call.count,
                words::rate(call.rate),
                call.peak
            ),
        ),
        ("waiting, p50", words::quantile(call.latency.p50)),
        ("waiting, p99", words::quantile(call.latency.p99)),
        (
            "on the critical path",
            format!(
                "{} in all, {}, {} of all waiting",
                format_duration(call.critical),
                words::per_second(call.critical_per_second),
                words::percent(call.critical_share)
            ),
        ),
        ("failures", words::proportion(call.failures)),
        ("traces", text(&call.exemplars.join(" "))),
    ];
    lines.extend(["| | |".to_owned(), "|---|---|".to_owned()]);
    lines.extend(
        facts
            .iter()
            .map(|(name, value)| format!("| {name} | {value} |")),
    );
    let mut savings = words::saving(discovery, call);
    savings.extend(dependence::lines(call));
    lines.extend(
        savings
            .iter()
            .map(|(name, value)| format!("| {name} | {} |", text(value))),
    );
    lines.push(String::new());
    for evidence in &call.evidence {
        let sign = match evidence.weight {
            Weight::Veto | Weight::Against => "against",
            Weight::For => "for",
            Weight::Benefit => "benefit",
        };
        let id = evidence.signal.id();
        lines.push(format!("- **{sign}**: {} ({id})", text(&evidence.claim)));
    }
    lines.extend(
        call.missing
            .iter()
            .map(|missing| format!("- **unknown**: {}", text(missing))),
    );
}

/// Text of a capture without a meaning in Markdown or HTML, on one line.
pub(crate) fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for letter in raw.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' | '~' => {
                out.push('\\');
                out.push(letter);
            }
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}
