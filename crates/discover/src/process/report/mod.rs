//! What was found in process logs as text, in the same formats as that of traces.

mod human;
mod json;
mod markdown;
pub(crate) mod words;

use super::ProcessDiscovery;
use crate::business;
use crate::report::{Paint, ReportFormat};

/// The discovery as text in `format`, with a line end; `paint` matters to [`ReportFormat::Human`]
/// alone.
#[must_use]
pub fn report(discovery: &ProcessDiscovery, format: ReportFormat, paint: Paint) -> String {
    match format {
        ReportFormat::Human => human::render(discovery, paint),
        ReportFormat::Json => json::render(discovery),
        ReportFormat::Markdown => markdown::render(discovery),
        ReportFormat::Html => business::of_process(discovery),
    }
}
