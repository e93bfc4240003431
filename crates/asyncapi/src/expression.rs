//! Runtime expressions: `$message.header#/correlationId`.
//!
//! Source: AsyncAPI 3.0.0, "Runtime Expression".

use std::fmt;

/// A place in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expression {
    pub(crate) part: Part,
    /// A JSON pointer; empty for the whole.
    pub(crate) pointer: String,
}

/// The part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Header,
    Payload,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Header => "headers",
            Self::Payload => "payload",
        })
    }
}

/// Reads an expression; `None` when the text is none.
pub(crate) fn parse(text: &str) -> Option<Expression> {
    let (source, pointer) = text.split_once('#').unwrap_or((text, ""));
    let part = match source {
        "$message.header" => Part::Header,
        "$message.payload" => Part::Payload,
        _ => return None,
    };
    (pointer.is_empty() || pointer.starts_with('/')).then(|| Expression {
        part,
        pointer: pointer.to_owned(),
    })
}
