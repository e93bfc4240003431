//! What is missing of traces is measured as it is, and nothing is missed that is there.

#![cfg(test)]

mod files;

use std::fmt::Write as _;

use tidegate_trace::completeness::{Measure, of_all};
use tidegate_trace::{Traces, read};

/// One trace: id, parent, service, kind, name.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

/// A request that calls a shop, which asks a stock and a database.
const WHOLE: [Row; 6] = [
    ("1", "", "gate", "server", "GET /"),
    ("2", "1", "gate", "client", "POST shop"),
    ("3", "2", "shop", "server", "POST shop"),
    ("4", "3", "shop", "client", "GET stock"),
    ("5", "4", "stock", "server", "GET stock"),
    ("6", "3", "shop", "client", "SELECT"),
];

/// Ten traces; of the last one the rows with these ids are lost.
fn ten(lost: &[&str]) -> Traces {
    let mut text = String::from("trace,span,parent,service,kind,name,start,duration\n");
    for trace in 0..10 {
        for (id, parent, service, kind, name) in WHOLE {
            if trace < 9 || !lost.contains(&id) {
                writeln!(
                    text,
                    "t{trace},s{id},{}{parent},{service},{kind},{name},1800000000,1",
                    if parent.is_empty() { "" } else { "s" }
                )
                .unwrap();
            }
        }
    }
    read("ten.csv", text.as_bytes()).unwrap()
}

fn last(lost: &[&str]) -> Measure {
    let traces = ten(lost);
    let (measures, total) = of_all(&traces.traces);
    assert_eq!(total.traces, 10);
    let index = traces
        .traces
        .iter()
        .position(|trace| trace.id().as_ref() == "t9")
        .unwrap();
    measures[index]
}

#[test]
fn a_whole_trace_misses_nothing() {
    let measure = last(&[]);
    // The database is not traced anywhere: it is no loss.
    assert_eq!((measure.clients_without_server, measure.missing()), (1, 0));
    assert_eq!((measure.fewer_children, measure.spans), (0, 6));
    assert!(measure.is_complete());
}

#[test]
fn what_is_lost_shows_once() {
    // A parent that children name.
    let measure = last(&["4"]);
    assert_eq!((measure.absent_parents, measure.missing()), (1, 1));
    assert_eq!((measure.orphans, measure.without_root), (1, 0));
    // The answering side of a call that is answered everywhere else.
    let measure = last(&["5"]);
    assert_eq!((measure.missing_servers, measure.missing()), (1, 1));
    assert!(!measure.is_complete());
    // The root, which one child names.
    let measure = last(&["1"]);
    assert_eq!((measure.without_root, measure.missing()), (1, 1));
    // A call without children: only the usual number of children tells.
    let measure = last(&["6"]);
    assert_eq!((measure.missing(), measure.fewer_children), (0, 1));
    assert!(measure.share() > measure.least_share());
}

#[test]
fn the_asking_side_is_missed_where_it_is_usual() {
    // Span 3 now hangs below the gate's answering side itself.
    let mut text = String::from("trace,span,parent,service,kind,name,start,duration\n");
    for trace in 0..20 {
        let parent = if trace == 19 { "a" } else { "b" };
        write!(
            text,
            "t{trace},a,,gate,server,in,1800000000,1\nt{trace},b,a,gate,client,call,1800000000,1\nt{trace},c,{parent},shop,server,in,1800000000,1\n"
        )
        .unwrap();
    }
    let traces = read("table", text.as_bytes()).unwrap();
    let (_, total) = of_all(&traces.traces);
    assert_eq!(total.measure.servers_without_client, 1);
    assert_eq!(total.measure.missing_clients, 1);
    assert_eq!(total.measure.missing_servers, 1);
    assert_eq!(total.complete, 19);
}

#[test]
fn real_captures_are_complete_but_for_what_they_lack() {
    // Of the demo two calls lack the answer that calls of their kind have: cut off with the capture.
    for (path, orphans, complete, traces) in [
        ("otel_demo/otel_demo_traces.otlp.pb", 1, 138, 141),
        ("traceweaver/hotel_load25.jaeger.json", 0, 300, 300),
        (
            "train_ticket/nezha_train_ticket_normal.otlp.json",
            0,
            62,
            62,
        ),
    ] {
        let Some(bytes) = files::shared(path) else {
            continue;
        };
        let read = read(path, &bytes).unwrap();
        let (_, total) = of_all(&read.traces);
        assert_eq!(total.measure.orphans, orphans, "{path}");
        assert_eq!(
            (total.complete, total.traces),
            (complete, traces),
            "{path}: {total:?}"
        );
    }
}
