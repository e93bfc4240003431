//! `tidegate check`: every finding of a design.

use tidegate_check::report::{Format, Paint};
use tidegate_model::Severity;

use crate::arguments::{Check, CheckFormat, Threshold};
use crate::design_files;
use crate::exit::{Exit, Failure};
use crate::terminal;

pub(crate) fn run(arguments: &Check) -> Result<Exit, Failure> {
    let checked = design_files::check(&arguments.design)?;
    let format = match arguments.format {
        CheckFormat::Human => Format::Human,
        CheckFormat::Json => Format::Json,
        CheckFormat::Sarif => Format::Sarif,
        CheckFormat::Junit => Format::Junit,
        CheckFormat::Github => Format::Github,
        CheckFormat::Markdown => Format::Markdown,
    };
    let paint = if terminal::paints_stdout() {
        Paint::Ansi
    } else {
        Paint::Plain
    };
    terminal::print(&checked.render(format, paint))?;
    let threshold = match arguments.fail_on {
        Threshold::Error => Severity::Error,
        Threshold::Warning => Severity::Warning,
        Threshold::Note => Severity::Note,
    };
    let fails = checked.worst().is_some_and(|worst| worst >= threshold);
    Ok(if fails { Exit::No } else { Exit::Yes })
}
