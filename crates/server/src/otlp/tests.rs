//! Against the gRPC client that exporters are made of, and requests as they are on the wire.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use tidegate_base::{Clock, Timestamp};
use tidegate_trace::window::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::codec::CompressionEncoding;

use super::*;

mod exporters;

/// A clock that is moved by hand.
#[derive(Debug, Default)]
struct ByHand(AtomicU64);

impl Clock for ByHand {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

struct Scene {
    clock: Arc<ByHand>,
    observed: Observed,
    receiver: OtlpReceiver,
}

async fn scene(transport: Transport, limits: Limits) -> Scene {
    let clock = Arc::new(ByHand::default());
    let observed = Observed::new(clock.clone(), limits);
    let access = Access::new((Ipv4Addr::LOCALHOST, 0).into(), None).unwrap();
    let receiver = OtlpReceiver::start(transport, access, observed.clone()).await;
    Scene {
        clock,
        observed,
        receiver: receiver.unwrap(),
    }
}

impl Scene {
    /// The report, made anew.
    async fn report(&self) -> serde_json::Value {
        self.clock.0.fetch_add(10_000_000_000, Ordering::Relaxed);
        serde_json::from_str(&self.observed.report().await.unwrap()).unwrap()
    }

    /// One request as it is on the wire; the whole answer.
    async fn send(&self, head: &str, body: &[u8]) -> String {
        let address = self.receiver.address();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST {head}\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // A refusal may come before the whole body is sent.
        let _sent = stream.write_all(body).await.is_ok();
        let mut answer = Vec::new();
        let _ended = stream.read_to_end(&mut answer).await.is_ok();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

fn request(trace: u8, id: u8, parent: Option<u8>) -> ExportTraceServiceRequest {
    let value = Some(Value::StringValue("shop".to_owned()));
    let service = KeyValue {
        key: "service.name".to_owned(),
        value: Some(AnyValue { value }),
        ..KeyValue::default()
    };
    let span = Span {
        trace_id: vec![trace; 16],
        span_id: vec![id; 8],
        parent_span_id: parent.map(|parent| vec![parent; 8]).unwrap_or_default(),
        name: "GET /".to_owned(),
        kind: 2,
        start_time_unix_nano: 1_800_000_000_000_000_000,
        end_time_unix_nano: 1_800_000_000_000_500_000,
        ..Span::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![service],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                spans: vec![span],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const PROTOBUF_HEAD: &str = "/v1/traces HTTP/1.1\r\ncontent-type: application/x-protobuf";
const JSON_HEAD: &str = "/v1/traces HTTP/1.1\r\ncontent-type: application/json; charset=utf-8";

#[tokio::test]
async fn the_client_of_grpc_is_served() {
    let scene = scene(Transport::Grpc, Limits::default()).await;
    let url = format!("http://{}", scene.receiver.address());
    let mut client = TraceServiceClient::connect(url).await.unwrap();
    client.export(request(1, 1, None)).await.unwrap();
    let mut client = client.send_compressed(CompressionEncoding::Gzip);
    client.export(request(1, 2, Some(1))).await.unwrap();
    client
        .export(ExportTraceServiceRequest::default())
        .await
        .unwrap();
    let report = scene.report().await;
    assert_eq!(
        (&report["traces"], &report["spans"]),
        (&1.into(), &2.into())
    );
    assert_eq!(report["services"][0]["name"], "shop");
}

#[tokio::test]
async fn what_grpc_cannot_take_has_its_status() {
    let limits = Limits {
        bytes_a_second: 1,
        ..Limits::default()
    };
    let scene = scene(Transport::Grpc, limits).await;
    let url = format!("http://{}", scene.receiver.address());
    let mut client = TraceServiceClient::connect(url).await.unwrap();
    client.export(request(1, 1, None)).await.unwrap();
    let busy = client.export(request(1, 2, None)).await.unwrap_err();
    assert_eq!(busy.code(), tonic::Code::Unavailable);
    scene.clock.0.fetch_add(1_000_000_000, Ordering::Relaxed);
    let mut large = request(1, 3, None);
    large.resource_spans[0].scope_spans[0].spans[0].name = "x".repeat(REQUEST_BODY_BYTES_MAX);
    let large = client.export(large).await.unwrap_err();
    assert_eq!(large.code(), tonic::Code::ResourceExhausted);
}

#[tokio::test]
async fn http_takes_protobuf_and_json_compressed_or_not() {
    let scene = scene(Transport::Http, Limits::default()).await;
    let protobuf = request(1, 1, None).encode_to_vec();
    let json = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"01010101010101010101010101010101","spanId":"0202020202020202","parentSpanId":"0101010101010101","name":"n","startTimeUnixNano":"5","endTimeUnixNano":"6"}]}]}]}"#;
    for (head, body, answer) in [
        (PROTOBUF_HEAD.to_owned(), protobuf, ""),
        (JSON_HEAD.to_owned(), json.to_vec(), "{}"),
        (
            format!("{PROTOBUF_HEAD}\r\ncontent-encoding: gzip"),
            gzip(&request(2, 1, None).encode_to_vec()),
            "",
        ),
        (
            format!("{JSON_HEAD}\r\ncontent-encoding: gzip"),
            gzip(br#"{"resourceSpans":[]}"#),
            "{}",
        ),
        (PROTOBUF_HEAD.to_owned(), Vec::new(), ""),
    ] {
        let answered = scene.send(&head, &body).await;
        let (head, body) = answered.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answered}");
        assert_eq!(body, answer);
    }
    let report = scene.report().await;
    assert_eq!(
        (&report["traces"], &report["spans"]),
        (&2.into(), &3.into())
    );
}

#[tokio::test]
async fn http_says_why_it_takes_nothing() {
    let limits = Limits {
        bytes_a_second: 64,
        ..Limits::default()
    };
    let scene = scene(Transport::Http, limits).await;
    let next_second = || scene.clock.0.fetch_add(1_000_000_000, Ordering::Relaxed);
    let cut = request(1, 1, None).encode_to_vec();
    let cut = &cut[..cut.len() / 2];
    let text = "/v1/traces HTTP/1.1\r\ncontent-type: text/plain";
    let other = format!("{JSON_HEAD}\r\norigin: http://evil.example");
    let brotli = format!("{JSON_HEAD}\r\ncontent-encoding: br");
    let large = vec![b' '; REQUEST_BODY_BYTES_MAX + 1];
    for (head, body, status) in [
        (PROTOBUF_HEAD, cut, "400"),
        (JSON_HEAD, &b"{\"resourceSpans\":["[..], "400"),
        (
            JSON_HEAD,
            b"[{\"traceId\":\"1\",\"id\":\"2\",\"timestamp\":5}]",
            "400",
        ),
        (text, b"x", "415"),
        (&brotli, b"{}", "415"),
        (&other, b"{}", "403"),
        ("/v1/metrics HTTP/1.1", b"", "404"),
        (JSON_HEAD, &large, "413"),
    ] {
        next_second();
        let answered = scene.send(head, body).await;
        assert!(
            answered.starts_with(&format!("HTTP/1.1 {status}")),
            "{answered}"
        );
    }
    next_second();
    let whole = request(1, 1, None).encode_to_vec();
    assert!(
        scene
            .send(PROTOBUF_HEAD, &whole)
            .await
            .starts_with("HTTP/1.1 200")
    );
    let busy = scene.send(PROTOBUF_HEAD, &whole).await;
    assert!(
        busy.starts_with("HTTP/1.1 429") && busy.contains("retry-after: 1"),
        "{busy}"
    );
    assert_eq!(scene.report().await["traces"], 1);
}

#[tokio::test]
async fn an_answer_is_given_again_for_a_while() {
    let scene = scene(Transport::Http, Limits::default()).await;
    assert_eq!(scene.report().await["traces"], 0);
    scene
        .send(PROTOBUF_HEAD, &request(1, 1, None).encode_to_vec())
        .await;
    let again = scene.observed.report().await.unwrap();
    let again: serde_json::Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["traces"], 0);
    assert_eq!(scene.report().await["traces"], 1);
}

#[test]
fn a_body_is_exactly_one_message() {
    let framed =
        |flag: u8, length: u32, rest: &[u8]| [&[flag][..], &length.to_be_bytes(), rest].concat();
    assert_eq!(message(&framed(0, 2, b"ab"), None), Ok(&b"ab"[..]));
    assert_eq!(message(&framed(1, 2, b"ab"), Some(b"gzip")), Ok(&b"ab"[..]));
    for (body, encoding, code) in [
        (b"\0\0\0".to_vec(), None, Code::InvalidArgument),
        (framed(0, 3, b"ab"), None, Code::InvalidArgument),
        (framed(0, 1, b"ab"), None, Code::InvalidArgument),
        (framed(2, 2, b"ab"), None, Code::InvalidArgument),
        (framed(1, 2, b"ab"), None, Code::Unimplemented),
        (
            framed(1, 2, b"ab"),
            Some(&b"snappy"[..]),
            Code::Unimplemented,
        ),
    ] {
        assert_eq!(message(&body, encoding).unwrap_err().0, code, "{body:?}");
    }
}
