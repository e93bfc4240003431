//! Workflow commands of GitHub Actions.
//!
//! Source: GitHub, "Workflow commands for GitHub Actions": `::error file=,line=,…::message`, with
//! `%`, line ends and, in properties, `:` and `,` escaped.

use tidegate_model::{Finding, Severity};

pub(super) fn render(findings: &[Finding]) -> String {
    findings.iter().map(command).collect()
}

fn command(finding: &Finding) -> String {
    let name = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let place = &finding.place;
    // Files are found by their paths from the root of the repository, letter by letter.
    let file = place.file.trim_start_matches("./");
    let message = match &finding.hint {
        Some(hint) => format!("{}\nhelp: {hint}", finding.message),
        None => finding.message.clone(),
    };
    format!(
        "::{name} file={},line={},col={},endColumn={},title={}::{}\n",
        property(file),
        place.line,
        place.column,
        place.column.saturating_add(place.length),
        property(&format!("{} {}", finding.code, finding.path)),
        data(&message),
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
