//! What rules call: `matches` with patterns that were compiled once, and errors in plain words.

use std::sync::Arc;

use cel::extractors::This;
use cel::{Context, ExecutionError};
use regex::Regex;

/// The functions that a rule may call, besides the operators and macros.
pub(super) const FUNCTIONS: &[&str] = &[
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "int",
    "uint",
    "double",
    "string",
    "bytes",
    "bool",
    "type",
    "dyn",
    "timestamp",
    "duration",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
];

/// The macros, for "did you mean".
pub(super) const MACROS: &[&str] = &["has", "all", "exists", "exists_one", "map", "filter"];

/// Functions that somebody may look for and that are not there, with what to do instead.
pub(super) fn missing(name: &str) -> Option<&'static str> {
    (name == "now").then_some(
        "a rule gives the same answer at any time: compare with `timestamp(attributes.time)`",
    )
}

/// Adds `matches` for the patterns of a rule; whether that worked.
pub(super) fn add_matches(context: &mut Context<'_, '_>, patterns: &[(String, Regex)]) -> bool {
    if patterns.is_empty() {
        return true;
    }
    let patterns: Vec<(String, Regex)> = patterns.to_vec();
    let matches = move |This(text): This<Arc<String>>,
                        pattern: Arc<String>|
          -> Result<bool, ExecutionError> {
        let mut known = patterns.iter();
        let known = known.find(|(written, _)| *written == *pattern);
        let (_, regex) =
            known.ok_or_else(|| ExecutionError::function_error("matches", "unknown pattern"))?;
        Ok(regex.is_match(&text))
    };
    context.add_function("matches", matches).is_ok()
}

/// An error of the library in the words of a rule, without the values of the event: those may be
/// private.
pub(super) fn plainly(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(name) => format!("the event has no `{name}`"),
        ExecutionError::NoSuchOverload(error) => {
            format!(
                "`{}` does not take {}",
                error.function().trim_matches('_'),
                error.argument_types().join(" and ")
            )
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "it divides by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "a number becomes too large".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "a list is shorter than it asks".to_owned(),
        ExecutionError::FunctionError { function, .. } => match function.as_str() {
            "timestamp" => "it is no time, such as 2026-01-31T12:00:00Z".to_owned(),
            "duration" => "it is no duration, such as 1h30m".to_owned(),
            "timezone" => "there is no such time zone".to_owned(),
            function => format!("`{function}` fails"),
        },
        _ => "it cannot be worked out for this event".to_owned(),
    }
}
