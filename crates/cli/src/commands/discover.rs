//! `tidegate discover`: from traces or process logs to a report and a draft design.

use std::path::{Path, PathBuf};

use tidegate_discover::{Call, Discovery, Draft, Options, Paint, ReportFormat};

use crate::arguments::{Discover, DiscoverFormat};
use crate::captures;
use crate::commands::discover_process;
use crate::commands::init::{quoted, system_name};
use crate::design_files::{none_is_there, write_new};
use crate::exit::{Exit, Failure};
use crate::terminal;

pub(crate) fn run(arguments: &Discover) -> Result<Exit, Failure> {
    if let Some(folder) = &arguments.draft {
        may_become_a_draft(arguments, folder)?;
    }
    if let Some(exit) = discover_process::run(arguments)? {
        return Ok(exit);
    }
    let (format, paint) = look(arguments);
    if let [before, after] = arguments.diff.as_slice() {
        if arguments.format == DiscoverFormat::Html {
            return Err(discover_process::no_page());
        }
        let before = discovery(arguments, std::slice::from_ref(before))?;
        let after = discovery(arguments, std::slice::from_ref(after))?;
        let difference = tidegate_discover::difference(&before, &after);
        show(
            arguments,
            &tidegate_discover::report_difference(&difference, format),
        )?;
        return Ok(Exit::Yes);
    }
    let discovery = discovery(arguments, &arguments.files)?;
    about_calls(&discovery)?;
    show(
        arguments,
        &tidegate_discover::report(&discovery, format, paint),
    )?;
    if let Some(folder) = &arguments.draft {
        let name = system_name(arguments.system.as_deref(), folder)?;
        write_draft(folder, &tidegate_discover::draft(&discovery, name))?;
    }
    Ok(Exit::Yes)
}

/// Most calls that an error lists.
const NAMED_MAX: usize = 8;

/// Each question has to be about calls that there are.
fn about_calls(discovery: &Discovery) -> Result<(), Failure> {
    let Some(answer) = discovery.answers.iter().find(|answer| answer.calls == 0) else {
        return Ok(());
    };
    let message = format!(
        "`{}` is about no call of these captures",
        answer.supposition
    );
    let same = |call: &&Call| call.callee == answer.supposition.callee;
    let calls = &discovery.calls;
    let of_service: Vec<&Call> = calls.iter().filter(same).collect();
    let mut names: Vec<String> = match of_service.is_empty() {
        true => calls.iter().map(|call| call.callee.clone()).collect(),
        false => of_service
            .iter()
            .map(|call| format!("{}/{}", call.callee, call.callee_operation))
            .collect(),
    };
    names.sort();
    names.dedup();
    let more = names.len().saturating_sub(NAMED_MAX);
    names.truncate(NAMED_MAX);
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let hint = match names.is_empty() {
        true => "there is no call between services in them".to_owned(),
        false => format!("there are `{}`{more}", names.join("`, `")),
    };
    Err(Failure::configuration(message).hint(&hint))
}

/// What is found in captures of traces.
fn discovery(arguments: &Discover, paths: &[PathBuf]) -> Result<Discovery, Failure> {
    let options = Options {
        vocabulary: !arguments.no_vocabulary,
        publish: arguments.publish_time,
        limit: arguments.slo,
        workers: arguments.workers,
        suppositions: arguments.what_if.clone(),
        ..Options::default()
    };
    let captures = captures::read(captures::Wanted {
        paths,
        columns: arguments.columns.as_deref(),
        memory: arguments.memory,
        payloads: arguments.draft.is_some(),
    })?;
    Ok(tidegate_discover::discover_with(&captures, &options))
}

/// How the report is printed.
pub(super) fn look(arguments: &Discover) -> (ReportFormat, Paint) {
    let format = match arguments.format {
        DiscoverFormat::Human => ReportFormat::Human,
        DiscoverFormat::Json => ReportFormat::Json,
        DiscoverFormat::Markdown => ReportFormat::Markdown,
        DiscoverFormat::Html => ReportFormat::Html,
    };
    let paints = arguments.out.is_none() && terminal::paints_stdout();
    (format, if paints { Paint::Ansi } else { Paint::Plain })
}

/// Prints the report, or writes it into the file that was named.
pub(super) fn show(arguments: &Discover, report: &str) -> Result<(), Failure> {
    let Some(file) = &arguments.out else {
        return terminal::print(report);
    };
    std::fs::write(file, report).map_err(|error| {
        Failure::configuration(format!("cannot write `{}`: {error}", file.display()))
            .hint("name a file in a folder that is there and may be written")
    })?;
    terminal::say(&format!("wrote the report into {}", quoted(file)));
    Ok(())
}

/// What stands against a draft in the folder is said before anything is read.
fn may_become_a_draft(arguments: &Discover, folder: &Path) -> Result<(), Failure> {
    system_name(arguments.system.as_deref(), folder)?;
    if folder.exists() && !folder.is_dir() {
        let message = format!("`{}` is a file", folder.display());
        return Err(Failure::configuration(message).hint("name a folder for the draft"));
    }
    none_is_there(folder, &["design.yaml", "README.md", "recording.jsonl"])
}

/// Writes a draft into a folder that has none.
pub(super) fn write_draft(folder: &Path, draft: &Draft) -> Result<(), Failure> {
    write_new(folder, &draft.files)?;
    let folder = quoted(folder);
    terminal::say(&format!(
        "wrote a draft of {} files into {folder}",
        draft.files.len()
    ));
    if draft.explores {
        terminal::say(
            "for exploring only: by the evidence none of its calls can become an event; design.yaml says at each why",
        );
    }
    terminal::say(&format!(
        "next: tidegate check {folder} && tidegate run {folder} --traffic recorded"
    ));
    Ok(())
}
