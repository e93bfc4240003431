//! What is told of payloads, and what is not.

use std::io::Read;

use super::*;
use crate::{Ingest, Span};

/// A capture of one span with these attributes, as OTLP JSON.
fn otlp(attributes: &str) -> String {
    format!(
        r#"{{"resourceSpans":[{{"resource":{{}},"scopeSpans":[{{"spans":[{{"traceId":"{:032x}","spanId":"{:016x}",
        "name":"a","startTimeUnixNano":"1","endTimeUnixNano":"2","attributes":[{attributes}]}}]}}]}}]}}"#,
        1, 2
    )
}

fn span(capture: impl Read) -> Span {
    let mut ingest = Ingest::new().with_payloads();
    ingest.read("capture", capture).unwrap();
    let traces = ingest.into_traces().unwrap();
    traces.spans().next().unwrap().clone()
}

fn told(attributes: &str) -> (Told, [Marks; 2]) {
    span(otlp(attributes).as_bytes())
        .payload()
        .unwrap()
        .read()
        .unwrap()
}

fn text(name: &str, value: &str) -> String {
    let value = serde_json::Value::from(value);
    format!(r#"{{"key":"{name}","value":{{"stringValue":{value}}}}}"#)
}

#[test]
fn a_body_is_told_by_its_fields_and_types_and_no_value() {
    let body = r#"{"orderId":"o-4711","paid":true,"at":"2026-01-31T23:59:59Z","note":null,"total":12.5,"lines":[{"sku":"x","n":2},{"sku":"y","n":1}],"who":{"name":"Ann Example"}}"#;
    let span = span(otlp(&text("http.request.body", body)).as_bytes());
    let kept = format!("{:?}", span.payload());
    for value in ["4711", "2026", "Ann", "12.5"] {
        assert!(!kept.contains(value), "{value} in {kept}");
    }
    let (told, [marks, _]) = span.payload().unwrap().read().unwrap();
    let shape = serde_json::to_string(&told.payload).unwrap();
    insta::assert_snapshot!(shape, @r#"{"at":"d","lines":{"l":[{"m":{"n":"i","sku":"s"}}]},"note":"n","orderId":"s","paid":"b","total":"f","who":{"m":{"name":"s"}}}"#);
    assert_eq!(told.attributes, ["http.request.body"]);
    let marked: Vec<&String> = marks.keys().collect();
    assert_eq!(marked, ["/at", "/orderId", "/who/name"]);
}

#[test]
fn fields_in_attributes_of_their_own_have_the_types_of_the_format() {
    let (told, _) = told(
        r#"{"key":"payload.zip","value":{"stringValue":"12345"}},{"key":"payload.n","value":{"intValue":"3"}},
        {"key":"payload.share","value":{"doubleValue":1}},{"key":"payload.order.gift","value":{"boolValue":false}},
        {"key":"payload.tags","value":{"arrayValue":{"values":[{"stringValue":"a"},{"intValue":1}]}}},
        {"key":"payload.at","value":{"kvlistValue":{"values":[{"key":"lat","value":{"doubleValue":1.5}}]}}},
        {"key":"payload.order","value":{"stringValue":"there is one below it"}},
        {"key":"payload.bob@example.com","value":{"intValue":"3"}},
        {"key":"app.user.id","value":{"stringValue":"u"}},{"key":"http.response.body","value":{"stringValue":"{}"}}"#,
    );
    insta::assert_snapshot!(
        serde_json::to_string(&told).unwrap(),
        @r#"{"p":{"at":{"m":{"lat":"f"}},"n":"i","order":"s","share":"f","tags":{"l":["i","s"]},"zip":"s"},"a":{"user":{"m":{"id":"s"}}},"n":["app.*","payload.*"]}"#
    );
}

#[test]
fn equal_values_have_equal_marks_whatever_the_order_of_attributes() {
    let (id, name) = (text("payload.id", "4711"), text("payload.name", "x"));
    let one = told(&format!("{id},{name}"));
    let other = told(&format!("{name},{id}"));
    assert_eq!(one, other);
    let (_, [marks, _]) = told(&format!("{},{name}", text("payload.id", "4712")));
    let [first, _] = one.1;
    assert_ne!(marks["/id"], first["/id"]);
    assert_eq!(marks["/name"], first["/name"]);
}

#[test]
fn what_is_too_long_too_deep_or_no_json_is_not_told() {
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(SPAN_PAYLOAD_BYTES_MAX));
    let deep = format!(r#"{{"a":{}1{}}}"#, r#"{"b":"#.repeat(200), "}".repeat(200));
    for body in [
        long.as_str(),
        deep.as_str(),
        r#"{"a":"cut o"#,
        "[1]",
        "plain",
        "7",
    ] {
        let span = span(otlp(&text("payload", body)).as_bytes());
        assert!(span.payload().is_none(), "{body}");
    }
    let nested = format!(r#"{{"a":{}1{}}}"#, r#"{"b":"#.repeat(20), "}".repeat(20));
    let (told, _) = told(&text("payload", &nested));
    let shape = serde_json::to_string(&told.payload).unwrap();
    assert_eq!(shape.matches(r#""b""#).count(), 7, "{shape}");
    let wide: Vec<String> = (0..40)
        .map(|n| format!(r#""field{n}":{{"{}":1}}"#, "n".repeat(60)))
        .collect();
    let (told, _) = told_of(&format!("{{{}}}", wide.join(",")));
    assert_eq!(told.payload.len(), 40);
}

#[test]
fn values_that_lie_too_deep_or_have_another_form_keep_no_span_out() {
    let lists = r#"{"arrayValue":{"values":["#;
    let maps = r#"{"kvlistValue":{"values":[{"key":"k","value":"#;
    let odd = [
        format!("{}{{}}{}", lists.repeat(60), "]}}".repeat(60)),
        format!("{}{{}}{}", maps.repeat(60), "}]}}".repeat(60)),
        r#"{"kvlistValue":[1]}"#.to_owned(),
        r#"{"kvlistValue":{"values":[{"key":"n","value":7},3,null]}}"#.to_owned(),
        r#"{"arrayValue":null}"#.to_owned(),
    ];
    for value in odd {
        let (told, _) = told(&format!(
            r#"{{"key":"payload.odd","value":{value}}},{{"key":"tags","value":{value}}},{}"#,
            text("payload.id", "4711")
        ));
        assert!(told.payload.contains_key("id"), "{value}");
    }
    for nothing in [
        r#"{"kvlistValue":{"values":7}}"#,
        r#"{"kvlistValue":7}"#,
        r#"{"arrayValue":7}"#,
    ] {
        let (told, _) = told(&format!(
            r#"{{"key":"payload.odd","value":{nothing}}},{}"#,
            text("payload.id", "4711")
        ));
        assert!(!told.payload.contains_key("odd"), "{nothing}");
    }
}

#[test]
fn a_payload_that_is_no_protobuf_keeps_no_span_out() {
    let field = |number: u8, bytes: &[u8]| {
        let length = u8::try_from(bytes.len()).unwrap();
        [&[number << 3 | 2, length], bytes].concat()
    };
    let time = |number: u8| [vec![number << 3 | 1], 1_u64.to_le_bytes().to_vec()].concat();
    let attribute =
        |key: &str, value: &[u8]| field(9, &[field(1, key.as_bytes()), field(2, value)].concat());
    let broken = field(6, &field(1, &[0xff]));
    let span_fields = [
        field(1, &[7; 16]),
        field(2, &[7; 8]),
        field(5, b"a"),
        time(7),
        time(8),
        attribute("payload.odd", &broken),
        attribute("payload.id", &field(1, b"4711")),
    ];
    let capture = field(1, &field(2, &field(2, &span_fields.concat())));
    let (told, _) = span(capture.as_slice()).payload().unwrap().read().unwrap();
    let told: Vec<&str> = told.payload.keys().map(AsRef::as_ref).collect();
    assert_eq!(told, ["id"]);
}

fn told_of(body: &str) -> (Told, [Marks; 2]) {
    told(&text("payload", body))
}

#[test]
fn every_format_tells_payloads() {
    let jaeger = r#"{"data":[{"spans":[{"traceID":"1","spanID":"2","operationName":"a","startTime":1,"duration":1,
        "tags":[{"key":"payload.n","type":"int64","value":3},{"key":"payload.zip","type":"string","value":"12345"}],
        "processID":"p"}],"processes":{"p":{"serviceName":"s"}}}]}"#;
    let zipkin = r#"[{"traceId":"0000000000000001","id":"0000000000000002","name":"a","timestamp":1,"duration":1,
        "tags":{"payload.n":"3","payload.to":"a@b.c"}}]"#;
    let fields = |capture: &str| {
        let (told, _) = span(capture.as_bytes()).payload().unwrap().read().unwrap();
        serde_json::to_string(&told.payload).unwrap()
    };
    assert_eq!(fields(jaeger), r#"{"n":"i","zip":"s"}"#);
    // In Zipkin every value is a text: a number may be meant.
    assert_eq!(fields(zipkin), r#"{"n":"?","to":"s"}"#);
}

#[test]
fn nobody_asks_nothing_is_kept() {
    let mut ingest = Ingest::new();
    ingest
        .read("capture", otlp(&text("payload.id", "4711")).as_bytes())
        .unwrap();
    let traces = ingest.into_traces().unwrap();
    assert!(traces.spans().all(|span| span.payload().is_none()));
}

#[test]
fn a_capture_does_not_say_itself_what_is_told() {
    let shape = r#"{"p":{"alice@example.com":"i"},"n":["body"]}"#;
    let given = [
        text("tidegate.payload.shape", shape),
        text("tidegate.payload.marks", "000001"),
    ];
    let span = span(otlp(&given.join(",")).as_bytes());
    assert!(span.payload().is_none());
}

#[test]
fn a_list_of_nothing_has_a_length() {
    let empty = vec![r#"{"stringValue":""}"#; SPAN_PAYLOAD_BYTES_MAX + 1].join(",");
    let list =
        format!(r#"{{"key":"payload.tags","value":{{"arrayValue":{{"values":[{empty}]}}}}}}"#);
    assert!(span(otlp(&list).as_bytes()).payload().is_none());
}
