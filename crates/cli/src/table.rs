//! Tables and lists for people: aligned, each cell on one line, coloured where a terminal shows it.

use std::time::Duration;

use tidegate_base::{Timestamp, format_duration};

use crate::terminal::shown;

/// How a cell stands out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Good,
    Poor,
    Bad,
}

impl Tone {
    /// `text` in the colour of the tone.
    pub(crate) fn painted(self, text: &str, paint: bool) -> String {
        let colour = match self {
            Self::Good => "\x1b[32m",
            Self::Poor => "\x1b[33m",
            Self::Bad => "\x1b[1;31m",
            Self::Plain => return text.to_owned(),
        };
        match paint {
            true => format!("{colour}{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

/// Text of anyone, safe to print, and its tone.
#[derive(Debug)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(crate) fn new(text: &str) -> Self {
        Self {
            text: shown(text),
            tone: Tone::Plain,
        }
    }

    pub(crate) fn toned(text: &str, tone: Tone) -> Self {
        Self {
            tone,
            ..Self::new(text)
        }
    }

    /// At most `most` characters of a text.
    pub(crate) fn cut(text: &str, most: usize) -> Self {
        let text = shown(text);
        if text.chars().count() <= most {
            return Self::new(&text);
        }
        let start: String = text.chars().take(most.saturating_sub(1)).collect();
        Self::new(&format!("{start}…"))
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::new(&number.to_string())
    }
}

/// Where the cells of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Rows below their heads. The cells of a column are as wide as the widest of them.
pub(crate) fn table<const N: usize>(
    heads: [(&str, Side); N],
    rows: impl IntoIterator<Item = [Cell; N]>,
    paint: bool,
) -> String {
    let head = heads.map(|(name, _)| Cell::new(name));
    let rows: Vec<[Cell; N]> = [head].into_iter().chain(rows).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.text.chars().count());
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for ((cell, width), (_, side)) in row.iter().zip(widths).zip(heads) {
            let space = " ".repeat(width.saturating_sub(cell.text.chars().count()));
            let painted = cell.tone.painted(&cell.text, paint);
            line.push_str(&match side {
                Side::Left => format!("{painted}{space}  "),
                Side::Right => format!("{space}{painted}  "),
            });
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Names and what they are, below each other; those without a value are left out.
pub(crate) fn facts(rows: &[(&str, Option<String>)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let rows = rows.iter();
    let lines = rows.filter_map(|(name, value)| Some((name, shown(value.as_ref()?))));
    lines
        .map(|(name, value)| format!("{name:<width$}  {value}\n"))
        .collect()
}

/// A moment of the daemon's clock.
pub(crate) fn moment(millis: u64) -> String {
    Timestamp::from_millis(millis).to_string()
}

/// A time of the daemon in seconds. What is no time, such as a negative one, is not made one.
pub(crate) fn seconds(seconds: f64) -> String {
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) => format_duration(duration),
        Err(_) => seconds.to_string(),
    }
}

/// As [`seconds`], in milliseconds.
pub(crate) fn millis(millis: f64) -> String {
    seconds(millis / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_text_of_others_is_harmless() {
        let rows = [
            [
                Cell::toned("ok", Tone::Good),
                7.into(),
                Cell::new("é\u{1b}[2J\n"),
            ],
            [Cell::new("halted"), 1_000.into(), Cell::cut("abcdef", 4)],
        ];
        let heads = [
            ("state", Side::Left),
            ("n", Side::Right),
            ("error", Side::Left),
        ];
        insta::assert_snapshot!(table(heads, rows, false), @r"
        state      n  error
        ok         7  é\u{1b}[2J\n
        halted  1000  abc…
        ");
    }

    #[test]
    fn colour_does_not_move_columns() {
        let row = || [Cell::toned("ok", Tone::Good), Cell::new("x")];
        let heads = [("state", Side::Left), ("y", Side::Left)];
        let painted = table(heads, [row()], true);
        assert_eq!(painted, "state  y\n\u{1b}[32mok\u{1b}[0m     x\n");
    }
}
