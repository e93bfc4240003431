//! Collecting findings: with a limit, so that no input fills the memory with complaints.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use tidegate_base::limit::DESIGN_FINDINGS_MAX;

use crate::code::{CodeInfo, MORE_FINDINGS};
use crate::finding::{Finding, Place};
use crate::yaml::Span;

/// What is wrong with a value, before it is known where the value stands.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) info: &'static CodeInfo,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(info: &'static CodeInfo, message: impl Into<String>) -> Self {
        Self {
            info,
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The findings so far.
#[derive(Debug)]
pub(crate) struct Findings {
    file_names: Vec<Arc<str>>,
    kept: Vec<Finding>,
    beyond: usize,
}

impl Findings {
    /// No findings yet in files of these names; spans refer to them by index.
    pub(crate) fn in_files(file_names: Vec<Arc<str>>) -> Self {
        Self {
            file_names,
            kept: Vec::new(),
            beyond: 0,
        }
    }

    /// For what is read beside the rest, in the same files.
    pub(crate) fn of_a_part(&self) -> Self {
        Self::in_files(self.file_names.clone())
    }

    /// Adds those of a part: as many and the same as if it had been read with the rest.
    pub(crate) fn take_in(&mut self, part: Self) {
        let room = DESIGN_FINDINGS_MAX.saturating_sub(self.kept.len());
        let beyond = part.kept.len().saturating_sub(room);
        self.kept.extend(part.kept.into_iter().take(room));
        self.beyond += part.beyond + beyond;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.beyond == 0
    }

    /// Adds a file that was not known from the start; returns its index.
    pub(crate) fn add_file(&mut self, name: Arc<str>) -> u32 {
        self.file_names.push(name);
        file_index(self.file_names.len() - 1)
    }

    /// A span as a place that means something outside of the reader.
    pub(crate) fn place(&self, span: Span) -> Place {
        let position = usize::try_from(span.file).unwrap_or(usize::MAX);
        let file = self
            .file_names
            .get(position)
            .cloned()
            .unwrap_or_else(|| Arc::from(""));
        Place {
            file,
            line: span.line,
            column: span.column,
            length: span.length,
        }
    }

    /// Adds a finding.
    pub(crate) fn report(&mut self, span: Span, path: &dyn fmt::Display, problem: Problem) {
        self.report_related(span, path, problem, &[]);
    }

    /// Adds a finding whose making costs more than its place: past the limit it is only counted.
    pub(crate) fn report_with(
        &mut self,
        span: Span,
        path: &dyn fmt::Display,
        problem: impl FnOnce() -> Problem,
    ) {
        if self.is_full() {
            self.beyond += 1;
        } else {
            self.report(span, path, problem());
        }
    }

    /// Adds a finding that other places have to do with, each with a word on why.
    pub(crate) fn report_related(
        &mut self,
        span: Span,
        path: &dyn fmt::Display,
        problem: Problem,
        related: &[(Span, &str)],
    ) {
        if self.is_full() {
            self.beyond += 1;
            return;
        }
        let related = related
            .iter()
            .map(|(at, why)| (self.place(*at), (*why).to_owned()))
            .collect();
        self.keep(self.place(span), path.to_string(), problem, related);
    }

    /// Adds a finding at a place.
    pub(crate) fn report_at(&mut self, place: Place, path: String, problem: Problem) {
        if self.is_full() {
            self.beyond += 1;
            return;
        }
        self.keep(place, path, problem, Vec::new());
    }

    fn is_full(&self) -> bool {
        self.kept.len() >= DESIGN_FINDINGS_MAX
    }

    fn keep(
        &mut self,
        place: Place,
        path: String,
        problem: Problem,
        related: Vec<(Place, String)>,
    ) {
        let Problem {
            info,
            message,
            hint,
        } = problem;
        let CodeInfo { code, severity, .. } = *info;
        self.kept.push(Finding {
            code,
            severity,
            place,
            path,
            message,
            hint,
            related,
        });
    }

    /// Every finding in the order of the places, and one more where some did not fit.
    pub(crate) fn finish(mut self) -> Vec<Finding> {
        self.kept
            .sort_by(|a, b| a.place.cmp(&b.place).then_with(|| a.code.cmp(&b.code)));
        if let (true, Some(last)) = (self.beyond > 0, self.kept.last()) {
            let place = last.place.clone();
            let message = format!("{} more findings are not listed", self.beyond);
            let problem =
                Problem::new(&MORE_FINDINGS, message).hint("mend the listed ones, then read again");
            self.keep(place, String::new(), problem, Vec::new());
        }
        self.kept
    }
}

/// The position of a file as spans keep it; beyond four billion files, a place that is not one.
pub(crate) fn file_index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// Longest part of the input that a message repeats, in characters.
const EXCERPT_CHARS_MAX: usize = 80;

/// A part of the input as a message may repeat it: short, and without control characters.
pub(crate) fn excerpt(text: &str) -> Cow<'_, str> {
    if text.len() <= EXCERPT_CHARS_MAX && !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
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
    Cow::Owned(shown)
}
