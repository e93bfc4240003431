//! `tidegate check`: every finding of a design.

use tidegate_check::report::{Format, Paint};
use tidegate_model::Severity;

use super::check_against;
use crate::arguments::{Check, CheckFormat, Threshold};
use crate::design_files;
use crate::exit::{Exit, Failure};
use crate::terminal;

pub(crate) fn run(arguments: &Check) -> Result<Exit, Failure> {
    if !arguments.past.against.is_empty() {
        return check_against::run(arguments);
    }
    let checked = design_files::check(&arguments.design)?;
    let paint = if terminal::paints_stdout() {
        Paint::Ansi
    } else {
        Paint::Plain
    };
    terminal::print(&checked.render(arguments.format.into(), paint))?;
    let fails = checked
        .worst()
        .is_some_and(|worst| worst >= Severity::from(arguments.fail_on));
    Ok(if fails { Exit::No } else { Exit::Yes })
}

impl From<CheckFormat> for Format {
    fn from(format: CheckFormat) -> Self {
        match format {
            CheckFormat::Human => Self::Human,
            CheckFormat::Json => Self::Json,
            CheckFormat::Sarif => Self::Sarif,
            CheckFormat::Junit => Self::Junit,
            CheckFormat::Github => Self::Github,
            CheckFormat::Markdown => Self::Markdown,
        }
    }
}

impl From<Threshold> for Severity {
    fn from(threshold: Threshold) -> Self {
        match threshold {
            Threshold::Error => Self::Error,
            Threshold::Warning => Self::Warning,
            Threshold::Note => Self::Note,
        }
    }
}
