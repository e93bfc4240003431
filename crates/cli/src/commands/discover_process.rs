//! `tidegate discover` of process logs.

use std::path::PathBuf;

use tidegate_discover::process::{self, Options, ProcessDiscovery};
use tidegate_trace::process::{Columns, EventLog};

use crate::arguments::{Discover, DiscoverFormat};
use crate::commands::discover::{look, show, write_draft};
use crate::commands::init::system_name;
use crate::event_logs;
use crate::exit::{Exit, Failure};

/// Runs when the files are process logs; `None` when they are not.
pub(super) fn run(arguments: &Discover) -> Result<Option<Exit>, Failure> {
    let columns = columns(arguments)?;
    let files = [arguments.files.as_slice(), &arguments.diff].concat();
    let logs = files
        .iter()
        .filter(|file| event_logs::is_log(file, &columns));
    match logs.count() {
        0 => return only_traces(arguments),
        count if count < files.len() => {
            return Err(Failure::configuration(
                "some of these files are process logs and others are not",
            )
            .hint("give those of one kind: cases and calls are not added up"));
        }
        _ => {}
    }
    let (format, paint) = look(arguments);
    if let [before, after] = arguments.diff.as_slice() {
        if arguments.format == DiscoverFormat::Html {
            return Err(no_page());
        }
        let analysed = |file: &PathBuf| {
            let log = event_logs::read(file, &columns)?;
            analyse(arguments, &[log])
        };
        let compared = process::compare(&analysed(before)?, &analysed(after)?);
        show(arguments, &process::report_diff(&compared, format))?;
        return Ok(Some(Exit::Yes));
    }
    let logs: Result<Vec<EventLog>, Failure> = files
        .iter()
        .map(|file| event_logs::read(file, &columns))
        .collect();
    let discovery = analyse(arguments, &logs?)?;
    show(arguments, &process::report(&discovery, format, paint))?;
    if let Some(folder) = &arguments.draft {
        let name = system_name(arguments.system.as_deref(), folder)?;
        write_draft(folder, &process::draft(&discovery, name))?;
    }
    Ok(Some(Exit::Yes))
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
fn only_traces(arguments: &Discover) -> Result<Option<Exit>, Failure> {
    let given = [
        (arguments.visible_end.is_some(), "--visible-end"),
        (arguments.columns.is_some(), "--columns"),
    ];
    match given.iter().find(|(given, _)| *given) {
        Some((_, option)) => Err(Failure::configuration(format!(
            "{option} is for process logs, and this is none"
        ))
        .hint("a process log is XES, OCEL 2.0, or CSV with a case, an activity and a time")),
        None => Ok(None),
    }
}
