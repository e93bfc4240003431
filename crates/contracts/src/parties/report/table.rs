//! Aligned columns.

/// A cell: what it says, and how it looks.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) painted: String,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            painted: text.to_owned(),
        }
    }
}

/// Rows, each column as wide as its widest cell.
pub(super) fn aligned(rows: &[Vec<Cell>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (index, cell) in row.iter().enumerate() {
            let width = cell.text.chars().count();
            match widths.get_mut(index) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let space = width.saturating_sub(cell.text.chars().count());
            line.push_str(&cell.painted);
            line.push_str(&" ".repeat(space + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
