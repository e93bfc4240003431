//! Text of captures in comments and tables, where it must not end the line or the cell.

/// `text` on one line: control characters become spaces.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}
