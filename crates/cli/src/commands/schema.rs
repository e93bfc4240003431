//! `tidegate schema`: versions of a schema, and events that are held against one.

use std::path::Path;

use serde_json::{Value, json};
use tidegate_base::Clock;
use tidegate_base::limit::SCHEMA_BYTES_MAX;
use tidegate_compat::json::{JsonError, OpenContent, Policy};
use tidegate_compat::{Answer, CompareError, Compared, Format, Options, Profile, Version};
use tidegate_runtime::TokioClock;

use super::schema_read::Judge;
use super::schema_report::{self, Page};
use super::{schema_files, schema_show};
use crate::arguments::schema::{Compat, Schema, SchemaFormat, Validate};
use crate::exit::{Exit, Failure};
use crate::terminal;

/// Stack of the thread that compares: schemas may be nested deep.
const STACK_BYTES: usize = 256 << 20;
/// Most bytes of an answer of a registry around a schema, as text in text.
pub(super) const FILE_BYTES_MAX: u64 = 4 * SCHEMA_BYTES_MAX as u64;
/// Most bytes of a file of events.
const EVENTS_BYTES_MAX: u64 = 64 << 20;

pub(crate) fn run(arguments: &Schema) -> Result<Exit, Failure> {
    match arguments {
        Schema::Compat(arguments) => compat(arguments),
        Schema::Validate(arguments) => validate(arguments),
        Schema::Show(arguments) => schema_show::run(arguments),
    }
}

fn compat(arguments: &Compat) -> Result<Exit, Failure> {
    check_options(arguments)?;
    let format = Format::from(arguments.r#type);
    let named = schema_files::named(&arguments.reading)?;
    let mut versions = Vec::new();
    for path in &arguments.schemas {
        let text = read(path, FILE_BYTES_MAX)?;
        let version = Version::read(&path.display().to_string(), &text);
        versions.push(schema_files::complete(version, format, &named)?);
    }
    let Some((new, old)) = versions.split_last() else {
        return Err(Failure::configuration("there is no version to compare"));
    };
    let compared = on_deep_stack(|| compare(format, (old, new), arguments))?;
    let compared = compared.map_err(|error| refusal(&error))?;
    let page = Page {
        compared: &compared,
        format,
        old,
        new,
        mode: arguments.mode,
        profile: arguments.profile.into(),
        open_content: arguments.open_content.into(),
    };
    terminal::print(&match arguments.format {
        SchemaFormat::Human => page.human(terminal::paints_stdout()),
        SchemaFormat::Json => page.json().to_string(),
    })?;
    Ok(match compared.verdict.answer {
        Answer::Compatible => Exit::Yes,
        Answer::Incompatible | Answer::NotProved => Exit::No,
    })
}

/// Refuses what the format or the profile has no use for: it would look as if it had been heeded.
fn check_options(arguments: &Compat) -> Result<(), Failure> {
    let format = Format::from(arguments.r#type);
    let profile = Profile::from(arguments.profile);
    let exact = format == Format::Json && profile == Profile::Exact;
    let confluent = format == Format::Json && profile == Profile::Confluent;
    let refused = if arguments.message.is_some() && format != Format::Protobuf {
        ("--message", "--type protobuf")
    } else if OpenContent::from(arguments.open_content) != OpenContent::Exact && !exact {
        ("--open-content reserved", "--type json --profile exact")
    } else if Policy::from(arguments.policy) != Policy::Strict && !confluent {
        ("--policy lenient", "--type json --profile confluent")
    } else {
        return Ok(());
    };
    let (option, wanted) = refused;
    let message = format!("`{option}` is of no use for {format} schemas in profile {profile}");
    Err(Failure::configuration(message).hint(format!("leave it out, or ask with {wanted}")))
}

fn compare(
    format: Format,
    (old, new): (&[Version], &Version),
    arguments: &Compat,
) -> Result<Compared, CompareError> {
    let clock = TokioClock::new();
    let started = clock.now();
    let keep_going = || clock.now().since(started) < arguments.deadline;
    let options = Options {
        mode: arguments.mode,
        profile: arguments.profile.into(),
        open_content: arguments.open_content.into(),
        policy: arguments.policy.into(),
        group: arguments.group.as_deref(),
        message: arguments.message.as_deref(),
        draft: arguments.reading.draft,
        keep_going: &keep_going,
    };
    tidegate_compat::compare(format, old, new, &options)
}

pub(super) fn refusal(error: &CompareError) -> Failure {
    let failure = Failure::configuration(error.to_string());
    match error {
        CompareError::Schema { .. } => failure.hint(
            "mend the file at that place, or take another --type or --message; files that a schema \
             imports lie beside it, or are given with --reference",
        ),
        CompareError::Profile { format, .. } => {
            let names = format.profiles().iter().map(|profile| profile.name());
            let names: Vec<&str> = names.collect();
            failure.hint(format!("take one of {}", names.join(", ")))
        }
        CompareError::Group { property, .. } => failure.hint(format!(
            "say it in the schema's file: {{\"metadata\": {{\"properties\": {{\"{property}\": …}}}}}}"
        )),
        CompareError::Json(error) => failure.hint(match error {
            JsonError::Reference { .. } => "put what it refers to beside it, or give it with --reference",
            JsonError::Large { .. } => "compare its parts, each as a schema of its own",
            _ => {
                "mend the schema there; what it refers to is given with --reference, another kind of \
                 schema with --type, another draft, if it names none, with --draft"
            }
        }),
    }
}

/// Runs something on a thread with a deep stack, and waits for it.
fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Failure> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, work).map_err(|error| {
            Failure::configuration(format!("cannot start a thread to compare: {error}"))
        })?;
        thread
            .join()
            .map_err(|_| Failure::configuration("the comparison ended early: this is our mistake"))
    })
}

fn validate(arguments: &Validate) -> Result<Exit, Failure> {
    let schema = Judge::read(&arguments.subject)?;
    if !arguments.events.is_empty()
        && schema.format() == Format::Protobuf
        && schema.message().is_none()
    {
        let message = format!("{} has more than one message", schema.name);
        return Err(Failure::configuration(message).hint("name that of an event with --message"));
    }
    let mut events = Vec::new();
    for path in &arguments.events {
        let text = read(path, EVENTS_BYTES_MAX)?;
        let of_file = events_of(path, &text)?;
        if of_file.is_empty() {
            let message = format!("{} holds no event", path.display());
            return Err(Failure::configuration(message).hint("write one JSON value, or one a line"));
        }
        events.extend(of_file);
    }
    let mut fit = true;
    let mut answers = Vec::new();
    for (name, event) in &events {
        let violations = schema.validate(event);
        fit &= violations.is_empty();
        answers.push((name.as_str(), violations));
    }
    terminal::print(&match arguments.format {
        SchemaFormat::Human => schema_report::events(&schema, &answers, terminal::paints_stdout()),
        SchemaFormat::Json => {
            let events = answers.iter().map(|(name, violations)| {
                let violations = violations.iter();
                let violations =
                    violations.map(|(path, error)| json!({"path": path, "error": error}));
                json!({"event": name, "valid": violations.len() == 0,
                    "violations": violations.collect::<Vec<_>>()})
            });
            let events: Vec<Value> = events.collect();
            let draft = schema.draft().map(|draft| draft.name());
            json!({"schema": schema.name, "type": schema.format().name(), "draft": draft,
                "message": schema.message(), "valid": fit, "events": events})
            .to_string()
        }
    })?;
    Ok(if fit { Exit::Yes } else { Exit::No })
}

/// The events of a file: one value, or one a line, each with its name.
fn events_of(path: &Path, text: &str) -> Result<Vec<(String, Value)>, Failure> {
    let name = path.display().to_string();
    if let Ok(one) = serde_json::from_str(text) {
        return Ok(vec![(name, one)]);
    }
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            let name = format!("{name}:{}", index + 1);
            match serde_json::from_str(line) {
                Ok(event) => Ok((name, event)),
                Err(error) => Err(
                    Failure::configuration(format!("{name} is not JSON: {error}"))
                        .hint("write one JSON value, or one a line"),
                ),
            }
        })
        .collect()
}

pub(super) fn read(path: &Path, bytes_max: u64) -> Result<String, Failure> {
    let failure =
        |what: String| Failure::configuration(format!("cannot read {}: {what}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| failure(error.to_string()))?;
    if size.len() > bytes_max {
        return Err(failure(format!("it is larger than {bytes_max} bytes")));
    }
    let mut text = std::fs::read_to_string(path).map_err(|error| failure(error.to_string()))?;
    // A mark of the encoding is no part of a schema.
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(text)
}
