//! `tidegate discover`: from trace files to a report and a draft design.

use std::path::Path;

use tidegate_discover::{Discovery, Paint, ReportFormat};

use crate::arguments::{Discover, DiscoverFormat};
use crate::captures;
use crate::commands::init::{quoted, system_name};
use crate::design_files::write_new;
use crate::exit::{Exit, Failure};
use crate::terminal;

pub(crate) fn run(arguments: &Discover) -> Result<Exit, Failure> {
    let captures = captures::read(captures::Wanted {
        paths: &arguments.files,
        columns: arguments.columns.as_deref(),
        memory: arguments.memory,
    })?;
    let discovery = tidegate_discover::discover(&captures);
    let format = match arguments.format {
        DiscoverFormat::Human => ReportFormat::Human,
        DiscoverFormat::Json => ReportFormat::Json,
        DiscoverFormat::Markdown => ReportFormat::Markdown,
        DiscoverFormat::Html => ReportFormat::Html,
    };
    let paint = if terminal::paints_stdout() {
        Paint::Ansi
    } else {
        Paint::Plain
    };
    terminal::print(&tidegate_discover::report(&discovery, format, paint))?;
    if let Some(folder) = &arguments.draft {
        write_draft(&discovery, folder, arguments.system.as_deref())?;
    }
    Ok(Exit::Yes)
}

fn write_draft(discovery: &Discovery, folder: &Path, system: Option<&str>) -> Result<(), Failure> {
    let draft = tidegate_discover::draft(discovery, system_name(system, folder)?);
    write_new(folder, &draft.files)?;
    let folder = quoted(folder);
    terminal::say(&format!(
        "wrote a draft of {} files into {folder}",
        draft.files.len()
    ));
    terminal::say(&format!(
        "next: tidegate check {folder} && tidegate run {folder} --traffic recorded"
    ));
    Ok(())
}
