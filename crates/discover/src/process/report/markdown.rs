//! The discovery as Markdown, for a wiki or the summary of a CI job.

use super::words;
use crate::process::found::{Candidate, CandidateClass, ProcessDiscovery};
use crate::process::streams::nanos_words;
use crate::report::markdown::text;
use crate::report::words::{percent, short_quantile};

/// Most rows of a table.
const ROWS_MAX: usize = 20;

pub(super) fn render(discovery: &ProcessDiscovery) -> String {
    let mut lines = vec![
        "# Where cases wait, and what could become events".to_owned(),
        String::new(),
    ];
    lines.push(format!("**{}**", text(&words::verdict(discovery))));
    lines.push(String::new());
    lines.extend(
        words::scope(discovery)
            .iter()
            .map(|line| format!("- {}", text(line))),
    );
    if let Some(causes) = &discovery.causes {
        lines.push(String::new());
        lines.push("## Why work waits".to_owned());
        lines.push(String::new());
        lines.push("| cause | waiting | share | efficiency without |".to_owned());
        lines.push("|---|---:|---:|---:|".to_owned());
        lines.extend(causes.iter().map(|one| {
            format!(
                "| {}: {} | {} | {} | {:+.1} points |",
                one.cause.code(),
                one.cause.words(),
                words::long(one.total),
                words::share(one.share),
                one.gain * 100.0
            )
        }));
    }
    candidates(&mut lines, discovery);
    lines.push(String::new());
    lines.push("## Transitions, by waiting".to_owned());
    lines.push(String::new());
    lines.push("| transition | times | p50 | p95 | waiting | share |".to_owned());
    lines.push("|---|---:|---:|---:|---:|---:|".to_owned());
    lines.extend(discovery.arcs.iter().take(ROWS_MAX).map(|arc| {
        format!(
            "| {} | {} | {} | {} | {} | {} |",
            text(&words::arc(arc)),
            arc.count,
            short_quantile(arc.waiting.p50),
            short_quantile(arc.waiting.p95),
            words::long(arc.total),
            percent(arc.share)
        )
    }));
    if !discovery.missing.is_empty() {
        lines.push(String::new());
        lines.push("## Not in the logs".to_owned());
        lines.push(String::new());
        lines.extend(
            discovery
                .missing
                .iter()
                .map(|missing| format!("- {}", text(missing))),
        );
    }
    lines.join("\n") + "\n"
}

fn candidates(lines: &mut Vec<String>, discovery: &ProcessDiscovery) {
    lines.push(String::new());
    lines.push("## Parts of the process".to_owned());
    lines.push(String::new());
    lines.push(
        "| class | part | events a day | waiting | an event takes away | saves a case | because |"
            .to_owned(),
    );
    lines.push("|---|---|---:|---:|---:|---:|---|".to_owned());
    lines.extend(discovery.candidates.iter().take(ROWS_MAX).map(row));
}

fn row(candidate: &Candidate) -> String {
    let because = match &candidate.class {
        CandidateClass::Stays { reason } => reason.clone(),
        CandidateClass::Unknown { missing } => missing.clone(),
        _ => candidate
            .evidence
            .first()
            .map(|reason| reason.claim.clone())
            .unwrap_or_default(),
    };
    let saves = candidate
        .change
        .as_ref()
        .map_or_else(|| "-".to_owned(), |change| nanos_words(change.mean.value));
    format!(
        "| {} | {} | {} | {} | {} | {saves} | {} |",
        candidate.class.code(),
        text(&words::candidate(candidate)),
        words::per_day(candidate.per_day),
        words::long(candidate.waiting),
        words::long(candidate.removable),
        text(&because)
    )
}
