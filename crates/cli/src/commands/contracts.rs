//! `tidegate contracts` and `tidegate impact`: who relies on what, and who breaks.

use tidegate_contracts::parties::report::{self, Format, Paint};
use tidegate_contracts::parties::{self, Answer, Matrix, Upgrade};

use crate::arguments::ReportFormat;
use crate::arguments::contracts::{Contracts, Impact, ImpactFormat};
use crate::design_files;
use crate::exit::{Exit, Failure};
use crate::terminal;

pub(crate) fn contracts(arguments: &Contracts) -> Result<Exit, Failure> {
    let design = design_files::sound_but_for(&arguments.design, parties::NOT_MET_CODE)?;
    let matrix = Matrix::of(&design);
    let upgrade = Upgrade::of(&design, &matrix);
    let format = match arguments.format {
        ReportFormat::Human => Format::Human,
        ReportFormat::Json => Format::Json,
        ReportFormat::Markdown => Format::Markdown,
    };
    terminal::print(&report::contracts(format, &matrix, &upgrade, paint()))?;
    Ok(match matrix.answer() {
        Answer::Yes => Exit::Yes,
        Answer::No | Answer::NotProved => Exit::No,
    })
}

pub(crate) fn impact(arguments: &Impact) -> Result<Exit, Failure> {
    let design = design_files::sound_but_for(&arguments.design, parties::NOT_MET_CODE)?;
    let impact = parties::Impact::of(&design, &arguments.what)
        .map_err(|error| Failure::configuration(error.to_string()))?;
    let format = match arguments.format {
        ImpactFormat::Human => Format::Human,
        ImpactFormat::Json => Format::Json,
    };
    terminal::print(&report::impact(format, &impact, paint()))?;
    Ok(Exit::Yes)
}

fn paint() -> Paint {
    match terminal::paints_stdout() {
        true => Paint::Ansi,
        false => Paint::Plain,
    }
}
