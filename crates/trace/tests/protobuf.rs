//! The own reader of protobuf against the code that is generated from the specification.

#![cfg(test)]

mod files;

use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span, Status, TracesData, span,
};
use proptest::prelude::*;
use prost::Message as _;
use tidegate_trace::{Ingest, ReadError, Skipped, read};

/// An attribute with a text.
fn text_attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(Value::StringValue(value.to_owned()));
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value }),
        ..KeyValue::default()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A value as the generated code says it.
fn text(value: &Option<AnyValue>) -> Option<String> {
    match value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        Value::DoubleValue(number) => Some(number.to_string()),
        Value::BoolValue(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// One line a span, from the generated code.
fn expected(message: &TracesData) -> Vec<String> {
    let mut lines = Vec::new();
    for resource_spans in &message.resource_spans {
        let attributes = resource_spans
            .resource
            .as_ref()
            .map(|resource| &resource.attributes);
        let service = attributes
            .into_iter()
            .flatten()
            .find(|attribute| attribute.key == "service.name")
            .and_then(|attribute| text(&attribute.value));
        for span in resource_spans
            .scope_spans
            .iter()
            .flat_map(|scope| &scope.spans)
        {
            let is_there = |id: &[u8]| id.iter().any(|byte| *byte != 0);
            if !is_there(&span.trace_id)
                || !is_there(&span.span_id)
                || span.start_time_unix_nano == 0
                || span.start_time_unix_nano > TIME_MAX
            {
                continue;
            }
            let find = |key: &str| {
                let mut values: Vec<String> = span
                    .attributes
                    .iter()
                    .filter(|attribute| attribute.key == key)
                    .filter_map(|attribute| text(&attribute.value))
                    .collect();
                values.sort();
                values.into_iter().next()
            };
            let links = span
                .links
                .iter()
                .filter(|link| is_there(&link.trace_id) && is_there(&link.span_id))
                .map(|link| (hex(&link.trace_id), hex(&link.span_id)))
                .collect();
            lines.push(line(
                &hex(&span.trace_id),
                &hex(&span.span_id),
                is_there(&span.parent_span_id).then(|| hex(&span.parent_span_id)),
                (
                    span.start_time_unix_nano,
                    Some(span.end_time_unix_nano)
                        .filter(|end| *end <= TIME_MAX)
                        .unwrap_or_default()
                        .max(span.start_time_unix_nano),
                ),
                &format!("{} {}", service.as_deref().unwrap_or("unknown"), span.name),
                (
                    (find("http.route"), find("http.response.status_code")),
                    links,
                ),
            ));
        }
    }
    lines.sort();
    lines
}

/// The values of two attributes.
type Values = (Option<String>, Option<String>);

fn line(
    trace: &str,
    id: &str,
    parent: Option<String>,
    times: (u64, u64),
    names: &str,
    rest: (Values, Vec<(String, String)>),
) -> String {
    format!("{trace} {id} {parent:?} {times:?} {names} {rest:?}")
}

/// One line a span, from this crate.
fn ours(bytes: &[u8]) -> Result<Vec<String>, ReadError> {
    let mut lines = Vec::new();
    for trace in &read("message", bytes)?.traces {
        for span in trace.spans() {
            let value = |key: &str| span.attribute(key).map(str::to_owned);
            let links = span.links.iter();
            lines.push(line(
                trace.id(),
                &span.id.to_string(),
                span.parent.as_ref().map(ToString::to_string),
                (span.start.nanos(), span.end.nanos()),
                &format!("{} {}", span.service, span.operation),
                (
                    (value("http.route"), value("http.response.status_code")),
                    links
                        .map(|link| (link.trace_id.to_string(), link.span_id.to_string()))
                        .collect(),
                ),
            ));
        }
    }
    lines.sort();
    Ok(lines)
}

#[test]
fn the_real_capture_is_read_as_the_generated_code_reads_it() {
    let Some(bytes) = files::shared("otel_demo/otel_demo_traces.otlp.pb") else {
        return;
    };
    let message = TracesData::decode(&bytes[..]).unwrap();
    assert_eq!(ours(&bytes).unwrap(), expected(&message));
}

fn value() -> impl Strategy<Value = Option<AnyValue>> {
    let value = prop_oneof![
        "[a-zé/]{0,12}".prop_map(Value::StringValue),
        any::<i64>().prop_map(Value::IntValue),
        any::<bool>().prop_map(Value::BoolValue),
        (-1e6..1e6_f64).prop_map(Value::DoubleValue),
        Just(Value::ArrayValue(ArrayValue {
            values: vec![AnyValue { value: None }]
        })),
        prop::collection::vec(any::<u8>(), 0..4).prop_map(Value::BytesValue),
    ];
    prop::option::of(prop::option::of(value).prop_map(|value| AnyValue { value }))
}

/// The last nanosecond that clocks show.
const TIME_MAX: u64 = i64::MAX as u64;

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..=TIME_MAX, 1 => any::<u64>(), 1 => TIME_MAX - 1..=TIME_MAX + 1]
}

fn span() -> impl Strategy<Value = Span> {
    let id = |length: usize| prop_oneof![4 => prop::collection::vec(any::<u8>(), length), 1 => Just(vec![0; length]), 1 => Just(Vec::new())];
    let attribute = (
        prop::sample::select(vec![
            "http.route",
            "http.response.status_code",
            "thread.id",
            "ä",
        ]),
        value(),
    )
        .prop_map(|(key, value)| KeyValue {
            key: key.to_owned(),
            value,
            ..KeyValue::default()
        });
    let link = (id(16), id(8)).prop_map(|(trace_id, span_id)| span::Link {
        trace_id,
        span_id,
        ..span::Link::default()
    });
    (
        (id(16), id(8), id(8), "[a-z ]{0,9}", "[a-zé/ ]{0,9}"),
        (time(), time(), 0..7_i32, 0..4_i32, any::<u32>()),
        prop::collection::vec(attribute, 0..5),
        prop::collection::vec(link, 0..3),
    )
        .prop_map(
            |(
                (trace_id, span_id, parent_span_id, trace_state, name),
                (start, end, kind, code, flags),
                attributes,
                links,
            )| Span {
                trace_id,
                span_id,
                parent_span_id,
                trace_state,
                name,
                kind,
                flags,
                start_time_unix_nano: start,
                end_time_unix_nano: end,
                attributes,
                dropped_attributes_count: flags,
                events: vec![span::Event {
                    name: "e".to_owned(),
                    time_unix_nano: end,
                    ..span::Event::default()
                }],
                links,
                status: Some(Status {
                    message: "m".to_owned(),
                    code,
                }),
                ..Span::default()
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_message_is_read_as_the_generated_code_reads_it(
        resources in prop::collection::vec((prop::option::of("[a-z]{1,5}"), prop::collection::vec(span(), 0..4)), 0..4),
    ) {
        let resource_spans = resources
            .into_iter()
            .map(|(service, spans)| ResourceSpans {
                resource: service.map(|service| Resource {
                    attributes: vec![text_attribute("service.name", &service)],
                    ..Resource::default()
                }),
                scope_spans: vec![ScopeSpans { spans, schema_url: "s".to_owned(), ..ScopeSpans::default() }],
                schema_url: "r".to_owned(),
            })
            .collect();
        let message = TracesData { resource_spans };
        let expected = expected(&message);
        match ours(&message.encode_to_vec()) {
            Ok(lines) => prop_assert_eq!(lines, expected),
            // Without a span that can be used there is nothing to compare.
            Err(error) => prop_assert!(expected.is_empty() || message_is_cyclic(&error), "{}", error),
        }
    }
}

/// Random parents may form a circle of one.
fn message_is_cyclic(error: &ReadError) -> bool {
    error.to_string().contains("its own ancestor")
}

fn metrics() -> Vec<u8> {
    let point = NumberDataPoint {
        time_unix_nano: 1_800_000_000_000_000_000,
        value: Some(number_data_point::Value::AsDouble(0.5)),
        ..NumberDataPoint::default()
    };
    let metric = |data| Metric {
        name: "process.cpu.time".to_owned(),
        description: "12345678".to_owned(),
        unit: "s".to_owned(),
        data: Some(data),
        ..Metric::default()
    };
    let gauge = metric::Data::Gauge(Gauge {
        data_points: vec![point.clone()],
    });
    let sum = metric::Data::Sum(Sum {
        data_points: vec![point],
        ..Sum::default()
    });
    let scope_metrics = vec![ScopeMetrics {
        metrics: vec![metric(gauge), metric(sum)],
        ..ScopeMetrics::default()
    }];
    MetricsData {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics,
            ..ResourceMetrics::default()
        }],
    }
    .encode_to_vec()
}

fn logs() -> Vec<u8> {
    let record = LogRecord {
        time_unix_nano: 1_800_000_000_000_000_000,
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        severity_text: "INFO".to_owned(),
        body: Some(AnyValue {
            value: Some(Value::StringValue("hello".to_owned())),
        }),
        ..LogRecord::default()
    };
    let late = LogRecord {
        time_unix_nano: 0,
        observed_time_unix_nano: 5,
        ..record.clone()
    };
    let scope_logs = vec![ScopeLogs {
        log_records: vec![record, late],
        ..ScopeLogs::default()
    }];
    LogsData {
        resource_logs: vec![ResourceLogs {
            scope_logs,
            ..ResourceLogs::default()
        }],
    }
    .encode_to_vec()
}

#[test]
fn metrics_and_logs_among_traces_are_passed_over_and_counted() {
    let Some(traces) = files::shared("otel_demo/otel_demo_traces.otlp.pb") else {
        return;
    };
    let framed = |message: &[u8]| {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&length[..], message].concat()
    };
    let (metrics, logs) = (metrics(), logs());
    let plain = [&metrics[..], &logs, &traces, &metrics].concat();
    let four = [
        framed(&logs),
        framed(&metrics),
        framed(&[]),
        framed(&traces),
        framed(&metrics),
    ]
    .concat();
    for bytes in [plain, four] {
        let read = read("mixed", &bytes).unwrap();
        // Not a word of spans without a time or an id: nothing of them was taken for one.
        let expected = Skipped {
            metrics: 2,
            logs: 1,
            ..Skipped::default()
        };
        assert_eq!(read.skipped, expected);
        assert_eq!(read.spans().count(), 547);
    }
    let mut ingest = Ingest::new();
    let source = ingest.read("metrics", &metrics[..]).unwrap();
    assert_eq!((source.spans, source.skipped.metrics), (0, 1));
    let error = read("logs", &logs).unwrap_err();
    assert!(matches!(error, ReadError::NoSpans { .. }), "{error}");
}

#[test]
fn a_broken_message_is_named_by_its_number_and_place() {
    let Some(traces) = files::shared("otel_demo/otel_demo_traces.otlp.pb") else {
        return;
    };
    let length = u32::try_from(traces.len()).unwrap().to_be_bytes();
    let once = [&length[..], &traces].concat();
    let cut = [&once[..], &once[..once.len() / 2]].concat();
    match read("cut", &cut).unwrap_err() {
        ReadError::Protobuf { index, offset, .. } => {
            assert_eq!((index, offset), (1, u64::try_from(once.len()).unwrap()));
        }
        other => panic!("{other}"),
    }
    let error = read("cut", &traces[..40]).unwrap_err();
    assert!(
        matches!(
            error,
            ReadError::Protobuf {
                index: 0,
                offset: 0,
                ..
            }
        ),
        "{error}"
    );
}
