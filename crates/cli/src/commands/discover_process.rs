//! `tidegate discover` of process logs.

use std::path::PathBuf;

use tidegate_discover::process::{self, Options, ProcessDiscovery};
use tidegate_trace::process::{Columns, EventLog};

use crate::arguments::{Discover, DiscoverFormat};
use crate::captures::{self, File};
use crate::commands::discover::{look, show, write_draft};
use crate::commands::init::system_name;
use crate::event_logs;
use crate::exit::{Exit, Failure};

/// Runs when the files are process logs; `None` when they are not.
pub(super) fn run(arguments: &Discover) -> Result<Option<Exit>, Failure> {
    let columns = columns(arguments)?;
    let paths = [arguments.files.as_slice(), &arguments.diff].concat();
    let (logs, others) = told(&paths, &columns)?;
    if logs.is_empty() {
        return only_traces(arguments, &columns, &others);
    }
    only_logs(arguments, (&logs, &others))?;
    let (format, paint) = look(arguments);
    if let [before, after] = arguments.diff.as_slice() {
        if arguments.format == DiscoverFormat::Html {
            return Err(no_page());
        }
        let analysed = |path: &PathBuf| {
            let (logs, _) = told(std::slice::from_ref(path), &columns)?;
            analyse(arguments, &read(&logs, &columns)?)
        };
        let compared = process::compare(&analysed(before)?, &analysed(after)?);
        show(arguments, &process::report_diff(&compared, format))?;
        return Ok(Some(Exit::Yes));
    }
    let discovery = analyse(arguments, &read(&logs, &columns)?)?;
    show(arguments, &process::report(&discovery, format, paint))?;
    if let Some(folder) = &arguments.draft {
        let name = system_name(arguments.system.as_deref(), folder)?;
        write_draft(folder, &process::draft(&discovery, name))?;
    }
    Ok(Some(Exit::Yes))
}

/// The files that are process logs, and the others.
fn told(paths: &[PathBuf], columns: &Columns) -> Result<(Vec<File>, Vec<File>), Failure> {
    let files = captures::files(paths)?.into_iter();
    Ok(files.partition(|file| {
        let columns = Columns {
            of_a_found_file: !file.is_named,
            ..columns.clone()
        };
        event_logs::is_log(&file.path, &columns)
    }))
}

fn read(logs: &[File], columns: &Columns) -> Result<Vec<EventLog>, Failure> {
    logs.iter()
        .map(|file| event_logs::read(&file.path, columns))
        .collect()
}

/// That a comparison is no page.
pub(super) fn no_page() -> Failure {
    Failure::configuration("a comparison has no page")
        .hint("ask for --format human, markdown or json")
}

fn analyse(arguments: &Discover, logs: &[EventLog]) -> Result<ProcessDiscovery, Failure> {
    let options = Options {
        visible_end: arguments.visible_end.clone(),
    };
    if let Some(end) = &options.visible_end
        && !logs.iter().any(|log| log.activities.contains(end))
    {
        return Err(
            Failure::configuration(format!("no case has an activity `{end}`"))
                .hint("write it as the log does"),
        );
    }
    Ok(process::analyse(logs, &options))
}

fn columns(arguments: &Discover) -> Result<Columns, Failure> {
    let Some(text) = &arguments.columns else {
        return Ok(Columns::default());
    };
    Columns::parse(text).map_err(|message| {
        Failure::configuration(format!("--columns: {message}"))
            .hint("such as --columns case=order_id,activity=step,end=done_at")
    })
}

/// What only process logs have is refused for traces.
fn only_traces(
    arguments: &Discover,
    columns: &Columns,
    files: &[File],
) -> Result<Option<Exit>, Failure> {
    let given = [
        (arguments.visible_end.is_some(), "--visible-end"),
        (columns.are_of_a_log(), "--columns with what only they have"),
    ];
    let Some((_, option)) = given.iter().find(|(given, _)| *given) else {
        return Ok(None);
    };
    let nearly = files.iter().find_map(|file| event_logs::hint(&file.path));
    let hint = nearly.unwrap_or_else(|| {
        "a process log is XES, OCEL 2.0, or CSV with a case, an activity and a time".to_owned()
    });
    let message = format!("{option} is for process logs, and this is none");
    Err(Failure::configuration(message).hint(hint))
}

/// What only traces have is refused for process logs, and so are both together. What was found in a
/// folder and is no log is passed over: beside logs there are licences and notes.
fn only_logs(arguments: &Discover, (logs, others): (&[File], &[File])) -> Result<(), Failure> {
    let is_meant = |file: &&File| file.is_named || captures::holds_traces(&file.path);
    let other = others.iter().find(is_meant);
    if let (Some(log), Some(other)) = (logs.first(), other) {
        let message = format!(
            "`{}` is a process log, and `{}` is not",
            log.path.display(),
            other.path.display()
        );
        return Err(Failure::configuration(message)
            .hint("name those of one kind: cases and calls are not added up"));
    }
    let given = [
        (arguments.no_vocabulary, "--no-vocabulary"),
        (!arguments.what_if.is_empty(), "--what-if"),
        (arguments.memory.is_some(), "--memory"),
        (arguments.slo.is_some(), "--slo"),
        (arguments.workers.is_some(), "--workers"),
    ];
    if let Some((_, option)) = given.iter().find(|(given, _)| *given) {
        let message = format!("{option} is for traces, and these are process logs");
        return Err(Failure::configuration(message).hint("leave it out"));
    }
    let others: Vec<String> = others
        .iter()
        .map(|file| file.path.display().to_string())
        .collect();
    captures::say_skipped(&others, "process log");
    Ok(())
}
