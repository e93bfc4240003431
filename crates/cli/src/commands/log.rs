//! `tidegate log`: a log that is not running is verified, dumped, repaired.

use std::ops::ControlFlow;
use std::path::Path;

use tidegate_log::OpenError;
use tidegate_log::inspect::{self, Filter, InspectError, Item, Mode, Progress};

use crate::arguments::{LogDump, LogFormat, LogRepair, LogVerify};
use crate::commands::init::quoted;
use crate::commands::log_report;
use crate::commands::select::pretty;
use crate::exit::{Exit, Failure, Kind};
use crate::terminal::{self, Lines, ProgressLine};

pub(crate) fn verify(arguments: &LogVerify) -> Result<Exit, Failure> {
    let directory = &arguments.directory;
    let mut line = ProgressLine::new();
    let verified = inspect::verify(directory, |done: Progress| {
        line.show(done.bytes, done.bytes_total);
    });
    drop(line);
    let report = verified.map_err(|error| failure(directory, &error))?;
    terminal::print(&match arguments.format {
        LogFormat::Human => log_report::verified(&report, terminal::paints_stdout()),
        LogFormat::Json => pretty(&log_report::verified_json(&report)),
    })?;
    if report.is_whole() {
        return Ok(Exit::Yes);
    }
    match report.first_version {
        true => terminal::say(
            "a damaged log of format version 1 cannot be repaired: bring back a copy of it",
        ),
        false => terminal::say(&format!("next: tidegate log repair {}", quoted(directory))),
    }
    Ok(Exit::No)
}

pub(crate) fn dump(arguments: &LogDump) -> Result<Exit, Failure> {
    let filter = Filter {
        channel: arguments.channel.clone(),
        from: arguments.from,
        to: arguments.to,
        limit: arguments.limit,
    };
    let mut lines = Lines::new();
    let mut is_damaged = false;
    let dumped = inspect::dump(&arguments.directory, &filter, |item| {
        if let Item::Damage(damage) = &item {
            is_damaged = true;
            if arguments.format == LogFormat::Human {
                terminal::say(&log_report::damage(damage));
                return ControlFlow::Continue(());
            }
        }
        lines.print(&match arguments.format {
            LogFormat::Human => log_report::item(&item),
            LogFormat::Json => log_report::item_json(&item).to_string(),
        })
    });
    lines.end()?;
    dumped.map_err(|error| failure(&arguments.directory, &error))?;
    if !is_damaged {
        return Ok(Exit::Yes);
    }
    let directory = quoted(&arguments.directory);
    terminal::say(&format!("next: tidegate log verify {directory}"));
    Ok(Exit::Partly)
}

pub(crate) fn repair(arguments: &LogRepair) -> Result<Exit, Failure> {
    let directory = &arguments.directory;
    let mode = match arguments.dry_run {
        true => Mode::Plan,
        false => Mode::Apply,
    };
    let mut line = ProgressLine::new();
    let repaired = inspect::repair(directory, mode, |done: Progress| {
        line.show(done.bytes, done.bytes_total);
    });
    drop(line);
    let repaired = repaired.map_err(|error| failure(directory, &error))?;
    terminal::print(&match arguments.format {
        LogFormat::Human => log_report::repaired(&repaired, mode, terminal::paints_stdout()),
        LogFormat::Json => pretty(&log_report::repaired_json(&repaired, mode)),
    })?;
    if mode == Mode::Plan && !repaired.steps.is_empty() {
        terminal::say(&format!("next: tidegate log repair {}", quoted(directory)));
    }
    Ok(match repaired.report.has_lost() {
        true => Exit::Partly,
        false => Exit::Yes,
    })
}

fn failure(directory: &Path, error: &InspectError) -> Failure {
    let kind = match error {
        InspectError::Open(OpenError::Locked { .. }) => Kind::NotAllowed,
        _ => Kind::Configuration,
    };
    let failure = Failure::caused(kind, error);
    match error {
        InspectError::Absent { .. } => {
            failure.hint("name the folder of --data, such as tidegate-data")
        }
        InspectError::FirstVersion { .. } => failure.hint("bring back a copy of it"),
        InspectError::Older => failure.hint(format!(
            "`tidegate run DESIGN --data {}` writes it anew",
            quoted(directory)
        )),
        InspectError::Open(_) => failure,
    }
}
