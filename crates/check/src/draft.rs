//! Findings while the rules write them.

use tidegate_model::{CodeInfo, Finding, Place, Severity};

/// What the rules have found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Finding>,
}

impl Findings {
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
        Draft {
            finding: self.list.push_mut(finding),
        }
    }

    /// All findings, by place, then code, then element.
    pub(crate) fn sorted(mut self) -> Vec<Finding> {
        self.list.sort_by(|a, b| {
            (&a.place, a.code, &a.path, &a.message).cmp(&(&b.place, b.code, &b.path, &b.message))
        });
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
