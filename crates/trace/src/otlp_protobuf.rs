//! OTLP protobuf: `TracesData` and `ExportTraceServiceRequest`, which are the same on the wire.
//!
//! Three framings occur: one message; several, one after the other (which protobuf reads as one);
//! several, each with its length in front, as a varint or as four bytes, big end first.
//!
//! Fields are read where they lie: nothing is copied but what is kept. Messages of metrics and logs
//! have the same outer shape; they are told by the fields of their items.

use std::borrow::Cow;

use tidegate_base::limit::{SPAN_PAYLOAD_BYTES_MAX, TRACE_UNIT_BYTES_MAX};

use crate::attributes::{Key, SAMPLING_PROBABILITY, cut, cut_cow};
use crate::identifier::Id;
use crate::input::Input;
use crate::otlp_json::HOST_ATTRIBUTES;
use crate::payload::Given;
use crate::raw::RawSpan;
use crate::sampling::from_tracestate;
use crate::sink::Sink;
use crate::wire::{Broken, Fields, Value, split_varint, text};
use crate::{ReadError, SpanKind, Status, payload, values};

/// How messages follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Fields of one message.
    Plain,
    /// Each message with its length as a varint in front.
    Varint,
    /// Each message with its length as four bytes in front.
    FourBytes,
}

/// Which signal an item of a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    Traces,
    Metrics,
    Logs,
}

/// Deepest nesting of values that is looked at.
const GIVEN_DEPTH_MAX: usize = 16;
/// Room for the attributes of most spans.
const ATTRIBUTES: usize = 6;
/// How many messages without any item are passed over to find the framing.
const EMPTY_MESSAGES_MAX: usize = 64;

impl Framing {
    /// The framing of the input, by its first message with content; nothing is taken.
    ///
    /// # Errors
    ///
    /// When the input cannot be read.
    pub(crate) fn of(input: &mut Input<'_>) -> Result<Option<Self>, ReadError> {
        // Four bytes before varints: the zeros that a length of four bytes begins with are messages
        // without content when taken for varints.
        for framing in [Self::Plain, Self::FourBytes, Self::Varint] {
            if framing.fits(input)? {
                return Ok(Some(framing));
            }
        }
        Ok(None)
    }

    fn fits(self, input: &mut Input<'_>) -> Result<bool, ReadError> {
        let mut at = 0;
        for _ in 0..EMPTY_MESSAGES_MAX {
            // Resources without items to the very end are a message as well.
            if self == Self::Plain && at > 0 && !input.ensure(at + 1)? {
                return Ok(true);
            }
            let Some(unit) = self.split(input, at)? else {
                return Ok(false);
            };
            let message = input.data().get(unit.start..unit.end);
            match self.signals(message.unwrap_or_default()) {
                Ok(signals) if !signals.is_empty() => return Ok(true),
                Ok(_) => at = unit.end,
                Err(_) => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Where the unit that starts at `at` lies, once it is there whole: a message, or a field of a
    /// plain one.
    fn split(self, input: &mut Input<'_>, at: usize) -> Result<Option<Unit>, ReadError> {
        let head = if self == Self::Plain { 11 } else { 10 };
        input.ensure(at + head)?;
        let data = input.data().get(at..).unwrap_or_default();
        let (length, rest) = match self {
            Self::FourBytes => match data.split_first_chunk::<4>() {
                Some((length, rest)) => (u64::from(u32::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            Self::Varint => match split_varint(data) {
                Some(split) => split,
                None => return Ok(None),
            },
            Self::Plain => match data.split_first().filter(|(tag, _)| **tag == FIELD_1) {
                Some((_, rest)) => match split_varint(rest) {
                    Some(split) => split,
                    None => return Ok(None),
                },
                None => return Ok(None),
            },
        };
        let start = at + (data.len() - rest.len());
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > TRACE_UNIT_BYTES_MAX || !input.ensure(start + length)? {
            return Ok(None);
        }
        Ok(Some(Unit {
            start,
            end: start + length,
        }))
    }

    /// The signals of the unit's items.
    fn signals(self, unit: &[u8]) -> Result<Vec<Signal>, Broken> {
        let mut signals = Vec::new();
        self.resources(unit, &mut |resource| {
            items(resource, &mut |item| {
                signals.push(signal(item)?);
                Ok(())
            })
        })?;
        Ok(signals)
    }

    /// Calls `take` with every resource's part of the unit.
    fn resources<'u>(
        self,
        unit: &'u [u8],
        take: &mut dyn FnMut(&'u [u8]) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        if self == Self::Plain {
            return take(unit);
        }
        let mut fields = Fields::of(unit);
        while let Some(field) = fields.next()? {
            if let (1, Value::Bytes(resource)) = field {
                take(resource)?;
            }
        }
        Ok(())
    }

    /// Takes every message of the input.
    ///
    /// # Errors
    ///
    /// With the message and the byte at which it starts.
    pub(crate) fn read(self, input: &mut Input<'_>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
        let mut index = 0;
        while input.ensure(1)? {
            let unit = match self.split(input, 0)? {
                Some(unit) => unit,
                None if self == Self::Plain && self.skip_field(input)? => continue,
                None => {
                    let message = "its length runs past the end of the file";
                    return Err(broken(input, index, message));
                }
            };
            let message = input.data().get(unit.start..unit.end).unwrap_or_default();
            let added = self.resources(message, &mut |resource| add(resource, sink));
            added.map_err(|message| broken(input, index, message))?;
            input.take(unit.end);
            sink.breathe()?;
            index += 1;
        }
        Ok(())
    }

    /// Passes over a small field that no version of the message has; `false` when it is none.
    fn skip_field(self, input: &mut Input<'_>) -> Result<bool, ReadError> {
        const SMALL: usize = 4 << 10;
        input.ensure(SMALL)?;
        let data = input.data();
        let mut fields = Fields::of(data.get(..SMALL).unwrap_or(data));
        let length = match fields.next() {
            Ok(Some((number, _))) if number != 1 => data.len().min(SMALL) - fields.rest_len(),
            _ => return Ok(false),
        };
        input.take(length);
        Ok(true)
    }
}

/// The tag of field 1 with bytes.
const FIELD_1: u8 = 0x0a;
/// The tag of field 2 with bytes.
const FIELD_2: u8 = 0x12;

/// Where a unit lies in the input's bytes.
#[derive(Clone, Copy, Debug)]
struct Unit {
    start: usize,
    end: usize,
}

/// That a message is wrong.
pub(crate) fn broken(input: &Input<'_>, index: usize, message: &str) -> ReadError {
    ReadError::Protobuf {
        name: input.name().to_owned(),
        index,
        offset: input.offset(),
        message: message.to_owned(),
    }
}

/// Calls `take` with every span, metric or log record of a resource.
fn items<'u>(
    resource: &'u [u8],
    take: &mut dyn FnMut(&'u [u8]) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let mut fields = Fields::of(resource);
    while let Some(field) = fields.next()? {
        // 1000: instrumentation libraries, as scopes were called.
        let (2 | 1_000, Value::Bytes(scope)) = field else {
            continue;
        };
        let mut fields = Fields::of(scope);
        while let Some(field) = fields.next()? {
            if let (2, Value::Bytes(item)) = field {
                take(item)?;
            }
        }
    }
    Ok(())
}

/// A span has its start and end in fixed fields 7 and 8, a log record its times in 1 and 11; a
/// metric has its data in a message and no time of its own.
fn signal(item: &[u8]) -> Result<Signal, Broken> {
    let mut fields = Fields::of(item);
    let mut signal = Signal::Traces;
    while let Some(field) = fields.next()? {
        match field {
            (7 | 8, Value::Fixed64(_)) => return Ok(Signal::Traces),
            (1 | 11, Value::Fixed64(_)) => return Ok(Signal::Logs),
            (5 | 7 | 9 | 10 | 11, Value::Bytes(_)) => signal = Signal::Metrics,
            _ => {}
        }
    }
    Ok(signal)
}

/// Adds the spans of one resource.
fn add(resource_spans: &[u8], sink: &mut Sink<'_>) -> Result<(), Broken> {
    let mut resource = Resource::default();
    let mut fields = Fields::of(resource_spans);
    while let Some(field) = fields.next()? {
        if let (1, Value::Bytes(message)) = field {
            resource.read(message)?;
        }
    }
    let mut first = None;
    items(resource_spans, &mut |item| {
        let signal = match first {
            Some(signal) => signal,
            // All items of a resource are of one kind.
            None => *first.insert(signal(item)?),
        };
        if signal == Signal::Traces
            && let Some(mut span) = read(item, sink)?
        {
            span.service = resource.service.clone().unwrap_or(Cow::Borrowed("unknown"));
            span.host.clone_from(&resource.host);
            sink.add(&mut span);
        }
        Ok(())
    })?;
    match first {
        Some(Signal::Metrics) => sink.skipped.metrics += 1,
        Some(Signal::Logs) => sink.skipped.logs += 1,
        Some(Signal::Traces) | None => {}
    }
    Ok(())
}

/// What a resource says of its spans.
#[derive(Debug, Default)]
struct Resource<'a> {
    service: Option<Cow<'a, str>>,
    host: Option<Cow<'a, str>>,
    /// The rank of the attribute that `host` is from.
    host_rank: usize,
}

impl<'a> Resource<'a> {
    fn read(&mut self, message: &'a [u8]) -> Result<(), Broken> {
        let mut fields = Fields::of(message);
        while let Some(field) = fields.next()? {
            let (1, Value::Bytes(attribute)) = field else {
                continue;
            };
            let (key, value) = key_value(attribute)?;
            if key == "service.name" && self.service.is_none() {
                self.service = scalar(value)?;
            }
            let rank = HOST_ATTRIBUTES.iter().position(|name| *name == key);
            if let Some(rank) = rank
                && (self.host.is_none() || rank < self.host_rank)
                && let Some(host) = scalar(value)?
            {
                (self.host, self.host_rank) = (Some(host), rank);
            }
        }
        Ok(())
    }
}

/// The bytes of the field with this tag, when the message begins with it and its length is one byte,
/// and what follows it.
fn short(message: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    match message {
        [first, length, rest @ ..] if *first == tag && *length < 0x80 => {
            rest.split_at_checked(usize::from(*length))
        }
        _ => None,
    }
}

/// An attribute's key and its value's message.
fn key_value(attribute: &[u8]) -> Result<(&str, &[u8]), Broken> {
    // As nearly all are written: the key, then the value, both short.
    if let Some((key, rest)) = short(attribute, FIELD_1)
        && let Some((value, [])) = short(rest, FIELD_2)
    {
        return Ok((text(key)?, value));
    }
    let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
    let mut fields = Fields::of(attribute);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(bytes)) => key = bytes,
            (2, Value::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    Ok((text(key)?, value))
}

/// A text, number or truth value as text; of a list, as headers are, the first one.
fn value(value: &[u8]) -> Result<Option<Cow<'_, str>>, Broken> {
    if let Some((bytes, [])) = short(value, FIELD_1) {
        return Ok(Some(Cow::Borrowed(text(bytes)?)));
    }
    let mut fields = Fields::of(value);
    while let Some(field) = fields.next()? {
        let (5, Value::Bytes(list)) = field else {
            continue;
        };
        return match Fields::of(list).next()? {
            Some((1, Value::Bytes(first))) => scalar(first),
            _ => Ok(None),
        };
    }
    scalar(value)
}

/// A text, number or truth value as text; lists and maps are passed over.
fn scalar(value: &[u8]) -> Result<Option<Cow<'_, str>>, Broken> {
    let mut found = None;
    let mut fields = Fields::of(value);
    while let Some(field) = fields.next()? {
        found = match field {
            (1, Value::Bytes(bytes)) => Some(Cow::Borrowed(text(bytes)?)),
            (2, Value::Varint(flag)) => {
                Some(Cow::Borrowed(if flag == 0 { "false" } else { "true" }))
            }
            (3, Value::Varint(number)) => Some(Cow::Owned(number.cast_signed().to_string())),
            (4, Value::Fixed64(bits)) => Some(Cow::Owned(f64::from_bits(bits).to_string())),
            _ => None,
        };
    }
    Ok(found)
}

/// A value with its type and what is in it.
fn given(value: &[u8], depth: usize) -> Result<Option<Given<'_>>, Broken> {
    let mut found = None;
    let mut fields = Fields::of(value);
    while let Some(field) = fields.next()? {
        found = match field {
            (1, Value::Bytes(bytes)) => Some(Given::Text(Cow::Borrowed(text(bytes)?))),
            (2, Value::Varint(_)) => Some(Given::Flag),
            (3, Value::Varint(number)) => {
                Some(Given::Whole(number.cast_signed().to_string().into()))
            }
            (4, Value::Fixed64(_)) => Some(Given::Real),
            (5 | 6, Value::Bytes(_)) if depth == 0 => None,
            (5, Value::Bytes(list)) => {
                let mut all = Vec::new();
                let mut values = Fields::of(list);
                while let Some(field) = values.next()? {
                    if let (1, Value::Bytes(one)) = field {
                        all.extend(given(one, depth - 1)?);
                    }
                }
                Some(Given::List(all))
            }
            (6, Value::Bytes(map)) => {
                let mut all = Vec::new();
                let mut entries = Fields::of(map);
                while let Some(field) = entries.next()? {
                    if let (1, Value::Bytes(entry)) = field {
                        let (key, value) = key_value(entry)?;
                        let given = given(value, depth - 1)?;
                        all.extend(given.map(|given| (key.into(), given)));
                    }
                }
                Some(Given::Map(all))
            }
            _ => None,
        };
    }
    Ok(found)
}

/// The parts of a span as they lie in the message.
#[derive(Debug, Default)]
struct Parts<'a> {
    trace: &'a [u8],
    id: &'a [u8],
    state: &'a [u8],
    parent: &'a [u8],
    name: &'a [u8],
    kind: u64,
    start: u64,
    end: u64,
    status: Option<u64>,
}

fn read<'a>(message: &'a [u8], sink: &mut Sink<'_>) -> Result<Option<RawSpan<'a>>, Broken> {
    let mut parts = Parts::default();
    let mut attributes = Vec::with_capacity(ATTRIBUTES);
    let mut named = String::new();
    let (asks_for_payloads, mut told) = (sink.asks_for_payloads(), Vec::new());
    let mut links = Vec::new();
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(bytes)) => parts.trace = bytes,
            (2, Value::Bytes(bytes)) => parts.id = bytes,
            (3, Value::Bytes(bytes)) => parts.state = bytes,
            (4, Value::Bytes(bytes)) => parts.parent = bytes,
            (5, Value::Bytes(bytes)) => parts.name = bytes,
            (6, Value::Varint(kind)) => parts.kind = kind,
            (7, Value::Fixed64(time)) => parts.start = time,
            (8, Value::Fixed64(time)) => parts.end = time,
            (9, Value::Bytes(attribute)) => {
                let (key, value) = key_value(attribute)?;
                let is_read = value.len() <= SPAN_PAYLOAD_BYTES_MAX;
                if asks_for_payloads && is_read && payload::tells(key) {
                    // What is wrong within a payload tells nothing of it, and keeps no span out.
                    let given = given(value, GIVEN_DEPTH_MAX).ok().flatten();
                    told.extend(given.map(|given| (key.into(), given)));
                }
                let Some(value) = self::value(value)? else {
                    continue;
                };
                match Key::of(key) {
                    Some(key) => attributes.push((key, cut_cow(value))),
                    None => values::add(&value, &mut named),
                }
            }
            (13, Value::Bytes(bytes)) => links.extend(link(bytes)?),
            (15, Value::Bytes(status)) => parts.status = code(status)?,
            _ => {}
        }
    }
    let Some(trace) = Id::from_bytes(parts.trace) else {
        sink.skipped.without_trace_id += 1;
        return Ok(None);
    };
    let Some(id) = Id::from_bytes(parts.id) else {
        sink.skipped.without_span_id += 1;
        return Ok(None);
    };
    if parts.start == 0 {
        sink.skipped.without_time += 1;
        return Ok(None);
    }
    let mut span = RawSpan::new(trace, id, parts.start, parts.end);
    span.parent = Id::from_bytes(parts.parent);
    span.links = links;
    span.kind = kind(parts.kind);
    span.status = match parts.status {
        Some(1) => Status::Ok,
        Some(2) => Status::Error,
        _ => Status::Unset,
    };
    span.operation = Cow::Borrowed(cut(text(parts.name)?));
    span.attributes = attributes;
    span.values = named;
    span.payload = told;
    if let Some(probability) = from_tracestate(text(parts.state)?) {
        span.attribute(SAMPLING_PROBABILITY, || {
            Some(probability.to_string().into())
        });
    }
    Ok(Some(span))
}

/// The trace and span that a link names.
fn link(message: &[u8]) -> Result<Option<(Id<'_>, Id<'_>)>, Broken> {
    let (mut trace, mut id) = (None, None);
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(bytes)) => trace = Id::from_bytes(bytes),
            (2, Value::Bytes(bytes)) => id = Id::from_bytes(bytes),
            _ => {}
        }
    }
    Ok(trace.zip(id))
}

fn code(status: &[u8]) -> Result<Option<u64>, Broken> {
    let mut code = None;
    let mut fields = Fields::of(status);
    while let Some(field) = fields.next()? {
        if let (3, Value::Varint(number)) = field {
            code = Some(number);
        }
    }
    Ok(code)
}

fn kind(number: u64) -> SpanKind {
    match number {
        1 => SpanKind::Internal,
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        _ => SpanKind::Unspecified,
    }
}
