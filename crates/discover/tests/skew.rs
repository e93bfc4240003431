//! Clocks of hosts that are wrong by a constant change no result: real captures whose spans have no kinds.
#![cfg(test)]

#[expect(dead_code, reason = "single captures are read, not all")]
mod captures;

use std::collections::BTreeMap;

use captures::folder;
use serde_json::Value;
use tidegate_base::Random;
use tidegate_discover::{Options, Paint, ReportFormat, discover_with, report};
use tidegate_trace::read;

const CAPTURES: [&str; 3] = [
    "train_ticket/nezha_train_ticket_normal.otlp.json",
    "online_boutique/nezha_online_boutique_normal.otlp.json",
    "online_boutique/nezha_online_boutique_fault_shipping_delay.otlp.json",
];

/// The host of a resource: its instance.
fn host(resource: &Value) -> String {
    let attributes = resource["resource"]["attributes"].as_array();
    let instance = attributes.and_then(|all| {
        let mut all = all.iter();
        all.find(|one| one["key"] == "service.instance.id")
    });
    instance.map_or(String::new(), |one| one["value"].to_string())
}

/// Moves the clock of every host by up to so many nanoseconds, forwards or back.
fn skew(capture: &mut Value, most: i64, seed: u64) {
    let random = Random::new(seed, "skew", "");
    let mut clocks: BTreeMap<String, i64> = BTreeMap::new();
    for resource in capture["resourceSpans"].as_array_mut().unwrap() {
        let next = u64::try_from(clocks.len()).unwrap();
        let off = *clocks.entry(host(resource)).or_insert_with(|| {
            let drawn = random.bits(next) % (2 * most.unsigned_abs() + 1);
            i64::try_from(drawn).unwrap() - most
        });
        for scope in resource["scopeSpans"].as_array_mut().unwrap() {
            for span in scope["spans"].as_array_mut().unwrap() {
                for field in ["startTimeUnixNano", "endTimeUnixNano"] {
                    let time: i64 = span[field].as_str().unwrap().parse().unwrap();
                    span[field] = (time + off).to_string().into();
                }
            }
        }
    }
    assert!(clocks.len() > 5, "{} hosts", clocks.len());
}

fn said(name: &str, capture: &Value, vocabulary: bool) -> Value {
    let traces = read(name, capture.to_string().as_bytes()).unwrap();
    let options = Options {
        vocabulary,
        ..Options::default()
    };
    let discovery = discover_with(&[(name.to_owned(), traces)], &options);
    serde_json::from_str(&report(&discovery, ReportFormat::Json, Paint::Plain)).unwrap()
}

#[test]
fn wrong_clocks_change_nothing_where_spans_have_no_kind() {
    let Some(folder) = folder() else { return };
    for path in CAPTURES {
        let bytes = std::fs::read(folder.join(path)).unwrap();
        let right: Value = serde_json::from_slice(&bytes).unwrap();
        for vocabulary in [true, false] {
            let expected = said(path, &right, vocabulary);
            for (most, seed) in [(5_000_000, 1), (20_000_000, 2), (500_000_000, 3)] {
                let mut wrong = right.clone();
                skew(&mut wrong, most, seed);
                let found = said(path, &wrong, vocabulary);
                let mut differences = Vec::new();
                compare("", &expected, &found, &mut differences);
                assert!(
                    differences.is_empty(),
                    "{path} by {most} ns: {}",
                    differences.join("\n")
                );
            }
        }
    }
}

/// Where two documents differ, by path.
fn compare(place: &str, a: &Value, b: &Value, differences: &mut Vec<String>) {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in a {
                let other = b.get(key).unwrap_or(&Value::Null);
                compare(&format!("{place}/{key}"), value, other, differences);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{place}/{index}"), a, b, differences);
            }
        }
        _ if a == b => {}
        _ => differences.push(format!("{place}: {a} and {b}")),
    }
}
