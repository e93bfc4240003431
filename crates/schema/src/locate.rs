//! Where a JSON pointer stands in a JSON text, as line and column.

use crate::keyword::unescape;

/// A place in a text. Lines and columns count from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// How many characters of that line are meant; at least 1.
    pub length: u32,
}

/// The place of the value at `pointer` in `text`: of its name where it has one. `None` when the
/// text is not JSON up to there or has no such value. Takes time linear in the text.
#[must_use]
pub fn locate(text: &str, pointer: &str) -> Option<Position> {
    let mut scan = Scan { text, at: 0 };
    scan.space();
    let mut found = (scan.at, scan.at + 1);
    let segments = pointer
        .strip_prefix('/')
        .map(|rest| rest.split('/').map(unescape));
    for segment in segments.into_iter().flatten() {
        found = scan.enter(&segment)?;
    }
    Some(position(text, found))
}

fn position(text: &str, (start, end): (usize, usize)) -> Position {
    let before = text.get(..start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let count = |from: usize, to: usize| {
        let characters = text.get(from..to).unwrap_or_default().chars().count();
        u32::try_from(characters).unwrap_or(u32::MAX)
    };
    let lines = before.bytes().filter(|byte| *byte == b'\n').count();
    Position {
        line: u32::try_from(lines).unwrap_or(u32::MAX).saturating_add(1),
        column: count(line_start, start).saturating_add(1),
        length: count(start, end).max(1),
    }
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl Scan<'_> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while self.byte().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Moves to the value of `segment` in the object or array here; the range that names it.
    fn enter(&mut self, segment: &str) -> Option<(usize, usize)> {
        self.space();
        let array = match self.byte()? {
            b'{' => false,
            b'[' => true,
            _ => return None,
        };
        self.at += 1;
        let mut index = 0_usize;
        loop {
            self.space();
            let start = self.at;
            let here = if array {
                segment.parse() == Ok(index)
            } else {
                let name = self.string()?;
                self.space();
                (self.byte()? == b':').then_some(())?;
                self.at += 1;
                self.space();
                name == segment
            };
            if here {
                let end = if array {
                    start + 1
                } else {
                    self.name_end(start)?
                };
                return Some((start, end));
            }
            self.skip()?;
            self.space();
            (self.byte()? == b',').then_some(())?;
            self.at += 1;
            index += 1;
        }
    }

    fn name_end(&self, start: usize) -> Option<usize> {
        let mut name = Scan {
            text: self.text,
            at: start,
        };
        name.string()?;
        Some(name.at)
    }

    /// Reads a string, escapes resolved, and stands behind it.
    fn string(&mut self) -> Option<String> {
        (self.byte()? == b'"').then_some(())?;
        let start = self.at;
        self.at += 1;
        loop {
            match self.byte()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        serde_json::from_str(self.text.get(start..self.at)?).ok()
    }

    /// Stands behind the value here.
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.byte()? {
                b'"' => {
                    self.string()?;
                    if depth == 0 {
                        return Some(());
                    }
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 0 => return Some(()),
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += 1;
                        return Some(());
                    }
                }
                b',' if depth == 0 => return Some(()),
                _ => {}
            }
            self.at += 1;
        }
    }
}
