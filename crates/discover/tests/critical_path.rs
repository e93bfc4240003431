//! The critical path: its invariant on every capture, and a peer's answers.
#![cfg(test)]

mod captures;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use captures::{all, folder};
use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_discover::critical_path::critical_paths;
use tidegate_trace::{Trace, read};

#[test]
fn segments_tile_every_entry_of_every_capture() {
    let mut paths = 0;
    for (name, traces) in all() {
        for trace in &traces.traces {
            for path in critical_paths(trace) {
                let total: i64 = path.segments.iter().map(|part| part.end - part.start).sum();
                assert_eq!(total, path.duration, "{name} {}", trace.id());
                let mut end = path.duration;
                for part in &path.segments {
                    assert_eq!(part.end, end, "{name} {}: a gap or an overlap", trace.id());
                    end = part.start;
                }
                paths += 1;
            }
        }
    }
    assert!(folder().is_none() || paths > 1_000, "{paths}");
}

#[test]
fn many_requests_in_one_trace_take_no_more_memory_each() {
    let spans: Vec<Value> = (1..=2_000)
        .map(|id| json!({"traceId": "1", "id": format!("{id:x}"), "name": "a", "timestamp": id, "duration": 5}))
        .collect();
    let capture = serde_json::to_vec(&spans).unwrap();
    let traces = read("zipkin", capture.as_slice()).unwrap();
    let paths = critical_paths(&traces.traces[0]);
    assert_eq!(paths.len(), 2_000);
    let room: usize = paths.iter().map(|path| path.segments.capacity()).sum();
    assert!(room <= 8 * 2_000, "{room}");
}

/// The exclusive critical-path time of every span, in microseconds, below the first root.
fn exclusive(trace: &Trace) -> BTreeMap<String, i64> {
    let mut times = BTreeMap::new();
    let paths = critical_paths(trace);
    for part in paths
        .first()
        .map(|path| path.segments.as_slice())
        .unwrap_or_default()
    {
        let id = trace.span(part.span).unwrap().id.to_string();
        *times.entry(id).or_insert(0) += part.end - part.start;
    }
    times
        .into_iter()
        .map(|(id, nanos)| (id, nanos / 1_000))
        .collect()
}

/// Why this answer and the peer's differ, trace by trace. Each is looked at and decided.
const REASONS: [(&str, &str); 7] = [
    (
        "7e41bfefb4a87778",
        "two children end in the same millisecond, the step of this clock: the one that started later wins \
         here, the one that started earlier there; the sums are equal",
    ),
    (
        "test_cases/10.json",
        "children overlap by 1 us: parts do not overlap here, so one gives way; the peer counts the microsecond \
         for both, and takes it off the parent",
    ),
    ("test_cases/19.json", OVERLAP),
    ("test_cases/20.json", OVERLAP),
    ("test_cases/21.json", OVERLAP),
    ("test_cases/7.json", OTHER_CLOCK),
    ("test_cases/8.json", OTHER_CLOCK),
];
const OVERLAP: &str = "children overlap by 5 us, which is more than the step of the clock: they ran beside each other \
                       here; the peer takes what is below 1 % of the parent for an accident";
const OTHER_CLOCK: &str = "a child on another host ends after its parent: another clock here, so that its duration \
                           counts; the peer cuts it off at the parent's end";

/// Every trace beside the peer's answer, as lines: equal, or every difference and its reason.
fn compare(traces: &BTreeMap<String, Trace>, oracle: &str, tolerance: i64) -> String {
    let mut lines = String::new();
    let text =
        std::fs::read_to_string(folder().unwrap().join("crisp_oracle").join(oracle)).unwrap();
    let mut equal = 0;
    for line in text.lines() {
        let answer: Value = serde_json::from_str(line).unwrap();
        let key = answer["file"]
            .as_str()
            .or(answer["traceID"].as_str())
            .unwrap()
            .to_owned();
        let ours = exclusive(&traces[&key]);
        let theirs: BTreeMap<String, i64> = answer["criticalPath"]
            .as_array()
            .unwrap()
            .iter()
            .map(|span| {
                let id = span["spanID"].as_str().unwrap().to_owned();
                (id, span["exclusiveOnCP"].as_i64().unwrap())
            })
            .collect();
        let ids: std::collections::BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
        let mut difference = String::new();
        for id in ids {
            let (mine, peer) = (ours.get(id).unwrap_or(&0), theirs.get(id).unwrap_or(&0));
            if (mine - peer).abs() > tolerance {
                writeln!(difference, "    {id}: {mine} us here, {peer} us there").unwrap();
            }
        }
        if difference.is_empty() {
            equal += 1;
            writeln!(lines, "{key}: equal, {} spans", ours.len()).unwrap();
        } else {
            let reason = REASONS.iter().find(|(trace, _)| *trace == key);
            let (_, reason) =
                reason.unwrap_or_else(|| panic!("{key} is not explained:\n{difference}"));
            write!(lines, "{key}: differs, as {reason}\n{difference}").unwrap();
        }
    }
    let all = text.lines().count();
    format!(
        "{oracle}: {equal} of {all} traces are equal, to {tolerance} us in every span\n\n{lines}"
    )
}

fn load(path: &str) -> Option<BTreeMap<String, Trace>> {
    let bytes = std::fs::read(folder()?.join(path)).unwrap();
    let traces = read(path, &bytes).unwrap().traces;
    Some(
        traces
            .into_iter()
            .map(|trace| (trace.id().to_string(), trace))
            .collect(),
    )
}

/// The traces of the peer's own test cases, by file.
fn test_cases() -> BTreeMap<String, Trace> {
    let folder = folder().unwrap();
    let oracle = folder.join("crisp_oracle/crisp_test_cases.crisp.jsonl");
    let text = std::fs::read_to_string(oracle).unwrap();
    let files = text.lines().map(|line| {
        let answer: Value = serde_json::from_str(line).unwrap();
        let file = answer["file"].as_str().unwrap().to_owned();
        let bytes = std::fs::read(folder.join("crisp").join(&file)).unwrap();
        let trace = read(&file, &bytes).unwrap().traces.remove(0);
        (file, trace)
    });
    files.collect()
}

/// `tests/crisp/agreement.txt` holds every trace; `TIDEGATE_WRITE_GOLDEN=1` writes it anew.
#[test]
fn every_critical_path_is_that_of_crisp_or_the_difference_is_explained() {
    let (Some(hotel), Some(files)) = (
        load("traceweaver/hotel_load25.jaeger.json"),
        load("traceweaver/nodejs_fileio_0.jaeger.json"),
    ) else {
        println!("skipped: the traces are absent");
        return;
    };
    let found = [
        compare(&test_cases(), "crisp_test_cases.crisp.jsonl", 0),
        compare(&files, "traceweaver__nodejs_fileio_0.crisp.jsonl", 1),
        compare(&hotel, "traceweaver__hotel_load25.crisp.jsonl", 1),
    ]
    .join("\n");
    for (trace, _) in REASONS {
        assert!(
            found.contains(&format!("{trace}: differs")),
            "{trace} does not differ any more"
        );
    }
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/crisp/agreement.txt");
    if std::env::var_os("TIDEGATE_WRITE_GOLDEN").is_some() {
        std::fs::write(golden, &found).unwrap();
    }
    let expected = std::fs::read_to_string(golden).unwrap();
    let differing = found.lines().zip(expected.lines()).find(|(a, b)| a != b);
    assert_eq!(differing, None);
    assert_eq!(found.lines().count(), expected.lines().count());
}

/// A span of a made trace: id, parent, kind, service, start and duration in microseconds.
type Made<'a> = (&'a str, &'a str, &'a str, &'a str, u64, u64);

/// The exclusive times of a made trace, as text.
fn made(spans: &[Made<'_>]) -> String {
    let list: Vec<Value> = spans
        .iter()
        .map(|(id, parent, kind, service, start, took)| {
            json!({
                "traceId": "1", "id": id, "parentId": parent, "kind": kind, "name": "n",
                "timestamp": start, "duration": took, "localEndpoint": {"serviceName": service},
            })
        })
        .collect();
    let trace = read("made", Value::from(list).to_string().as_bytes())
        .unwrap()
        .traces
        .remove(0);
    let times = exclusive(&trace).into_iter();
    let times = times.map(|(id, time)| format!("{}={time}", id.trim_start_matches('0')));
    times.collect::<Vec<_>>().join(" ")
}

#[test]
fn nobody_waits_for_the_handling_of_a_message() {
    let spans = [
        ("a", "", "SERVER", "shop", 100, 100),
        ("b", "a", "PRODUCER", "shop", 120, 10),
        ("c", "b", "CONSUMER", "mail", 125, 60),
    ];
    assert_eq!(made(&spans), "a=90 b=10");
}

#[test]
fn children_that_touch_leave_no_gap_and_the_later_start_wins_a_tie() {
    let spans = [
        ("a", "", "SERVER", "shop", 100, 100),
        ("b", "a", "", "shop", 100, 50),
        ("c", "a", "", "shop", 150, 50),
        ("d", "a", "", "shop", 120, 80),
    ];
    assert_eq!(made(&spans), "b=50 c=50");
}

#[test]
fn a_late_child_of_the_same_host_is_not_waited_for_and_one_that_overhangs_is_cut() {
    let spans = [
        ("a", "", "SERVER", "shop", 100, 100),
        ("b", "a", "", "shop", 200, 50),
        ("c", "a", "", "shop", 180, 50),
    ];
    assert_eq!(made(&spans), "a=80 c=20");
}

/// Any trace: each span hangs below an earlier one or nowhere, at any time, on any host.
fn any_trace() -> impl Strategy<Value = Vec<(usize, u64, u64, u8, u8)>> {
    let span = (any::<usize>(), 1_u64..300, 0_u64..200, 0_u8..4, 0_u8..6);
    prop::collection::vec(span, 1..40)
}

fn build(spans: &[(usize, u64, u64, u8, u8)]) -> Vec<Trace> {
    const KINDS: [&str; 6] = ["CLIENT", "SERVER", "PRODUCER", "CONSUMER", "", "CLIENT"];
    let list: Vec<Value> = spans
        .iter()
        .enumerate()
        .map(|(index, (parent, start, took, host, kind))| {
            // Below an earlier span, or below nothing when it names itself.
            let parent = parent % (index + 1);
            let parent = if parent == index {
                String::new()
            } else {
                format!("{:x}", parent + 1)
            };
            json!({
                "traceId": "1", "id": format!("{:x}", index + 1), "parentId": parent,
                "timestamp": start, "duration": took, "name": "n",
                "kind": KINDS[usize::from(*kind)],
                "localEndpoint": {"serviceName": format!("s{host}")},
            })
        })
        .collect();
    read("made", Value::from(list).to_string().as_bytes())
        .unwrap()
        .traces
}

proptest! {
    #[test]
    fn a_wrong_clock_of_the_answering_host_changes_no_time(skew in 0_u64..2_000_000) {
        let spans = |answering| {
            made(&[
                ("a", "", "SERVER", "shop", 1_000_000, 100),
                ("b", "a", "CLIENT", "shop", 1_000_020, 60),
                ("c", "b", "SERVER", "mail", answering, 40),
                ("d", "c", "", "mail", answering + 10, 20),
            ])
        };
        prop_assert_eq!(spans(skew), "a=40 b=20 c=20 d=20");
    }

    #[test]
    fn segments_tile_every_entry_of_any_trace(spans in any_trace()) {
        for trace in build(&spans) {
            for path in critical_paths(&trace) {
                let total: i64 = path.segments.iter().map(|part| part.end - part.start).sum();
                prop_assert_eq!(total, path.duration);
                let mut end = path.duration;
                for part in &path.segments {
                    prop_assert!(part.start < part.end);
                    prop_assert_eq!(part.end, end);
                    end = part.start;
                }
            }
        }
    }

    #[test]
    fn no_span_has_more_than_its_duration(spans in any_trace()) {
        for trace in build(&spans) {
            let mut times = vec![0_i64; trace.spans().len()];
            for part in critical_paths(&trace).iter().flat_map(|path| &path.segments) {
                times[part.span] += part.end - part.start;
            }
            for (span, time) in trace.spans().iter().zip(times) {
                prop_assert!(time <= i64::try_from(span.duration().as_nanos()).unwrap());
            }
        }
    }
}
