//! Requests of a system as a capture: OTLP JSON, with wrong clocks, lost spans and coarse times.

use std::fmt::Write as _;

use tidegate_base::Random;
use tidegate_trace::{Traces, read};

use super::{Ran, System, mix};

/// What the capture does to the truth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    /// The clock of each service is wrong by up to so many nanoseconds.
    pub(crate) skew: i64,
    /// The share of spans that are lost.
    pub(crate) loss: f64,
    /// The step of the clocks, in nanoseconds.
    pub(crate) step: i64,
}

impl Faults {
    pub(crate) const NONE: Self = Self {
        skew: 0,
        loss: 0.0,
        step: 1,
    };
}

/// When the first request starts.
const START: i64 = 1_700_000_000_000_000_000;
/// From one request to the next.
const APART: i64 = 1_500_000_000;

/// The capture of requests `0..runs.len()`.
pub(crate) fn capture(runs: &[Vec<Ran>], faults: Faults) -> Traces {
    read("made.json", json(runs, faults).as_bytes()).unwrap()
}

/// The text of the capture.
pub(crate) fn json(runs: &[Vec<Ran>], faults: Faults) -> String {
    let random = Random::new(3, "faults", "");
    let mut by_service = vec![String::new(); 7];
    for (request, spans) in runs.iter().enumerate() {
        for (index, span) in spans.iter().enumerate() {
            let lost = mix(request as u64 + 1, index as u64);
            if random.uniform(lost >> 1) < faults.loss {
                continue;
            }
            // A caller's span is made by the service around it.
            let owner = match (span.is_client, span.parent) {
                (true, Some(parent)) => spans[parent].operation,
                _ => span.operation,
            };
            let service = owner % 7;
            let skew = (random.uniform(service as u64) * 2.0 - 1.0) * faults.skew as f64;
            let time = |at: i64| {
                let time = START + request as i64 * APART + skew as i64 + at;
                time - time % faults.step
            };
            let text = &mut by_service[service];
            let comma = if text.is_empty() { "" } else { "," };
            let parent = span.parent.map_or(String::new(), |parent| {
                format!("\"parentSpanId\":\"{:016x}\",", parent + 1)
            });
            write!(
                text,
                "{comma}{{\"traceId\":\"{:032x}\",\"spanId\":\"{:016x}\",{parent}\"name\":\"call-{}\",\"kind\":{},\"startTimeUnixNano\":\"{}\",\"endTimeUnixNano\":\"{}\"}}",
                request + 1,
                index + 1,
                span.operation,
                if span.is_client { 3 } else { 2 },
                time(span.start),
                time(span.end),
            )
            .unwrap();
        }
    }
    let resources: Vec<String> = by_service
        .iter()
        .enumerate()
        .filter(|(_, spans)| !spans.is_empty())
        .map(|(service, spans)| {
            let name = System::service(service);
            format!(
                "{{\"resource\":{{\"attributes\":[{{\"key\":\"service.name\",\"value\":{{\"stringValue\":\"{name}\"}}}},{{\"key\":\"host.name\",\"value\":{{\"stringValue\":\"host-{name}\"}}}}]}},\"scopeSpans\":[{{\"spans\":[{spans}]}}]}}"
            )
        })
        .collect();
    format!("{{\"resourceSpans\":[{}]}}", resources.join(","))
}
