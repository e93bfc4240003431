//! JUnit XML: one suite a file, one case a rule and file.

use std::collections::BTreeMap;

use tidegate_model::{Code, Finding, Severity};

use super::summary::word;

pub(super) fn render(findings: &[Finding], sources: &[(&str, &str)]) -> String {
    let mut suites: BTreeMap<&str, BTreeMap<Code, Vec<&Finding>>> = BTreeMap::new();
    for (name, _) in sources {
        suites.entry(name).or_default();
    }
    for finding in findings {
        let suite = suites.entry(&finding.place.file).or_default();
        suite.entry(finding.code).or_default().push(finding);
    }
    let failures: usize = suites.values().map(failures).sum();
    let tests: usize = suites.values().map(tests).sum();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    text.push_str(&format!(
        "<testsuites name=\"tidegate check\" tests=\"{tests}\" failures=\"{failures}\">\n"
    ));
    for (file, cases) in &suites {
        suite(file, cases, &mut text);
    }
    text.push_str("</testsuites>\n");
    text
}

/// A file without findings has one case, which passes: CI systems reject empty reports.
fn tests(cases: &BTreeMap<Code, Vec<&Finding>>) -> usize {
    cases.len().max(1)
}

fn failures(cases: &BTreeMap<Code, Vec<&Finding>>) -> usize {
    cases.values().filter(|findings| fails(findings)).count()
}

/// Errors alone fail, as the check itself does unless it is told otherwise: what is said of the others
/// is the output of a case that passes.
fn fails(findings: &[&Finding]) -> bool {
    findings
        .iter()
        .any(|finding| finding.severity == Severity::Error)
}

fn suite(file: &str, cases: &BTreeMap<Code, Vec<&Finding>>, text: &mut String) {
    let name = escape(file);
    let (tests, failures) = (tests(cases), failures(cases));
    text.push_str(&format!(
        "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\">\n"
    ));
    if cases.is_empty() {
        text.push_str(&format!(
            "    <testcase classname=\"{name}\" name=\"check\"/>\n"
        ));
    }
    for (code, findings) in cases {
        let lines: Vec<_> = findings.iter().map(|finding| line(finding)).collect();
        let body = escape(&lines.join("\n"));
        let open = format!("    <testcase classname=\"{name}\" name=\"{code}\">\n");
        let worst = findings.iter().max_by_key(|finding| finding.severity);
        let (kind, message) = worst.map_or(("note", String::new()), |f| {
            (word(f.severity), escape(&f.message))
        });
        text.push_str(&open);
        if fails(findings) {
            text.push_str(&format!(
                "      <failure type=\"{kind}\" message=\"{message}\">{body}</failure>\n"
            ));
        } else {
            text.push_str(&format!("      <system-out>{body}</system-out>\n"));
        }
        text.push_str("    </testcase>\n");
    }
    text.push_str("  </testsuite>\n");
}

fn line(finding: &Finding) -> String {
    let hint = finding
        .hint
        .as_ref()
        .map(|hint| format!("\n  help: {hint}"))
        .unwrap_or_default();
    let (place, severity) = (&finding.place, word(finding.severity));
    format!("{place}: {severity}: {}{hint}", finding.message)
}

/// Text for XML 1.0, in attributes and elements; characters that XML cannot have are replaced.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\r' => escaped.push_str("&#13;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}
