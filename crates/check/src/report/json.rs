//! One JSON document: the summary and every finding.

use serde::Serialize;
use tidegate_model::Finding;

use super::summary::Summary;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    summary: Summary,
    findings: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    code: &'a str,
    severity: tidegate_model::Severity,
    message: &'a str,
    path: &'a str,
    place: &'a tidegate_model::Place,
    hint: Option<&'a str>,
    related: Vec<Related<'a>>,
}

#[derive(Serialize)]
struct Related<'a> {
    place: &'a tidegate_model::Place,
    message: &'a str,
}

pub(super) fn render(findings: &[Finding], sources: &[(&str, &str)]) -> String {
    let document = Document {
        schema: "tidegate/check/v1",
        summary: Summary::of(findings, sources),
        findings: findings.iter().map(entry).collect(),
    };
    // A document of strings and numbers always serialises.
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn entry(finding: &Finding) -> Entry<'_> {
    let related = finding
        .related
        .iter()
        .map(|(place, message)| Related { place, message });
    Entry {
        code: finding.code.0,
        severity: finding.severity,
        message: &finding.message,
        path: &finding.path,
        place: &finding.place,
        hint: finding.hint.as_deref(),
        related: related.collect(),
    }
}
