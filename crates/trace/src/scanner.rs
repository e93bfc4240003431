//! JSON from a reader, one value at a time: finds where values end, and leaves their content to
//! serde. A document of any size is read in the memory of its largest value.

use memchr::{memchr_iter, memchr2, memrchr};
use serde::Deserialize;

use crate::input::Input;
use crate::json::Scalar;
use crate::{Format, ReadError};

/// What is wrong with one value.
pub(crate) enum Wrong {
    /// It is not JSON, or not of the format.
    Json(serde_json::Error),
    /// It is JSON of the format with an impossible content.
    Content(String),
    /// It is a Zipkin v1 span.
    ZipkinV1,
}

impl From<serde_json::Error> for Wrong {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

/// Reads values off the front of an input and knows the place.
pub(crate) struct Scanner<'i, 'r> {
    input: &'i mut Input<'r>,
    line: usize,
    column: usize,
    /// What the document seems to be, for messages.
    pub(crate) format: Option<Format>,
}

impl<'i, 'r> Scanner<'i, 'r> {
    pub(crate) fn new(input: &'i mut Input<'r>) -> Self {
        Self {
            input,
            line: 1,
            column: 1,
            format: None,
        }
    }

    pub(crate) fn input(&mut self) -> &mut Input<'r> {
        self.input
    }

    /// The next byte that is not white space; `None` at the end.
    pub(crate) fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        loop {
            let data = self.input.data();
            let blank = data.iter().take_while(|b| b.is_ascii_whitespace()).count();
            if let Some(byte) = data.get(blank).copied() {
                self.take(blank);
                return Ok(Some(byte));
            }
            self.take(blank);
            if !self.input.fill()? {
                return Ok(None);
            }
        }
    }

    /// Takes the byte if it is the next one that is not white space.
    pub(crate) fn eat(&mut self, wanted: u8) -> Result<bool, ReadError> {
        let found = self.peek()? == Some(wanted);
        if found {
            self.take(1);
        }
        Ok(found)
    }

    fn take(&mut self, count: usize) {
        let taken = self.input.data().get(..count).unwrap_or_default();
        match memrchr(b'\n', taken) {
            None => self.column += count,
            Some(last) => {
                self.line += memchr_iter(b'\n', taken).count();
                self.column = count - last;
            }
        }
        self.input.take(count);
    }

    /// Hands the next value over, as much of it as there is.
    pub(crate) fn unit(
        &mut self,
        read: impl FnOnce(&[u8]) -> Result<(), Wrong>,
    ) -> Result<(), ReadError> {
        self.peek()?;
        let mut scan = Scan::default();
        let length = loop {
            match scan.end(self.input.data()) {
                Some(end) => break end,
                None if self.input.fill()? => {}
                None => break self.input.data().len(),
            }
        };
        let value = self.input.data().get(..length).unwrap_or_default();
        let done = read(value);
        done.map_err(|wrong| self.place(&wrong))?;
        self.take(length);
        Ok(())
    }

    /// Passes over the next value in little memory; `false` when it is `null`.
    pub(crate) fn skip(&mut self) -> Result<bool, ReadError> {
        let is_null = self.peek()? == Some(b'n');
        let mut scan = Scan::default();
        loop {
            if let Some(end) = scan.end(self.input.data()) {
                self.take(end);
                return Ok(!is_null);
            }
            let seen = self.input.data().len();
            self.take(seen);
            scan.at = 0;
            if !self.input.fill()? {
                return Err(self.cut_off("a value"));
            }
        }
    }

    /// Calls `member` with every key of the next object; it takes the value.
    pub(crate) fn members(
        &mut self,
        member: &mut dyn FnMut(&mut Self, &str) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        if !self.eat(b'{')? {
            return Err(self.expected("an object"));
        }
        if self.eat(b'}')? {
            return Ok(());
        }
        loop {
            let mut key = String::new();
            if self.peek()? != Some(b'"') {
                return Err(self.expected("a key"));
            }
            self.unit(|text| {
                let text = serde_json::from_slice::<Scalar<'_>>(text)?;
                text.text().unwrap_or_default().clone_into(&mut key);
                Ok(())
            })?;
            if !self.eat(b':')? {
                return Err(self.expected("`:`"));
            }
            member(self, &key)?;
            if self.eat(b'}')? {
                return Ok(());
            }
            if !self.eat(b',')? {
                return Err(self.expected_in("an object", "`,` or `}`"));
            }
        }
    }

    /// Calls `element` for every element of the next list; it takes the element. `null` is an empty
    /// list.
    pub(crate) fn elements(
        &mut self,
        element: &mut dyn FnMut(&mut Self) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        if self.peek()? == Some(b'n') {
            return self.skip().map(|_| ());
        }
        if !self.eat(b'[')? {
            // Something else: its own error says what.
            return self.unit(|value| {
                serde_json::from_slice::<Vec<serde::de::IgnoredAny>>(value)?;
                Ok(())
            });
        }
        if self.eat(b']')? {
            return Ok(());
        }
        loop {
            element(self)?;
            if self.eat(b']')? {
                return Ok(());
            }
            if !self.eat(b',')? {
                return Err(self.expected_in("a list", "`,` or `]`"));
            }
        }
    }

    /// That something else stands here.
    pub(crate) fn expected(&self, what: &str) -> ReadError {
        if self.input.data().is_empty() {
            return self.cut_off(what);
        }
        self.error(self.line, self.column, format!("expected {what}"), CORRECT)
    }

    fn expected_in(&self, container: &str, what: &str) -> ReadError {
        if self.input.data().is_empty() {
            return self.cut_off(container);
        }
        self.expected(what)
    }

    fn cut_off(&self, what: &str) -> ReadError {
        let column = self.column.saturating_sub(1).max(1);
        let message = format!("EOF while parsing {what}");
        self.error(self.line, column, message, CUT_OFF)
    }

    fn error(&self, line: usize, column: usize, message: String, hint: &'static str) -> ReadError {
        let what = self
            .format
            .map_or_else(|| "JSON".to_owned(), |format| format.to_string());
        ReadError::Json {
            name: self.input.name().to_owned(),
            what,
            line,
            column,
            message,
            hint,
        }
    }

    /// The error with its place in the whole input.
    pub(crate) fn place(&self, wrong: &Wrong) -> ReadError {
        match wrong {
            Wrong::Content(message) => {
                const HINT: &str = "correct it in the value that starts there";
                self.error(self.line, self.column, message.clone(), HINT)
            }
            Wrong::ZipkinV1 => ReadError::ZipkinV1 {
                name: self.input.name().to_owned(),
                line: self.line,
                column: self.column,
            },
            Wrong::Json(error) => {
                let text = error.to_string();
                let message = text.split(" at line ").next().unwrap_or_default();
                let hint = if error.is_eof() { CUT_OFF } else { CORRECT };
                // The first line of the value starts in the middle of one of the input.
                let column = if error.line() <= 1 {
                    self.column + error.column().saturating_sub(1)
                } else {
                    error.column()
                };
                let line = self.line + error.line().saturating_sub(1);
                self.error(line, column, message.to_owned(), hint)
            }
        }
    }
}

const CORRECT: &str = "correct it there, or export it again";
const CUT_OFF: &str = "the file is cut off: export it again, or remove its last line";

/// Where a value ends, looked for in bytes that may not be all there yet.
#[derive(Debug, Default)]
struct Scan {
    at: usize,
    depth: usize,
    in_string: bool,
    /// The last byte seen was a backslash in a string.
    is_escaped: bool,
    /// A number, `true`, `false` or `null`, or what is none of these.
    in_scalar: bool,
}

impl Scan {
    /// The length of the value that `data` starts with; `None` when it goes on after `data`. Asked
    /// again with more data it goes on from where it was.
    fn end(&mut self, data: &[u8]) -> Option<usize> {
        while let Some(byte) = data.get(self.at).copied() {
            if self.in_string {
                if self.is_escaped {
                    self.is_escaped = false;
                    self.at += 1;
                    continue;
                }
                let rest = data.get(self.at..).unwrap_or_default();
                let Some(found) = memchr2(b'"', b'\\', rest) else {
                    self.at = data.len();
                    return None;
                };
                self.at += found + 1;
                if rest.get(found) == Some(&b'\\') {
                    self.is_escaped = true;
                } else {
                    self.in_string = false;
                    if self.depth == 0 {
                        return Some(self.at);
                    }
                }
                continue;
            }
            if let Some(end) = self.outside_string(byte) {
                return Some(end);
            }
        }
        None
    }

    fn outside_string(&mut self, byte: u8) -> Option<usize> {
        match byte {
            // A scalar ends before what cannot be in one.
            b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' | b'"' | b'{' | b'['
                if self.in_scalar =>
            {
                return Some(self.at);
            }
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    self.at += 1;
                    return Some(self.at);
                }
            }
            _ if self.depth == 0 => self.in_scalar = true,
            _ => {}
        }
        self.at += 1;
        None
    }
}

/// Whether a value is an object, with nothing else asked of it.
pub(crate) fn parse<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Result<T, Wrong> {
    serde_json::from_slice(value).map_err(Wrong::Json)
}
