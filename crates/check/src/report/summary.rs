//! How many findings there are.

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;
use tidegate_model::{Finding, Severity};

/// The number of findings of each severity, and of the files looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Findings that fail a check.
    pub errors: usize,
    /// Findings that fail a check that asks for it.
    pub warnings: usize,
    /// Findings that never fail a check.
    pub notes: usize,
    /// The files looked at: those given, and those that findings are in.
    pub files: usize,
}

impl Summary {
    /// Counts `findings` in `sources`.
    #[must_use]
    pub fn of(findings: &[Finding], sources: &[(&str, &str)]) -> Self {
        let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
        let given = sources.iter().map(|(name, _)| *name);
        let files: HashSet<_> = given
            .chain(findings.iter().map(|f| &*f.place.file))
            .collect();
        Self {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
            files: files.len(),
        }
    }
}

/// `3 errors, 1 warning in 2 files`; `no findings in 1 file`.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.errors, "error"),
            (self.warnings, "warning"),
            (self.notes, "note"),
        ];
        let said: Vec<_> = counts
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| counted(*n, word))
            .collect();
        let said = if said.is_empty() {
            "no findings".to_owned()
        } else {
            said.join(", ")
        };
        write!(f, "{said} in {}", counted(self.files, "file"))
    }
}

fn counted(number: usize, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {word}{plural}")
}

/// The word for a severity.
pub(super) fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}
