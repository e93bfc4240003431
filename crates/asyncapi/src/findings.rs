//! Collecting findings: with a limit, and each one once.

use std::collections::HashSet;

use tidegate_base::limit::DESIGN_FINDINGS_MAX;
use tidegate_model::{Code, CodeInfo, Finding, Place, Severity};

use crate::bundle::Bundle;
use crate::node::Span;

/// Longest part of a document that a message repeats, in characters.
const EXCERPT_CHARS_MAX: usize = 80;

/// The reader's code for what is beyond the limit of findings.
const MORE_FINDINGS: Code = Code("E0116");

/// What is wrong, before it is known where.
pub(crate) struct Problem<'a> {
    pub(crate) info: &'a CodeInfo,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) related: Vec<(Span, String)>,
    /// Where it weighs less than its code.
    pub(crate) severity: Option<Severity>,
}

impl<'a> Problem<'a> {
    pub(crate) fn new(info: &'a CodeInfo, message: impl Into<String>) -> Self {
        Self {
            info,
            message: message.into(),
            hint: None,
            related: Vec::new(),
            severity: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn related(mut self, span: Span, why: &str) -> Self {
        self.related.push((span, why.to_owned()));
        self
    }
}

/// The findings so far.
pub(crate) struct Findings<'b> {
    bundle: &'b Bundle,
    kept: Vec<Finding>,
    seen: HashSet<(Code, Place, String)>,
    beyond: usize,
}

impl<'b> Findings<'b> {
    pub(crate) fn new(bundle: &'b Bundle) -> Self {
        Self {
            bundle,
            kept: Vec::new(),
            seen: HashSet::new(),
            beyond: 0,
        }
    }

    /// Adds a finding, unless the same is known: shared parts are looked at from many sides.
    pub(crate) fn report(&mut self, span: Span, path: &str, problem: Problem<'_>) {
        let place = self.bundle.place(span);
        let key = (problem.info.code, place.clone(), problem.message.clone());
        if self.seen.len() < DESIGN_FINDINGS_MAX * 4 && !self.seen.insert(key) {
            return;
        }
        if self.kept.len() >= DESIGN_FINDINGS_MAX {
            self.beyond += 1;
            return;
        }
        let related = problem
            .related
            .into_iter()
            .map(|(span, why)| (self.bundle.place(span), why))
            .collect();
        self.kept.push(Finding {
            code: problem.info.code,
            severity: problem.severity.unwrap_or(problem.info.severity),
            place,
            path: path.to_owned(),
            message: problem.message,
            hint: problem.hint,
            related,
        });
    }

    /// Whether a finding of this code stands in the file.
    pub(crate) fn has(&self, code: Code, file: u32) -> bool {
        let name = self.bundle.name(file);
        self.kept
            .iter()
            .any(|finding| finding.code == code && finding.place.file == name)
    }

    /// Every finding in the order of the places, and one more where some did not fit.
    pub(crate) fn finish(mut self) -> Vec<Finding> {
        self.kept
            .sort_by(|a, b| (&a.place, a.code, &a.path).cmp(&(&b.place, b.code, &b.path)));
        if let (true, Some(last)) = (self.beyond > 0, self.kept.last()) {
            let finding = Finding {
                code: MORE_FINDINGS,
                severity: Severity::Error,
                place: last.place.clone(),
                path: String::new(),
                message: format!("{} more findings are not listed", self.beyond),
                hint: Some("mend the listed ones, then read again".to_owned()),
                related: Vec::new(),
            };
            self.kept.push(finding);
        }
        self.kept
    }
}

/// A part of a document as a message may repeat it: short, and without control characters.
pub(crate) fn excerpt(text: &str) -> String {
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == EXCERPT_CHARS_MAX {
            shown.push('…');
            break;
        }
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}
