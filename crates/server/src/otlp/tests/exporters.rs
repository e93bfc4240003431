//! The exporters of OpenTelemetry's SDK send real spans, some by gRPC and some by HTTP: the live ranking is
//! that of the file, while they are in the window.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Given;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue as GivenPair};
use opentelemetry_proto::tonic::trace::v1::{Span, TracesData, span, status};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _, SpanLinks};
use serde_json::Value as Json;

use super::*;

/// Spans in one request: what the SDK's batch processor sends by default.
const BATCH: usize = 512;

fn capture() -> Option<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let path = "shared/data/traces/otel_demo/otel_demo_traces.otlp.pb";
    let found = above
        .map(|above| above.join(path))
        .find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: {path} is absent");
    }
    found
}

fn value(given: Option<AnyValue>) -> Option<Value> {
    Some(match given?.value? {
        Given::StringValue(text) => text.into(),
        Given::BoolValue(flag) => flag.into(),
        Given::IntValue(number) => number.into(),
        Given::DoubleValue(number) => number.into(),
        Given::ArrayValue(all) => {
            let texts = all
                .values
                .into_iter()
                .filter_map(|value| match value.value? {
                    Given::StringValue(text) => Some(StringValue::from(text)),
                    _ => None,
                });
            Value::Array(Array::String(texts.collect()))
        }
        _ => return None,
    })
}

fn pairs(given: Vec<GivenPair>) -> Vec<KeyValue> {
    let pairs = given.into_iter();
    pairs
        .filter_map(|pair| Some(KeyValue::new(pair.key, value(pair.value)?)))
        .collect()
}

fn context(trace: &[u8], id: &[u8]) -> SpanContext {
    SpanContext::new(
        TraceId::from_bytes(trace.try_into().unwrap()),
        SpanId::from_bytes(id.try_into().unwrap()),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    )
}

fn time(nanos: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos)
}

/// A span as the SDK holds it when it has ended.
fn ended(given: Span) -> SpanData {
    let kind = match given.kind() {
        span::SpanKind::Server => SpanKind::Server,
        span::SpanKind::Client => SpanKind::Client,
        span::SpanKind::Producer => SpanKind::Producer,
        span::SpanKind::Consumer => SpanKind::Consumer,
        span::SpanKind::Internal | span::SpanKind::Unspecified => SpanKind::Internal,
    };
    let status = given.status.unwrap_or_default();
    let mut links = SpanLinks::default();
    links.links = given
        .links
        .iter()
        .map(|link| Link::with_context(context(&link.trace_id, &link.span_id)))
        .collect();
    SpanData {
        span_context: context(&given.trace_id, &given.span_id),
        parent_span_id: <[u8; 8]>::try_from(given.parent_span_id.as_slice())
            .map_or(SpanId::INVALID, SpanId::from_bytes),
        parent_span_is_remote: false,
        span_kind: kind,
        name: given.name.into(),
        start_time: time(given.start_time_unix_nano),
        end_time: time(given.end_time_unix_nano),
        attributes: pairs(given.attributes),
        dropped_attributes_count: 0,
        events: Default::default(),
        links,
        status: match status.code() {
            status::StatusCode::Error => Status::error(status.message),
            status::StatusCode::Ok => Status::Ok,
            status::StatusCode::Unset => Status::Unset,
        },
        instrumentation_scope: InstrumentationScope::builder("shop").build(),
    }
}

fn exporter(transport: Transport, address: SocketAddr) -> SpanExporter {
    let builder = SpanExporter::builder();
    match transport {
        Transport::Grpc => builder
            .with_tonic()
            .with_endpoint(format!("http://{address}"))
            .build(),
        Transport::Http => builder
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("http://{address}/v1/traces"))
            .build(),
    }
    .unwrap()
}

/// All that is said of the file but its name.
fn of_file(bytes: &[u8]) -> Json {
    let traces = tidegate_trace::read("received", bytes).unwrap();
    let discovery = tidegate_discover::discover(&[("received".to_owned(), traces)]);
    let text = tidegate_discover::report(
        &discovery,
        tidegate_discover::ReportFormat::Json,
        tidegate_discover::Paint::Plain,
    );
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn what_exporters_send_is_ranked_as_the_file_of_the_same_spans_is() {
    let Some(path) = capture() else { return };
    let bytes = std::fs::read(path).unwrap();
    let scene = scene(Transport::Grpc, Limits::default()).await;
    let access = Access::new((Ipv4Addr::LOCALHOST, 0).into(), None).unwrap();
    let over_http = OtlpReceiver::start(Transport::Http, access, scene.observed.clone());
    let over_http = over_http.await.unwrap();
    let all = TracesData::decode(bytes.as_slice()).unwrap().resource_spans;
    // Services in turn by one transport and by the other: their spans are of the same traces.
    for (index, service) in all.into_iter().enumerate() {
        let (transport, address) = if index.is_multiple_of(2) {
            (Transport::Grpc, scene.receiver.address())
        } else {
            (Transport::Http, over_http.address())
        };
        let mut exporter = exporter(transport, address);
        let attributes = pairs(service.resource.unwrap_or_default().attributes);
        let resource = Resource::builder_empty().with_attributes(attributes);
        exporter.set_resource(&resource.build());
        let spans = service
            .scope_spans
            .into_iter()
            .flat_map(|scope| scope.spans);
        let mut spans: Vec<SpanData> = spans.map(ended).collect();
        while !spans.is_empty() {
            let batch = spans.drain(..spans.len().min(BATCH)).collect();
            exporter.export(batch).await.unwrap();
        }
    }
    let live = scene.report().await;
    assert_eq!(live["spans"], 547);
    let file = of_file(&bytes);
    for part in [
        "candidates",
        "completeness",
        "critical_path",
        "endpoints",
        "operations",
        "services",
    ] {
        assert_eq!(live[part], file[part], "{part}");
        assert!(!live[part].is_null(), "{part}");
    }
    // The window rolls on: after a quarter of an hour nothing of it is left.
    let minutes = Duration::from_mins(16);
    scene
        .clock
        .0
        .fetch_add(minutes.as_nanos().try_into().unwrap(), Ordering::Relaxed);
    assert_eq!(scene.report().await["spans"], 0);
    over_http.stop(Duration::from_secs(1)).await;
}
