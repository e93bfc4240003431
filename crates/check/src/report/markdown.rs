//! A Markdown table, for the summary of a CI job.

use tidegate_model::Finding;

use super::summary::{Summary, word};

/// Most rows: summaries of CI jobs are limited to 1 MiB.
const ROWS_MAX: usize = 1_000;

pub(super) fn render(findings: &[Finding], sources: &[(&str, &str)]) -> String {
    let mut text = format!("**{}**\n", Summary::of(findings, sources));
    if findings.is_empty() {
        return text;
    }
    text.push_str("\n| severity | code | place | finding | next step |\n|---|---|---|---|---|\n");
    for finding in findings.iter().take(ROWS_MAX) {
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} |\n",
            word(finding.severity),
            finding.code,
            cell(&finding.place.to_string()),
            cell(&finding.message),
            cell(finding.hint.as_deref().unwrap_or_default()),
        ));
    }
    if let Some(more) = findings
        .len()
        .checked_sub(ROWS_MAX)
        .filter(|more| *more > 0)
    {
        text.push_str(&format!("\n… and {more} more\n"));
    }
    text
}

/// Text for one cell. What stands between back-ticks stays code; the rest cannot be markup.
fn cell(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\r' | '\n' => escaped.push(' '),
            '|' => escaped.push_str("\\|"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            other => escaped.push(other),
        }
    }
    escaped
}
