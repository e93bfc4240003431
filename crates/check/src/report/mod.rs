//! Findings as text, in the formats that people, editors and CI systems read.
//!
//! Rendering is pure: the same findings give the same text, in the order given.

mod github;
mod human;
mod json;
mod junit;
mod markdown;
mod paint;
mod sarif;
mod summary;

pub use markdown::cell;
pub use paint::Paint;
pub use summary::Summary;
use tidegate_model::Finding;

/// A text format for findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people at a terminal: each finding with the line that it is about.
    Human,
    /// One JSON document, schema `tidegate/check/v1`.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for test reports of CI systems.
    Junit,
    /// Workflow commands of GitHub Actions, shown at the lines of a change.
    Github,
    /// A Markdown table, for the summary of a CI job.
    Markdown,
}

impl Format {
    /// Every format with its word, in the order of the documentation.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("human", Self::Human),
        ("json", Self::Json),
        ("sarif", Self::Sarif),
        ("junit", Self::Junit),
        ("github", Self::Github),
        ("markdown", Self::Markdown),
    ];

    /// The format that `word` names; `None` when there is none.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == word)
            .map(|(_, format)| *format)
    }
}

/// The findings as text in `format`, in the order given, with a line end.
///
/// `sources` are the design files by name, for the lines that findings are about; a file that is
/// absent is shown without its line. `paint` matters to [`Format::Human`] alone.
#[must_use]
pub fn render(
    format: Format,
    findings: &[Finding],
    sources: &[(&str, &str)],
    paint: Paint,
) -> String {
    match format {
        Format::Human => human::render(findings, sources, paint),
        Format::Json => json::render(findings, sources),
        Format::Sarif => sarif::render(findings),
        Format::Junit => junit::render(findings, sources),
        Format::Github => github::render(findings),
        Format::Markdown => markdown::render(findings, sources),
    }
}
