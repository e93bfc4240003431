//! The window of received traces: what is in it, and what it takes.

#![cfg(test)]

mod formats;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use formats::{SpanRow, WRITERS, csv, otlp_json, zipkin};
use tidegate_base::Timestamp;
use tidegate_trace::window::{Limits, Window, check, traces};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_nanos(seconds * 1_000_000_000)
}

fn row(trace: u128, id: u64, parent: Option<u64>) -> SpanRow {
    SpanRow {
        trace: format!("{trace:032x}"),
        id: format!("{id:016x}"),
        parent: parent.map(|parent| format!("{parent:016x}")),
        service: "shop",
        kind: "SERVER",
        name: "GET /",
        start_micros: 1_800_000_000_000_000,
        duration_micros: 5,
        failed: false,
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_trace_is_whole_however_its_spans_came() {
    let (_, protobuf) = WRITERS[0];
    let mut window = Window::default();
    window.push(at(1), gzip(&otlp_json(&[row(7, 1, None)])).into());
    window.push(
        at(2),
        protobuf(&[row(7, 2, Some(1)), row(8, 1, None)]).into(),
    );
    window.push(at(2), Arc::from(Vec::new()));
    let all = traces(&window.messages(at(3))).unwrap();
    let sizes: Vec<usize> = all.traces.iter().map(|trace| trace.spans().len()).collect();
    assert_eq!(sizes, [2, 1]);
    assert_eq!(all.completeness().orphans, 0);
}

#[test]
fn what_is_old_or_too_much_goes() {
    let limits = Limits {
        age: Duration::from_secs(60),
        bytes: 250,
        bytes_a_second: 1_000,
    };
    let mut window = Window::new(limits);
    let message: Arc<[u8]> = vec![0; 100].into();
    window.push(at(100), Arc::clone(&message));
    window.push(at(130), Arc::clone(&message));
    assert_eq!(window.messages(at(160)).len(), 2);
    assert_eq!(window.messages(at(161)).len(), 1);
    assert_eq!(window.held().forgotten, 0);
    window.push(at(162), Arc::clone(&message));
    window.push(at(163), message);
    let held = window.held();
    assert_eq!((held.messages, held.bytes, held.forgotten), (2, 200, 1));
    // A message that is larger than everything is kept alone.
    window.push(at(164), vec![0; 300].into());
    assert_eq!(window.held().messages, 1);
}

#[test]
fn no_more_is_taken_in_a_second_than_may_be() {
    let limits = Limits {
        bytes_a_second: 1_000,
        ..Limits::default()
    };
    let mut window = Window::new(limits);
    assert_eq!(window.admit(at(5), 600), Ok(()));
    let later = Timestamp::from_nanos(5_250_000_000);
    assert_eq!(window.admit(later, 600), Err(Duration::from_millis(750)));
    assert_eq!(window.admit(later, 400), Ok(()));
    assert_eq!(window.admit(at(6), 5_000), Ok(()));
    assert!(window.admit(at(6), 1).is_err());
}

#[test]
fn only_messages_of_otlp_are_taken() {
    let rows = [row(1, 1, None)];
    assert_eq!(check(&otlp_json(&rows)), Ok(1));
    assert_eq!(check(&gzip(&otlp_json(&rows))), Ok(1));
    // Nothing, nothing compressed, and a resource without spans are messages too.
    for nothing in [vec![], gzip(b""), vec![0x0a, 0], vec![0x0a, 2, 0x0a, 0]] {
        assert_eq!(check(&nothing), Ok(0), "{nothing:?}");
    }
    for other in [
        zipkin(&rows),
        csv(&rows),
        b"hello".to_vec(),
        b"{\"resourceSpans\":[{]}".to_vec(),
    ] {
        check(&other).unwrap_err();
    }
    // A hundred kilobytes that decompress to a hundred megabytes.
    let padding = " ".repeat(100 << 20);
    let bomb = gzip(format!("{padding}{{\"resourceSpans\":[]}}").as_bytes());
    assert!(bomb.len() < 1 << 20);
    check(&bomb).unwrap_err();
}
