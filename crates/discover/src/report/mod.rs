//! The discovery as text: for people, programs, wikis and browsers.
//!
//! Rendering is pure: the same discovery gives the same text.

mod asked;
mod chart;
mod dependence;
mod difference;
pub(crate) mod html;
pub(crate) mod human;
pub(crate) mod json;
pub(crate) mod markdown;
pub(crate) mod table;
pub(crate) mod words;

use crate::{Difference, Discovery};

/// A text format for a discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFormat {
    /// Aligned tables for a terminal.
    Human,
    /// One JSON document, schema `tidegate/discover/v1`.
    Json,
    /// Markdown, for a wiki or the summary of a CI job.
    Markdown,
    /// One HTML page that needs nothing else, for everybody.
    Html,
}

impl ReportFormat {
    /// Every format with its word, in the order of the documentation.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("human", Self::Human),
        ("json", Self::Json),
        ("markdown", Self::Markdown),
        ("html", Self::Html),
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

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Text alone.
    Plain,
    /// With the escape sequences of ANSI terminals.
    Ansi,
}

/// The discovery as text in `format`, with a line end; `paint` matters to [`ReportFormat::Human`]
/// alone.
#[must_use]
pub fn report(discovery: &Discovery, format: ReportFormat, paint: Paint) -> String {
    match format {
        ReportFormat::Human => human::render(discovery, paint),
        ReportFormat::Json => json::render(discovery),
        ReportFormat::Markdown => markdown::render(discovery),
        ReportFormat::Html => html::render(discovery),
    }
}

/// The difference of two discoveries as text: one JSON document, or else a table.
#[must_use]
pub fn report_difference(difference: &Difference, format: ReportFormat) -> String {
    match format {
        ReportFormat::Json => difference::json(difference),
        ReportFormat::Human | ReportFormat::Markdown | ReportFormat::Html => {
            difference::table(difference)
        }
    }
}
