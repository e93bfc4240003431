//! OTLP protobuf: `TracesData` and `ExportTraceServiceRequest`, which are the same on the wire.
//!
//! Three framings occur: one message; several, one after the other (which protobuf reads as one);
//! several, each with its length in front, as a varint or as four bytes, big end first.

use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span as ProtoSpan, TracesData};
use prost::Message as _;
use tidegate_base::Timestamp;

use crate::assemble::Assembler;
use crate::attributes::is_kept;
use crate::identifier::from_bytes;
use crate::otlp_json::HOST_ATTRIBUTES;
use crate::{Link, Span, SpanKind, Status};

/// Where and why the bytes are not protobuf.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) index: usize,
    pub(crate) offset: usize,
    pub(crate) message: String,
}

/// Every message of the file, whichever way they are framed.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<TracesData>, Broken> {
    let plain = match TracesData::decode(bytes) {
        Ok(message) if message.resource_spans.iter().any(has_spans) => return Ok(vec![message]),
        Ok(_) => Broken {
            index: 0,
            offset: 0,
            message: "it holds no resource spans".to_owned(),
        },
        Err(error) => Broken {
            index: 0,
            offset: 0,
            message: error.to_string(),
        },
    };
    for split in [split_varint, split_four_bytes] {
        match delimited(bytes, split) {
            Ok(messages) => return Ok(messages),
            // Several messages were fine, so the framing is the right one: its error counts.
            Err(broken) if broken.index > 0 => return Err(broken),
            Err(_) => {}
        }
    }
    Err(plain)
}

fn has_spans(resource_spans: &ResourceSpans) -> bool {
    resource_spans
        .scope_spans
        .iter()
        .any(|scope| !scope.spans.is_empty())
}

/// Splits the first message from the rest by the length in front of it.
type Split = fn(&[u8]) -> Option<(&[u8], &[u8])>;

fn split_varint(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = bytes;
    let length = prost::encoding::decode_varint(&mut rest).ok()?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

fn split_four_bytes(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

fn delimited(bytes: &[u8], split: Split) -> Result<Vec<TracesData>, Broken> {
    let mut messages = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let broken = |message: String| Broken {
            index: messages.len(),
            offset: bytes.len() - rest.len(),
            message,
        };
        let (message, after) = split(rest)
            .ok_or_else(|| broken("its length runs past the end of the file".to_owned()))?;
        let decoded = TracesData::decode(message).map_err(|error| broken(error.to_string()))?;
        // An empty message is a valid request; it says nothing about the framing.
        if !message.is_empty() {
            if !decoded.resource_spans.iter().any(has_spans) {
                return Err(broken("it holds no resource spans".to_owned()));
            }
            messages.push(decoded);
        }
        rest = after;
    }
    Ok(messages)
}

/// Adds the spans of one message.
pub(crate) fn add(message: &TracesData, assembler: &mut Assembler) {
    for resource_spans in &message.resource_spans {
        let attributes = resource_spans
            .resource
            .as_ref()
            .map(|resource| resource.attributes.as_slice());
        let attributes = attributes.unwrap_or_default();
        let find = |name: &str| {
            attributes
                .iter()
                .find(|entry| entry.key == name)
                .and_then(scalar)
        };
        let service = find("service.name").unwrap_or_else(|| "unknown".to_owned());
        let service = assembler.texts.share(&service);
        let host = HOST_ATTRIBUTES.iter().find_map(|name| find(name));
        let host = host.map(|host| assembler.texts.share(&host));
        for span in resource_spans
            .scope_spans
            .iter()
            .flat_map(|scope| &scope.spans)
        {
            let Some(trace_id) = from_bytes(&span.trace_id) else {
                assembler.skipped.without_trace_id += 1;
                continue;
            };
            let Some(mut read) = read(span, assembler) else {
                continue;
            };
            read.service = service.clone();
            read.host.clone_from(&host);
            assembler.add(trace_id, read);
        }
    }
}

fn read(span: &ProtoSpan, assembler: &mut Assembler) -> Option<Span> {
    let Some(id) = from_bytes(&span.span_id) else {
        assembler.skipped.without_span_id += 1;
        return None;
    };
    if span.start_time_unix_nano == 0 {
        assembler.skipped.without_time += 1;
        return None;
    }
    let attributes = span
        .attributes
        .iter()
        .filter(|entry| is_kept(&entry.key))
        .filter_map(|entry| {
            Some((
                assembler.texts.share(&entry.key),
                assembler.texts.share_cut(&scalar(entry)?),
            ))
        });
    Some(Span {
        id,
        parent: from_bytes(&span.parent_span_id),
        links: span
            .links
            .iter()
            .filter_map(|link| {
                Some(Link {
                    trace_id: from_bytes(&link.trace_id)?,
                    span_id: from_bytes(&link.span_id)?,
                })
            })
            .collect(),
        kind: kind(span.kind),
        start: Timestamp::from_nanos(span.start_time_unix_nano),
        end: Timestamp::from_nanos(span.end_time_unix_nano.max(span.start_time_unix_nano)),
        attributes: attributes.collect(),
        service: assembler.texts.share(""),
        host: None,
        operation: assembler.texts.share_cut(&span.name),
        status: match span.status.as_ref().map(|status| status.code) {
            Some(1) => Status::Ok,
            Some(2) => Status::Error,
            _ => Status::Unset,
        },
    })
}

fn kind(number: i32) -> SpanKind {
    match number {
        1 => SpanKind::Internal,
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        _ => SpanKind::Unspecified,
    }
}

fn scalar(entry: &KeyValue) -> Option<String> {
    match entry.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        Value::DoubleValue(number) => Some(number.to_string()),
        Value::BoolValue(flag) => Some(flag.to_string()),
        _ => None,
    }
}
