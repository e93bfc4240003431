//! Designs in a few lines.

use std::sync::Arc;

use tidegate_contracts::parties::{Matrix, check};
use tidegate_model::{Design, Finding, Severity, Source, read};

/// Reads a design; what is not valid is the test's mistake.
pub(crate) fn design(text: &str, files: &[(&str, &str)]) -> Design {
    let (design, findings) = parts(text, files);
    let errors: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    design.unwrap()
}

/// Reads a design, with what the reader finds.
pub(crate) fn parts(text: &str, files: &[(&str, &str)]) -> (Option<Design>, Vec<Finding>) {
    let source = Source {
        name: Arc::from("design.yaml"),
        text: text.to_owned(),
    };
    let reading = read(&[source], &|path| {
        let found = files.iter().find(|(name, _)| *name == path.path());
        found
            .map(|(_, text)| (*text).to_owned())
            .ok_or_else(|| "there is no such file".to_owned())
    });
    (reading.design, reading.findings)
}

/// What the rules over contracts say, a line each.
pub(crate) fn said(text: &str) -> String {
    let (design, findings) = parts(text, &[]);
    let mut all: Vec<Finding> = findings
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error)
        .collect();
    all.extend(design.iter().flat_map(check));
    let lines = all.iter().map(|finding| {
        let hint = finding.hint.as_deref().unwrap_or("-");
        let place = format!("{}:{}", finding.place.line, finding.place.column);
        format!("{} {place} {}\n  {hint}\n", finding.code, finding.message)
    });
    lines.collect()
}

/// One event with a schema on one line, one producer and one consumer.
pub(crate) fn one(schema: &str, rules: &str, requires: &str) -> String {
    format!(
        "tidegate: 1
system: shop
events:
  E:
    schema: {schema}
    rules: {rules}
services:
  p: {{owner: team-p, publishes: [E]}}
  c: {{owner: team-c, consumes: {{E: {{requires: {requires}}}}}}}
"
    )
}

/// What came of each clause of the only consumer of a design.
pub(crate) fn verdicts(design: &Design) -> Vec<tidegate_contracts::parties::Verdict> {
    let matrix = Matrix::of(design);
    let cells = matrix.events.into_iter().flat_map(|event| event.cells);
    cells
        .flat_map(|cell| cell.clauses)
        .map(|judged| judged.verdict)
        .collect()
}
