//! Reports keep to `docs/reference/discover.schema.json`, and it lets nothing else pass.
//!
//! A field that goes or changes its type breaks those who read the report: then the report's schema needs another
//! version.

#![cfg(test)]
mod captures;
mod schemas;

use std::collections::BTreeSet;

use captures::all;
use jsonschema::Validator;
use serde_json::{Value, json};
use tidegate_base::Random;
use tidegate_discover::{Options, Paint, ReportFormat, discover_with, report};
use tidegate_trace::{Traces, read};

const SCHEMA: &str = include_str!("../../../docs/reference/discover.schema.json");

fn schema() -> Validator {
    jsonschema::draft202012::new(&serde_json::from_str(SCHEMA).unwrap()).unwrap()
}

fn said(name: &str, traces: Traces) -> Value {
    let about = traces.traces.iter().flat_map(|trace| trace.spans().iter());
    let services: BTreeSet<String> = about.map(|span| span.service.to_string()).collect();
    let asked = services.iter().flat_map(|service| {
        ["async", "parallel", "remove", "slow=20ms"]
            .map(|change| format!("{change}:{service}").parse().unwrap())
    });
    let options = Options {
        suppositions: asked.collect(),
        ..Options::default()
    };
    let discovery = discover_with(&[(name.to_owned(), traces)], &options);
    serde_json::from_str(&report(&discovery, ReportFormat::Json, Paint::Plain)).unwrap()
}

/// A span of a request: id, parent, service, kind, name, start and length in microseconds.
type Made<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str, u64, u64);

/// As many requests as each quantile and each window of time needs: real captures that are at hand have fewer. Of
/// every `lost`-th one a span is lost.
fn made(lost: Option<u64>) -> Value {
    let random = Random::new(7, "schema", "");
    let mut spans = Vec::new();
    for number in 0..1_500_u64 {
        let draw = |name: u64, most: u64| random.bits(number * 8 + name) % most;
        let (stock, mail) = (4_000 + draw(1, 9_000), 6_000 + draw(2, 30_000));
        let whole = 10_000 + stock + mail;
        let made: [Made<'_>; 5] = [
            ("a", "", "shop", "SERVER", "POST /orders", 0, whole),
            ("b", "a", "shop", "CLIENT", "GET /stock", 2_000, stock),
            (
                "c",
                "b",
                "stock",
                "SERVER",
                "GET /stock",
                3_000,
                stock - 2_000,
            ),
            (
                "d",
                "a",
                "shop",
                "CLIENT",
                "POST /send-receipt",
                4_000 + stock,
                mail,
            ),
            (
                "e",
                "d",
                "mail",
                "SERVER",
                "POST /send-receipt",
                5_000 + stock,
                mail - 2_000,
            ),
        ];
        let start = 1_700_000_000_000_000 + number * 1_000_000 + draw(3, 700_000);
        let fails = draw(4, 40) == 0;
        for (id, parent, service, kind, name, from, took) in made {
            if id == "c" && lost.is_some_and(|lost| number % lost == 0) {
                continue;
            }
            spans.push(json!({
                "traceId": format!("{:032x}", number + 1), "id": format!("{id:0>16}"),
                "parentId": match parent { "" => String::new(), parent => format!("{parent:0>16}") },
                "kind": kind, "name": name, "timestamp": start + from, "duration": took,
                "localEndpoint": {"serviceName": service},
                "tags": match fails && matches!(id, "d" | "e") { true => json!({"error": "true"}), false => json!({}) },
            }));
        }
    }
    let text = Value::from(spans).to_string();
    said("made.json", read("made.json", text.as_bytes()).unwrap())
}

fn reports() -> Vec<Value> {
    let mut reports = vec![made(None), made(Some(20)), made(Some(1))];
    reports.extend(all().into_iter().map(|(name, traces)| said(&name, traces)));
    reports
}

#[test]
fn every_report_keeps_to_the_schema() {
    let schema = schema();
    for report in reports() {
        let wrong = schemas::refused(&schema, &report);
        assert!(wrong.is_empty(), "{}: {wrong:#?}", report["captures"]);
    }
}

#[test]
fn long_captures_tell_what_short_ones_cannot() {
    let report = made(None);
    let told = |pointer: &str| {
        let calls = report["candidates"].as_array().unwrap();
        calls
            .iter()
            .any(|call| call.pointer(pointer).is_some_and(|value| !value.is_null()))
    };
    for pointer in [
        "/saving/p99/value",
        "/critical_at_ns/p99",
        "/workload/dispersion/10s",
        "/workload/dispersion/1m",
    ] {
        assert!(told(pointer), "{pointer}");
    }
}

#[test]
fn no_field_can_go_come_or_become_something_else_unnoticed() {
    let kinds = schemas::lets_nothing_else_pass(&schema(), &made(None));
    assert!(kinds > 50, "{kinds}");
}
