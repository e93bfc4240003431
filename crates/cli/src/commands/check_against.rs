//! `tidegate check --against`: what a change of a design breaks.

use std::path::Path;
use std::sync::Arc;

use tidegate_base::Clock;
use tidegate_base::limit::DESIGN_FILE_BYTES_MAX;
use tidegate_check::report::{self, Format, Paint};
use tidegate_contracts::past::{self, Acceptances, Change, Report};
use tidegate_model::{Design, Finding, Severity, Source};
use tidegate_runtime::TokioClock;

use crate::arguments::Check;
use crate::design_files::{self, Checked};
use crate::exit::{Exit, Failure};
use crate::past_design::{self, Past};
use crate::terminal;

/// Stack of the threads that compare: schemas may be nested deep.
const STACK_BYTES: usize = 256 << 20;
/// Characters of a day in a time, `2026-11-28T…`.
const DAY_CHARS: usize = 10;

pub(crate) fn run(arguments: &Check) -> Result<Exit, Failure> {
    let options = &arguments.past;
    let checked = design_files::check(&arguments.design)?;
    let acceptances = options.accept.as_deref().map(acceptances).transpose()?;
    let pasts = options.against.iter();
    let pasts: Vec<Past> = pasts
        .map(|against| past_design::read(against, &arguments.design))
        .collect::<Result<_, _>>()?;
    let mut designs = Vec::new();
    for past in &pasts {
        designs.push(readable(past)?);
    }
    let (Some(past), Some((&old, older))) = (pasts.first(), designs.split_first()) else {
        return Err(Failure::configuration("there is nothing to compare with"));
    };
    let format = Format::from(arguments.format);
    let Some(new) = &checked.design else {
        terminal::print(&checked.render(format, paint()))?;
        terminal::say("changes are compared once the design can be read");
        return Ok(Exit::No);
    };
    let mut changes = compare(arguments, (old, older), new)?;
    let mut findings = checked.findings.clone();
    if let Some((_, acceptances)) = &acceptances {
        findings.extend(acceptances.findings.iter().cloned());
        let now = TokioClock::new().now().to_string();
        let today = now.get(..DAY_CHARS).unwrap_or_default();
        findings.extend(past::accept(&mut changes, &acceptances.list, today));
    }
    for past in &pasts {
        findings.extend(past::unread(&past.name, &past.reading.findings));
    }
    let files = Files {
        checked: &checked,
        past,
        acceptances: acceptances.as_ref().map(|(file, _)| file),
    };
    let report = Report {
        against: &past.name,
        past: old,
        new,
        changes: &changes,
        findings: &findings,
        sources: &files.of(format),
        shows_harmless: options.harmless,
    };
    terminal::print(&report.render(format, paint()))?;
    let threshold = Severity::from(arguments.fail_on);
    let fails = report.worst().is_some_and(|worst| worst >= threshold);
    Ok(if fails { Exit::No } else { Exit::Yes })
}

fn paint() -> Paint {
    if terminal::paints_stdout() {
        Paint::Ansi
    } else {
        Paint::Plain
    }
}

/// The files that a report may show lines of.
struct Files<'a> {
    checked: &'a Checked,
    past: &'a Past,
    acceptances: Option<&'a Source>,
}

impl Files<'_> {
    /// Formats for machines know the files of today alone.
    fn of(&self, format: Format) -> Vec<(&str, &str)> {
        let past = if format == Format::Human {
            self.past.sources.as_slice()
        } else {
            &[]
        };
        let all = self
            .checked
            .sources
            .iter()
            .chain(self.acceptances)
            .chain(past);
        all.map(|source| (&*source.name, source.text.as_str()))
            .collect()
    }
}

fn compare(
    arguments: &Check,
    (old, older): (&Design, &[&Design]),
    new: &Design,
) -> Result<Vec<Change>, Failure> {
    let clock = TokioClock::new();
    let started = clock.now();
    let deadline = arguments.past.deadline;
    let keep_going = move || clock.now().since(started) < deadline;
    let options = past::Options {
        profile: arguments.past.profile.into(),
        open_content: arguments.past.open_content.into(),
        keep_going: &keep_going,
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .stack_size(STACK_BYTES)
        .build();
    let pool = pool.map_err(|error| {
        Failure::configuration(format!("cannot start threads to compare: {error}"))
    })?;
    Ok(pool.install(|| past::compare(old, older, new, &options)))
}

/// The design of the past.
///
/// # Errors
///
/// When it could not be read at all; what is wrong with it is printed.
fn readable(past: &Past) -> Result<&Design, Failure> {
    if let Some(design) = &past.reading.design {
        return Ok(design);
    }
    let errors = past.reading.findings.iter();
    let errors: Vec<Finding> = errors
        .filter(|finding| finding.severity == Severity::Error)
        .cloned()
        .collect();
    let sources = past.sources.iter();
    let sources: Vec<(&str, &str)> = sources
        .map(|source| (&*source.name, source.text.as_str()))
        .collect();
    let paint = if terminal::paints_stderr() {
        Paint::Ansi
    } else {
        Paint::Plain
    };
    terminal::say(&report::render(Format::Human, &errors, &sources, paint));
    let name = terminal::shown(&past.name);
    Err(
        Failure::configuration(format!("the design at `{name}` cannot be read"))
            .hint("compare with a version that can be: `--against REF`, a folder or a file"),
    )
}

/// The file of acceptances, and what it says.
fn acceptances(path: &Path) -> Result<(Source, Acceptances), Failure> {
    let text = design_files::read_text(path, DESIGN_FILE_BYTES_MAX);
    let text = text.map_err(|error| design_files::unreadable(path, &error))?;
    let name = Arc::from(path.display().to_string());
    let file = Source { name, text };
    let read = Acceptances::read(&file);
    Ok((file, read))
}
