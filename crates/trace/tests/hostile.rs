//! No bytes cause a panic; what is wrong is said with its place.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tidegate_trace::{ReadError, Traces, read, recording};

fn error(text: &str) -> String {
    read("capture", text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn errors_name_the_place_and_the_next_step() {
    insta::assert_snapshot!(error("  \n"), @r##"capture: the file is empty; capture some traffic first"##);
    insta::assert_snapshot!(error("hello"), @r##"capture: not a trace file that is known (OTLP JSON or protobuf, Jaeger JSON, Zipkin v2 JSON, CSV with named columns); it starts with "hello"; export the traces in one of these formats"##);
    insta::assert_snapshot!(error(r#"{"hello": 1}"#), @r##"capture: not a trace file that is known (OTLP JSON or protobuf, Jaeger JSON, Zipkin v2 JSON, CSV with named columns); it starts with "{\"hello\": 1}"; export the traces in one of these formats"##);
    insta::assert_snapshot!(error("{\n  \"data\": [\n    oops"), @r##"capture:3:5: not valid Jaeger JSON: expected value; correct it there, or export it again"##);
    insta::assert_snapshot!(error("{\n  \"resourceSpans\": [{}"), @r##"capture:2:22: not valid OTLP JSON: EOF while parsing a list; the file is cut off: export it again, or remove its last line"##);
    insta::assert_snapshot!(error(r#"{"resourceSpans": 5}"#), @r##"capture:1:19: not valid OTLP JSON: invalid type: integer `5`, expected a sequence; correct it there, or export it again"##);
    insta::assert_snapshot!(error(r#"{"data": []}"#), @r##"capture: Jaeger JSON without a span that can be used (it is empty); export whole traces"##);
    insta::assert_snapshot!(error("[]"), @r##"capture: Zipkin v2 JSON without a span that can be used (it is empty); export whole traces"##);
    insta::assert_snapshot!(error("{\"resourceMetrics\": []}\n{\"resourceLogs\": []}"), @r##"capture: OTLP JSON without a span that can be used (documents of metrics: 1, documents of logs: 1); export whole traces"##);
    insta::assert_snapshot!(error(&otlp("zz", "0000000000000001", "")), @r##"capture:1:19: not valid OTLP JSON: identifier `zz` is neither 32 hex digits nor base64 of 16 bytes; correct it in the value that starts there"##);
    insta::assert_snapshot!(error(r#"[{"traceId": "1", "id": "2", "timestamp": -5}]"#), @r##"capture:1:44: not valid Zipkin v2 JSON: invalid type: integer `-5`, expected a whole number that is not negative; correct it there, or export it again"##);
    insta::assert_snapshot!(error("{\"resourceSpans\": []}\n\u{0}"), @r##"capture:2:1: not valid OTLP JSON: expected value; correct it there, or export it again"##);
}

fn otlp(trace: &str, span: &str, parent: &str) -> String {
    let times = r#""startTimeUnixNano":"5","endTimeUnixNano":"9""#;
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{trace}","spanId":"{span}","parentSpanId":"{parent}",{times}}}]}}]}}]}}"#
    )
}

fn zipkin(spans: &[(&str, &str)]) -> Result<Traces, ReadError> {
    let spans: Vec<String> = spans
        .iter()
        .map(|(id, parent)| {
            format!(
                r#"{{"traceId":"1","id":"{id}","parentId":"{parent}","timestamp":5,"duration":2}}"#
            )
        })
        .collect();
    read("capture", format!("[{}]", spans.join(",")).as_bytes())
}

#[test]
fn a_span_that_is_its_own_ancestor_refuses_its_trace() {
    insta::assert_snapshot!(zipkin(&[("a", "b"), ("b", "a")]).unwrap_err(), @r##"capture: Zipkin v2 JSON without a span that can be used (traces in which a span is its own ancestor: 1); export whole traces"##);
    insta::assert_snapshot!(zipkin(&[("a", "a")]).unwrap_err(), @r##"capture: Zipkin v2 JSON without a span that can be used (traces in which a span is its own ancestor: 1); export whole traces"##);
}

#[test]
fn roots_and_orphans_are_told_apart() {
    let traces = zipkin(&[("a", ""), ("b", "a"), ("c", "missing"), ("d", "")]).unwrap();
    let trace = &traces.traces[0];
    let name = |index: usize| trace.span(index).unwrap().id.to_string();
    let roots: Vec<String> = trace.roots().map(name).collect();
    let orphans: Vec<String> = trace.orphans().map(name).collect();
    assert_eq!((roots.len(), orphans.len()), (3, 1));
    assert!(orphans[0].ends_with('c'));
    assert!((traces.completeness().share() - 0.75).abs() < 1e-9);
}

#[test]
fn a_chain_as_long_as_a_file_overflows_no_stack() {
    let ids: Vec<(String, String)> = (1..=50_000)
        .map(|index| (format!("{index:x}"), format!("{:x}", index - 1)))
        .collect();
    let spans: Vec<(&str, &str)> = ids
        .iter()
        .map(|(id, parent)| (id.as_str(), parent.as_str()))
        .collect();
    let traces = zipkin(&spans).unwrap();
    assert_eq!(traces.traces[0].depth_first().count(), 50_000);
}

#[test]
fn length_delimited_protobuf_is_read_like_the_plain_one() {
    let Some(plain) = real("otel_demo/otel_demo_traces.otlp.pb") else {
        return;
    };
    let expected = read("plain", &plain).unwrap();
    let length = u32::try_from(plain.len()).unwrap();
    let four = [
        &length.to_be_bytes()[..],
        &plain,
        &length.to_be_bytes()[..],
        &plain,
    ]
    .concat();
    let mut varint = Vec::new();
    prost::encoding::encode_varint(u64::from(length), &mut varint);
    let varint = [&varint[..], &plain].concat();
    let twice = [&plain[..], &plain[..]].concat();
    for (bytes, duplicates) in [(four, 547), (varint, 0), (twice, 547)] {
        let traces = read("framed", &bytes).unwrap();
        assert!(traces.spans().eq(expected.spans()));
        assert_eq!(traces.skipped.duplicates, duplicates);
    }
}

fn real(path: &str) -> Option<Vec<u8>> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/traces");
    let bytes = fs::read(folder.join(path)).ok();
    if bytes.is_none() {
        println!("skipped: {path} is absent");
    }
    bytes
}

/// Small real files of every format.
const SMALL: [&str; 6] = [
    "crisp/test_cases/15.json",
    "jaeger_fixtures/example_trace.json",
    "jaeger_fixtures/trace_success.json",
    "kiali_bookinfo/responseTrace.tempo.json",
    "zipkin_lens/messaging.json",
    "zipkin_lens/yelp.json",
];

/// Whatever came of reading, it holds together.
fn check(result: &Result<Traces, ReadError>) {
    match result {
        Err(error) => assert!(error.to_string().starts_with("capture")),
        Ok(traces) => {
            assert!(!traces.traces.is_empty());
            for trace in &traces.traces {
                assert_eq!(trace.depth_first().count(), trace.spans().len());
                assert!(trace.spans().iter().all(|span| span.start <= span.end));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check(&read("capture", &bytes));
        let with_tag = [&[0x0a][..], &bytes].concat();
        check(&read("capture", &with_tag));
        prop_assert!(recording::read("capture", &bytes).is_err());
    }

    #[test]
    fn cut_real_files(file in 0..SMALL.len(), part in 0..1_000_usize) {
        if let Some(bytes) = real(SMALL[file]) {
            check(&read("capture", &bytes[..cut(bytes.len(), part)]));
        }
    }

    #[test]
    fn changed_real_files(
        file in 0..SMALL.len(),
        changes in prop::collection::vec((0..1_000_usize, any::<u8>()), 1..8),
    ) {
        if let Some(mut bytes) = real(SMALL[file]) {
            for (part, byte) in changes {
                let at = cut(bytes.len(), part);
                bytes[at] = byte;
            }
            check(&read("capture", &bytes));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn cut_and_changed_protobuf(part in 0..1_000_usize, at in 0..1_000_usize, byte in any::<u8>()) {
        if let Some(mut bytes) = real("otel_demo/otel_demo_traces.otlp.pb") {
            bytes.truncate(cut(40_000, part) + 1);
            let at = cut(bytes.len(), at);
            bytes[at] = byte;
            check(&read("capture", &bytes));
        }
    }
}

/// The place at `part` thousandths of the length.
fn cut(length: usize, part: usize) -> usize {
    length * part / 1_000
}

#[test]
fn zipkin_v1_is_refused_with_the_way_out() {
    let v1 = r#"[{"traceId":"1","name":"get","id":"2","annotations":[{"endpoint":{"serviceName":"a"},"timestamp":5,"value":"sr"}],"binaryAnnotations":[]}]"#;
    insta::assert_snapshot!(error(v1), @"capture:1:2: Zipkin v1 spans are not read, as they do not tell which side took which time; ask Zipkin for v2: `/api/v2/traces` or `/api/v2/trace/ID`");
    let v2 = r#"[{"traceId":"1","id":"2","timestamp":5,"duration":1,"annotations":[{"timestamp":5,"value":"wait"}]}]"#;
    assert_eq!(read("capture", v2.as_bytes()).unwrap().spans().count(), 1);
}

#[test]
fn lists_and_objects_without_end_overflow_no_stack() {
    for text in ["[", "{\"trace\":", "{\"a\":", "[{\"spans\":"] {
        check(&read("capture", text.repeat(100_000).as_bytes()));
    }
    let deep = format!(
        "{{\"resourceSpans\":[{}1{}]}}",
        "[".repeat(50_000),
        "]".repeat(50_000)
    );
    check(&read("capture", deep.as_bytes()));
}

#[test]
fn a_span_that_ends_before_it_starts_is_told() {
    let span = |id: u8, start: u64, end: u64| {
        format!(
            r#"{{"traceId":"01010101010101010101010101010101","spanId":"020202020202020{id}","name":"n","startTimeUnixNano":"{start}","endTimeUnixNano":"{end}"}}"#
        )
    };
    let spans = [
        span(1, 10, 5),
        span(2, 10, 0),
        span(3, 10, 10),
        span(4, 10, 11),
    ]
    .join(",");
    let text = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#);
    let traces = read("made.json", text.as_bytes()).unwrap();
    assert_eq!(traces.skipped.without_end, 2);
    let lengths: Vec<u128> = traces
        .spans()
        .map(|span| span.duration().as_nanos())
        .collect();
    assert_eq!(lengths.iter().sum::<u128>(), 1);
    assert_eq!(lengths.len(), 4);
}

#[test]
fn a_time_that_no_clock_shows_is_none() {
    let spans = |end: &str, second_start: &str| {
        let span = |id: &str, start: &str, end: &str| {
            format!(
                r#"{{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b716920333{id}","name":"a",
                "startTimeUnixNano":"{start}","endTimeUnixNano":"{end}"}}"#
            )
        };
        let first = span("1", "1800000000000000000", end);
        let second = span("2", second_start, "18446744073709551615");
        let text =
            format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{first},{second}]}}]}}]}}"#);
        tidegate_trace::read("made.json", text.as_bytes()).unwrap()
    };
    for end in ["18446744073709551615", "9223372036854775808"] {
        let read = spans(end, "18446744073709551615");
        assert_eq!(
            (read.skipped.without_end, read.skipped.without_time),
            (1, 1)
        );
        let trace = read.traces.first().unwrap();
        let span = trace.span(0).unwrap();
        assert_eq!(span.start, span.end, "{end}");
        assert_eq!(trace.spans().len(), 1);
    }
    let read = spans("1800000000000000005", "1800000000000000001");
    assert_eq!(
        (read.skipped.without_end, read.skipped.without_time),
        (1, 0)
    );
}
