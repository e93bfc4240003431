//! `tidegate event validate`: events in files, held against CloudEvents 1.0.

use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};
use tidegate_base::{Envelope, EnvelopeError};

use crate::arguments::event::{Event, EventFormat, EventValidate};
use crate::design_files;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// Most bytes of a file of events.
const EVENTS_BYTES_MAX: usize = 64 << 20;

pub(crate) fn run(event: &Event) -> Result<Exit, Failure> {
    match event {
        Event::Validate(arguments) => validate(arguments),
    }
}

/// An event of a file: where it stands, and what is wrong with it.
struct Judged {
    place: String,
    problem: Option<Problem>,
}

struct Problem {
    /// The member that is wrong, as a JSON pointer; empty for the event itself.
    path: String,
    message: String,
    /// The part of the specification that says so.
    rule: &'static str,
}

fn validate(arguments: &EventValidate) -> Result<Exit, Failure> {
    let mut judged = Vec::new();
    for file in &arguments.files {
        let text = read(file)?;
        let before = judged.len();
        judge(&file.display().to_string(), &text, &mut judged);
        if judged.len() == before {
            let message = format!("`{}` holds no event", file.display());
            return Err(
                Failure::configuration(message).hint("write one, a batch `[…]`, or one a line")
            );
        }
    }
    let valid = judged.iter().all(|one| one.problem.is_none());
    terminal::print(&match arguments.format {
        EventFormat::Human => human(&judged),
        EventFormat::Json => {
            let events: Vec<Value> = judged.iter().map(as_json).collect();
            json!({"schema": "tidegate/event-validate/v1", "valid": valid, "events": events})
                .to_string()
        }
    })?;
    Ok(if valid { Exit::Yes } else { Exit::No })
}

fn read(file: &Path) -> Result<String, Failure> {
    if file.as_os_str() != "-" {
        return design_files::read_text(file, EVENTS_BYTES_MAX)
            .map_err(|error| design_files::unreadable(file, &error));
    }
    let mut text = String::new();
    let limit = u64::try_from(EVENTS_BYTES_MAX).unwrap_or(u64::MAX);
    let read = std::io::stdin()
        .lock()
        .take(limit + 1)
        .read_to_string(&mut text);
    match read {
        Ok(bytes) if bytes > EVENTS_BYTES_MAX => Err(Failure::configuration(format!(
            "standard input has more than the {EVENTS_BYTES_MAX} bytes that are read"
        ))),
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::configuration(format!(
            "cannot read standard input: {error}"
        ))),
    }
}

/// One event, a batch, or one event a line.
fn judge(name: &str, text: &str, judged: &mut Vec<Judged>) {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(batch)) => {
            for (index, event) in batch.into_iter().enumerate() {
                judged.push(of_value(format!("{name}[{index}]"), event));
            }
        }
        Ok(event) => judged.push(of_value(name.to_owned(), event)),
        Err(whole) => {
            let lines: Vec<(usize, &str)> = text
                .lines()
                .enumerate()
                .filter(|(_, line)| !line.trim().is_empty())
                .collect();
            // What is no JSON from its first line on is one broken event, not many.
            let first = lines
                .first()
                .map(|(_, line)| serde_json::from_str::<Value>(line));
            if !matches!(first, Some(Ok(_))) {
                if let Some(_only) = first {
                    judged.push(broken(name.to_owned(), &whole));
                }
                return;
            }
            for (at, line) in lines {
                let place = format!("{name}:{}", at + 1);
                judged.push(match serde_json::from_str(line) {
                    Ok(event) => of_value(place, event),
                    Err(error) => broken(place, &error),
                });
            }
        }
    }
}

fn broken(place: String, error: &serde_json::Error) -> Judged {
    let problem = Problem {
        path: String::new(),
        message: format!("it is not JSON: {error}"),
        rule: "JSON Event Format",
    };
    Judged {
        place,
        problem: Some(problem),
    }
}

fn of_value(place: String, event: Value) -> Judged {
    let problem = Envelope::from_value(event).err().map(|error| {
        let (member, rule) = rule(&error);
        Problem {
            path: member.map(pointer).unwrap_or_default(),
            message: error.to_string(),
            rule,
        }
    });
    Judged { place, problem }
}

fn pointer(member: &str) -> String {
    format!("/{}", member.replace('~', "~0").replace('/', "~1"))
}

/// The member that an error is about, and the part of CloudEvents 1.0.2 that has the rule.
fn rule(error: &EnvelopeError) -> (Option<&str>, &'static str) {
    const OWN_LIMIT: &str = "a limit of Tidegate";
    match error {
        EnvelopeError::Json(_) | EnvelopeError::NotAnObject => (None, "JSON Event Format"),
        EnvelopeError::Missing(name) => (Some(name), "REQUIRED Attributes"),
        EnvelopeError::SpecVersion(_) => (Some("specversion"), "REQUIRED Attributes"),
        EnvelopeError::AttributeName(name) => (Some(name), "Attribute Naming Convention"),
        EnvelopeError::AttributeValue { name, .. } => {
            let rule = match name.as_str() {
                "id" | "source" | "type" => "REQUIRED Attributes",
                "datacontenttype" | "dataschema" | "subject" | "time" => "OPTIONAL Attributes",
                _ => "Type System",
            };
            (Some(name), rule)
        }
        EnvelopeError::TwoPayloads | EnvelopeError::Base64 => (
            Some("data_base64"),
            "JSON Event Format, Handling of \"data\"",
        ),
        EnvelopeError::AttributeLong(name) => (Some(name), OWN_LIMIT),
        EnvelopeError::Extensions(_) => (None, OWN_LIMIT),
        EnvelopeError::PayloadLarge(_) => (Some("data"), OWN_LIMIT),
    }
}

fn human(judged: &[Judged]) -> String {
    let mut text = String::new();
    let wrong = judged.iter().filter(|one| one.problem.is_some()).count();
    for one in judged {
        if let Some(problem) = &one.problem {
            let path = if problem.path.is_empty() { "" } else { " " };
            text.push_str(&format!(
                "{}{path}{}: {} ({})\n",
                one.place, problem.path, problem.message, problem.rule
            ));
        }
    }
    text.push_str(&format!("{} events, {wrong} not valid\n", judged.len()));
    text
}

fn as_json(one: &Judged) -> Value {
    match &one.problem {
        None => json!({"event": one.place, "valid": true}),
        Some(problem) => json!({"event": one.place, "valid": false, "path": problem.path,
            "message": problem.message, "rule": problem.rule}),
    }
}
