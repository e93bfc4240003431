//! How a span is stored: some fifty bytes, read back once its trace is whole.
//!
//! ```text
//! length, source, trace, head, id, [parent], start (8 bytes), duration, service, operation,
//! [host], attributes: count, then key and value; [links: count, then trace and id]
//! ```
//!
//! Numbers are varints. The head holds the kind, the status, and which of the optional parts are
//! there. A text is its number plus one, or zero and the text itself when it is not numbered.

use std::borrow::Cow;
use std::sync::Arc;

use crate::attributes::{Attributes, KEPT, Key};
use crate::identifier::{HEX_BYTES_MAX, Id};
use crate::raw::RawSpan;
use crate::texts::Texts;
use crate::{Link, Span, SpanKind, Status};
use tidegate_base::Timestamp;

const HAS_PARENT: u8 = 1 << 5;
const HAS_HOST: u8 = 1 << 6;
const HAS_LINKS: u8 = 1 << 7;
/// The length byte of an identifier that is kept as text.
const TEXT: u8 = 0xff;

/// The texts that records name by number. Values have room of their own, so that unique ones, such
/// as URLs with identifiers, do not take that of names.
#[derive(Debug)]
pub(crate) struct Names {
    services: Texts,
    hosts: Texts,
    names: Texts,
    values: Texts,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            services: Texts::new(1 << 18, 16 << 20),
            hosts: Texts::new(1 << 18, 16 << 20),
            names: Texts::new(1 << 18, 16 << 20),
            values: Texts::new(1 << 17, 32 << 20),
        }
    }
}

/// Appends the record of a span to `out`, without its length.
pub(crate) fn write(span: &RawSpan<'_>, source: u64, names: &mut Names, out: &mut Vec<u8>) {
    put_number(source, out);
    put_id(&span.trace, out);
    let optional = [
        (span.parent.is_some(), HAS_PARENT),
        (span.host.is_some(), HAS_HOST),
        (!span.links.is_empty(), HAS_LINKS),
    ];
    let head = optional
        .iter()
        .filter(|(there, _)| *there)
        .fold(kind_and_status(span.kind, span.status), |head, (_, bit)| {
            head | bit
        });
    out.push(head);
    put_id(&span.id, out);
    if let Some(parent) = &span.parent {
        put_id(parent, out);
    }
    out.extend_from_slice(&span.start.to_le_bytes());
    put_number(span.end.saturating_sub(span.start), out);
    put_text(&span.service, &mut names.services, out);
    put_text(&span.operation, &mut names.names, out);
    if let Some(host) = &span.host {
        put_text(host, &mut names.hosts, out);
    }
    put_length(span.attributes.len(), out);
    for (key, value) in &span.attributes {
        out.push(key.0);
        put_text(value, &mut names.values, out);
    }
    if !span.links.is_empty() {
        put_length(span.links.len(), out);
        for (trace, id) in &span.links {
            put_id(trace, out);
            put_id(id, out);
        }
    }
}

fn kind_and_status(kind: SpanKind, status: Status) -> u8 {
    let kind = match kind {
        SpanKind::Unspecified => 0,
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    };
    let status = match status {
        Status::Unset => 0,
        Status::Ok => 1,
        Status::Error => 2,
    };
    kind | status << 3
}

pub(crate) fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(low(number) | 0x80);
        number >>= 7;
    }
    out.push(low(number));
}

fn low(number: u64) -> u8 {
    u8::try_from(number & 0x7f).unwrap_or_default()
}

fn put_length(length: usize, out: &mut Vec<u8>) {
    put_number(u64::try_from(length).unwrap_or(u64::MAX), out);
}

pub(crate) fn put_id(id: &Id<'_>, out: &mut Vec<u8>) {
    match id {
        Id::Hex { bytes, len } => {
            out.push(*len);
            out.extend_from_slice(bytes.get(..usize::from(*len)).unwrap_or_default());
        }
        Id::Text(text) => {
            out.push(TEXT);
            put_length(text.len(), out);
            out.extend_from_slice(text.as_bytes());
        }
    }
}

fn put_text(text: &str, texts: &mut Texts, out: &mut Vec<u8>) {
    match texts.number(text) {
        Some(number) => put_number(u64::from(number) + 1, out),
        None => {
            out.push(0);
            put_length(text.len(), out);
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// Reads records back. What was not written by [`write`] ends with `None`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// A record's trace and source, and the rest of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored<'a> {
    /// The trace's identifier as it is written: equal for equal identifiers.
    pub(crate) trace: &'a [u8],
    /// What it begins with, to be compared at once.
    pub(crate) first: u64,
    pub(crate) source: u64,
    rest: &'a [u8],
}

/// Every record of some bytes, up to one that is not whole.
pub(crate) fn records(bytes: &[u8]) -> impl Iterator<Item = Stored<'_>> {
    let mut reader = Reader { rest: bytes };
    std::iter::from_fn(move || {
        let length = reader.length()?;
        let mut record = Reader {
            rest: reader.take(length)?,
        };
        let source = record.number()?;
        let before = record.rest;
        record.id()?;
        let trace = before.get(..before.len() - record.rest.len())?;
        Some(Stored {
            trace,
            first: first(trace),
            source,
            rest: record.rest,
        })
    })
}

/// The first eight bytes as a number in the same order; zeros stand for what is not there.
fn first(bytes: &[u8]) -> u64 {
    if let Some(first) = bytes.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    let shifts = (0..u64::BITS).step_by(8).rev();
    let each = bytes.iter().zip(shifts);
    each.fold(0, |sum, (byte, shift)| sum | u64::from(*byte) << shift)
}

impl Stored<'_> {
    /// The trace's identifier as text.
    pub(crate) fn trace_id(&self) -> Option<Arc<str>> {
        let mut reader = Reader { rest: self.trace };
        reader.id().map(|id| id.shared())
    }

    /// The span, with what it tells of its payload or without.
    pub(crate) fn span(&self, names: &Names, has_payload: bool) -> Option<Span> {
        let mut reader = Reader { rest: self.rest };
        let head = reader.byte()?;
        let id = reader.id()?.kept();
        let parent = if head & HAS_PARENT == 0 {
            None
        } else {
            Some(reader.id()?.kept())
        };
        let start = u64::from_le_bytes(*reader.take(8)?.first_chunk()?);
        let end = start.saturating_add(reader.number()?);
        let service = reader.text(&names.services)?;
        let operation = reader.text(&names.names)?;
        let host = if head & HAS_HOST == 0 {
            None
        } else {
            Some(reader.text(&names.hosts)?)
        };
        let attributes = reader.attributes(names, has_payload)?;
        let links = if head & HAS_LINKS == 0 {
            Vec::new()
        } else {
            reader.links()?
        };
        Some(Span {
            id,
            parent,
            links,
            kind: kind(head),
            start: Timestamp::from_nanos(start),
            end: Timestamp::from_nanos(end),
            service,
            host,
            operation,
            attributes,
            status: status(head),
        })
    }
}

fn kind(head: u8) -> SpanKind {
    match head & 7 {
        1 => SpanKind::Internal,
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        _ => SpanKind::Unspecified,
    }
}

fn status(head: u8) -> Status {
    match head >> 3 & 3 {
        1 => Status::Ok,
        2 => Status::Error,
        _ => Status::Unset,
    }
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn str(&mut self) -> Option<&'a str> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    fn id(&mut self) -> Option<Id<'a>> {
        let len = self.byte()?;
        if len == TEXT {
            return Some(Id::Text(Cow::Borrowed(self.str()?)));
        }
        let mut bytes = [0; HEX_BYTES_MAX];
        let given = self.take(usize::from(len))?;
        bytes.get_mut(..given.len())?.copy_from_slice(given);
        Some(Id::Hex { bytes, len })
    }

    fn text(&mut self, texts: &Texts) -> Option<Arc<str>> {
        match self.number()?.checked_sub(1) {
            Some(number) => texts.text(u32::try_from(number).ok()?).cloned(),
            None => self.str().map(Arc::from),
        }
    }

    fn attributes(&mut self, names: &Names, has_payload: bool) -> Option<Attributes> {
        let count = self.length()?.min(KEPT.len());
        let mut attributes = Attributes::with_capacity(count);
        for _ in 0..count {
            let (key, text) = (Key(self.byte()?), self.text(&names.values)?);
            if has_payload || !key.is_of_payload() {
                attributes.push(key, text)?;
            }
        }
        Some(attributes)
    }

    fn links(&mut self) -> Option<Vec<Link>> {
        let count = self.length()?;
        // Grows as links are read: the count alone reserves nothing.
        let mut links = Vec::new();
        for _ in 0..count {
            links.push(Link {
                trace_id: self.id()?.kept(),
                span_id: self.id()?.kept(),
            });
        }
        Some(links)
    }
}
