//! What the readers keep is all that the judgement reads, and captures that did not fit into memory
//! give the report of those that did.
#![cfg(test)]

mod captures;

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};

use tidegate_discover::{Paint, ReportFormat, discover, report};
use tidegate_trace::{Ingest, Spill, Traces, read};

/// Spans outside of what is called memory here.
#[derive(Debug, Default)]
struct Outside(HashMap<usize, Vec<u8>>);

impl Spill for Outside {
    fn append(&mut self, bucket: usize, bytes: &[u8]) -> io::Result<()> {
        self.0.entry(bucket).or_default().extend_from_slice(bytes);
        Ok(())
    }

    fn read(&mut self, bucket: usize) -> io::Result<Vec<u8>> {
        Ok(self.0.get(&bucket).cloned().unwrap_or_default())
    }
}

/// A few bytes at a time.
struct Dribble<'a>(&'a [u8]);

impl Read for Dribble<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = out.len().min(997);
        self.0.read(&mut out[..most])
    }
}

fn json(captures: &[(String, Traces)]) -> String {
    report(&discover(captures), ReportFormat::Json, Paint::Plain)
}

/// The report without what it says of files.
fn judged(captures: &[(String, Traces)]) -> serde_json::Value {
    let mut document: serde_json::Value = serde_json::from_str(&json(captures)).unwrap();
    document.as_object_mut().unwrap().remove("captures");
    document
}

#[test]
fn captures_that_did_not_fit_into_memory_give_the_same_report() {
    let Some(folder) = captures::folder() else {
        return;
    };
    for name in [
        "online_boutique/nezha_online_boutique_normal.otlp.json",
        "otel_demo/otel_demo_traces_only.otlp.jsonl",
        "otel_demo/otel_demo_traces.otlp.pb",
    ] {
        let bytes = fs::read(folder.join(name)).unwrap();
        let whole = vec![(name.to_owned(), read(name, &bytes).unwrap())];
        let mut ingest = Ingest::new()
            .with_spill(Box::new(Outside::default()))
            .with_limit(1 << 10);
        ingest.read(name, Dribble(&bytes)).unwrap();
        assert!(ingest.has_spilled(), "{name}");
        let pieces = ingest.into_captures().unwrap();
        assert!(json(&pieces) == json(&whole), "{name}");
    }
}

#[test]
fn protobuf_and_json_of_the_same_spans_are_judged_the_same() {
    let captures = captures::all();
    let one = |wanted: &str| {
        let found = captures.iter().filter(|(name, _)| name == wanted);
        found.cloned().collect::<Vec<_>>()
    };
    let (text, binary) = (
        one("otel_demo_traces_only.otlp.jsonl"),
        one("otel_demo_traces.otlp.pb"),
    );
    assert_eq!(text.len(), binary.len());
    assert!(judged(&text) == judged(&binary));
}

/// Every attribute that a part of the judgement asks for.
const READ: [&str; 36] = [
    "db.operation",
    "db.operation.name",
    "db.query.text",
    "db.statement",
    "db.system",
    "db.system.name",
    "enduser.id",
    "http.method",
    "http.path",
    "http.request.body.size",
    "http.request.header.idempotency-key",
    "http.request.header.idempotency_key",
    "http.request.method",
    "http.request.resend_count",
    "http.request_content_length",
    "http.response.body.size",
    "http.response.status_code",
    "http.response_content_length",
    "http.route",
    "http.status_code",
    "http.target",
    "http.uri.client",
    "http.url",
    "messaging.destination",
    "messaging.destination.name",
    "messaging.message.body.size",
    "net.peer.name",
    "peer.service",
    "request_size",
    "response_size",
    "rpc.grpc.status_code",
    "rpc.service",
    "server.address",
    "session.id",
    "sql.query",
    "url.full",
];

#[test]
fn what_the_judgement_reads_is_kept() {
    let more = ["url.path", "user.id", "messaging.message.id"];
    let names: Vec<&str> = READ.into_iter().chain(more).collect();
    let attributes: Vec<serde_json::Value> = names
        .iter()
        .map(|name| {
            // Headers are lists.
            if name.starts_with("http.request.header.") {
                let values = [serde_json::json!({"stringValue": "a1"})];
                serde_json::json!({"key": name, "value": {"arrayValue": {"values": values}}})
            } else {
                serde_json::json!({"key": name, "value": {"stringValue": "a1"}})
            }
        })
        .collect();
    let document = serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": "0102030405060708090a0b0c0d0e0f10",
        "spanId": "0102030405060708",
        "name": "charge",
        "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": "1700000000100000000",
        "attributes": attributes,
    }]}]}]});
    let traces = read("kept", document.to_string().as_bytes()).unwrap();
    let span = traces.spans().next().unwrap();
    for name in names {
        assert_eq!(span.attribute(name), Some("a1"), "{name}");
    }
}
