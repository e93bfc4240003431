//! `tidegate discover`: from trace files to a report and a draft design.

use std::path::Path;

use tidegate_base::limit::TRACE_FILE_BYTES_MAX;
use tidegate_discover::{Discovery, Options, Paint, ReportFormat};
use tidegate_trace::Traces;

use crate::arguments::{Discover, DiscoverFormat};
use crate::commands::init::{quoted, system_name};
use crate::design_files::{read_bytes, unreadable, write_new};
use crate::exit::{Exit, Failure};
use crate::terminal;

pub(crate) fn run(arguments: &Discover) -> Result<Exit, Failure> {
    let options = Options {
        vocabulary: !arguments.no_vocabulary,
        publish: arguments.publish_time,
        ..Options::default()
    };
    let format = match arguments.format {
        DiscoverFormat::Human => ReportFormat::Human,
        DiscoverFormat::Json => ReportFormat::Json,
        DiscoverFormat::Markdown => ReportFormat::Markdown,
        DiscoverFormat::Html => ReportFormat::Html,
    };
    if let [before, after] = arguments.diff.as_slice() {
        let read = |file| {
            Ok(tidegate_discover::discover_with(
                &[capture(file)?],
                &options,
            ))
        };
        let difference = tidegate_discover::difference(&read(before)?, &read(after)?);
        terminal::print(&tidegate_discover::report_difference(&difference, format))?;
        return Ok(Exit::Yes);
    }
    let captures: Result<Vec<(String, Traces)>, Failure> =
        arguments.files.iter().map(|file| capture(file)).collect();
    let discovery = tidegate_discover::discover_with(&captures?, &options);
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

fn capture(file: &Path) -> Result<(String, Traces), Failure> {
    let bytes = read_bytes(file, TRACE_FILE_BYTES_MAX).map_err(|error| unreadable(file, &error))?;
    let name = file.display().to_string();
    let traces = tidegate_trace::read(&name, &bytes)
        .map_err(|error| Failure::configuration(error.to_string()))?;
    Ok((name, traces))
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
