//! JSON documents of any trace format, one after the other or in lists.

use crate::input::Input;
use crate::scanner::Scanner;
use crate::shape::Shape;
use crate::sink::Sink;
use crate::{Format, ReadError, jaeger, otlp_json, zipkin};

/// Deepest nesting of lists around documents.
const LISTS_MAX: usize = 16;

/// Takes every document of the input. Each is told by its own content; one without a telling key is
/// taken for what the one before it was. Returns what the first one was, and what others were; `None`
/// when nothing in it tells.
///
/// # Errors
///
/// With the place of what is wrong.
pub(crate) fn read(
    input: &mut Input<'_>,
    sink: &mut Sink<'_>,
) -> Result<Option<(Format, Vec<Format>)>, ReadError> {
    let mut reading = Reading {
        formats: Vec::new(),
        current: None,
        is_empty: true,
    };
    let mut scanner = Scanner::new(input);
    while let Some(byte) = scanner.peek()? {
        let goes_on = match byte {
            b'[' => reading.list(&mut scanner, sink, 1)?,
            b'{' => reading.document(&mut scanner, sink)?,
            _ => return Err(scanner.expected("value")),
        };
        if !goes_on {
            return Ok(None);
        }
    }
    // Lists of nothing are what Zipkin answers when it has found nothing.
    if reading.is_empty {
        return Ok(Some((Format::ZipkinJson, Vec::new())));
    }
    let mut formats = reading.formats.into_iter();
    Ok(formats.next().map(|first| (first, formats.collect())))
}

struct Reading {
    /// Each once.
    formats: Vec<Format>,
    current: Option<Shape>,
    is_empty: bool,
}

impl Reading {
    /// `false` when the first document tells nothing.
    fn list(
        &mut self,
        scanner: &mut Scanner<'_, '_>,
        sink: &mut Sink<'_>,
        depth: usize,
    ) -> Result<bool, ReadError> {
        let mut goes_on = true;
        scanner.elements(&mut |scanner| {
            if !goes_on {
                return scanner.skip().map(|_| ());
            }
            goes_on = match scanner.peek()? {
                Some(b'[') if depth < LISTS_MAX => self.list(scanner, sink, depth + 1)?,
                Some(b'{') => self.document(scanner, sink)?,
                _ => return Err(scanner.expected("value")),
            };
            Ok(())
        })?;
        Ok(goes_on)
    }

    fn document(
        &mut self,
        scanner: &mut Scanner<'_, '_>,
        sink: &mut Sink<'_>,
    ) -> Result<bool, ReadError> {
        self.is_empty = false;
        if let Some(shape) = shape(scanner)? {
            self.current = Some(shape);
            if !self.formats.contains(&shape.format()) {
                self.formats.push(shape.format());
            }
        }
        let Some(shape) = self.current else {
            return Ok(false);
        };
        scanner.format = Some(shape.format());
        match shape {
            Shape::Otlp => otlp_json::document(scanner, sink)?,
            Shape::JaegerAnswer => jaeger::answer(scanner, sink)?,
            Shape::JaegerTraces => jaeger::trace(scanner, sink)?,
            Shape::JaegerSpans => jaeger::span(scanner, sink)?,
            Shape::ZipkinSpans => zipkin::span(scanner, sink)?,
        }
        Ok(true)
    }
}

/// The shape of the next document. Reads more of it until a key tells.
fn shape(scanner: &mut Scanner<'_, '_>) -> Result<Option<Shape>, ReadError> {
    loop {
        match Shape::of(scanner.input().data()) {
            Ok(shape) => return Ok(shape),
            Err(error) if error.is_eof() && scanner.input().fill()? => {}
            Err(error) => return Err(scanner.place(&error.into())),
        }
    }
}
