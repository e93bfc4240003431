//! Reading one scalar as a value of a kind.

use super::quantity;
use super::record::Value;
use super::text;
use super::url;
use crate::code::{BAD_POINTER, NOT_ALLOWED, OUT_OF_RANGE, VERSION as UNSUPPORTED, WRONG_TYPE};
use crate::findings::{Problem, excerpt};
use crate::language::VERSION;
use crate::pointer::{field_segments, pointer_segments};
use crate::shape::{Kind, Share};
use crate::suggest::closest;
use crate::words::Choice;
use crate::yaml::{Plain, Style, plain_value, resolve};

/// What came of reading a scalar: a value, a problem, or a value in spite of a problem.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScalarReading {
    pub(crate) value: Option<Value>,
    pub(crate) problem: Option<Problem>,
}

impl From<Result<Value, Problem>> for ScalarReading {
    fn from(result: Result<Value, Problem>) -> Self {
        match result {
            Ok(value) => Self {
                value: Some(value),
                problem: None,
            },
            Err(problem) => Self {
                value: None,
                problem: Some(problem),
            },
        }
    }
}

/// Reads a scalar as a value of a kind that is a scalar.
pub(crate) fn read(kind: &Kind, text: &str, style: Style) -> ScalarReading {
    if resolve(text, style) == Plain::Null && !matches!(kind, Kind::Literal) {
        return Err(no_value(kind)).into();
    }
    match kind {
        Kind::Text => text::read(text, style, text::Lines::Many),
        Kind::Line => text::read(text, style, text::Lines::One),
        Kind::Name => text::read_name(text, style),
        Kind::Version => version(text, style).into(),
        Kind::Duration(least) => quantity::duration(text, *least).into(),
        Kind::Rate => quantity::rate(text).into(),
        Kind::Bytes => quantity::bytes(text).into(),
        Kind::Ratio(share) => quantity::ratio(text, *share).into(),
        Kind::Count(least, most) => quantity::count(text, style, *least, *most).into(),
        Kind::Word(choices) => word(text, choices).into(),
        Kind::Pointer => pointer(text).into(),
        Kind::FieldPath => field_path(text, style),
        Kind::Url => url::check(text)
            .map(|()| Value::Text(text.to_owned()))
            .into(),
        Kind::Literal => Ok(Value::Json(plain(text, style))).into(),
        // Not scalars: the callers read them otherwise.
        Kind::Schema
        | Kind::Weights
        | Kind::Short(_)
        | Kind::List(..)
        | Kind::Section(_)
        | Kind::Named(_) => ScalarReading::default(),
    }
}

/// What a kind expects, with its article.
pub(crate) fn expected(kind: &Kind) -> &'static str {
    match kind {
        Kind::Version => "the version of the design language",
        Kind::Text | Kind::Line => "a text",
        Kind::Name => "a name",
        Kind::Duration(_) => "a duration",
        Kind::Rate => "a rate",
        Kind::Bytes => "a size in bytes",
        Kind::Ratio(_) => "a share",
        Kind::Count(..) => "a whole number",
        Kind::Weights => "names with numbers",
        Kind::Word(_) => "a word",
        Kind::Pointer => "a JSON pointer",
        Kind::FieldPath => "a field or a JSON pointer",
        Kind::Url => "a URL",
        Kind::Schema => "a schema file or an inline JSON Schema",
        Kind::Literal => "a value",
        Kind::Short(short) => expected(&short.kind),
        Kind::List(..) => "a list",
        Kind::Section(_) | Kind::Named(_) => "a mapping",
    }
}

/// How a value of a kind is written.
pub(crate) fn written(kind: &Kind) -> String {
    match kind {
        Kind::Version => format!("write `tidegate: {VERSION}`"),
        Kind::Text | Kind::Line => "write a text, in quotes where it has `: ` or ` #`".to_owned(),
        Kind::Name => "write letters, digits, `.`, `_`, `-`".to_owned(),
        Kind::Duration(_) => quantity::DURATION_HINT.to_owned(),
        Kind::Rate => quantity::RATE_HINT.to_owned(),
        Kind::Bytes => quantity::BYTES_HINT.to_owned(),
        Kind::Ratio(Share::FromZero | Share::AboveZero) => quantity::RATIO_HINT.to_owned(),
        Kind::Count(least, most) => format!("write a whole number from {least} to {most}"),
        Kind::Word(choices) => format!("write one of {}", listed(choices)),
        Kind::Pointer => "write a JSON pointer, such as `/orderId`".to_owned(),
        Kind::FieldPath => "write `orderId` or a JSON pointer, such as `/customer/id`".to_owned(),
        Kind::Url => "write a URL, such as `http://localhost:9001/events`".to_owned(),
        Kind::Schema => "write the path of a file, or a JSON Schema as a mapping".to_owned(),
        Kind::Literal => "write a text, a number, `true`, `false` or `null`".to_owned(),
        Kind::Short(short) => written(&short.kind),
        Kind::List(..) => "write `[first, second]`".to_owned(),
        Kind::Weights | Kind::Section(_) | Kind::Named(_) => {
            "write `name: value`, indented below".to_owned()
        }
    }
}

/// The weight of a criterion: a finite number that is not negative.
pub(crate) fn weight(criterion: &str, text: &str, style: Style) -> Result<f64, Problem> {
    if criterion.trim().is_empty() {
        return Err(Problem::new(
            &OUT_OF_RANGE,
            "the name of a criterion is empty",
        ));
    }
    let value = match resolve(text, style) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "no weight needs more than 53 bits"
        )]
        Plain::Integer(value) => value as f64,
        Plain::Float(value) => value,
        _ => {
            let message = format!("a number is expected here, not `{}`", excerpt(text));
            return Err(
                Problem::new(&WRONG_TYPE, message).hint("write a number, such as `2` or `0.5`")
            );
        }
    };
    if value.is_finite() && value >= 0.0 {
        return Ok(value);
    }
    let message = format!("weight `{}` is not a number from 0 on", excerpt(text));
    Err(Problem::new(&OUT_OF_RANGE, message).hint("write `0` for a criterion that does not matter"))
}

fn no_value(kind: &Kind) -> Problem {
    let message = format!("{} is expected here, not nothing", expected(kind));
    let hint = match kind {
        Kind::Version => written(kind),
        Kind::Word(choices) if has_none(choices) => "write `none`, or remove the field".to_owned(),
        _ => format!("{}, or remove the field", written(kind)),
    };
    Problem::new(&WRONG_TYPE, message).hint(hint)
}

fn version(text: &str, style: Style) -> Result<Value, Problem> {
    match resolve(text, style) {
        Plain::Integer(version) if version == i64::from(VERSION) => Ok(Value::Count(VERSION)),
        Plain::Integer(version) => {
            let message = format!("version {version} of the design language is not supported");
            let hint = format!("this program reads version {VERSION}: write `tidegate: {VERSION}`");
            Err(Problem::new(&UNSUPPORTED, message).hint(hint))
        }
        _ => {
            let message = format!("the version is a whole number, not `{}`", excerpt(text));
            let hint = format!("write `tidegate: {VERSION}`, without quotes or point");
            Err(Problem::new(&WRONG_TYPE, message).hint(hint))
        }
    }
}

fn word(text: &str, choices: &'static [Choice]) -> Result<Value, Problem> {
    if let Some(choice) = choices.iter().find(|choice| choice.word == text) {
        return Ok(Value::Word(choice.word));
    }
    let message = format!("`{}` is not one of {}", excerpt(text), listed(choices));
    let problem = Problem::new(&NOT_ALLOWED, message);
    let negative = ["no", "off", "false", "null"]
        .iter()
        .any(|no| no.eq_ignore_ascii_case(text));
    Err(
        match closest(text, choices.iter().map(|choice| choice.word)) {
            _ if negative && has_none(choices) => problem.hint("write `none`"),
            Some(known) => problem.hint(format!("did you mean `{known}`?")),
            None => problem,
        },
    )
}

fn has_none(choices: &[Choice]) -> bool {
    choices.iter().any(|choice| choice.word == "none")
}

fn listed(choices: &[Choice]) -> String {
    let words: Vec<_> = choices
        .iter()
        .map(|choice| format!("`{}`", choice.word))
        .collect();
    words.join(", ")
}

/// A scalar as JSON: in quotes it is a text.
fn plain(text: &str, style: Style) -> serde_json::Value {
    match style {
        Style::Plain => plain_value(text),
        Style::Quoted => serde_json::Value::from(text),
    }
}

fn pointer(text: &str) -> Result<Value, Problem> {
    match pointer_segments(text) {
        Ok(_) => Ok(Value::Text(text.to_owned())),
        Err(error) => {
            let message = format!("`{}` is not a JSON pointer: {error}", excerpt(text));
            let name = text.trim_start_matches(['$', '.']).replace('.', "/");
            let hint = match text.contains('~') || name.is_empty() {
                true => "write a JSON pointer, such as `/orderId`".to_owned(),
                false => format!("write `/{}`", excerpt(name.trim_start_matches('/'))),
            };
            Err(Problem::new(&BAD_POINTER, message).hint(hint))
        }
    }
}

fn field_path(text: &str, style: Style) -> ScalarReading {
    let reading = text::read(text, style, text::Lines::Many);
    match field_segments(text) {
        Err(error) if reading.problem.is_none() => {
            let message = format!("`{}` is not a JSON pointer: {error}", excerpt(text));
            Err(Problem::new(&BAD_POINTER, message)).into()
        }
        _ => reading,
    }
}
