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
];

/// The macros, for "did you mean".
pub(super) const MACROS: &[&str] = &["has", "all", "exists", "exists_one", "map", "filter"];

/// Functions of the standard that are not there, with what to do instead.
pub(super) fn missing(name: &str) -> Option<&'static str> {
    let is_of_times = name.starts_with("get") || matches!(name, "timestamp" | "duration" | "now");
    is_of_times
        .then_some("times are texts here: compare those of one form, such as UTC to the second")
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
        ExecutionError::FunctionError { function, .. } => format!("`{function}` fails"),
        _ => "it cannot be worked out for this event".to_owned(),
    }
}
