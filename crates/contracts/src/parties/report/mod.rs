//! The matrix, the order of an upgrade and the impact of a change, as text.
//!
//! Rendering is pure: the same contracts give the same text.

/// Adds a line to a text.
macro_rules! line {
    ($text:expr, $($arguments:tt)*) => {{
        $text.push_str(&format!($($arguments)*));
        $text.push('\n');
    }};
}

mod human;
mod impact;
mod json;
mod markdown;
mod table;

pub use tidegate_check::report::Paint;

use super::impact::Impact;
use super::matrix::{Answer, Matrix};
use super::order::Upgrade;

/// Longest event or rule that a message shows, in characters.
const SHORT_CHARS_MAX: usize = 240;

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people at a terminal.
    Human,
    /// For programs: schemas `tidegate/contracts/v1` and `tidegate/impact/v1`.
    Json,
    /// For the summary of a CI job.
    Markdown,
}

/// The contracts of a design as text, with a line end.
#[must_use]
pub fn contracts(format: Format, matrix: &Matrix, upgrade: &Upgrade, paint: Paint) -> String {
    match format {
        Format::Human => human::render(matrix, upgrade, paint),
        Format::Json => json::render(matrix, upgrade),
        Format::Markdown => markdown::render(matrix, upgrade),
    }
}

/// The impact of a change as text, with a line end.
#[must_use]
pub fn impact(format: Format, impact: &Impact, paint: Paint) -> String {
    match format {
        Format::Human | Format::Markdown => impact::human(impact, paint),
        Format::Json => impact::json(impact),
    }
}

/// The start of a text that may be long, on one line and safe for a terminal.
pub(crate) fn short(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let start: String = text.chars().take(SHORT_CHARS_MAX).map(plain).collect();
    match text.chars().nth(SHORT_CHARS_MAX) {
        Some(_) => format!("{start}…"),
        None => start,
    }
}

/// A text in the colour of an answer.
fn toned(answer: Answer, text: &str, paint: Paint) -> String {
    let colour = match answer {
        Answer::Yes => "32",
        Answer::No => "1;31",
        Answer::NotProved => "33",
    };
    match paint {
        Paint::Plain => text.to_owned(),
        Paint::Ansi => format!("\u{1b}[{colour}m{text}\u{1b}[0m"),
    }
}
