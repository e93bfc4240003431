//! Writers of the formats, independent of the readers.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};
use prost::Message as _;
use serde_json::json;
use tidegate_trace::Format;

/// A span with what every format can say.
#[derive(Clone, Debug)]
pub(crate) struct SpanRow {
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: Option<String>,
    pub(crate) service: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) name: &'static str,
    pub(crate) start_micros: u64,
    pub(crate) duration_micros: u64,
    pub(crate) failed: bool,
}

/// Writes rows in one format.
pub(crate) type Writer = fn(&[SpanRow]) -> Vec<u8>;

/// Every format.
pub(crate) const WRITERS: [(Format, Writer); 5] = [
    (Format::OtlpProtobuf, otlp_protobuf),
    (Format::OtlpJson, otlp_json),
    (Format::JaegerJson, jaeger),
    (Format::ZipkinJson, zipkin),
    (Format::Csv, csv),
];

pub(crate) fn csv(rows: &[SpanRow]) -> Vec<u8> {
    let mut text = String::from(
        "Trace ID,span_id,parentSpanId,service.name,name,kind,startTime,duration,error\n",
    );
    for row in rows {
        let quoted = row.name.replace('"', "\"\"");
        let parent = row.parent.as_deref().unwrap_or_default();
        text.push_str(&format!(
            "{},{},{parent},{},\"{quoted}\",{},{},{},{}\n",
            row.trace,
            row.id,
            row.service,
            row.kind,
            row.start_micros,
            row.duration_micros,
            row.failed
        ));
    }
    text.into_bytes()
}

pub(crate) fn zipkin(rows: &[SpanRow]) -> Vec<u8> {
    let spans: Vec<_> = rows
        .iter()
        .map(|row| {
            let mut span = json!({
                "traceId": row.trace, "id": row.id, "name": row.name, "timestamp": row.start_micros,
                "duration": row.duration_micros, "localEndpoint": {"serviceName": row.service},
            });
            if let Some(parent) = &row.parent {
                span["parentId"] = json!(parent);
            }
            if !row.kind.is_empty() {
                span["kind"] = json!(row.kind);
            }
            if row.failed {
                span["tags"] = json!({"error": ""});
            }
            span
        })
        .collect();
    serde_json::to_vec(&spans).unwrap()
}

fn jaeger(rows: &[SpanRow]) -> Vec<u8> {
    let traces: Vec<_> = rows
        .iter()
        .map(|row| {
            let mut references = Vec::new();
            if let Some(parent) = &row.parent {
                references.push(json!({"refType": "CHILD_OF", "traceID": row.trace, "spanID": parent}));
            }
            let mut tags = vec![json!({"key": "error", "type": "bool", "value": row.failed})];
            if !row.kind.is_empty() {
                tags.push(json!({"key": "span.kind", "value": row.kind.to_lowercase()}));
            }
            json!({
                "traceID": row.trace,
                "spans": [{
                    "traceID": row.trace, "spanID": row.id, "operationName": row.name, "references": references,
                    "startTime": row.start_micros, "duration": row.duration_micros, "tags": tags, "processID": "p1",
                }],
                "processes": {"p1": {"serviceName": row.service}},
            })
        })
        .collect();
    serde_json::to_vec_pretty(&json!({"errors": null, "data": traces})).unwrap()
}

fn number(kind: &str) -> i32 {
    match kind {
        "SERVER" => 2,
        "CLIENT" => 3,
        "PRODUCER" => 4,
        "CONSUMER" => 5,
        _ => 0,
    }
}

pub(crate) fn otlp_json(rows: &[SpanRow]) -> Vec<u8> {
    let mut text = Vec::new();
    for row in rows {
        let end = row.start_micros + row.duration_micros;
        let document = json!({"resourceSpans": [{
            "scopeSpans": [{"spans": [{
                "traceId": row.trace, "spanId": row.id, "parentSpanId": row.parent.as_deref().unwrap_or_default(),
                "name": row.name, "kind": number(row.kind), "startTimeUnixNano": (row.start_micros * 1_000).to_string(),
                "endTimeUnixNano": end * 1_000, "status": if row.failed { json!({"code": 2}) } else { json!({}) },
            }]}],
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": row.service}}]},
        }]});
        text.extend(serde_json::to_vec(&document).unwrap());
        text.push(b'\n');
    }
    text
}

fn otlp_protobuf(rows: &[SpanRow]) -> Vec<u8> {
    let bytes = |hex: &str| -> Vec<u8> {
        let pairs = hex.as_bytes().chunks_exact(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        pairs.map(|pair| byte(pair).unwrap()).collect()
    };
    let resource_spans = rows
        .iter()
        .map(|row| ResourceSpans {
            resource: Some(Resource {
                attributes: vec![text_attribute("service.name", row.service)],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                spans: vec![Span {
                    trace_id: bytes(&row.trace),
                    span_id: bytes(&row.id),
                    parent_span_id: bytes(row.parent.as_deref().unwrap_or_default()),
                    name: row.name.to_owned(),
                    kind: number(row.kind),
                    start_time_unix_nano: row.start_micros * 1_000,
                    end_time_unix_nano: (row.start_micros + row.duration_micros) * 1_000,
                    status: Some(Status {
                        code: if row.failed { 2 } else { 0 },
                        ..Status::default()
                    }),
                    ..Span::default()
                }],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        })
        .collect();
    TracesData { resource_spans }.encode_to_vec()
}

fn text_attribute(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}
