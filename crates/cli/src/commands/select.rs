//! `tidegate select`: the messaging infrastructure for a design.

use tidegate_base::Clock;
use tidegate_runtime::TokioClock;
use tidegate_select::{Certainty, Facts};

use crate::arguments::{ReportFormat, Select};
use crate::design_files;
use crate::exit::{Exit, Failure, Kind};
use crate::terminal;

pub(crate) fn run(arguments: &Select) -> Result<Exit, Failure> {
    let design = design_files::sound(&arguments.design)?;
    let facts = Facts::bundled().map_err(|error| Failure::caused(Kind::Configuration, &error))?;
    let selection = tidegate_select::select(&design, &facts, TokioClock::new().now());
    let text = match arguments.format {
        ReportFormat::Human => selection.to_human(),
        ReportFormat::Json => pretty(&selection.to_json()),
        ReportFormat::Markdown => selection.to_markdown(),
    };
    terminal::print(&text)?;
    let nothing = selection.certainty == Certainty::Nothing;
    Ok(if nothing { Exit::No } else { Exit::Yes })
}

/// JSON for people and programs alike.
pub(crate) fn pretty(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
