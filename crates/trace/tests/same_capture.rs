//! The same capture in different formats gives the same spans and traces.

#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tidegate_trace::{Format, Span, SpanKind, Traces, read};

fn load(path: &str) -> Option<Traces> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/traces");
    let Ok(bytes) = fs::read(folder.join(path)) else {
        println!("skipped: {path} is absent");
        return None;
    };
    Some(read(path, &bytes).unwrap())
}

#[test]
fn the_demo_in_three_files() {
    let (Some(lines), Some(protobuf), Some(mixed)) = (
        load("otel_demo/otel_demo_traces_only.otlp.jsonl"),
        load("otel_demo/otel_demo_traces.otlp.pb"),
        load("otel_demo/otel_demo_capture_all_signals.otlp.jsonl"),
    ) else {
        return;
    };
    assert_eq!(lines.format, Format::OtlpJson);
    assert_eq!(protobuf.format, Format::OtlpProtobuf);
    for traces in [&lines, &protobuf, &mixed] {
        let services: BTreeSet<_> = traces.spans().map(|span| &span.service).collect();
        let links: usize = traces.spans().map(|span| span.links.len()).sum();
        let completeness = traces.completeness();
        assert_eq!(
            (
                completeness.spans,
                traces.traces.len(),
                services.len(),
                links,
                completeness.orphans
            ),
            (547, 141, 8, 53, 1)
        );
    }
    // Not only as many: the same spans, in the same order, attributes and all.
    assert!(lines.spans().eq(protobuf.spans()));
    assert!(lines.spans().eq(mixed.spans()));
    assert_eq!((lines.skipped.metrics, lines.skipped.logs), (0, 0));
    assert!(
        mixed.skipped.metrics > 0 && mixed.skipped.logs > 0,
        "{:?}",
        mixed.skipped
    );
}

#[test]
fn the_train_ticket_in_two_formats() {
    let (Some(jaeger), Some(otlp)) = (
        load("train_ticket/nezha_train_ticket_normal.jaeger.json"),
        load("train_ticket/nezha_train_ticket_normal.otlp.json"),
    ) else {
        return;
    };
    assert_eq!(
        (jaeger.format, otlp.format),
        (Format::JaegerJson, Format::OtlpJson)
    );
    // Jaeger writes microseconds: all but the digits below is the same.
    let key = |span: &Span| {
        let micros = |nanos: u64| nanos / 1_000;
        (
            span.id.clone(),
            span.parent.clone(),
            span.service.clone(),
            span.operation.clone(),
            micros(span.start.nanos()),
        )
    };
    let set = |traces: &Traces| traces.spans().map(key).collect::<BTreeSet<_>>();
    assert_eq!(set(&jaeger).len(), 4_595);
    assert_eq!(set(&jaeger), set(&otlp));
    let ids = |traces: &Traces| {
        traces
            .traces
            .iter()
            .map(|trace| trace.id().clone())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(ids(&jaeger), ids(&otlp));
}

#[test]
fn a_shared_zipkin_span_becomes_two() {
    let Some(traces) = load("zipkin_lens/yelp.json") else {
        return;
    };
    let trace = &traces.traces[0];
    let at = |id: &str| {
        trace
            .spans()
            .iter()
            .position(|span| span.id == *id)
            .unwrap()
    };
    let (asking, answering) = (at("7a778764a0d0b594"), at("7a778764a0d0b594/server"));
    assert_eq!(trace.parent(answering), Some(asking));
    assert_eq!(trace.span(asking).unwrap().kind, SpanKind::Client);
    assert_eq!(trace.span(asking).unwrap().service.as_ref(), "mobile_api");
    assert_eq!(trace.span(answering).unwrap().kind, SpanKind::Server);
    assert_eq!(trace.span(answering).unwrap().service.as_ref(), "spectre");
    // The 1,041 reports of the production trace: 84 without a time, 4 repeated.
    let Some(traces) = load("zipkin_lens/smartthings-mobile-web-install.json") else {
        return;
    };
    assert_eq!(
        (traces.skipped.without_time, traces.skipped.duplicates),
        (84, 4)
    );
    assert_eq!(traces.spans().count(), 1_041 - 84 - 4);
}

#[test]
fn a_consumer_under_the_answering_side_stays_there() {
    let Some(traces) = load("zipkin_lens/skew.json") else {
        return;
    };
    let trace = &traces.traces[0];
    let asynchronous = trace
        .spans()
        .iter()
        .position(|span| span.operation.as_ref() == "async")
        .unwrap();
    let parent = trace.span(trace.parent(asynchronous).unwrap()).unwrap();
    assert_eq!(
        (parent.service.as_ref(), parent.kind),
        ("serviceb", SpanKind::Server)
    );
}
