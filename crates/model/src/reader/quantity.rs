//! Reading quantities: durations, rates, sizes, shares, counts.

use std::time::Duration;

use tidegate_base::{Bytes, Rate, Ratio, parse_duration};

use super::record::Value;
use crate::code::{BAD_QUANTITY, OUT_OF_RANGE, WRONG_TYPE};
use crate::findings::{Problem, excerpt};
use crate::shape::Share;
use crate::yaml::{Plain, Style, resolve};

pub(crate) const DURATION_HINT: &str =
    "write a number and one of `ns us ms s m h d w`, such as `250ms`, `30s`, `7d`";
pub(crate) const RATE_HINT: &str =
    "write a number of events in a time, such as `2000/s`, `1.5k/s`, `90/m`";
pub(crate) const BYTES_HINT: &str =
    "write a number of bytes, such as `300`, `64KiB`, `1MB`; units are written like that";
pub(crate) const RATIO_HINT: &str = "write `20%` or `0.2`; the most is `100%`";

/// Reads a duration of at least `least`.
pub(crate) fn duration(text: &str, least: Duration) -> Result<Value, Problem> {
    match parse_duration(text) {
        Ok(value) if value < least => {
            let message = format!("`{}` is not longer than zero", excerpt(text));
            Err(Problem::new(&OUT_OF_RANGE, message).hint("write a duration, such as `1s`"))
        }
        Ok(value) if is_trimmed(text) => Ok(Value::Duration(value)),
        _ => Err(bad(text, "a duration", duration_hint(text))),
    }
}

/// Reads a rate.
pub(crate) fn rate(text: &str) -> Result<Value, Problem> {
    match Rate::parse(text) {
        Ok(value) if is_trimmed(text) => Ok(Value::Rate(value)),
        _ if is_number(text) => Err(bad(
            text,
            "a rate",
            format!("say in which time: `{text}/s`"),
        )),
        _ => Err(bad(text, "a rate", RATE_HINT.to_owned())),
    }
}

/// Reads a number of bytes.
pub(crate) fn bytes(text: &str) -> Result<Value, Problem> {
    match Bytes::parse(text) {
        Ok(value) if is_trimmed(text) => Ok(Value::Bytes(value)),
        _ => Err(bad(text, "a size in bytes", BYTES_HINT.to_owned())),
    }
}

/// Reads a share of a whole.
pub(crate) fn ratio(text: &str, share: Share) -> Result<Value, Problem> {
    match Ratio::parse(text) {
        Ok(value) if share == Share::AboveZero && value.value() <= 0.0 => {
            let message = format!("`{}` is not more than zero", excerpt(text));
            Err(Problem::new(&OUT_OF_RANGE, message).hint("write a share above `0%`, up to `100%`"))
        }
        Ok(value) if is_trimmed(text) => Ok(Value::Ratio(value)),
        _ if is_number(text) && text.parse::<f64>().is_ok_and(|percent| percent <= 100.0) => {
            Err(bad(
                text,
                "a share between 0% and 100%",
                format!("write `{text}%`"),
            ))
        }
        _ => Err(bad(
            text,
            "a share between 0% and 100%",
            RATIO_HINT.to_owned(),
        )),
    }
}

/// Reads a whole number from `least` to `most`.
pub(crate) fn count(text: &str, style: Style, least: u32, most: u32) -> Result<Value, Problem> {
    let range = format!("write a whole number from {least} to {most}");
    let wrong = |hint: String| {
        let message = format!("a whole number is expected here, not `{}`", excerpt(text));
        Err(Problem::new(&WRONG_TYPE, message).hint(hint))
    };
    match resolve(text, style) {
        Plain::Integer(value) if is_octal_to_some(text) => wrong(format!(
            "some YAML readers take it as another number: write `{value}`"
        )),
        Plain::Integer(value) => match u32::try_from(value) {
            Ok(value) if (least..=most).contains(&value) => Ok(Value::Count(value)),
            _ => {
                let message = format!("{value} is not from {least} to {most}");
                Err(Problem::new(&OUT_OF_RANGE, message).hint(range))
            }
        },
        Plain::Float(value) if value.fract() == 0.0 && value.abs() < 1e15 => {
            wrong(format!("write `{value:.0}`"))
        }
        Plain::Text if style == Style::Quoted && is_number(text) => {
            wrong(format!("write `{}` without quotes", excerpt(text)))
        }
        Plain::Text if is_number(&text.replace('_', "")) => {
            wrong(format!("write `{}`", excerpt(&text.replace('_', ""))))
        }
        _ => wrong(range),
    }
}

fn bad(text: &str, expected: &str, hint: String) -> Problem {
    Problem::new(
        &BAD_QUANTITY,
        format!("`{}` is not {expected}", excerpt(text)),
    )
    .hint(hint)
}

/// Whether no space stands around a text: quotes can keep it, and then it is a mistake.
fn is_trimmed(text: &str) -> bool {
    text.trim().len() == text.len()
}

fn is_number(text: &str) -> bool {
    let digits = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    digits && text.len() < 20 && text.parse::<f64>().is_ok()
}

/// `010` is eight to readers of YAML 1.1; `0o10` and `0x10` are texts to some.
fn is_octal_to_some(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    digits.len() > 1 && digits.starts_with('0')
}

/// What a text that is not a duration most likely means.
fn duration_hint(text: &str) -> String {
    const WORDS: &[(&str, &[&str])] = &[
        (
            "ms",
            &[
                "msec",
                "msecs",
                "milli",
                "millis",
                "millisecond",
                "milliseconds",
            ],
        ),
        ("s", &["sec", "secs", "second", "seconds", "S"]),
        ("m", &["mins", "minute", "minutes"]),
        ("h", &["hr", "hrs", "hour", "hours", "H"]),
        ("d", &["day", "days", "D"]),
        ("w", &["week", "weeks", "W"]),
    ];
    let text = text.trim();
    if is_number(text) {
        return format!("add the unit: `{text}s`, `{text}ms`, `{text}m`");
    }
    let number: String = text
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    let word = text.strip_prefix(&number).unwrap_or_default().trim();
    let unit = WORDS
        .iter()
        .find(|(_, words)| words.contains(&word))
        .map(|(unit, _)| unit);
    match unit {
        Some(unit) if is_number(&number) => format!("write `{number}{unit}`"),
        _ if ["mo", "M", "month", "months", "y", "Y", "year", "years"].contains(&word) => {
            "months and years differ in length: write days, such as `30d`".to_owned()
        }
        _ => DURATION_HINT.to_owned(),
    }
}
