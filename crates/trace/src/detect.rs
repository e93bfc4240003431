//! Which format the bytes are in, and reading them in it.

use serde::Deserialize;
use tidegate_base::limit::TRACE_FILE_BYTES_MAX;

use crate::assemble::Assembler;
use crate::json::OneOrMany;
use crate::shape::Shape;
use crate::{Format, ReadError, Traces, jaeger, otlp_json, otlp_protobuf, zipkin};

/// Reads a capture: detects the format by the content and never by `name`, which is for messages.
///
/// # Errors
///
/// [`ReadError`] when the bytes are empty, too many, of no known format, malformed (with the
/// place), or without any span that can be used.
pub fn read(name: &str, bytes: &[u8]) -> Result<Traces, ReadError> {
    if bytes.len() > TRACE_FILE_BYTES_MAX {
        return Err(ReadError::Large {
            name: name.to_owned(),
            bytes: bytes.len(),
        });
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(ReadError::Empty {
            name: name.to_owned(),
        });
    }
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    let looks_like_json = matches!(first, Some(b'{' | b'['));
    let json = if looks_like_json {
        read_json(name, text)
    } else {
        Err(unknown(name, text))
    };
    match json {
        Ok(traces) => Ok(traces),
        // A protobuf file starts with 0x0a, which is white space in JSON: a length of 0x5b or 0x7b
        // after it looks like JSON.
        Err(error) if looks_like_json && text.first() != Some(&b'\n') => Err(error),
        Err(error) => match otlp_protobuf::decode(bytes) {
            Ok(messages) => {
                let mut assembler = Assembler::default();
                messages
                    .iter()
                    .for_each(|message| otlp_protobuf::add(message, &mut assembler));
                finish(name, Format::OtlpProtobuf, assembler)
            }
            Err(broken)
                if !looks_like_json && (broken.index > 0 || bytes.first() == Some(&b'\n')) =>
            {
                let otlp_protobuf::Broken {
                    index,
                    offset,
                    message,
                } = broken;
                Err(ReadError::Protobuf {
                    name: name.to_owned(),
                    index,
                    offset,
                    message,
                })
            }
            Err(_) => Err(error),
        },
    }
}

fn unknown(name: &str, bytes: &[u8]) -> ReadError {
    const SHOWN: usize = 24;
    let start = String::from_utf8_lossy(bytes.get(..SHOWN).unwrap_or(bytes));
    ReadError::Unknown {
        name: name.to_owned(),
        start: format!("{start:?}"),
    }
}

fn finish(name: &str, format: Format, assembler: Assembler) -> Result<Traces, ReadError> {
    let traces = assembler.finish(format);
    if !traces.traces.is_empty() {
        return Ok(traces);
    }
    let skipped = &traces.skipped;
    let found = [
        (skipped.metrics, "documents of metrics"),
        (skipped.logs, "documents of logs"),
        (skipped.without_trace_id, "spans without a trace id"),
        (skipped.without_span_id, "spans without an id"),
        (skipped.without_time, "spans without a start time"),
        (
            skipped.cyclic_traces.len(),
            "traces in which a span is its own ancestor",
        ),
    ];
    let found: Vec<String> = found
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{what}: {count}"))
        .collect();
    let reason = if found.is_empty() {
        "it is empty".to_owned()
    } else {
        found.join(", ")
    };
    Err(ReadError::NoSpans {
        name: name.to_owned(),
        format,
        reason,
    })
}

fn read_json(name: &str, text: &[u8]) -> Result<Traces, ReadError> {
    let shape = match Shape::of(text) {
        Ok(Some(shape)) => shape,
        Ok(None) if is_empty_list(text) => Shape::ZipkinSpans,
        Ok(None) => return Err(unknown(name, text)),
        Err(error) => return Err(place(name, None, text, &Broken::Json(error))),
    };
    let mut assembler = Assembler::default();
    let read = match shape {
        Shape::Otlp => documents(text, |document: &otlp_json::Document<'_>| {
            document.add_to(&mut assembler)
        }),
        Shape::JaegerAnswer => documents(text, |answer: &jaeger::Answer<'_>| {
            answer.add_to(&mut assembler);
            Ok(())
        }),
        Shape::JaegerTraces => documents(text, |trace: &jaeger::JsonTrace<'_>| {
            trace.add_to(&mut assembler);
            Ok(())
        }),
        Shape::JaegerSpans => documents(text, |span: &jaeger::JsonSpan<'_>| {
            span.add_alone_to(&mut assembler);
            Ok(())
        }),
        Shape::ZipkinSpans => documents(text, |span: &zipkin::JsonSpan<'_>| {
            span.add_to(&mut assembler);
            Ok(())
        }),
    };
    read.map_err(|broken| place(name, Some(shape.format()), text, &broken))?;
    finish(name, shape.format(), assembler)
}

fn is_empty_list(text: &[u8]) -> bool {
    let mut compact = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    compact.all(|byte| matches!(byte, b'[' | b']'))
}

/// What is wrong with one document.
enum Broken {
    Json(serde_json::Error),
    Content { message: String, offset: usize },
}

/// Reads every document of `text`, each an object or lists of objects, one after the other.
fn documents<'a, T: Deserialize<'a>>(
    text: &'a [u8],
    mut add: impl FnMut(&T) -> Result<(), String>,
) -> Result<(), Broken> {
    let mut stream = serde_json::Deserializer::from_slice(text).into_iter::<OneOrMany<T>>();
    loop {
        let offset = stream.byte_offset();
        let Some(next) = stream.next() else {
            return Ok(());
        };
        for document in next.map_err(Broken::Json)?.0 {
            add(&document).map_err(|message| Broken::Content { message, offset })?;
        }
    }
}

/// The error with its line and column.
fn place(name: &str, format: Option<Format>, text: &[u8], broken: &Broken) -> ReadError {
    let (line, column, message, hint) = match broken {
        Broken::Json(error) => {
            let text = error.to_string();
            let message = text
                .split(" at line ")
                .next()
                .unwrap_or_default()
                .to_owned();
            let hint = if error.is_eof() {
                "the file is cut off: export it again, or remove its last line"
            } else {
                "correct it there, or export it again"
            };
            (error.line(), error.column(), message, hint)
        }
        Broken::Content { message, offset } => {
            let (line, column) = position(text, *offset);
            (
                line,
                column,
                message.clone(),
                "correct it in the document that starts there",
            )
        }
    };
    let what = format.map_or_else(|| "JSON".to_owned(), |format| format.to_string());
    ReadError::Json {
        name: name.to_owned(),
        what,
        line,
        column,
        message,
        hint,
    }
}

/// The line and column, from 1, of the first byte from `offset` on that is not white space.
fn position(text: &[u8], offset: usize) -> (usize, usize) {
    let rest = text.get(offset..).unwrap_or_default();
    let blank = rest
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count();
    let before = text.get(..offset + blank).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before
        .iter()
        .rev()
        .take_while(|byte| **byte != b'\n')
        .count()
        + 1;
    (line, column)
}
