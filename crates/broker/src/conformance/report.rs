//! What the suite found, and the table of all brokers in the documentation.

use std::collections::BTreeMap;
use std::path::Path;

use super::Broken;
use crate::{AtomicBatch, Promises, Retention, Sequences, Survives};

/// What the suite found of one broker.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it declares.
    pub promises: Promises,
    /// Every check of the suite with what came of it, in order.
    pub checks: Vec<(&'static str, Verdict)>,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The promise is kept.
    Kept,
    /// It is not: what happened instead.
    Broken(String),
    /// The broker's declaration does not call for it.
    NotPromised,
}

impl Verdict {
    fn cell(&self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Broken(_) => "**broken**",
            Self::NotPromised => "not promised",
        }
    }
}

impl Report {
    /// The promises that are broken.
    #[must_use]
    pub fn broken(&self) -> Vec<Broken> {
        let broken = self.checks.iter().filter_map(|(promise, verdict)| {
            let Verdict::Broken(instead) = verdict else {
                return None;
            };
            let (promise, instead) = (*promise, instead.clone());
            Some(Broken { promise, instead })
        });
        broken.collect()
    }

    /// Holds the column `broker` of the table in `document` to what was found; with `UPDATE_DOCS` in the
    /// environment it is written instead.
    ///
    /// # Errors
    ///
    /// What is wrong, with what to do.
    pub fn document(&self, document: &Path, broker: &str) -> Result<(), String> {
        let place = document.display();
        let text = std::fs::read_to_string(document).map_err(|e| format!("{place}: {e}"))?;
        let right = self.written_into(&text, broker);
        if right == text {
            return Ok(());
        }
        if std::env::var_os("UPDATE_DOCS").is_none() {
            return Err(format!(
                "{place} does not say of {broker} what was found: run this test with UPDATE_DOCS=1, and commit it"
            ));
        }
        std::fs::write(document, right).map_err(|e| format!("{place}: {e}"))
    }

    /// `text` with the column `broker` of its table as it was found.
    fn written_into(&self, text: &str, broker: &str) -> String {
        let is_row = |line: &&str| line.starts_with('|');
        let before: Vec<&str> = text.lines().take_while(|line| !is_row(line)).collect();
        let after = text.lines().skip(before.len());
        let (table, after): (Vec<&str>, Vec<&str>) = after.partition(is_row);
        let mut columns = read(&table);
        let column = self
            .rows()
            .into_iter()
            .map(|(row, cell)| (row.to_owned(), cell.to_owned()));
        columns.insert(broker.to_owned(), column.collect());
        let rows: Vec<&str> = self.rows().into_iter().map(|(row, _)| row).collect();
        let mut text = String::new();
        for line in before {
            text.push_str(line);
            text.push('\n');
        }
        text.push_str(&write(&columns, &rows));
        for line in after {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// What the table says of it: first what it declares.
    fn rows(&self) -> Vec<(&'static str, &'static str)> {
        let survives = match self.promises.survives {
            Survives::Nothing => "nothing",
            Survives::PowerLoss => "the loss of power",
            Survives::Replicas => "what one replica in step survives",
        };
        let atomic = match self.promises.atomic_batch {
            AtomicBatch::Whole => "whole",
            AtomicBatch::WholeInTheEnd => "whole in the end",
            AtomicBatch::Prefix => "a prefix",
        };
        let retention = match self.promises.retention {
            Retention::Kept => "nothing",
            Retention::Enforced => "any record",
            Retention::OldestFirst => "the oldest",
        };
        let sequences = match self.promises.sequences {
            Sequences::Dense => "dense",
            Sequences::Ascending => "ascending",
        };
        let declared = [
            ("*what was acknowledged survives*", survives),
            ("*a batch is, or is seen,*", atomic),
            ("*what nobody needs: it removes*", retention),
            ("*sequences are*", sequences),
        ];
        let checks = self.checks.iter();
        declared
            .into_iter()
            .chain(checks.map(|(promise, verdict)| (*promise, verdict.cell())))
            .collect()
    }
}

/// Broker to row to cell.
type Columns = BTreeMap<String, BTreeMap<String, String>>;

fn read(table: &[&str]) -> Columns {
    let mut lines = table.iter().map(|line| {
        let cells = line.trim().trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
    });
    let heads = lines.next().unwrap_or_default();
    let mut columns = Columns::new();
    for cells in lines.skip(1) {
        let mut cells = cells.into_iter();
        let row = cells.next().unwrap_or_default();
        for (head, cell) in heads.iter().skip(1).zip(cells) {
            columns
                .entry(head.clone())
                .or_default()
                .insert(row.clone(), cell);
        }
    }
    columns
}

fn write(columns: &Columns, rows: &[&str]) -> String {
    let mut lines = vec![
        std::iter::once("promise")
            .chain(columns.keys().map(String::as_str))
            .collect::<Vec<_>>(),
    ];
    for row in rows {
        // A check that is new has not been seen on the others yet.
        let cells = columns
            .values()
            .map(|cells| cells.get(*row).map_or("?", String::as_str));
        lines.push(std::iter::once(*row).chain(cells).collect());
    }
    let width = |at: usize| {
        let cells = lines.iter().filter_map(|line| line.get(at));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..=columns.len()).map(width).collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            text.push_str(&format!("| {cell:width$} "));
        }
        text.push_str("|\n");
        if number == 0 {
            let dashes = widths.iter().map(|width| "-".repeat(width + 2));
            text.extend(dashes.map(|dashes| format!("|{dashes}")));
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdict: Verdict) -> Report {
        Report {
            promises: Promises {
                name: "it",
                survives: Survives::Nothing,
                atomic_batch: AtomicBatch::Whole,
                retention: Retention::Kept,
                sequences: Sequences::Dense,
            },
            checks: vec![("it is there", verdict)],
        }
    }

    #[test]
    fn a_column_is_written_beside_the_others() {
        let text = "# Brokers\n\nWords.\n\n| promise |\n|---|\n\nMore.\n";
        let one = report(Verdict::Kept).written_into(text, "one");
        assert!(
            one.contains("| it is there                      | kept    |"),
            "{one}"
        );
        let two = report(Verdict::NotPromised).written_into(&one, "two");
        assert!(two.contains("| kept    | not promised |"), "{two}");
        assert!(two.starts_with("# Brokers\n\nWords.\n\n|"), "{two}");
        assert!(two.ends_with("|\n\nMore.\n"), "{two}");
        // Nothing changes when the same is found again, and what is found elsewise is seen.
        assert_eq!(report(Verdict::Kept).written_into(&two, "one"), two);
        let broken = report(Verdict::Broken("no".to_owned())).written_into(&two, "one");
        assert!(broken.contains("| **broken** | not promised |"), "{broken}");
    }
}
