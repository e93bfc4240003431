//! SARIF 2.1.0, for code scanning.
//!
//! Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", 2020.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};
use tidegate_model::{CodeInfo, Finding, Place, Severity};

use crate::codes::CODES;

/// Most results of one run that code scanning takes.
const RESULTS_MAX: usize = 25_000;

pub(super) fn render(findings: &[Finding]) -> String {
    let used: BTreeMap<&str, &Finding> = findings.iter().rev().map(|f| (f.code.0, f)).collect();
    let numbers: HashMap<&str, usize> = used.keys().copied().zip(0..).collect();
    let rules: Vec<_> = used.values().map(|finding| rule(finding)).collect();
    let mut seen = HashMap::new();
    let listed = findings.iter().take(RESULTS_MAX);
    let results: Vec<_> = listed
        .map(|finding| result(finding, &numbers, &mut seen))
        .collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "tidegate",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{document:#}\n")
}

fn rule(finding: &Finding) -> Value {
    let code = finding.code.0;
    let known = CODES
        .iter()
        .chain(tidegate_model::CODES)
        .find(|info| info.code.0 == code);
    // Not every crate with rules is known here; every page opens with its title.
    let page = crate::explain(code);
    let of_page = page.and_then(|page| page.lines().next()?.split_once(": "));
    let of_page = of_page.map_or(code, |(_, title)| title);
    let title = known.map_or(of_page, |info: &CodeInfo| info.title);
    let severity = known.map_or(finding.severity, |info| info.severity);
    json!({
        "id": code,
        "shortDescription": {"text": title},
        "help": {"text": page.unwrap_or(title)},
        "defaultConfiguration": {"level": level(severity)},
    })
}

fn result<'a>(
    finding: &'a Finding,
    numbers: &HashMap<&str, usize>,
    seen: &mut HashMap<(&'a str, &'a str, &'a str), u32>,
) -> Value {
    let code = finding.code.0;
    let occurrence = seen
        .entry((code, &finding.place.file, &finding.path))
        .or_insert(0);
    *occurrence += 1;
    // By code, file and element, not by line: an edit above must not make it a new alert.
    let fingerprint = format!(
        "{code}:{}:{}:{occurrence}",
        finding.place.file, finding.path
    );
    let message = match &finding.hint {
        Some(hint) => format!("{}\n{hint}", finding.message),
        None => finding.message.clone(),
    };
    let mut result = json!({
        "ruleId": code,
        "level": level(finding.severity),
        "message": {"text": message},
        "locations": [location(&finding.place)],
        "partialFingerprints": {"tidegateElement/v1": fingerprint},
    });
    if let Some(number) = numbers.get(code) {
        set(&mut result, "ruleIndex", json!(number));
    }
    if !finding.related.is_empty() {
        let related = finding
            .related
            .iter()
            .zip(1_u32..)
            .map(|((place, why), id)| {
                let mut location = location(place);
                set(&mut location, "id", json!(id));
                set(&mut location, "message", json!({"text": why}));
                location
            });
        set(&mut result, "relatedLocations", related.collect());
    }
    result
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

fn location(place: &Place) -> Value {
    json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(&place.file)},
        "region": {
            "startLine": place.line,
            "startColumn": place.column,
            "endColumn": place.column.saturating_add(place.length),
        },
    }})
}

/// A file name as a relative URI reference (RFC 3986): `/` between parts, the rest escaped.
fn uri(file: &str) -> String {
    let relative = file.trim_start_matches(['/', '\\']);
    let relative = relative.strip_prefix("./").unwrap_or(relative);
    let mut uri = String::with_capacity(relative.len());
    for byte in relative.bytes() {
        match byte {
            b'\\' => uri.push('/'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

fn level(severity: Severity) -> &'static str {
    super::summary::word(severity)
}
