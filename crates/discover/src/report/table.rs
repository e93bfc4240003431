//! Tables of text with aligned columns.

/// Which edge a column keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows under a head, as plain text; every row as long as the head.
pub(crate) struct Table {
    pub(crate) head: Vec<(&'static str, Align)>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// The lines of the table, the head first.
    pub(crate) fn lines(&self) -> Vec<String> {
        let widths: Vec<usize> = self
            .head
            .iter()
            .enumerate()
            .map(|(column, (title, _))| {
                let cells = self
                    .rows
                    .iter()
                    .filter_map(|row| row.get(column))
                    .map(|cell| width(cell));
                cells.chain([width(title)]).max().unwrap_or_default()
            })
            .collect();
        let head: Vec<String> = self
            .head
            .iter()
            .map(|(title, _)| (*title).to_owned())
            .collect();
        std::iter::once(&head)
            .chain(&self.rows)
            .map(|row| self.line(row, &widths))
            .collect()
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let cells = row
            .iter()
            .zip(&self.head)
            .zip(widths)
            .map(|((cell, (_, align)), wide)| {
                let gap = " ".repeat(wide.saturating_sub(width(cell)));
                match align {
                    Align::Left => format!("{cell}{gap}"),
                    Align::Right => format!("{gap}{cell}"),
                }
            });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}
