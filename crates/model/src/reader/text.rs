//! Reading texts and names, with the traps of plain YAML scalars.

use tidegate_base::{Name, NameError};

use super::record::Value;
use super::scalar::ScalarReading;
use crate::code::{AMBIGUOUS, BAD_NAME, OUT_OF_RANGE, WRONG_TYPE};
use crate::findings::{Problem, excerpt};
use crate::yaml::{Plain, Style, is_read_differently, resolve};

/// How many lines a text may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lines {
    /// One, without control characters.
    One,
    /// Any number.
    Many,
}

/// Reads a text that is not empty.
pub(crate) fn read(text: &str, style: Style, lines: Lines) -> ScalarReading {
    if text.trim().is_empty() {
        let problem = Problem::new(&OUT_OF_RANGE, "the text is empty")
            .hint("write a text, or remove the field");
        return Err(problem).into();
    }
    if lines == Lines::One && text.chars().any(char::is_control) {
        let message = format!("`{}` has a line break or control character", excerpt(text));
        let problem = Problem::new(&OUT_OF_RANGE, message).hint("write it on one line");
        return Err(problem).into();
    }
    ScalarReading {
        value: Some(Value::Text(text.to_owned())),
        problem: trap(text, style),
    }
}

/// Reads a name that is a value.
pub(crate) fn read_name(text: &str, style: Style) -> ScalarReading {
    match Name::new(text) {
        Ok(name) => ScalarReading {
            value: Some(Value::Name(name)),
            problem: trap(text, style),
        },
        Err(error) => Err(bad_name(text, &error)).into(),
    }
}

/// Reads a name that is a key: a number is a text there, as in JSON.
pub(crate) fn read_key(text: &str, style: Style) -> ScalarReading {
    match Name::new(text) {
        Ok(name) => ScalarReading {
            value: Some(Value::Name(name)),
            problem: boolean(text, style),
        },
        Err(error) => Err(bad_name(text, &error)).into(),
    }
}

fn bad_name(text: &str, error: &NameError) -> Problem {
    let shown = excerpt(text);
    let message = match error {
        NameError::Empty => "the name is empty".to_owned(),
        NameError::Long { .. } => error.to_string(),
        NameError::Start { .. } => {
            format!("name `{shown}` does not start with a letter or a digit")
        }
        NameError::Character { character, .. } => {
            format!(
                "name `{shown}` has the character {character:?}; letters, digits, `.`, `_`, `-` are allowed"
            )
        }
    };
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    let legal: String = text
        .chars()
        .map(|c| if is_allowed(c) { c } else { '-' })
        .collect();
    let problem = Problem::new(&BAD_NAME, message);
    match Name::new(legal.trim_end_matches('-')) {
        Ok(name) => problem.hint(format!("`{}` is a name", excerpt(name.as_str()))),
        Err(_) => problem,
    }
}

/// What YAML makes of a plain scalar where a text is meant.
fn trap(text: &str, style: Style) -> Option<Problem> {
    let kind = match resolve(text, style) {
        Plain::Text => return boolean(text, style),
        Plain::Null => "nothing",
        Plain::Bool(_) => "true or false",
        Plain::Integer(_) | Plain::Float(_) => "a number",
    };
    let message = format!(
        "`{}` without quotes is {kind}, where a text is expected",
        excerpt(text)
    );
    Some(Problem::new(&WRONG_TYPE, message).hint(format!("write `\"{}\"`", excerpt(text))))
}

fn boolean(text: &str, style: Style) -> Option<Problem> {
    (style == Style::Plain && is_read_differently(text)).then(|| {
        let message = format!(
            "`{text}` without quotes is true or false to some YAML readers; here it is a text"
        );
        Problem::new(&AMBIGUOUS, message).hint(format!("write `\"{text}\"`"))
    })
}
