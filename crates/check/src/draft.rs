//! Findings while the rules write them.

use std::collections::HashMap;

use tidegate_model::{Code, CodeInfo, Finding, Place, Severity, closest};

/// Most findings of one code that are listed; the last one says how many more there are.
const LISTED_MAX: usize = 10_000;
/// Most comparisons of names for "did you mean" in one check: a design of a million wrong names
/// must not compare each with every right one.
const COMPARISONS_MAX: usize = 2_000_000;

/// What the rules have found so far.
#[derive(Debug)]
pub(crate) struct Findings {
    list: Vec<Finding>,
    counts: HashMap<Code, usize>,
    comparisons_left: usize,
    /// Takes what is not listed.
    unlisted: Vec<Finding>,
}

impl Findings {
    pub(crate) fn new() -> Self {
        Self {
            list: Vec::new(),
            counts: HashMap::new(),
            comparisons_left: COMPARISONS_MAX,
            unlisted: Vec::new(),
        }
    }

    /// Adds a finding of `info` at `place`, about the element at `path`.
    pub(crate) fn add(
        &mut self,
        info: CodeInfo,
        place: &Place,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Draft<'_> {
        let finding = Finding {
            code: info.code,
            severity: info.severity,
            place: place.clone(),
            path: path.into(),
            message: message.into(),
            hint: None,
            related: Vec::new(),
        };
        let count = self.counts.entry(info.code).or_insert(0);
        *count += 1;
        let list = if *count <= LISTED_MAX {
            &mut self.list
        } else {
            self.unlisted.clear();
            &mut self.unlisted
        };
        Draft {
            finding: list.push_mut(finding),
        }
    }

    /// Whether [`Findings::closest`] may still compare.
    pub(crate) fn may_compare(&self) -> bool {
        self.comparisons_left > 0
    }

    /// The word of `known` closest to `written`; `None` when none is close, or after too many
    /// comparisons.
    pub(crate) fn closest<'a>(
        &mut self,
        written: &str,
        known: impl ExactSizeIterator<Item = &'a str>,
    ) -> Option<&'a str> {
        let left = self.comparisons_left.checked_sub(known.len());
        self.comparisons_left = left.unwrap_or(0);
        left?;
        closest(written, known)
    }

    /// All findings, by place, then code, then element.
    pub(crate) fn sorted(mut self) -> Vec<Finding> {
        self.list.sort_by(|a, b| {
            (&a.place, a.code, &a.path, &a.message).cmp(&(&b.place, b.code, &b.path, &b.message))
        });
        for finding in self.list.iter_mut().rev() {
            if let Some(count) = self.counts.remove(&finding.code)
                && let Some(more) = count.checked_sub(LISTED_MAX).filter(|more| *more > 0)
            {
                finding
                    .message
                    .push_str(&format!(" (and {more} more of this code)"));
            }
        }
        self.list
    }
}

/// The finding just added, to be completed.
pub(crate) struct Draft<'a> {
    finding: &'a mut Finding,
}

impl Draft<'_> {
    /// The next step.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        self.finding.hint = Some(hint.into());
        self
    }

    /// Another place that matters, with a word on why.
    pub(crate) fn related(self, place: &Place, why: impl Into<String>) -> Self {
        self.finding.related.push((place.clone(), why.into()));
        self
    }

    /// Weighs less than the code's findings usually do.
    pub(crate) fn weighing(self, severity: Severity) -> Self {
        self.finding.severity = severity;
        self
    }
}
