//! Rows of text in columns, with the lines that they begin in.

use std::io::{self, Read};

/// A reader of rows, each as long as it is. Lines end with `\n` alone: a `\r` before it belongs to
/// the last field, whose blanks count for nothing. By itself the parser would end the row at the `\r`
/// and place the next one in the line that is not over.
pub(crate) fn reader<R: Read>(delimiter: u8, text: R) -> csv::Reader<Ended<R>> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .terminator(csv::Terminator::Any(b'\n'))
        .flexible(true)
        .from_reader(Ended {
            text,
            is_within: false,
        })
}

/// Whether the row is a line with nothing in it.
pub(crate) fn is_blank(row: &csv::ByteRecord) -> bool {
    row.len() <= 1 && row.as_slice().iter().all(u8::is_ascii_whitespace)
}

/// The line, from 1, in which the row that was just read begins; empty ones before it are passed over
/// by the parser, which does not say so.
pub(crate) fn line<R: Read>(rows: &csv::Reader<R>, row: &csv::ByteRecord) -> u64 {
    let breaks = row.as_slice().iter().filter(|byte| **byte == b'\n').count();
    let breaks = u64::try_from(breaks).unwrap_or(u64::MAX);
    let before = row.position().map_or(0, csv::Position::line);
    let after = rows.position().line();
    after.saturating_sub(breaks.saturating_add(1)).max(before)
}

/// Text whose last line has an end as well.
pub(crate) struct Ended<R> {
    text: R,
    /// Whether the last byte was within a line.
    is_within: bool,
}

impl<R: Read> Read for Ended<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.text.read(out)?;
        if let Some(last) = count.checked_sub(1).and_then(|last| out.get(last)) {
            self.is_within = *last != b'\n';
            return Ok(count);
        }
        let Some(first) = out.first_mut().filter(|_| self.is_within) else {
            return Ok(0);
        };
        *first = b'\n';
        self.is_within = false;
        Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(u64, String)> {
        let mut rows = reader(b',', text.as_bytes());
        let mut row = csv::ByteRecord::new();
        let mut found = Vec::new();
        while rows.read_byte_record(&mut row).unwrap() {
            if !is_blank(&row) {
                let shown = String::from_utf8_lossy(row.as_slice());
                found.push((line(&rows, &row), shown.trim_end().to_owned()));
            }
        }
        found
    }

    #[test]
    fn a_row_is_in_the_line_that_it_begins_in() {
        let text = "a,b\n1,2\n\n\n3,\"4\n5\"\n6,7";
        let expected = [(2, "12"), (5, "34\n5"), (7, "67")];
        let expected = expected.map(|(line, row)| (line, row.to_owned()));
        assert_eq!(lines(text), expected);
        assert_eq!(lines(&format!("{text}\n")), expected);
        let with_returns: Vec<(u64, String)> = lines(&text.replace('\n', "\r\n"))
            .into_iter()
            .map(|(line, row)| (line, row.replace('\r', "")))
            .collect();
        assert_eq!(with_returns, expected);
        // A quote that is never closed goes on to the end.
        assert_eq!(
            lines("a,b\n1,2\n3,\"4\n5,6\n"),
            [(2, "12".to_owned()), (3, "34\n5,6".to_owned())]
        );
    }
}
